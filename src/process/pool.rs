//! The pool of processes: its handle.

use super::ProcessPoolBuilder;
use super::child::first;
use super::shared::{Closing, Settings, Shared};
use crate::named::{Call, JobPool};
use crate::{CancelReason, Fault, PoolStats, Promise, Rejected, Resolver, Shutdown};
use async_io::Timer;
use std::fmt;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// Processes that run named jobs, in the order of submission. Clones are handles of the same pool.
///
/// Processes start on demand, as long as there are fewer than `max_workers` and none is free.
/// [`submit_job`](crate::JobPoolExt::submit_job) comes from [`JobPoolExt`](crate::JobPoolExt). Jobs and results are bounded
/// in size, the queue in jobs and bytes: what does not fit is refused at once, nothing blocks.
///
/// # When a worker dies
///
/// Its own job rejects with [`Fault::Crashed`], which has the signal or the exit status; all others go on, and the worker
/// is replaced when there is work. A worker that dies while it has no job takes none with it. No job is run twice.
///
/// When eight workers have died in a row without a result in between, each further one is replaced only after a pause, of
/// 10 ms at first and 100 ms at last. When no worker can be started at all, or all die before they are ready, jobs reject
/// with [`Fault::NoWorker`] or [`Fault::CrashLoop`] after three tries; there is another try after a pause of a second at
/// most.
///
/// # Cancellation
///
/// Cancelling the promise of a job that is queued takes the job out of the queue. Cancelling that of a job that runs kills
/// its worker. So does a time limit, see [`with_timeout`](ProcessPool::with_timeout). A job whose promise is dropped is
/// skipped if it has not begun, and otherwise runs to its end, as on a thread.
///
/// # The end
///
/// [`shutdown`](ProcessPool::shutdown) ends the pool and tells when the last process is reaped. When the last handle is
/// dropped, the pool takes no more jobs, finishes those that it has, and ends its workers; the drop itself does not wait
/// for that. When this process dies, whatever the cause, its workers end as well, and what they have started.
///
/// # Examples
///
/// ```standalone_crate
/// use thenable::{Fault, JobPoolExt, ProcessPool, Registry, Shutdown};
///
/// thenable::job! {
///     fn divide(a: u64, b: u64) -> u64 {
///         if b == 0 { std::process::abort() } else { a / b }
///     }
/// }
///
/// fn main() -> Result<(), thenable::Rejection> {
///     thenable::process::run_worker_if_asked(&Registry::new().add(divide));
///
///     let pool = ProcessPool::new(1)?;
///     let (bad, good) = (pool.submit_job(divide, (1, 0)), pool.submit_job(divide, (6, 2)));
///     let why = bad.wait().unwrap_err();
///     assert!(matches!(why.fault(), Some(Fault::Crashed { signal: Some(6), .. })));
///     assert_eq!(good.wait()?, 3);
///     pool.shutdown(Shutdown::Drain).wait()
/// }
/// ```
#[derive(Clone)]
pub struct ProcessPool {
    handle: Arc<Handle>,
    timeout: Option<Duration>,
}

/// What the clones of a handle have in common. The seats do not have it.
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close(Closing::Drain, None);
    }
}

impl ProcessPool {
    /// A pool of at most so many processes, which run this program. See [`ProcessPool::builder`] for what can be set.
    ///
    /// # Errors
    ///
    /// As [`ProcessPoolBuilder::build`].
    pub fn new(max_workers: usize) -> Result<Self, Fault> {
        Self::builder().max_workers(max_workers).build()
    }

    /// Sets up a pool.
    pub fn builder() -> ProcessPoolBuilder {
        ProcessPoolBuilder::default()
    }

    pub(super) fn open(settings: Settings, command: Command, timeout: Option<Duration>) -> Self {
        Self { handle: Arc::new(Handle { shared: Shared::new(settings, command) }), timeout }
    }

    /// A handle of the same pool whose jobs are killed, with all that they have started, when they run for longer than
    /// this. They reject with [`Fault::TimedOut`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use thenable::{JobFn, JobPoolExt, ProcessPool};
    /// # const COUNT: JobFn<u64, u64> = JobFn::new("count", |n| n);
    /// # let pool = ProcessPool::new(1)?;
    /// let answer = pool.with_timeout(Duration::from_secs(1)).submit_job(COUNT, 1 << 40);
    /// # Ok::<(), thenable::Fault>(())
    /// ```
    #[must_use = "it is another handle"]
    pub fn with_timeout(&self, limit: Duration) -> Self {
        Self { handle: Arc::clone(&self.handle), timeout: Some(limit) }
    }

    /// What the pool is doing at this moment. Workers are processes that are ready for jobs or have one.
    pub fn stats(&self) -> PoolStats {
        self.handle.shared.stats()
    }

    /// The process ids of the workers.
    pub fn worker_ids(&self) -> Vec<u32> {
        self.handle.shared.processes()
    }

    /// Takes no more jobs and ends the pool: the promise fulfils when the last process is reaped.
    ///
    /// [`Shutdown::Drain`] finishes everything, [`Shutdown::Cancel`] only what runs. [`Shutdown::Deadline`] drains until
    /// the deadline; what is left then is killed, and rejects with [`Fault::Cancelled`]. A deadline of zero kills
    /// everything now.
    ///
    /// A second call can be stricter than the first, and has a promise of its own. Dropping the promise or cancelling it
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// Only [`Shutdown::Deadline`] can reject, with [`Fault::TimedOut`].
    #[track_caller]
    pub fn shutdown(&self, how: Shutdown) -> Promise<()> {
        let (promise, resolver) = Promise::pending();
        let shared = &self.handle.shared;
        match how {
            Shutdown::Drain => shared.close(Closing::Drain, Some(resolver)),
            Shutdown::Cancel => {
                shared.close(Closing::Cancel(CancelReason::from("the pool was shut down")), Some(resolver))
            }
            Shutdown::Deadline(limit) => {
                shared.close(Closing::Drain, Some(resolver.clone()));
                if promise.is_pending() {
                    end_by_deadline(shared, limit, resolver);
                }
            }
        }
        promise
    }
}

/// Kills what is left of the pool at the deadline.
fn end_by_deadline(shared: &Arc<Shared>, limit: Duration, resolver: Resolver<()>) {
    let (over, end) = Promise::<()>::pending();
    shared.close(Closing::Drain, Some(end));
    let pool = Arc::downgrade(shared);
    let wait = async move {
        let late = first(over, Timer::after(limit)).await.is_err();
        if let (true, Some(shared)) = (late, pool.upgrade()) {
            resolver.fault(Fault::TimedOut { after: limit });
            shared.close(Closing::Kill(CancelReason::from("the pool was shut down")), None);
        }
        crate::Ok(())
    };
    shared.settings.event_loop.spawn(wait).mark_handled();
}

impl JobPool for ProcessPool {
    fn dispatch(&self, call: Call) -> Result<(), Rejected<Call>> {
        self.handle.shared.enlist(call, self.timeout)
    }

    fn frame_limit(&self) -> usize {
        self.handle.shared.settings.setup.frame_limit
    }
}

impl fmt::Debug for ProcessPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = &self.handle.shared;
        f.debug_struct("ProcessPool")
            .field("max_workers", &shared.settings.max_workers)
            .field("stats", &shared.stats())
            .finish_non_exhaustive()
    }
}
