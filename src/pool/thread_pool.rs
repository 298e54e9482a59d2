//! The pool of this crate: its handle.

use super::executor::{Executor, Job, Rejected};
use super::queue::Waiter;
use super::shared::{Settings, Shared, tell};
use super::{ThreadPoolBuilder, task, worker};
use crate::primitive::thread;
use crate::{AbortController, Fault, Promise, Resolver};
use std::fmt;
use std::num::NonZeroUsize;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

/// Threads that run jobs, strictly in the order of submission. Clones are handles of the same pool.
///
/// Threads start on demand, as long as there are fewer than `max_workers` and none is free; one that has had nothing to
/// do for ten seconds ends. [`submit`](super::ExecutorExt::submit), [`attempt`](super::ExecutorExt::attempt),
/// [`submit_with`](super::ExecutorExt::submit_with) and [`map`](super::ExecutorExt::map) come from
/// [`ExecutorExt`](super::ExecutorExt).
///
/// When the queue is full, there are three ways to go: [`submit`](super::ExecutorExt::submit) gives a promise that is
/// rejected with [`Fault::Full`], [`try_submit`](ThreadPool::try_submit) gives the closure back, and
/// [`submit_wait`](ThreadPool::submit_wait) gives a promise for the place.
///
/// # Cancellation
///
/// Cancelling the promise of a job that is queued takes the job out of the queue. A job that runs cannot be stopped
/// from outside; one of [`submit_with`](super::ExecutorExt::submit_with) sees its token.
///
/// # Waiting inside a job
///
/// A job may [`wait`](Promise::wait) for other jobs of the same pool, even on a pool of one thread: the worker runs
/// queued jobs meanwhile, those first that the waiting job submitted itself. These may start before older ones, and a
/// job that helps in this way ends only when what it helps with has ended. Where 64 jobs wait inside each other on one
/// thread, the wait fails with [`Fault::WouldDeadlock`]. Jobs that wait for each other in a ring wait for ever.
///
/// # The end
///
/// [`shutdown`](ThreadPool::shutdown) ends the pool and tells when that is done. When the last handle is dropped, the
/// pool takes no more jobs, finishes those that it has, and ends its threads; the drop itself does not wait for that. A
/// process whose `main` returns takes the threads with it: wait for `shutdown` where the jobs must be done.
///
/// # Examples
///
/// ```
/// use thenable::{ExecutorExt, Promise, ThreadPool};
///
/// let pool = ThreadPool::new(4);
/// let squares = (1..=3).map(|n| pool.submit(move || n * n));
/// assert_eq!(Promise::all(squares).wait()?, [1, 4, 9]);
/// # Ok::<(), thenable::Rejection>(())
/// ```
#[derive(Clone)]
pub struct ThreadPool {
    handle: Arc<Handle>,
}

/// What the clones of a handle have in common. The workers do not have it.
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close(false, None);
    }
}

/// How to end a pool.
#[derive(Clone, Copy, Debug)]
pub enum Shutdown {
    /// Finish everything that was submitted, also what waits for a place in the queue.
    Drain,
    /// Finish what runs, and abort its tokens. What has not started rejects with [`Fault::Cancelled`].
    Cancel,
    /// As `Drain`, for at most this long; then as `Cancel`. The promise of the shutdown settles at the deadline at the
    /// latest, with [`Fault::TimedOut`] if there was something left to do by then. It is measured in real time.
    Deadline(Duration),
}

/// What a pool is doing at this moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PoolStats {
    /// Threads.
    pub workers: usize,
    /// Threads without a job.
    pub idle: usize,
    /// Jobs that have started and not ended. More than there are threads, where jobs wait for jobs.
    pub running: usize,
    /// Jobs in the queue. Those that wait for a place in it do not count.
    pub queued: usize,
    /// Jobs that have ended, well or badly. A job is counted before its promise settles.
    pub completed: u64,
}

impl ThreadPool {
    /// A pool of at most so many threads; zero is taken for one. See [`ThreadPool::builder`] for what else can be set.
    pub fn new(max_workers: usize) -> Self {
        let max_workers = max_workers.max(1);
        Self::start(ThreadPoolBuilder::default().settings(max_workers))
    }

