//! The pool of processes: what workers may do to themselves, and what the pool makes of it.
//!
//! It is a program of its own: the workers are this program again, turned into one by `promise_worker`.

#![cfg(unix)]

#[cfg(target_os = "linux")]
mod counts;
mod ends;
mod frames;
mod hostile;
mod input;
mod jobs;
mod limits;
mod seeds;
mod strangers;
mod support;
mod workers;

use support::registry;
use thenable::process;

/// The worker. In an ordinary run it does nothing.
#[test]
fn promise_worker() {
    process::run_worker_if_asked(&registry());
}
