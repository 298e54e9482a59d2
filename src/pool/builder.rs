//! How a pool is set up.

use super::shared::{Initializer, Settings, Start};
use super::{ThreadPool, worker};
use crate::Fault;
use crate::primitive::thread;
use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

/// How many jobs can be queued unless `queue_limit` says otherwise: enough for any honest burst, while a producer that
/// has run away is told so.
const QUEUE_LIMIT: usize = 1 << 20;

/// How long a thread without a job lives on.
const IDLE_TIME: Duration = Duration::from_secs(10);

/// Sets up a [`ThreadPool`].
///
/// # Examples
///
/// ```
/// use thenable::{ExecutorExt, ThreadPool};
///
/// let pool = ThreadPool::builder().max_workers(2).queue_limit(100).thread_name("hash").build()?;
/// let name = pool.submit(|| std::thread::current().name().map(str::to_owned)).wait()?;
/// assert_eq!(name.as_deref(), Some("hash-0"));
/// # Ok::<(), thenable::Rejection>(())
/// ```
#[derive(Clone, Default)]
pub struct ThreadPoolBuilder {
    max_workers: Option<usize>,
    queue_limit: Option<usize>,
    thread_name: Option<String>,
    initializer: Option<Initializer>,
    idle_time: Option<Duration>,
    pub(super) start: Option<Start>,
}

impl fmt::Debug for ThreadPoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolBuilder")
            .field("max_workers", &self.max_workers)
            .field("queue_limit", &self.queue_limit)
            .field("thread_name", &self.thread_name)
            .field("initializer", &self.initializer.is_some())
            .field("idle_time", &self.idle_time)
            .finish_non_exhaustive()
    }
}

impl ThreadPoolBuilder {
    /// At most so many threads. Default: [`std::thread::available_parallelism`].
    pub fn max_workers(mut self, count: usize) -> Self {
        self.max_workers = Some(count);
        self
    }

    /// At most so many jobs that wait for a thread. Default: 1,048,576. `usize::MAX` is no limit.
    ///
    /// Jobs that a thread can take at once do not count, so with a limit of zero the pool takes a job only if one of
    /// its `max_workers` threads is free for it. One more is refused with [`Fault::Full`] by
    /// [`try_submit`](ThreadPool::try_submit) and [`submit`](super::ExecutorExt::submit), and waits with
    /// [`submit_wait`](ThreadPool::submit_wait).
    pub fn queue_limit(mut self, count: usize) -> Self {
        self.queue_limit = Some(count);
        self
    }

    /// Threads are called `prefix-0`, `prefix-1` and so on, in the order in which they start. Default: `thenable`.
    pub fn thread_name(mut self, prefix: impl Into<String>) -> Self {
        self.thread_name = Some(prefix.into());
        self
    }

    /// Runs `f` on each thread before its first job: to open what the jobs of a thread share, say.
    ///
    /// A panic in it breaks the pool, as it would happen again on each thread: what is queued rejects with the
    /// [`Fault::Panicked`], jobs that run go on, and later ones are refused with [`Fault::PoolClosed`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    /// use thenable::{ExecutorExt, ThreadPool};
    ///
    /// thread_local!(static SCALE: Cell<u32> = const { Cell::new(1) });
    /// let pool = ThreadPool::builder().max_workers(2).initializer(|| SCALE.set(10)).build()?;
    /// assert_eq!(pool.map(1..=3, |n| n * SCALE.get()).wait()?, [10, 20, 30]);
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    pub fn initializer(mut self, f: impl Fn() + Send + Sync + 'static) -> Self {
        self.initializer = Some(Initializer::new(f));
        self
    }

    /// How long a thread without a job lives on. Default: ten seconds.
    pub fn idle_time(mut self, limit: Duration) -> Self {
        self.idle_time = Some(limit);
        self
    }

    /// Makes the pool. No thread starts before the first job.
    ///
    /// # Errors
    ///
    /// [`Fault::InvalidConfig`] for zero workers, and for a thread name with a NUL byte in it.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::{Fault, ThreadPool};
    ///
    /// let error = ThreadPool::builder().max_workers(0).build().unwrap_err();
    /// assert!(matches!(error, Fault::InvalidConfig { .. }));
    /// ```
    pub fn build(self) -> Result<ThreadPool, Fault> {
        let max_workers =
            self.max_workers.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZeroUsize::get));
        if max_workers == 0 {
            return Err(Fault::InvalidConfig { what: "a pool of zero workers".into() });
        }
        if self.thread_name.as_ref().is_some_and(|name| name.contains('\0')) {
            return Err(Fault::InvalidConfig { what: "a thread name with a NUL byte".into() });
        }
        Ok(ThreadPool::start(self.settings(max_workers)))
    }

    pub(super) fn settings(self, max_workers: usize) -> Settings {
        Settings {
            max_workers,
            queue_limit: self.queue_limit.unwrap_or(QUEUE_LIMIT),
            thread_name: self.thread_name.unwrap_or_else(|| "thenable".to_owned()),
            initializer: self.initializer,
            idle_time: self.idle_time.unwrap_or(IDLE_TIME),
            start: self.start.unwrap_or(worker::start),
        }
    }
}
