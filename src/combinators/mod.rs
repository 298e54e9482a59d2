//! Waiting for many promises, and doing work for many inputs.
//!
//! [`Promise::all`], [`Promise::all_settled`], [`Promise::any`] and [`Promise::race`] mean what they mean in
//! JavaScript. They watch their members with one slab of reactions; a member that can no longer change the result is
//! let go at once, so a long-lived promise may lose any number of races without growing. Letting go is not
//! cancelling: the work behind a member goes on.
//!
//! [`Promise::map_limit`], [`Promise::series`], [`Promise::reduce`] and [`Promise::retry`] start the work themselves.
//! They are promise loops: every step is a job, so they use constant stack, and cancelling the promise that they
//! return cancels the step that is under way and schedules no other.
//!
//! A [`Limiter`] keeps work that many callers start below one limit; a [`scope`](fn@scope) keeps work together that is
//! to end together.

mod all;
mod all_settled;
mod any;
mod as_settled;
mod join;
mod keyed;
mod limiter;
mod map_limit;
mod race;
mod reduce;
mod retry;
mod scope;
mod series;
mod some;
mod wait_for;

pub use as_settled::{AsSettled, Blocking, as_settled};
pub use join::JoinTuple;
pub use keyed::Keyed;
pub use limiter::{Limiter, Permit};
pub use retry::Retry;
pub use scope::{Scope, scope};
pub use wait_for::{WaitFor, Waited, wait_for, wait_for_within};

use crate::core::{Site, large_vec};
use crate::error::panic;
use crate::primitive::sync::{Mutex, MutexGuard, PoisonError};
use crate::{Fault, Promise};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Keeps the sealed traits of this module closed.
mod sealed {
    #[expect(unnameable_types, reason = "that is what seals")]
    pub trait Sealed {}
}

/// Takes the members out of the caller's iterator. Its panic becomes the rejection of the combinator.
fn members<T, E, I>(promises: I, site: Site) -> Result<Vec<Promise<T, E>>, Fault>
where
    I: IntoIterator<Item = Promise<T, E>>,
{
    panic::catch(Some(site), || promises.into_iter().collect())
}

/// Lets go of members that nobody waits for. As with every combinator, their rejections count as handled.
fn release<T, E>(promises: impl IntoIterator<Item = Promise<T, E>>) {
    for promise in promises {
        promise.mark_handled();
    }
}

/// The outcome of a promise that has settled; the promise itself if it is still pending.
fn take_settled<T, E>(mut promise: Promise<T, E>) -> Result<Result<T, E>, Promise<T, E>> {
    if promise.is_pending() {
        return Err(promise);
    }
    match Pin::new(&mut promise).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Ok(outcome),
        Poll::Pending => Err(promise),
    }
}

/// Locks a mutex under which no foreign code runs, so that poison means nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A vector of `len` empty places.
fn places<T>(len: usize) -> Vec<Option<T>> {
    let mut places = large_vec(len);
    places.resize_with(len, || None);
    places
}
