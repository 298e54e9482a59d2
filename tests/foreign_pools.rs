//! Pools of other crates as executors.

#[macro_use]
#[path = "it/support/assert_fault.rs"]
mod assert_fault;
#[path = "it/support/watchdog.rs"]
mod watchdog;

use std::panic::resume_unwind;
use std::time::Duration;

use thenable::{Executor, ExecutorExt, Fault};
use watchdog::watchdog;

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn tokio_runs_jobs_on_its_blocking_threads() {
    watchdog(LIMIT, || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let handle = runtime.handle().clone();
        assert_eq!(handle.submit(|| 6 * 7).wait().unwrap(), 42);
        assert_fault!(handle.submit(|| resume_unwind(Box::new("boom"))).map(|()| 0).wait(), Fault::Panicked { .. });
        assert_eq!(handle.map(0..100, |n| n).wait().unwrap().len(), 100);
        runtime.shutdown_background();
        assert_fault!(handle.submit(|| 1).wait(), Fault::PoolClosed);
    });
}

#[test]
fn rayon_survives_a_job_that_panics() {
    watchdog(LIMIT, || {
        let pool = rayon_core::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        assert_eq!(pool.parallelism().map(usize::from), Some(2));
        assert_eq!(pool.submit(|| 6 * 7).wait().unwrap(), 42);
        assert_fault!(pool.submit(|| resume_unwind(Box::new("boom"))).map(|()| 0).wait(), Fault::Panicked { .. });
        // Without the crate's own protection this ends the process.
        pool.execute(Box::new(|| resume_unwind(Box::new("boom")))).unwrap();
        assert_eq!(pool.map(0..100, |n| n).wait().unwrap(), (0..100).collect::<Vec<_>>());
        assert!(!pool.on_worker_thread());
    });
}
