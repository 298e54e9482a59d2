//! Looking at a promise.

use super::{Promise, Subscription};
#[cfg(not(loom))]
use crate::cancel::CancelOutcome;
use crate::core::{self, Canceller, Status};
use crate::error::{CancelReason, Fault};
use std::borrow::Cow;
use std::fmt;
use std::panic::Location;

/// What a promise is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It may still become either of the others. (A promise that is locked in to a pending one is pending.)
    Pending,
    /// It has its value.
    Fulfilled,
    /// It has its reason.
    Rejected,
}

impl<T, E> Promise<T, E> {
    /// Gives the promise a name, for reports.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    /// let (promise, _resolver) = Promise::<()>::with_resolvers();
    /// let promise = promise.named("config");
    /// assert!(promise.is_pending());
    /// ```
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> Self {
        self.handle.set_name(name.into());
        self
    }

    /// What it is now. Does not block.
    #[inline]
    pub fn state(&self) -> State {
        match self.handle.status() {
            Status::Pending => State::Pending,
            Status::Fulfilled => State::Fulfilled,
            Status::Rejected => State::Rejected,
        }
    }

    /// Borrows the outcome if it is there. Does not block. A reason that was looked at counts as handled.
    ///
    /// None, too, for a handle whose value an earlier `.await` moved out (by `&mut`).
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    /// assert_eq!(Promise::resolve(1).peek().unwrap().unwrap(), &1);
    /// assert!(Promise::<i32>::with_resolvers().0.peek().is_none());
    /// ```
    #[inline]
    pub fn peek(&self) -> Option<Result<&T, &E>> {
        self.handle.peek()
    }

    /// Whether it is neither fulfilled nor rejected.
    pub fn is_pending(&self) -> bool {
        self.state() == State::Pending
    }

    /// Whether it has its value.
    pub fn is_fulfilled(&self) -> bool {
        self.state() == State::Fulfilled
    }

    /// Whether it has its reason.
    pub fn is_rejected(&self) -> bool {
        self.state() == State::Rejected
    }

    /// Whether it is fulfilled or rejected.
    pub fn is_settled(&self) -> bool {
        self.state() != State::Pending
    }

    /// Runs `f` once the promise is settled, as a job of the current (or else the global) loop: a GUI's `request_repaint`.
    ///
    /// It does not see the outcome and does not count as handling a rejection.
    ///
    /// # Ordering
    ///
    /// In registration order with the promise's handlers.
    pub fn on_settled(&self, f: impl FnOnce() + Send + 'static) -> Subscription {
        Subscription::of_promise(self.handle.watch(core::current_or_global(), f))
    }

    /// Says that a rejection of this promise is taken care of: it will not be reported as unhandled.
    pub fn mark_handled(&self) {
        self.handle.mark_handled();
    }
}

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    /// Rejects the promise with [`Fault::Cancelled`] if it is pending, and asks its source to stop if nobody else wants it.
    ///
    /// A timer is disarmed, a spawned future is dropped on its loop, a queued pool job is skipped, a running one sees its
    /// token; the promise that this one was chained to is cancelled too if it has no other consumer. A clone of that one
    /// shields it. A promise that was cancelled is not reported as unhandled.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::{CancelOutcome, Fault, Promise};
    /// let (promise, resolver) = Promise::<()>::with_resolvers();
    /// assert_eq!(promise.cancel("too slow"), CancelOutcome::Cancelled);
    /// assert!(matches!(promise.wait().unwrap_err().fault(), Some(Fault::Cancelled { .. })));
    /// assert!(resolver.resolve(()).is_err());
    /// ```
    #[cfg(not(loom))]
    #[track_caller]
    pub fn cancel(&self, reason: impl Into<CancelReason>) -> CancelOutcome {
        if self.handle.cancel(&reason.into(), Location::caller()) {
            CancelOutcome::Cancelled
        } else {
            CancelOutcome::AlreadySettled
        }
    }

    /// A way to cancel it later that does not count as a consumer.
    pub(crate) fn canceller(&self) -> Canceller {
        self.handle.canceller()
    }
}

/// Prints as Node does: `Promise { <pending> }`, `Promise { 42 }`, `Promise { <rejected> reason }`.
impl<T: fmt::Debug, E: fmt::Debug> fmt::Debug for Promise<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.handle.peek(), self.handle.status()) {
            (Some(Ok(value)), _) => write!(f, "Promise {{ {value:?} }}"),
            (Some(Err(reason)), _) => write!(f, "Promise {{ <rejected> {reason:?} }}"),
            (None, Status::Pending) => match self.handle.name() {
                Some(name) => write!(f, "Promise {{ <pending> }} ({name})"),
                None => f.write_str("Promise { <pending> }"),
            },
            (None, _) => f.write_str("Promise { <taken> }"),
        }
    }
}
