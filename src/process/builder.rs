//! How a pool of processes is set up.

use super::ProcessPool;
use super::frame::Setup;
use super::shared::Settings;
use super::worker;
use crate::{Fault, LoopHandle};
use std::fmt;
use std::num::{NonZeroU64, NonZeroUsize};
use std::process::Command;
use std::thread;
use std::time::Duration;

const QUEUE_LIMIT: usize = 1 << 20;
const QUEUED_BYTES: usize = 256 << 20;
const FRAME_LIMIT: usize = 64 << 20;
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Sets up a [`ProcessPool`].
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use thenable::ProcessPool;
///
/// let pool = ProcessPool::builder()
///     .max_workers(4)
///     .memory_limit(512 << 20)
///     .job_timeout(Duration::from_secs(10))
///     .build()?;
/// # Ok::<(), thenable::Fault>(())
/// ```
#[derive(Default)]
#[must_use = "call `build`"]
pub struct ProcessPoolBuilder {
    max_workers: Option<usize>,
    queue_limit: Option<usize>,
    queued_bytes: Option<usize>,
    frame_limit: Option<usize>,
    memory_limit: Option<u64>,
    job_timeout: Option<Duration>,
    max_jobs: Option<NonZeroU64>,
    start_timeout: Option<Duration>,
    command: Option<Command>,
    event_loop: Option<LoopHandle>,
}

impl ProcessPoolBuilder {
    /// At most so many processes. Default: [`std::thread::available_parallelism`].
    pub fn max_workers(mut self, count: usize) -> Self {
        self.max_workers = Some(count);
        self
    }

    /// At most so many jobs that wait for a process; one more is refused with [`Fault::Full`]. Default: 1,048,576.
    ///
    /// Jobs that a process can take at once do not count.
    pub fn queue_limit(mut self, count: usize) -> Self {
        self.queue_limit = Some(count);
        self
    }

    /// At most so many bytes of arguments in the queue; a job that exceeds it is refused with
    /// [`Fault::TooManyBytes`], unless it has the queue for itself. Default: 256 MiB.
    pub fn max_queued_bytes(mut self, bytes: usize) -> Self {
        self.queued_bytes = Some(bytes);
        self
    }

    /// At most so many bytes for the arguments of a job, and for its result; beyond, it rejects with
    /// [`Fault::FrameTooLarge`]. Default: 64 MiB.
    pub fn frame_limit(mut self, bytes: usize) -> Self {
        self.frame_limit = Some(bytes);
        self
    }

    /// At most so many bytes of memory for a worker; one that asks for more is aborted, as Rust programs are when there is
    /// no memory. On Linux it counts what can be written to (`RLIMIT_DATA`), elsewhere addresses (`RLIMIT_AS`).
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// Jobs that run for longer are killed, with all that they have started, and reject with [`Fault::TimedOut`]. The time in the queue does not count.
    /// [`ProcessPool::with_timeout`] sets it for some jobs only.
    pub fn job_timeout(mut self, limit: Duration) -> Self {
        self.job_timeout = Some(limit);
        self
    }

    /// Replaces a worker when it has run so many jobs: for jobs that leak.
    pub fn max_jobs_per_worker(mut self, count: NonZeroU64) -> Self {
        self.max_jobs = Some(count);
        self
    }

    /// How long a worker may take from its start to its first job. Default: 30 s.
    pub fn start_timeout(mut self, limit: Duration) -> Self {
        self.start_timeout = Some(limit);
        self
    }

    /// What to start as a worker: a program that calls [`run_worker_if_asked`](super::run_worker_if_asked) and was built
    /// with the same version of this crate. Default: this program, without arguments.
    ///
    /// The pool sets the standard input, the process group, and one variable of the environment. Other output goes where
    /// this process's own goes, unless the command says otherwise.
    pub fn worker_command(mut self, command: Command) -> Self {
        self.command = Some(command);
        self
    }

    /// The loop that drives the pool; it must be running, on a real clock. While a handler blocks it, jobs go on, but
    /// nobody sees them end, and time limits are late. Default: [`LoopHandle::global`].
    pub fn event_loop(mut self, handle: &LoopHandle) -> Self {
        self.event_loop = Some(handle.clone());
        self
    }

    /// Makes the pool. No process starts before the first job.
    ///
    /// # Errors
    ///
    /// [`Fault::InvalidConfig`] for zero workers, for a frame limit that does not fit the format, for a limit of zero
    /// bytes of memory, for a loop with a virtual clock, and in a process that was started as a worker and did not become
    /// one.
    pub fn build(self) -> Result<ProcessPool, Fault> {
        if let Some(fault) = worker::forgotten() {
            return Err(fault);
        }
        let max_workers =
            self.max_workers.unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZeroUsize::get));
        let frame_limit = self.frame_limit.unwrap_or(FRAME_LIMIT);
        let event_loop = self.event_loop.unwrap_or_else(LoopHandle::global);
        let wrong = match (max_workers, self.memory_limit) {
            (0, _) => Some("a pool of zero workers"),
            (_, Some(0)) => Some("workers without memory"),
            _ if frame_limit > (u32::MAX as usize) / 2 => Some("a frame limit of more than 2 GiB"),
            _ if event_loop.has_virtual_clock() => Some("a pool of processes on a virtual clock"),
            _ => None,
        };
        if let Some(what) = wrong {
            return Err(Fault::InvalidConfig { what: what.into() });
        }
        let settings = Settings {
            max_workers,
            queue_limit: self.queue_limit.unwrap_or(QUEUE_LIMIT),
            queued_bytes: self.queued_bytes.unwrap_or(QUEUED_BYTES),
            setup: Setup { frame_limit, memory_limit: self.memory_limit.unwrap_or(0) },
            max_jobs: self.max_jobs.map_or(u64::MAX, NonZeroU64::get),
            start_timeout: self.start_timeout.unwrap_or(START_TIMEOUT),
            event_loop,
        };
        Ok(ProcessPool::open(settings, self.command.unwrap_or_else(worker::this_program), self.job_timeout))
    }
}

impl fmt::Debug for ProcessPoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessPoolBuilder")
            .field("max_workers", &self.max_workers)
            .field("queue_limit", &self.queue_limit)
            .field("memory_limit", &self.memory_limit)
            .field("job_timeout", &self.job_timeout)
            .field("worker_command", &self.command)
            .finish_non_exhaustive()
    }
}
