//! Many reasons.

use crate::error::{AggregateError, Fault};

#[test]
fn counts_and_iterates_in_order() {
    let text = |errors: Vec<u8>| AggregateError { errors }.to_string();
    assert_eq!(text(vec![]), "there were too few promises to begin with");
    assert_eq!(text(vec![1]), "1 promise was rejected");
    assert_eq!(text(vec![1, 2, 3]), "3 promises were rejected");
    let error = AggregateError { errors: vec![3, 1, 2] };
    assert_eq!((&error).into_iter().copied().collect::<Vec<_>>(), [3, 1, 2]);
    assert_eq!(error.into_iter().collect::<Vec<_>>(), [3, 1, 2]);
}

#[test]
fn holds_a_fault_as_its_only_reason() {
    let error = AggregateError::<String>::from(Fault::LoopClosed);
    assert_eq!(error.errors, ["the event loop is closed"]);
}
