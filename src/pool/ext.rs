//! Promises for jobs, on every executor.

use super::executor::Executor;
use super::{map, task};
use crate::error::panic;
use crate::{AbortController, AbortSignal, Fault, Promise};
use std::panic::Location;

/// Promises for jobs, on every [`Executor`].
///
/// # Threads
///
/// The closure runs on the executor. What it owns is dropped there before the promise settles; handlers that are
/// chained to the promise run on their loop, as always.
///
/// # Errors
///
/// A job that panics rejects with [`Fault::Panicked`]. One that the executor refuses rejects with its reason:
/// [`Fault::Full`], [`Fault::PoolClosed`] or [`Fault::LoopClosed`].
///
/// # Cancellation
///
/// A job that is no longer wanted when its turn comes is not started: its promise was cancelled, or every handle of it
/// was dropped with nothing chained to it. To run a closure for its effect alone, keep the promise, or use
/// [`Executor::execute`].
pub trait ExecutorExt: Executor {
    /// Runs a closure; its return value fulfils the promise.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::{ExecutorExt, ThreadPool};
    ///
    /// let pool = ThreadPool::new(2);
    /// let digits = pool.submit(|| (1..=20_u64).product::<u64>()).map(|n| n.to_string().len());
    /// assert_eq!(digits.wait()?, 19);
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    #[track_caller]
    fn submit<T>(&self, f: impl FnOnce() -> T + Send + 'static) -> Promise<T>
    where
        T: Send + 'static,
    {
        launch(self, None, move || Ok(f()))
    }

    /// Runs a closure that can fail; its `Err` rejects the promise.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::{ExecutorExt, Promise, ThreadPool};
    ///
    /// let pool = ThreadPool::new(2);
    /// let missing: Promise<String> = pool.attempt(|| Ok(std::fs::read_to_string("no such file")?));
    /// assert!(missing.wait().unwrap_err().is::<std::io::Error>());
    /// ```
    #[track_caller]
    fn attempt<T, E>(&self, f: impl FnOnce() -> Result<T, E> + Send + 'static) -> Promise<T, E>
    where
        T: Send + 'static,
        E: From<Fault> + Send + 'static,
    {
        launch(self, None, f)
    }

    /// Runs a closure with a token that tells it to stop: it aborts when the promise is cancelled, and when a
    /// [`ThreadPool`](super::ThreadPool) is shut down by [`Shutdown::Cancel`](super::Shutdown::Cancel) or its deadline
    /// passes.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use thenable::{ExecutorExt, ThreadPool};
    ///
    /// let pool = ThreadPool::new(1);
    /// let (started, starts) = mpsc::channel();
    /// let (stopped, stops) = mpsc::channel();
    /// let search = pool.submit_with(move |token| {
    ///     started.send(()).unwrap();
    ///     while !token.aborted() {
    ///         std::thread::yield_now();
    ///     }
    ///     stopped.send(token.reason().unwrap().to_string()).unwrap();
    /// });
    /// starts.recv()?;
    /// search.cancel("found elsewhere");
    /// assert_eq!(stops.recv()?, "found elsewhere");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    fn submit_with<T>(&self, f: impl FnOnce(AbortSignal) -> T + Send + 'static) -> Promise<T>
    where
        T: Send + 'static,
    {
        let controller = self.as_thread_pool().map_or_else(AbortController::new, |pool| pool.token());
        let signal = controller.signal();
        launch(self, Some(controller), move || Ok(f(signal)))
    }

    /// Calls `f` for each input, several at a time, and gives the results in the order of the inputs.
    ///
    /// The inputs are drawn one by one, on the executor, when there is somebody to work on them: they may be endless or
    /// expensive. At most twice as many as the executor runs at a time are under way. The first panic, of `f` or of the
    /// iterator, rejects the result, and nothing more is drawn; so does cancelling it.
    ///
    /// Between two inputs the executor gets its turn to run other jobs that are queued. An executor that cannot be
    /// cloned (a bare closure, a rayon pool) works on the inputs in one go; put it into an `Arc` where that matters.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::{ExecutorExt, ThreadPool};
    ///
    /// let pool = ThreadPool::new(4);
    /// assert_eq!(pool.map(1..=5, |n| n * n).wait()?, [1, 4, 9, 16, 25]);
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    #[track_caller]
    fn map<I, T>(&self, inputs: I, f: impl Fn(I::Item) -> T + Send + Sync + 'static) -> Promise<Vec<T>>
    where
        I: IntoIterator<IntoIter: Send + 'static, Item: Send + 'static>,
        T: Send + 'static,
    {
        let site = Location::caller();
        let (promise, resolver) = Promise::pending();
        match panic::catch(Some(site), || inputs.into_iter()) {
            Ok(inputs) => map::start(self, inputs, f, resolver, site),
            Err(fault) => {
                panic::drop_quietly(f);
                resolver.fault(fault);
            }
        }
        promise
    }
}

impl<X: Executor + ?Sized> ExecutorExt for X {}

#[track_caller]
fn launch<X, T, E>(
    executor: &X,
    controller: Option<AbortController>,
    f: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Promise<T, E>
where
    X: Executor + ?Sized,
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    let site = Location::caller();
    let (promise, assignment) = task::pending(site, controller);
    let pool = executor.as_thread_pool();
    let job = task::job(assignment.clone(), site, pool.is_some(), f);
    // An executor may be a stranger's closure.
    let accepted = panic::catch(Some(site), || match pool {
        Some(pool) => pool.shared().enlist(job, |job| job).map(Some),
        None => executor.execute(job).map(|()| None),
    });
    match accepted {
        Ok(Ok(id)) => {
            if let Some((pool, id)) = pool.zip(id) {
                task::enlisted(&assignment, pool.shared(), id);
            }
        }
        Ok(Err(refused)) => task::discard(refused.job, refused.fault),
        Err(fault) => {
            assignment.fault(fault);
        }
    }
    promise
}
