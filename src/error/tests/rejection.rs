//! What becomes a rejection, and what a rejection is.

use super::{Boxed, Inner, Outer, here, lines};
use crate::error::{AggregateError, Fault, Rejection, Unhandled};
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::panic::UnwindSafe;

#[test]
fn is_one_pointer_that_crosses_threads() {
    fn crosses<T: Send + Sync + Clone + UnwindSafe + 'static>() {}
    crosses::<Rejection>();
    crosses::<Fault>();
    assert_eq!(size_of::<Option<Rejection>>(), size_of::<usize>());
}

#[test]
fn comes_from_everything_that_boxes() {
    fn all(which: u8) -> crate::error::Result<()> {
        match which {
            0 => Err("str")?,
            1 => Err(String::from("string"))?,
            2 => Err(Cow::Borrowed("cow"))?,
            3 => Err(Boxed::from("boxed"))?,
            4 => Err(Inner)?,
            5 => Err(Fault::Cycle)?,
            6 => Err(AggregateError::<Rejection> { errors: vec![] })?,
            7 => Err(Unhandled::new(Some("u".into()), "x", here(), None))?,
            _ => {}
        }
        Ok(())
    }
    let texts: Vec<_> = (0..4).map(|which| all(which).unwrap_err().to_string()).collect();
    assert_eq!(texts, ["str", "string", "cow", "boxed"]);
    assert!(all(4).unwrap_err().is::<Inner>());
    assert!(matches!(all(5).unwrap_err().fault(), Some(Fault::Cycle)));
    assert!(all(6).unwrap_err().is::<AggregateError>());
    assert!(all(7).unwrap_err().is::<Unhandled>());
    assert!(all(8).is_ok());
}

#[test]
fn goes_on_as_an_error_and_comes_back_unwrapped() {
    fn out(rejection: Rejection) -> Result<(), Boxed> {
        Err(rejection)?
    }
    let first = Rejection::from(Inner);
    let place = lines(&first);
    let boxed = out(first).unwrap_err();
    let back = Rejection::from(boxed);
    assert!(back.is::<Inner>());
    assert_eq!(lines(&back), place);
    let again = Rejection::new(back);
    assert!(again.is::<Inner>());
    assert_eq!(lines(&again), place);
}

#[test]
fn a_report_of_the_sources_prints_no_message_twice() {
    let rejection = Rejection::from(Outer(Inner));
    let mut chain = vec![rejection.to_string()];
    let mut cause = rejection.source();
    while let Some(error) = cause {
        chain.push(error.to_string());
        cause = error.source();
    }
    assert_eq!(chain, ["outer", "inner"]);
}

#[test]
fn downcasts_through_every_form() {
    let boxed = Rejection::from(Fault::Cycle);
    let inline = Rejection::from_fault(Fault::Cycle, here());
    let mut shared = inline.clone();
    shared.pass(here());
    let mut shared_twice = shared.clone();
    shared_twice.pass(here());
    for rejection in [boxed, inline, shared, shared_twice] {
        assert!(matches!(rejection.fault(), Some(Fault::Cycle)));
        assert!(rejection.is::<Fault>());
        assert!(!rejection.is::<Inner>());
        assert_eq!(rejection.to_string(), Fault::Cycle.to_string());
    }
}

#[test]
fn display_keeps_the_flags() {
    struct Flags;
    impl fmt::Display for Flags {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(if f.alternate() { "long" } else { "short" })
        }
    }
    impl fmt::Debug for Flags {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            fmt::Display::fmt(self, f)
        }
    }
    impl Error for Flags {}
    let rejection = Rejection::from(Flags);
    assert_eq!(format!("{rejection} {rejection:#}"), "short long");
}
