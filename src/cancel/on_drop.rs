//! Promises that go with their handle.

use crate::core::Canceller;
use crate::{Fault, Promise, Rejection};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Cancels its promise when it is dropped before the promise settles. Awaits like the promise that it holds.
///
/// Made by [`Promise::cancel_on_drop`].
#[must_use = "dropped at once, it cancels at once"]
pub struct CancelOnDrop<T, E = Rejection> {
    // The order matters: the promise is cancelled while its handle is still there.
    guard: Guard,
    promise: Promise<T, E>,
}

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    /// Ties the work to this handle: if it is dropped before the promise settles, the promise is cancelled with the
    /// reason "dropped".
    ///
    /// That is Rust's habit for futures; promises by themselves go on, as in JavaScript. It cancels the promise itself,
    /// as [`cancel`](Promise::cancel) does, so clones of it see the rejection. To let others keep the work alive, tie
    /// down a promise that is derived from it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use thenable::Promise;
    ///
    /// let (told, reasons) = mpsc::channel();
    /// let (promise, resolver) = Promise::<i32>::with_resolvers();
    /// resolver.on_cancel(move |reason| told.send(reason.to_string()).unwrap());
    /// drop(promise.cancel_on_drop());
    /// assert_eq!(reasons.recv().unwrap(), "dropped");
    /// ```
    pub fn cancel_on_drop(self) -> CancelOnDrop<T, E> {
        CancelOnDrop { guard: Guard(Some(self.canceller())), promise: self }
    }
}

impl<T, E> CancelOnDrop<T, E> {
    /// Back to an ordinary promise.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    ///
    /// let (promise, resolver) = Promise::with_resolvers();
    /// let promise = promise.cancel_on_drop().keep();
    /// resolver.resolve(1).unwrap();
    /// assert_eq!(promise.wait()?, 1);
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    pub fn keep(self) -> Promise<T, E> {
        let CancelOnDrop { mut guard, promise } = self;
        guard.0 = None;
        promise
    }
}

impl<T, E> Unpin for CancelOnDrop<T, E> {}

impl<T, E> Future for CancelOnDrop<T, E> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.promise).poll(cx)
    }
}

impl<T: fmt::Debug, E: fmt::Debug> fmt::Debug for CancelOnDrop<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancelOnDrop").field(&self.promise).finish()
    }
}

/// Apart from the promise, so that the promise can be moved out.
struct Guard(Option<Canceller>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(canceller) = self.0.take() {
            // Without effect on a promise that has settled.
            canceller.cancel("dropped".into());
        }
    }
}
