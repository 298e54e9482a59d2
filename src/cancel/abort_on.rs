//! Promises that follow a signal.

use crate::{AbortSignal, Fault, Promise};

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    /// A promise for the same outcome that is cancelled with the signal's reason when the signal aborts.
    ///
    /// If the signal has aborted already, that is at once; but a promise that has settled already stays as it is, for a
    /// value that is there wins over a cancel. As with every cancel, the source is asked to stop if nobody else waits
    /// for it. The signal forgets the promise when it settles.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::{AbortController, Promise};
    ///
    /// let controller = AbortController::new();
    /// let (promise, resolver) = Promise::<i32>::with_resolvers();
    /// let promise = promise.abort_on(&controller.signal());
    /// controller.abort("not needed");
    /// assert!(promise.is_rejected());
    /// assert_eq!(promise.wait().unwrap_err().to_string(), "cancelled: not needed");
    /// # drop(resolver);
    /// ```
    #[track_caller]
    pub fn abort_on(self, signal: &AbortSignal) -> Promise<T, E> {
        if self.is_settled() {
            return self;
        }
        let promise = self.map(|value| value);
        let canceller = promise.canceller();
        let listener = signal.on_abort(move |reason| {
            canceller.cancel(reason.clone());
        });
        if promise.is_settled() {
            listener.remove();
        } else {
            promise.on_settled(move || {
                listener.remove();
            });
        }
        promise
    }
}
