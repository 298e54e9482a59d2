//! Pools that run named jobs.

use super::{Call, JobFn};
use crate::pool::{self, discard_reason};
use crate::{ExecutorExt, Promise, Rejected, ThreadPool};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::panic::Location;
use std::sync::Arc;

/// A place that runs named jobs: a [`ThreadPool`], a `ProcessPool` (feature `process`), or what another crate makes of it.
/// Object-safe: `Arc<dyn JobPool>` is one too.
///
/// [`JobPoolExt`] has the method that gives promises.
///
/// # Examples
///
/// One that answers by itself, as a worker on another machine would:
///
/// ```
/// use thenable::{Call, JobPool, JobPoolExt, Registry, Rejected};
///
/// thenable::job! {
///     fn double(n: u64) -> u64 {
///         2 * n
///     }
/// }
///
/// struct Here(Registry);
///
/// impl JobPool for Here {
///     fn dispatch(&self, call: Call) -> Result<(), Rejected<Call>> {
///         match self.0.call(call.name(), call.arguments(), self.frame_limit()) {
///             Ok(result) => call.fulfil(result),
///             Err(fault) => call.reject(fault),
///         }
///         Ok(())
///     }
/// }
///
/// assert_eq!(Here(Registry::new().add(double)).submit_job(double, 21).wait()?, 42);
/// # Ok::<(), thenable::Rejection>(())
/// ```
pub trait JobPool: Send + Sync + 'static {
    /// Takes a call, to settle it sooner or later. Never blocks.
    ///
    /// # Errors
    ///
    /// Gives the call back with the reason, for example [`Fault::Full`](crate::Fault::Full) or [`PoolClosed`](crate::Fault::PoolClosed).
    fn dispatch(&self, call: Call) -> Result<(), Rejected<Call>>;

    /// How many bytes the arguments of a call may have. Default: 64 MiB.
    fn frame_limit(&self) -> usize {
        64 << 20
    }

    /// The thread pool that runs the function itself, without encoding anything.
    #[doc(hidden)]
    fn as_thread_pool(&self) -> Option<&ThreadPool> {
        None
    }
}

/// Promises for named jobs, on every [`JobPool`].
pub trait JobPoolExt: JobPool {
    /// Runs a named job; its return value fulfils the promise.
    ///
    /// The value of a function that returns a `Result` is that `Result`: [`flatten`](Promise::flatten) makes its error the
    /// reason.
    ///
    /// A thread pool calls the function as it is. Any other pool encodes the arguments, before this method returns, and
    /// decodes the result.
    ///
    /// # Errors
    ///
    /// The promise rejects with [`Fault::Panicked`](crate::Fault::Panicked) if the function panics, with [`Codec`](crate::Fault::Codec) and
    /// [`FrameTooLarge`](crate::Fault::FrameTooLarge) if arguments or result cannot travel, with [`Unregistered`](crate::Fault::Unregistered) if the other side does
    /// not know the name, and with what the pool has to say.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::{JobPoolExt, ThreadPool};
    ///
    /// thenable::job! {
    ///     fn parse(text: String) -> Result<i32, String> {
    ///         text.parse().map_err(|_| format!("{text} is not a number"))
    ///     }
    /// }
    ///
    /// let pool = ThreadPool::new(1);
    /// assert_eq!(pool.submit_job(parse, "42".into()).flatten().wait()?, 42);
    /// let why = pool.submit_job(parse, "4x".into()).flatten().wait().unwrap_err();
    /// assert_eq!(why.to_string(), "4x is not a number");
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    #[track_caller]
    fn submit_job<A, R>(&self, job: JobFn<A, R>, arguments: A) -> Promise<R>
    where
        A: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        if let Some(pool) = self.as_thread_pool() {
            return pool.submit(move || job(arguments));
        }
        let (promise, call) = Call::new(job, arguments, self.frame_limit(), Location::caller());
        if let Some(Err(Rejected { job: call, fault })) = call.map(|call| self.dispatch(call)) {
            call.reject(fault);
        }
        promise
    }
}

impl<X: JobPool + ?Sized> JobPoolExt for X {}

