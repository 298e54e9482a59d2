//! Reports of rejections that nobody handled.

use super::here;
use crate::error::unhandled::{self, Hook};
use crate::error::{Fault, Rejection, Unhandled};
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

fn sample(text: &'static str) -> Unhandled {
    let reason = Rejection::from_fault(Fault::Cancelled { reason: text.into() }, here());
    Unhandled::new(Some(reason), "thenable::Rejection", here(), Some("job".into()))
}

#[test]
fn print_reason_trace_and_promise() {
    let unhandled = sample("x");
    let (made, at) = (unhandled.reason().unwrap().trace()[0], unhandled.created_at());
    let text = format!("cancelled: x\n    at {made}\n    nobody handled the promise `job` made at {at}");
    assert_eq!(unhandled.to_string(), text);
    assert_eq!((unhandled.name(), unhandled.type_name()), (Some("job"), "thenable::Rejection"));

    let typed = Unhandled::new(None, "app::MyError", at, None);
    assert!(typed.reason().is_none());
    let text = format!("a rejection of type app::MyError\n    nobody handled the promise made at {at}");
    assert_eq!(typed.to_string(), text);
}

#[test]
fn go_to_standard_error_without_a_hook() {
    let unhandled = sample("x");
    let mut err = vec![];
    unhandled::run(None, &unhandled, &mut err);
    assert_eq!(String::from_utf8(err).unwrap(), format!("unhandled rejection: {unhandled}\n"));
}

#[test]
fn go_to_the_newest_hook() {
    let slot = Mutex::new(None);
    let heard = Arc::new(Mutex::new(vec![]));
    let mut err = vec![];
    for number in 1..=2 {
        let heard = heard.clone();
        unhandled::replace(
            &slot,
            Arc::new(move |unhandled: &Unhandled| {
                heard.lock().unwrap().push((number, unhandled.reason().unwrap().to_string()));
            }),
        );
        unhandled::run(unhandled::current(&slot), &sample("x"), &mut err);
    }
    assert_eq!(*heard.lock().unwrap(), [(1, "cancelled: x".to_owned()), (2, "cancelled: x".to_owned())]);
    assert!(err.is_empty());
}

#[test]
fn survive_a_hook_that_panics() {
    let unhandled = sample("x");
    let mut err = vec![];
    unhandled::run(Some(Arc::new(|_: &Unhandled| panic!("hook down"))), &unhandled, &mut err);
    let text = String::from_utf8(err).unwrap();
    assert!(text.contains("failed: a handler panicked: hook down\n"), "{text}");
    assert!(text.ends_with(&format!("unhandled rejection: {unhandled}\n")), "{text}");
}

#[test]
fn survive_a_reason_that_panics_when_printed() {
    #[derive(Debug)]
    struct Mute;
    impl fmt::Display for Mute {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("no words")
        }
    }
    impl Error for Mute {}
    let unhandled = Unhandled::new(Some(Rejection::from(Mute)), "thenable::Rejection", here(), None);
    let mut err = vec![];
    unhandled::run(None, &unhandled, &mut err);
    let at = unhandled.created_at();
    assert_eq!(String::from_utf8(err).unwrap(), format!("unhandled rejection of the promise made at {at}\n"));
}

/// No lock is held while a hook runs, nor while one is dropped.
#[test]
fn hooks_may_do_anything() {
    static SLOT: Mutex<Option<Arc<Hook>>> = Mutex::new(None);
    static RAN: AtomicUsize = AtomicUsize::new(0);
    static DROPPED: AtomicUsize = AtomicUsize::new(0);

    struct Looks;
    impl Drop for Looks {
        fn drop(&mut self) {
            assert!(SLOT.try_lock().is_ok());
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
    fn hook() -> Arc<Hook> {
        let looks = Looks;
        Arc::new(move |_: &Unhandled| {
            let _held = &looks;
            unhandled::replace(&SLOT, hook());
            RAN.fetch_add(1, Ordering::Relaxed);
        })
    }
    let mut err = vec![];
    unhandled::replace(&SLOT, hook());
    unhandled::replace(&SLOT, hook());
    assert_eq!(DROPPED.load(Ordering::Relaxed), 1, "dropped by `replace`");
    unhandled::run(unhandled::current(&SLOT), &sample("x"), &mut err);
    unhandled::run(unhandled::current(&SLOT), &sample("x"), &mut err);
    assert_eq!(RAN.load(Ordering::Relaxed), 2);
    assert_eq!(DROPPED.load(Ordering::Relaxed), 3, "dropped by `run`, after another took their place");
    assert!(err.is_empty());
}

#[test]
fn survive_a_hook_that_panics_when_dropped() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("hook's destructor");
        }
    }
    let last = |bomb: Bomb| -> Arc<Hook> {
        Arc::new(move |_: &Unhandled| {
            let _held = &bomb;
        })
    };
    let mut err = vec![];
    unhandled::run(Some(last(Bomb)), &sample("x"), &mut err);
    assert!(err.is_empty());

    let slot = Mutex::new(Some(last(Bomb)));
    unhandled::replace(&slot, Arc::new(|_: &Unhandled| {}));
    assert!(!slot.is_poisoned());
}