    /// Sets up a pool.
    pub fn builder() -> ThreadPoolBuilder {
        ThreadPoolBuilder::default()
    }

    pub(super) fn start(settings: Settings) -> Self {
        Self { handle: Arc::new(Handle { shared: Shared::new(settings) }) }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// Puts a job that settles its own promise into the queue, or gives back what it would be made of. `wrap` runs under
    /// the pool's lock.
    #[cfg(feature = "named-jobs")]
    pub(crate) fn enlist<L>(&self, load: L, wrap: impl FnOnce(L) -> Job) -> Result<(), Rejected<L>> {
        self.shared().enlist(load, wrap).map(drop)
    }

    /// Submits a job, or gives it back.
    ///
    /// # Errors
    ///
    /// The closure as it was, with [`Fault::Full`] or [`Fault::PoolClosed`].
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::{Fault, ThreadPool};
    ///
    /// let pool = ThreadPool::builder().max_workers(1).queue_limit(0).build()?;
    /// let (go, gate) = std::sync::mpsc::channel();
    /// let first = pool.try_submit(move || gate.recv()).map_err(|refused| refused.fault)?;
    /// let refused = pool.try_submit(|| "second").unwrap_err();
    /// assert!(matches!(refused.fault, Fault::Full));
    /// assert_eq!((refused.job)(), "second");
    /// go.send(())?;
    /// first.wait()??;
    /// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    /// ```
    #[track_caller]
    pub fn try_submit<T, F>(&self, f: F) -> Result<Promise<T>, Rejected<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let site = Location::caller();
        let (promise, assignment) = task::pending(site, None);
        let job = |f: F| task::job(assignment.clone(), site, true, move || Ok(f()));
        match self.shared().enlist(f, job) {
            Ok(id) => {
                task::enlisted(&assignment, self.shared(), id);
                Ok(promise)
            }
            Err(refused) => {
                // Nobody has seen this promise, and nobody is to hear of it.
                promise.mark_handled();
                Err(refused)
            }
        }
    }

