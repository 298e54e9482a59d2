//! Many reasons at once.

use super::{Fault, Rejection};
use std::error::Error;
use std::fmt;

/// All reasons of `any` and `some`, in input order; or of a `scope`, the first failure first.
///
/// `any` rejects with it when every promise was rejected, `some` when too many were for the count that it was asked for, a
/// [`scope`](fn@crate::scope) when more than one of its parts failed.
/// It is `From<Fault>` where its reasons are: such a fault (a time-out of the `any` itself, say) is its only reason.
///
/// As a [`Rejection`], which it becomes by `?`, it prints each reason with its own trace by `{:?}`.
///
/// # Examples
///
/// ```
/// use thenable::{AggregateError, Rejection};
///
/// let error = AggregateError { errors: vec!["first down", "second down"] };
/// assert_eq!(error.to_string(), "2 promises were rejected");
/// assert_eq!((&error).into_iter().copied().collect::<Vec<_>>(), ["first down", "second down"]);
///
/// let why = Rejection::from(error);
/// assert!(why.is::<AggregateError<&str>>());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggregateError<E = Rejection> {
    /// The reasons.
    pub errors: Vec<E>,
}

/// It holds reasons, and must still become a `Rejection` by `?`.
impl<E> Unpin for AggregateError<E> {}

impl<E> fmt::Display for AggregateError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errors.len() {
            0 => f.write_str("there were too few promises to begin with"),
            1 => f.write_str("1 promise was rejected"),
            // Not "all": `some(2, ..)` of three gives up after the second reason.
            count => write!(f, "{count} promises were rejected"),
        }
    }
}

impl<E: fmt::Debug> Error for AggregateError<E> {}

/// Without this no handler could follow `any`: chaining asks for `E: From<Fault>`.
impl<E: From<Fault>> From<Fault> for AggregateError<E> {
    fn from(fault: Fault) -> Self {
        AggregateError { errors: vec![E::from(fault)] }
    }
}

impl<E> IntoIterator for AggregateError<E> {
    type Item = E;
    type IntoIter = std::vec::IntoIter<E>;

    fn into_iter(self) -> Self::IntoIter {
        self.errors.into_iter()
    }
}

impl<'a, E> IntoIterator for &'a AggregateError<E> {
    type Item = &'a E;
    type IntoIter = std::slice::Iter<'a, E>;

    fn into_iter(self) -> Self::IntoIter {
        self.errors.iter()
    }
}
