//! Pools: every job is a promise.
//!
//! An [`Executor`] is any place that runs a closure: a [`ThreadPool`], a [`LoopHandle`](crate::LoopHandle), a tokio or
//! rayon pool (features `tokio` and `rayon`), or a bare `Fn(Job)`. [`ExecutorExt`] makes promises of its jobs, the same
//! way on all of them.
//!
//! # What every pool does
//!
//! 1. A panic is caught inside the job and rejects its promise with [`Fault::Panicked`](crate::Fault::Panicked),
//!    whatever the pool would have done about it.
//! 2. What a closure owns is dropped on the thread that ran it, before its promise settles, and under the same
//!    protection.
//! 3. A job that nobody wants any more is not started: its promise was cancelled, or all of its handles are gone and
//!    nothing is chained to it.
//! 4. A job that is thrown away rejects its promise and says why. No promise hangs because a pool lost interest.
//!
//! # How the thread pool works
//!
//! One lock guards the queue and the counters, see the module `shared`; no foreign code runs under it, and neither does
//! a settle. A worker takes the oldest job, runs it, takes itself off the books, and only then settles the promise:
//! whoever has waited for the promise finds the worker free and the job counted.

mod builder;
mod executor;
mod ext;
#[cfg(any(feature = "tokio", feature = "rayon"))]
mod foreign;
mod help;
mod map;
mod queue;
mod shared;
pub(crate) mod task;
#[cfg(test)]
mod tests;
mod thread_pool;
mod worker;

pub use builder::ThreadPoolBuilder;
pub use executor::{Executor, Job, Rejected};
pub use ext::ExecutorExt;
pub use thread_pool::{PoolStats, Shutdown, ThreadPool};

pub(crate) use help::{Helped, help_while};
pub(crate) use task::discard_reason;

use crate::primitive::sync::{Mutex, MutexGuard, PoisonError};

/// No foreign code runs under any lock of this module, so a panic cannot leave one half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a job rejects with that was not started because nobody wanted it.
#[cfg(feature = "named-jobs")]
pub(crate) fn unwanted() -> crate::Fault {
    task::unwanted()
}

/// Inside a job of the thread pool: it is over, and its promise is settled next. `ran`: it was not skipped.
#[cfg(feature = "named-jobs")]
pub(crate) fn conclude(ran: bool) {
    worker::conclude(ran);
}