impl<X: JobPool + ?Sized> JobPool for Arc<X> {
    fn dispatch(&self, call: Call) -> Result<(), Rejected<Call>> {
        (**self).dispatch(call)
    }

    fn frame_limit(&self) -> usize {
        (**self).frame_limit()
    }

    fn as_thread_pool(&self) -> Option<&ThreadPool> {
        (**self).as_thread_pool()
    }
}

/// The function is called as it is, on a thread of the pool.
impl JobPool for ThreadPool {
    /// For a pool that is made of others: [`submit_job`](JobPoolExt::submit_job) on the thread pool itself encodes nothing.
    fn dispatch(&self, call: Call) -> Result<(), Rejected<Call>> {
        self.enlist(call, |call| Box::new(Queued(Some(call)).job()))
    }

    fn as_thread_pool(&self) -> Option<&ThreadPool> {
        Some(self)
    }
}

/// A call in the queue of a thread pool. One that the pool throws away is told why.
struct Queued(Option<Call>);

impl Queued {
    fn job(mut self) -> impl FnOnce() + Send + 'static {
        move || match self.0.take() {
            Some(call) if call.is_wanted() => call.run(|| pool::conclude(true)),
            Some(call) => {
                pool::conclude(false);
                call.reject(pool::unwanted());
            }
            None => {}
        }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        if let (Some(call), Some(fault)) = (self.0.take(), discard_reason()) {
            call.reject(fault);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fault, Shutdown};
    use serde::{Deserialize, Deserializer, Serializer};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Cannot travel.
    struct Here;

    impl Serialize for Here {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not to be encoded"))
        }
    }

    impl<'de> Deserialize<'de> for Here {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Err(serde::de::Error::custom("not to be decoded"))
        }
    }

    /// A pool that knows nothing but what it was asked to run.
    struct Plain(AtomicUsize);

    impl JobPool for Plain {
        fn dispatch(&self, call: Call) -> Result<(), Rejected<Call>> {
            self.0.store(call.arguments().len(), Ordering::Relaxed);
            Err(Rejected { job: call, fault: Fault::PoolClosed })
        }
    }

    const STAYS: JobFn<Here, u8> = JobFn::new("stays", |Here| 1);
    const LONG: JobFn<String, ()> = JobFn::new("long", drop);

    #[test]
    fn a_thread_pool_encodes_nothing() {
        let pool = Arc::new(ThreadPool::new(1));
        assert_eq!(pool.submit_job(STAYS, Here).wait().unwrap(), 1);
        assert_eq!(ThreadPool::clone(&pool).submit_job(STAYS, Here).wait().unwrap(), 1);
        let plain = Arc::new(Plain(AtomicUsize::new(0)));
        let why = plain.submit_job(STAYS, Here).wait().unwrap_err();
        assert!(matches!(why.fault(), Some(Fault::Codec { .. })), "{why:?}");
        assert!(plain.as_thread_pool().is_none());
    }

    #[test]
    fn arguments_may_have_so_many_bytes() {
        let plain = Arc::new(Plain(AtomicUsize::new(0)));
        assert_eq!((plain.frame_limit(), Plain(AtomicUsize::new(0)).frame_limit()), (67_108_864, 67_108_864));
        let why = plain.submit_job(LONG, "x".repeat(100)).wait().unwrap_err();
        assert!(matches!(why.fault(), Some(Fault::PoolClosed)));
        assert_eq!(plain.0.load(Ordering::Relaxed), 101);
    }

    #[test]
    fn an_unwanted_call_is_not_run() {
        let pool = ThreadPool::new(1);
        let (promise, call) = Call::encoded("nobody", vec![]);
        let gate = Arc::new(std::sync::Barrier::new(2));
        let opens = gate.clone();
        let busy = pool.submit(move || _ = opens.wait());
        pool.dispatch(call).unwrap();
        promise.cancel("enough");
        promise.mark_handled();
        gate.wait();
        busy.wait().unwrap();
        pool.shutdown(Shutdown::Drain).wait().unwrap();
        assert_eq!(pool.stats().completed, 1, "the one before it");
    }
}
