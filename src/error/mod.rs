//! Why promises reject: the dynamic reason, the library's own causes, and what happens to a rejection that nobody saw.
//!
//! | Type | Meaning |
//! |---|---|
//! | [`Rejection`] | the dynamic reason, the default `E` of [`Promise<T, E>`](crate::Promise): any error, plus its async trace |
//! | [`Fault`] | what the library itself rejects with; every reason type of a chain is `From<Fault>` |
//! | [`AggregateError`] | all the reasons of `any` and `some` |
//! | [`CancelReason`] | the text of a cancellation |
//! | [`Unhandled`] | the report of a rejection that nobody handled, see [`on_unhandled_rejection`] |
//!
//! [`Result`] and [`Ok`](fn@Ok) name the default reason where nothing else does.
//!
//! Foreign code (handlers, hooks, destructors) is run under one protection, in the private module `panic`.

mod aggregate;
mod fault;
pub(crate) mod panic;
mod rejection;
mod result;
mod trace;
mod unhandled;

#[cfg(test)]
mod tests;

pub use aggregate::AggregateError;
pub use fault::{CancelReason, CodecStep, Fault, Pending};
pub use rejection::Rejection;
pub use result::{Ok, Result};
pub use unhandled::{Unhandled, on_unhandled_rejection};

pub(crate) use rejection::trace_through;
pub(crate) use unhandled::report;
