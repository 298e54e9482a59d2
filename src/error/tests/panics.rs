//! Panics of foreign code.

use super::here;
use crate::error::{Fault, panic};
use std::borrow::Cow;
use std::panic::panic_any;
use std::sync::Arc;

/// A payload whose destructor panics, with another such payload while `left` lasts.
struct Bomb(usize);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 > 0 {
            panic_any(Bomb(self.0 - 1));
        }
    }
}

fn message<R>(caught: Result<R, Fault>) -> (String, Option<String>) {
    match caught {
        Err(Fault::Panicked { message, at }) => (message.into_owned(), at.map(Cow::into_owned)),
        Err(other) => (other.to_string(), None),
        Ok(_) => ("no panic".into(), None),
    }
}

#[test]
fn a_result_comes_through() {
    assert_eq!(panic::catch(None, || 5).unwrap(), 5);
}

#[test]
fn a_panic_becomes_a_fault_with_its_message_and_site() {
    let site = here();
    let expected = |text: &str| (text.to_owned(), Some(site.to_string()));
    let number = 7;
    assert_eq!(message(panic::catch(Some(site), || panic!("plain"))), expected("plain"));
    assert_eq!(message(panic::catch(Some(site), || panic!("made {number}"))), expected("made 7"));
    assert_eq!(message(panic::catch(Some(site), || panic_any(5))), expected("a value of unknown type"));
    assert_eq!(message(panic::catch(None, || panic!("plain"))), ("plain".to_owned(), None));
}

#[test]
fn what_the_closure_owns_is_dropped_inside() {
    let bomb = Bomb(1);
    let caught = panic::catch(None, move || {
        let _owned = &bomb;
    });
    assert_eq!(message(caught).0, "a value of unknown type");
}

#[test]
#[cfg_attr(miri, ignore = "the second payload is leaked on purpose")]
fn payloads_that_panic_when_dropped_end_here() {
    for depth in 0..4 {
        assert_eq!(message(panic::catch(None, || panic_any(Bomb(depth)))).0, "a value of unknown type");
    }
}

#[test]
#[cfg_attr(miri, ignore = "the second payload is leaked on purpose")]
fn destructors_that_panic_end_here() {
    for depth in 0..4 {
        panic::drop_quietly(Bomb(depth));
    }
    let dropped = Arc::new(());
    panic::drop_quietly(dropped.clone());
    assert_eq!(Arc::strong_count(&dropped), 1);
    panic::drop_quietly(5);
}
