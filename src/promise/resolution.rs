//! What a handler decides.

use super::Promise;
use crate::error::Rejection;
use std::fmt;

/// What a handler returns when it decides at run time between a value, a reason and a promise, at no extra tick.
///
/// # Examples
///
/// ```
/// use thenable::{Promise, Resolution};
///
/// let cached = true;
/// let n = Promise::resolve(1).then(move |n| {
///     if cached { Resolution::Resolve(n) } else { Resolution::Adopt(Promise::resolve(n + 1)) }
/// });
/// assert_eq!(n.wait().unwrap(), 1);
/// ```
pub enum Resolution<T, E = Rejection> {
    /// Fulfils with the value.
    Resolve(T),
    /// Rejects with the reason.
    Reject(E),
    /// Follows the promise.
    Adopt(Promise<T, E>),
}

impl<T, E> From<Result<T, E>> for Resolution<T, E> {
    #[inline]
    fn from(outcome: Result<T, E>) -> Self {
        match outcome {
            Ok(value) => Self::Resolve(value),
            Err(reason) => Self::Reject(reason),
        }
    }
}

impl<T, E> From<Promise<T, E>> for Resolution<T, E> {
    fn from(promise: Promise<T, E>) -> Self {
        Self::Adopt(promise)
    }
}

impl<T: fmt::Debug, E: fmt::Debug> fmt::Debug for Resolution<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(value) => f.debug_tuple("Resolve").field(value).finish(),
            Self::Reject(reason) => f.debug_tuple("Reject").field(reason).finish(),
            Self::Adopt(promise) => f.debug_tuple("Adopt").field(promise).finish(),
        }
    }
}
