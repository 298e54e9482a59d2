//! Cancelling from outside: controllers, their signals, and promises that go with their handle.
//!
//! Cancelling is a rejection with [`Fault::Cancelled`](crate::Fault::Cancelled); there is no third way to settle.
//! Dropping a handle cancels nothing unless [`Promise::cancel_on_drop`] says so.
//!
//! # Who owns what
//!
//! An abort starts at a *root*: a controller's own, or the timer of [`AbortSignal::timeout`]. A signal is a list of
//! roots: one for a controller, the parent's and its own for a child, those of all its sources for
//! [`AbortSignal::any`]. A listener is registered with every root of its signal and removed from all of them when it
//! runs or is removed. So nothing links signals to each other: a child or an `any` costs a long-lived parent nothing,
//! and goes away with its last handle; a listener lives as long as a root that can still fire it.

mod abort_on;
mod controller;
mod on_drop;
mod root;
mod signal;

pub use controller::AbortController;
pub use on_drop::CancelOnDrop;
pub use signal::AbortSignal;

use crate::{CancelReason, Fault, Promise};

/// What [`Promise::cancel`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It was pending and is rejected now; the promise of a [`scope`](fn@crate::scope), as soon as the scope is over.
    Cancelled,
    /// It was settled already; nothing changed.
    AlreadySettled,
}

/// Gives up one handle of a promise as a cancelled consumer does: the promise is cancelled unless somebody else has a
/// handle or a handler on it.
pub(crate) fn cancel_if_unwatched<T, E>(promise: Promise<T, E>, reason: CancelReason)
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    promise.map(|value| value).cancel(reason);
}
