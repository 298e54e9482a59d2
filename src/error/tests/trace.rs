//! Where a rejection was made and what it passed.

use super::{Inner, here, lines};
use crate::error::trace::KEPT;
use crate::error::{Fault, Rejection, trace_through};
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn begins_where_it_was_made() {
    let new = (Rejection::new(Inner), line!());
    let from = (Rejection::from(Inner), line!());
    let into: (Rejection, u32) = ("no".into(), line!());
    let by_question_mark = || -> Result<(), Rejection> { Err("no")? };
    let question_mark = (by_question_mark().unwrap_err(), line!() - 1);
    for (rejection, line) in [new, from, into, question_mark] {
        assert_eq!(lines(&rejection), [line]);
        assert_eq!(rejection.trace()[0].file(), file!());
    }
}

#[test]
fn does_not_begin_with_a_place_that_says_nothing() {
    fn failed<E>(error: E) -> Result<(), E> {
        Err(error)
    }
    let pointer: fn(Fault) -> Rejection = Rejection::from;
    let by_pointer = pointer(Fault::Cycle);
    let by_name = failed("no").map_err(Rejection::from).unwrap_err();
    let new_by_name = failed(Inner).map_err(Rejection::new).unwrap_err();
    for mut rejection in [by_pointer, by_name, new_by_name] {
        assert_eq!(lines(&rejection), []);
        let at = here();
        rejection.pass(at);
        assert_eq!(rejection.trace(), [at]);
    }
}

#[test]
fn grows_in_order_and_leaves_clones_alone() {
    let sites = [here(), here(), here(), here(), here(), here()];
    let mut rejection = Rejection::from_fault(Fault::Cycle, sites[0]);
    let mut clones = vec![];
    for (passed, site) in sites.iter().enumerate().skip(1) {
        clones.push((rejection.clone(), passed));
        rejection.pass(site);
    }
    assert_eq!(rejection.trace(), sites);
    for (clone, passed) in clones {
        assert_eq!(clone.trace(), &sites[..passed]);
    }
}

#[test]
fn a_shared_error_is_one_error() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    impl fmt::Debug for Counted {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("counted")
        }
    }
    impl fmt::Display for Counted {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("counted")
        }
    }
    impl Error for Counted {}

    let drops = Arc::new(AtomicUsize::new(0));
    let first = Rejection::from(Counted(drops.clone()));
    let mut second = first.clone();
    second.pass(here());
    let (a, b) = (first.downcast_ref::<Counted>().unwrap(), second.downcast_ref::<Counted>().unwrap());
    assert!(std::ptr::eq(a, b));
    drop(first);
    assert_eq!(drops.load(Ordering::Relaxed), 0);
    assert_eq!(second.to_string(), "counted");
    drop(second);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn keeps_the_first_and_the_newest() {
    const PASSED: usize = 1_000;
    let (first, old, new) = (here(), here(), here());
    for held in [false, true] {
        let mut rejection = Rejection::from_fault(Fault::Cycle, first);
        for index in 0..PASSED {
            let clone = held.then(|| rejection.clone());
            rejection.pass(if index < PASSED - 5 { old } else { new });
            drop(clone);
        }
        let trace = rejection.trace();
        assert_eq!(trace.len(), KEPT);
        assert_eq!(trace[0], first);
        assert_eq!(trace[1..KEPT - 5], [old; KEPT - 6]);
        assert_eq!(trace[KEPT - 5..], [new; 5]);
        let omitted = PASSED + 1 - KEPT;
        assert!(format!("{rejection:?}").contains(&format!("at {first}\n    ({omitted} more left out)\n    at {old}")));
    }
}

#[test]
fn goes_through_a_generic_reason() {
    let at = here();
    let mut rejection = Rejection::from_fault(Fault::Cycle, at);
    trace_through(&mut rejection, at);
    assert_eq!(rejection.trace(), [at, at]);
    let mut text = String::from("text");
    trace_through(&mut text, at);
    assert_eq!(text, "text");
}

/// Each pass copies, because a clone is held; the copies must not hang on one another.
#[test]
fn copies_do_not_nest() {
    let at = here();
    let passed = if cfg!(miri) { 100 } else { 100_000 };
    let mut rejection = Rejection::from_fault(Fault::Cycle, at);
    let original = rejection.clone();
    for _ in 0..passed {
        let clone = rejection.clone();
        rejection.pass(at);
        drop(clone);
    }
    let fault = |rejection: &Rejection| rejection.fault().map(std::ptr::from_ref);
    assert_eq!(fault(&rejection), fault(&original));
}
