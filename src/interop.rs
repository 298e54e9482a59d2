//! From other kinds of results to come, and back: a promise is a future.

use crate::error::{Fault, Rejection};
use crate::primitive::thread::{self, JoinHandle};
use crate::{IntoPromise, Promise, via};
use async_executor::Task;
use futures::channel::oneshot;
use std::panic::Location;

/// Futures become promises.
///
/// # Examples
///
/// ```
/// use thenable::{FutureExt, Promise};
///
/// async fn answer() -> thenable::Result<i32> {
///     Ok(42)
/// }
/// let promise: Promise<i32> = answer().into_promise();
/// assert_eq!(promise.wait().unwrap(), 42);
/// ```
pub trait FutureExt: Future + Sized {
    /// Runs the future as a task of the current event loop (or of the global one), for a promise of its outcome. A promise
    /// is returned as it is.
    #[track_caller]
    fn into_promise<T, E>(self) -> Promise<T, E>
    where
        Self: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Fault> + Send + 'static,
    {
        IntoPromise::<T, E, via::Future>::into_promise(self)
    }
}

impl<F: Future> FutureExt for F {}

/// A receiver whose sender goes away rejects with [`Fault::Abandoned`](crate::Fault::Abandoned).
///
/// # Examples
///
/// ```
/// use futures::channel::oneshot;
/// use thenable::Promise;
///
/// let (sender, receiver) = oneshot::channel();
/// std::thread::spawn(move || sender.send(1));
/// assert_eq!(Promise::from(receiver).wait().unwrap(), 1);
/// ```
impl<T: Send + 'static> From<oneshot::Receiver<T>> for Promise<T> {
    #[track_caller]
    fn from(receiver: oneshot::Receiver<T>) -> Self {
        let created_at = Location::caller();
        crate::event_loop::spawn(
            async move {
                let received = receiver.await;
                received.map_err(|_cancelled| Rejection::from_fault(Fault::Abandoned { created_at }, created_at))
            },
            created_at,
        )
    }
}

/// A task of any executor of the smol family. If its executor goes away the promise rejects with
/// [`Fault::LoopClosed`](crate::Fault::LoopClosed); if it panics, with [`Fault::Panicked`](crate::Fault::Panicked).
/// Cancelling the promise cancels the task.
impl<T, E> From<Task<Result<T, E>>> for Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    #[track_caller]
    fn from(task: Task<Result<T, E>>) -> Self {
        let site = Location::caller();
        let task = task.fallible();
        crate::event_loop::spawn(
            async move { task.await.unwrap_or_else(|| Err(Fault::LoopClosed.into_reason(site))) },
            site,
        )
    }
}

/// A thread's result; its panic becomes [`Fault::Panicked`](crate::Fault::Panicked).
///
/// A thread that has not ended yet is joined by a small thread of its own; for many jobs a
/// [`ThreadPool`](crate::ThreadPool) costs less.
///
/// # Examples
///
/// ```
/// use thenable::Promise;
/// let promise = Promise::from(std::thread::spawn(|| 1 + 1));
/// assert_eq!(promise.wait().unwrap(), 2);
/// ```
impl<T: Send + 'static> From<JoinHandle<T>> for Promise<T> {
    #[track_caller]
    fn from(thread: JoinHandle<T>) -> Self {
        let site = Location::caller();
        let (promise, resolver) = Promise::pending_at(site);
        let refused = resolver.clone();
        let join = move || {
            // The payload becomes a fault where all payloads do.
            let result = crate::error::panic::catch(Some(site), || match thread.join() {
                Ok(value) => value,
                Err(payload) => std::panic::resume_unwind(payload),
            });
            match result {
                Ok(value) => crate::error::panic::drop_quietly(resolver.resolve(value)),
                Err(fault) => {
                    resolver.fault(fault);
                }
            }
        };
        let joiner = thread::Builder::new().name("thenable-join".into()).stack_size(64 * 1024);
        if let Err(error) = joiner.spawn(join) {
            // The closure, and the handle in it, is gone: the thread runs on by itself.
            drop(refused.reject(error.into()));
        }
        promise
    }
}
