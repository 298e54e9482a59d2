//! What `{:?}` prints.

use super::{Inner, Outer, here};
use crate::error::{AggregateError, Fault, Rejection};

#[test]
fn tells_the_whole_story() {
    let mut rejection = Rejection::from(Outer(Inner));
    let (made, passed) = (rejection.trace()[0], here());
    rejection.pass(passed);
    let story = format!("outer\n    caused by: inner\n    at {made}\n    at {passed}");
    assert_eq!(format!("{rejection:?}"), story);
    assert_eq!(format!("{rejection:#?}"), story);
    assert!(story.contains(file!()));
}

#[test]
fn indents_a_cause_of_several_lines() {
    #[derive(Debug, thiserror::Error)]
    #[error("top")]
    struct Top(#[source] Lines);
    #[derive(Debug, thiserror::Error)]
    #[error("one\ntwo")]
    struct Lines;
    let rejection = Rejection::from(Top(Lines));
    let made = rejection.trace()[0];
    assert_eq!(format!("{rejection:?}"), format!("top\n    caused by: one\n    two\n    at {made}"));
}

#[test]
fn lists_the_reasons_of_an_aggregate() {
    let at = here();
    let reason = |text: &'static str| Rejection::from_fault(Fault::Cancelled { reason: text.into() }, at);
    let mut all = Rejection::from(AggregateError { errors: vec![reason("a"), reason("b")] });
    let made = all.trace()[0];
    assert_eq!(
        format!("{all:?}"),
        format!(
            "2 promises were rejected\n    0: cancelled: a\n        at {at}\n    1: cancelled: b\n        at {at}\n    at {made}"
        )
    );
    for _ in 0..20 {
        all = Rejection::from(AggregateError { errors: vec![all; 2] });
    }
    assert!(format!("{all:?}").len() < 10_000, "a nest of 2^20 reasons is cut");
    let mut nest = reason("innermost");
    for depth in 1..=6 {
        nest = Rejection::from(AggregateError { errors: vec![nest] });
        let story = format!("{nest:?}");
        assert_eq!(
            story.matches("1 promise was rejected").count(),
            depth.min(5),
            "four levels below the first: {story}"
        );
        assert_eq!(story.contains("innermost"), depth < 5, "{story}");
    }
    let wide = Rejection::from(AggregateError { errors: vec![reason("a"); 100] });
    assert!(format!("{wide:?}").contains("\n    and 84 more\n"));
}
