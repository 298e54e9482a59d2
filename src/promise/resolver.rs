//! The producer's side.

use super::Promise;
use crate::core::{self, Producer};
use crate::error::{CancelReason, Fault, Rejection, panic};
use std::fmt;
use std::ops::Deref;
use std::panic::{RefUnwindSafe, UnwindSafe};

/// The producer's end of a promise: it decides the outcome, once.
///
/// Clones decide the same promise: the first decision wins, and a later one gets its value back. When the last clone goes
/// away undecided, the promise rejects with [`Fault::Abandoned`](crate::Fault::Abandoned).
///
/// # Threads
///
/// Any thread may decide. No handler runs inside these methods: they only enqueue handlers, and wake tasks.
///
/// # Examples
///
/// ```
/// use thenable::Promise;
/// let (promise, resolver) = Promise::with_resolvers();
/// assert_eq!(resolver.resolve(1), Ok(()));
/// assert_eq!(resolver.resolve(2), Err(2));
/// assert_eq!(promise.wait().unwrap(), 1);
/// ```
pub struct Resolver<T, E = Rejection> {
    producer: Producer<T, E>,
}

/// Resolvers are pointers, and no panic leaves what they point to half changed.
impl<T, E> Unpin for Resolver<T, E> {}
impl<T, E> UnwindSafe for Resolver<T, E> {}
impl<T, E> RefUnwindSafe for Resolver<T, E> {}

impl<T, E> Clone for Resolver<T, E> {
    fn clone(&self) -> Self {
        Self { producer: self.producer.clone() }
    }
}

impl<T, E> Resolver<T, E> {
    #[inline]
    pub(crate) fn new(producer: Producer<T, E>) -> Self {
        Self { producer }
    }

    /// Fulfils the promise.
    ///
    /// # Errors
    ///
    /// Gives the value back if the promise is decided already.
    #[inline]
    pub fn resolve(&self, value: T) -> Result<(), T> {
        match self.producer.settle(Ok(value)) {
            Err(Ok(value)) => Err(value),
            _ => Ok(()),
        }
    }

    /// Rejects the promise.
    ///
    /// # Errors
    ///
    /// Gives the reason back if the promise is decided already.
    #[track_caller]
    pub fn reject(&self, reason: E) -> Result<(), E> {
        match self.producer.settle(Err(reason)) {
            Err(Err(reason)) => Err(reason),
            _ => Ok(()),
        }
    }

    /// Fulfils or rejects the promise.
    ///
    /// # Errors
    ///
    /// Gives the outcome back if the promise is decided already.
    #[track_caller]
    pub fn settle(&self, outcome: Result<T, E>) -> Result<(), Result<T, E>> {
        self.producer.settle(outcome)
    }

    /// Locks the promise in to another one: it settles as that one does, and refuses other decisions meanwhile.
    ///
    /// Adopting a promise by itself is accepted, and rejects it with [`Fault::Cycle`](crate::Fault::Cycle).
    ///
    /// # Errors
    ///
    /// Gives the promise back if this one is decided already.
    ///
    /// # Ordering
    ///
    /// The outcome is taken over two ticks after the other promise settles, as in JavaScript.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    /// let (outer, resolver) = Promise::with_resolvers();
    /// resolver.adopt(Promise::resolve(1)).unwrap();
    /// assert_eq!(resolver.resolve(2), Err(2));
    /// assert_eq!(outer.wait().unwrap(), 1);
    /// ```
    pub fn adopt(&self, promise: Promise<T, E>) -> Result<(), Promise<T, E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        self.producer.adopt(promise.into_handle()).map_err(Promise::from_handle)
    }

    /// False once nobody can observe any more what this resolver would decide: no handle and no handler is left, or the
    /// promise is settled. A producer may then stop.
    pub fn is_wanted(&self) -> bool {
        self.producer.is_wanted()
    }

    /// Runs `f` if the promise is cancelled, inside the call that cancels it; at once if it has been. A settled promise drops
    /// it.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    /// let (promise, resolver) = Promise::<()>::with_resolvers();
    /// resolver.on_cancel(|reason| println!("stop: {reason}"));
    /// let _ = promise.cancel("not needed");
    /// ```
    pub fn on_cancel(&self, f: impl FnOnce(&CancelReason) + Send + 'static) {
        self.producer.on_cancel(Box::new(f));
    }

    /// Rejects with a fault, which becomes an `E` where it is delivered. False: refused.
    pub(crate) fn fault(&self, fault: Fault) -> bool {
        self.producer.fault(fault)
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.producer.is_settled()
    }

    /// Has a cancellation of the promise run the `on_cancel` closures and leave it pending, until we settle it.
    #[cfg(not(loom))]
    pub(crate) fn defer_cancel(&self) {
        self.producer.defer_cancel();
    }
}

/// A resolver that a loop holds: if the loop throws it away undecided, the promise rejects with `LoopClosed`.
pub(crate) struct Ending<T, E>(Option<Resolver<T, E>>);

impl<T, E> Ending<T, E> {
    pub(crate) fn new(resolver: Resolver<T, E>) -> Self {
        Self(Some(resolver))
    }

    /// An ordinary resolver again.
    pub(crate) fn release(mut self) -> Option<Resolver<T, E>> {
        self.0.take()
    }
}

impl<T, E> Drop for Ending<T, E> {
    fn drop(&mut self) {
        if let Some(resolver) = &self.0 {
            resolver.fault(Fault::LoopClosed);
        }
    }
}

impl<T, E> fmt::Debug for Resolver<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("wanted", &self.is_wanted())
            .field("settled", &self.producer.is_settled())
            .finish()
    }
}

/// The `resolve` of [`Promise::new`]: `resolve(value)`.
///
/// # Examples
///
/// ```
/// use thenable::Promise;
/// let promise = Promise::new(|resolve, _| resolve(1));
/// assert_eq!(promise.wait().unwrap(), 1);
/// ```
pub struct Resolve<T>(pub(super) Resolver<T>);

/// The `reject` of [`Promise::new`]: `reject(error.into())`.
///
/// # Examples
///
/// ```
/// use thenable::Promise;
/// let promise = Promise::<i32>::new(|_, reject| reject("no".into()));
/// assert!(promise.wait().is_err());
/// ```
pub struct Reject<T>(pub(super) Resolver<T>);

impl<T> Clone for Resolve<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Clone for Reject<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: 'static> Deref for Resolve<T> {
    type Target = dyn Fn(T);

    fn deref(&self) -> &Self::Target {
        core::call(&self.0.producer, |producer, value| panic::drop_quietly(producer.settle(Ok(value))))
    }
}

impl<T: 'static> Deref for Reject<T> {
    type Target = dyn Fn(Rejection);

    fn deref(&self) -> &Self::Target {
        core::call(&self.0.producer, |producer, reason| panic::drop_quietly(producer.settle(Err(reason))))
    }
}

impl<T> fmt::Debug for Resolve<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolve")
    }
}

impl<T> fmt::Debug for Reject<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reject")
    }
}