    /// Submits a job as soon as there is room for it, without blocking. The outer promise is for the place in the
    /// queue, the inner one for the result.
    ///
    /// Places are given in the order of the calls, and nobody overtakes. Cancelling the outer promise takes the job
    /// back while it waits. The outer promise rejects with [`Fault::PoolClosed`] if the pool is shut down, and with
    /// [`Fault::Cancelled`] if [`Shutdown::Cancel`] comes before the place.
    ///
    /// # Examples
    ///
    /// A producer that is never more than a hundred jobs ahead:
    ///
    /// ```
    /// use thenable::{EventLoop, ThreadPool};
    ///
    /// let pool = ThreadPool::builder().max_workers(2).queue_limit(100).build()?;
    /// let total = EventLoop::new().run(async {
    ///     let mut results = Vec::new();
    ///     for n in 0..1000_u64 {
    ///         results.push(pool.submit_wait(move || n % 2).await?);
    ///     }
    ///     let mut total = 0;
    ///     for result in results {
    ///         total += result.await?;
    ///     }
    ///     thenable::Ok(total)
    /// })?;
    /// assert_eq!(total, 500);
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    #[track_caller]
    pub fn submit_wait<T>(&self, f: impl FnOnce() -> T + Send + 'static) -> Promise<Promise<T>>
    where
        T: Send + 'static,
    {
        let site = Location::caller();
        let (place, outer) = task::pending(site, None);
        let (result, inner) = task::pending(site, None);
        let job = task::job(inner.clone(), site, true, move || Ok(f()));
        let announced = outer.clone();
        let announce = Box::new(move |admitted: Result<(), Fault>| match admitted {
            // Refused if it was cancelled. Then the result goes unseen, and its job is skipped.
            Ok(()) => drop(announced.settle(Ok(result))),
            Err(fault) => {
                result.mark_handled();
                announced.fault(fault);
            }
        });
        if let Some((id, admitted)) = self.shared().enlist_or_wait(Waiter { job, announce }) {
            task::enlisted(&inner, self.shared(), id);
            match admitted {
                Some(announce) => tell(announce, Ok(())),
                None => task::enlisted(&outer, self.shared(), id),
            }
        }
        place
    }

    /// Takes no more jobs and ends the pool: the promise fulfils when the last thread is done.
    ///
    /// Every handle of the pool is told at once; jobs that come later reject with [`Fault::PoolClosed`]. A second call
    /// can be stricter than the first, and has a promise of its own. Dropping the promise or cancelling it changes
    /// nothing. A job that blocks until its own pool has ended waits for itself.
    ///
    /// # Errors
    ///
    /// Only [`Shutdown::Deadline`] can reject, with [`Fault::TimedOut`].
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::{ExecutorExt, Fault, Shutdown, ThreadPool};
    ///
    /// let pool = ThreadPool::new(1);
    /// let job = pool.submit(|| "done");
    /// pool.shutdown(Shutdown::Drain).wait()?;
    /// assert_eq!(job.wait()?, "done");
    /// let late = pool.submit(|| "late").wait().unwrap_err();
    /// assert!(matches!(late.fault(), Some(Fault::PoolClosed)));
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    #[track_caller]
    pub fn shutdown(&self, how: Shutdown) -> Promise<()> {
        let (promise, resolver) = Promise::pending();
        let shared = self.shared();
        match how {
            Shutdown::Drain => shared.close(false, Some(resolver)),
            Shutdown::Cancel => shared.close(true, Some(resolver)),
            Shutdown::Deadline(limit) => {
                shared.close(false, Some(resolver.clone()));
                if promise.is_pending() {
                    end_by_deadline(shared, limit, &resolver);
                }
            }
        }
        promise
    }

    /// What the pool is doing at this moment.
    pub fn stats(&self) -> PoolStats {
        self.shared().stats()
    }

    /// The token of a new job.
    pub(super) fn token(&self) -> AbortController {
        self.shared().token()
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.shared();
        f.debug_struct("ThreadPool")
            .field("max_workers", &shared.max_workers())
            .field("stats", &shared.stats())
            .finish_non_exhaustive()
    }
}

/// Cancels the pool's jobs if it has not ended in time.
///
/// It takes a thread: the workers are busy, and what the cancelled jobs own must not be dropped on a thread that has
/// timers to run.
fn end_by_deadline(shared: &Arc<Shared>, limit: Duration, resolver: &Resolver<()>) {
    let (waiting, late) = (Arc::clone(shared), resolver.clone());
    let wait = move || {
        if !waiting.wait_for_end(limit) {
            late.fault(Fault::TimedOut { after: limit });
            waiting.close(true, None);
        }
    };
    if thread::Builder::new().name(shared.thread_name("deadline")).spawn(wait).is_err() {
        // Without a thread there is nobody to wait for the deadline: it is now.
        resolver.fault(Fault::TimedOut { after: limit });
        shared.close(true, None);
    }
}

impl Executor for ThreadPool {
    fn execute(&self, job: Job) -> Result<(), Rejected<Job>> {
        self.shared().enlist(job, |job| job).map(drop)
    }

    fn parallelism(&self) -> Option<NonZeroUsize> {
        NonZeroUsize::new(self.shared().max_workers())
    }

    fn on_worker_thread(&self) -> bool {
        worker::current().is_some_and(|(shared, _)| Arc::ptr_eq(&shared, self.shared()))
    }

    fn as_thread_pool(&self) -> Option<&ThreadPool> {
        Some(self)
    }

    fn to_shared(&self) -> Option<Arc<dyn Executor>> {
        Some(Arc::new(Inside(Arc::clone(self.shared()))))
    }
}

/// The pool as its own jobs see it: it does not keep the pool open.
struct Inside(Arc<Shared>);

impl Executor for Inside {
    fn execute(&self, job: Job) -> Result<(), Rejected<Job>> {
        self.0.enlist(job, |job| job).map(drop)
    }
}
