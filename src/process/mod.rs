//! A pool of worker processes, which may die. Feature `process`, Unix.
//!
//! A [`ProcessPool`] runs [named jobs](crate::JobFn) in processes of their own: what a job does to its
//! process (an abort, a signal, all of its memory, an endless loop) ends that job and no other one. For speed alone a
//! [`ThreadPool`](crate::ThreadPool) does as well.
//!
//! ```standalone_crate
//! use std::time::Duration;
//! use thenable::{Fault, JobPoolExt, ProcessPool, Registry};
//!
//! thenable::job! {
//!     fn steps(mut n: u64) -> u32 {
//!         let mut steps = 0;
//!         while n != 1 {
//!             n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
//!             steps += 1;
//!         }
//!         steps
//!     }
//! }
//!
//! fn main() -> Result<(), thenable::Rejection> {
//!     // Here a worker begins, and never comes back.
//!     thenable::process::run_worker_if_asked(&Registry::new().add(steps));
//!
//!     let pool = ProcessPool::builder().max_workers(2).job_timeout(Duration::from_millis(500)).build()?;
//!     let (some, endless) = (pool.submit_job(steps, 27), pool.submit_job(steps, 0));
//!     assert_eq!(some.wait()?, 111);
//!     let why = endless.wait().unwrap_err();
//!     assert!(matches!(why.fault(), Some(Fault::TimedOut { .. })));
//!     Ok(())
//! }
//! ```
//!
//! # How it works
//!
//! A worker is this program, started again: [`run_worker_if_asked`] at the beginning of `main` turns it into one. Pool and
//! worker speak over a pair of sockets, whose other end is the worker's standard input. Nothing is passed by address, and
//! nothing runs before `main`.
//!
//! On the pool's side, each worker has a task of the event loop: no thread waits for a job or a worker. Arguments are encoded
//! by whoever submits a job, results are decoded on the loop. A worker has one job at a time. It is the leader of a process
//! group, which is killed as a whole, so what a job has started dies with it.
//!
//! # In tests
//!
//! A test harness has a `main` of its own, so the workers of a pool in a `#[test]` need a command:
//!
//! - [`test_command`] runs one `#[test]` of the same program that calls [`run_worker_if_asked`], or
//! - [`worker_command`](ProcessPoolBuilder::worker_command) names a program that does, or
//! - `harness = false` gives the test a `main`, and nothing else is needed.
//!
//! # What it is not
//!
//! - Not a sandbox: jobs may do what this program may do, and a job that moves to another process group, or starts
//!   something that does, outlives the kill of its own.
//! - Not for closures: a job is a function with a name, and what it takes and gives are serde types. The format, postcard,
//!   does not describe itself, so `#[serde(untagged)]` and its like do not travel.
//! - Not for all states of the parent: a worker starts anew and knows nothing of what this process has in memory. What all
//!   jobs need can be made before [`run_worker_if_asked`], or by the first job in a `OnceLock`.

mod books;
mod builder;
mod child;
mod frame;
mod pool;
mod seat;
mod shared;
mod worker;

pub use builder::ProcessPoolBuilder;
pub use pool::ProcessPool;
pub use worker::{run_worker_if_asked, test_command};

use crate::Fault;

/// All frames in these bytes, fed to the decoder in pieces of so many, and the error that ends them: for fuzzing.
#[doc(hidden)]
pub fn decode_frames(bytes: &[u8], limit: usize, piece: usize) -> (Vec<(u8, Vec<u8>)>, Option<Fault>) {
    frame::decode_all(bytes, limit, piece)
}
