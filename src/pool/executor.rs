//! The trait, and the executors that are not pools of this crate.

use super::ThreadPool;
use crate::{Fault, LoopHandle};
use std::error::Error;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// What an executor gets.
pub type Job = Box<dyn FnOnce() + Send + 'static>;

/// A refusal that gives the thing back.
///
/// # Examples
///
/// ```
/// use thenable::{Fault, Shutdown, ThreadPool};
///
/// let pool = ThreadPool::new(1);
/// pool.shutdown(Shutdown::Drain).wait()?;
/// let refused = pool.try_submit(|| 42).unwrap_err();
/// assert!(matches!(refused.fault, Fault::PoolClosed));
/// assert_eq!((refused.job)(), 42);
/// # Ok::<(), thenable::Rejection>(())
/// ```
pub struct Rejected<J = Job> {
    /// What was refused, as it was handed over.
    pub job: J,
    /// Why.
    pub fault: Fault,
}

impl<J> fmt::Debug for Rejected<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected").field("fault", &self.fault).finish_non_exhaustive()
    }
}

impl<J> fmt::Display for Rejected<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.fault, f)
    }
}

impl<J> Error for Rejected<J> {}

/// A place that runs jobs. Object-safe: `Arc<dyn Executor>` is an executor too.
///
/// [`ExecutorExt`](super::ExecutorExt) has the methods that give promises; `promise.on(&executor)` runs a handler here.
///
/// Whatever runs closures becomes an executor by a closure of its own; this is how to take the pool of another crate:
///
/// ```
/// use thenable::{ExecutorExt, Job};
///
/// let threads = |job: Job| {
///     std::thread::spawn(job);
/// };
/// assert_eq!(threads.submit(|| 6 * 7).wait()?, 42);
/// # Ok::<(), thenable::Rejection>(())
/// ```
///
/// With the `blocking` crate it is `|job: Job| blocking::unblock(job).detach()`, with `threadpool`
/// `move |job: Job| pool.execute(job)`.
pub trait Executor: Send + Sync + 'static {
    /// Takes the job to run it once, soon, somewhere else. Never blocks.
    ///
    /// This is also the way to run a closure for its effect alone, without a promise: such a job is never skipped. A
    /// panic in it ends in the executor.
    ///
    /// # Errors
    ///
    /// Gives the job back with the reason: [`Fault::Full`], [`Fault::PoolClosed`] or [`Fault::LoopClosed`].
    fn execute(&self, job: Job) -> Result<(), Rejected<Job>>;

    /// How many jobs run at the same time, if that is known.
    fn parallelism(&self) -> Option<NonZeroUsize> {
        None
    }

    /// Whether the calling thread is one of those that run this executor's jobs. False where that is not known.
    fn on_worker_thread(&self) -> bool {
        false
    }

    /// The thread pool behind this executor, whose queued jobs can be taken back.
    #[doc(hidden)]
    fn as_thread_pool(&self) -> Option<&ThreadPool> {
        None
    }

    /// A handle to execute more jobs later.
    #[doc(hidden)]
    fn to_shared(&self) -> Option<Arc<dyn Executor>> {
        None
    }
}

/// A bare closure is an executor. It must run the job, or hand it to somebody who does; a job that it drops rejects its
/// promise with [`Fault::Abandoned`]. If the closure itself panics, so does `execute`; of a promise's job it becomes
/// the rejection.
///
/// `&X` and `Box<X>` are no executors, `Arc<X>` is.
impl<F> Executor for F
where
    F: Fn(Job) + Send + Sync + 'static,
{
    fn execute(&self, job: Job) -> Result<(), Rejected<Job>> {
        self(job);
        Ok(())
    }
}

impl<X: Executor + ?Sized> Executor for Arc<X> {
    fn execute(&self, job: Job) -> Result<(), Rejected<Job>> {
        (**self).execute(job)
    }

    fn parallelism(&self) -> Option<NonZeroUsize> {
        (**self).parallelism()
    }

    fn on_worker_thread(&self) -> bool {
        (**self).on_worker_thread()
    }

    fn as_thread_pool(&self) -> Option<&ThreadPool> {
        (**self).as_thread_pool()
    }

    fn to_shared(&self) -> Option<Arc<dyn Executor>> {
        (**self).to_shared().or_else(|| Some(Arc::new(Arc::clone(self))))
    }
}

/// A job here shares the loop's queue with the promises' handlers.
impl Executor for LoopHandle {
    fn execute(&self, job: Job) -> Result<(), Rejected<Job>> {
        self.execute_job(job)
    }

    fn parallelism(&self) -> Option<NonZeroUsize> {
        Some(NonZeroUsize::MIN)
    }

    fn to_shared(&self) -> Option<Arc<dyn Executor>> {
        Some(Arc::new(self.clone()))
    }
}
