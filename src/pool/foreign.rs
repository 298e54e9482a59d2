//! Other crates' pools, each behind the feature of its name.

use super::executor::{Executor, Job, Rejected};
#[cfg(feature = "tokio")]
use super::task;

/// Runs jobs by `spawn_blocking`, on the runtime's blocking threads. A runtime that has shut down drops the job, which
/// rejects its promise with [`Fault::PoolClosed`](crate::Fault::PoolClosed).
#[cfg(feature = "tokio")]
impl Executor for tokio::runtime::Handle {
    fn execute(&self, job: Job) -> Result<(), Rejected<Job>> {
        // Detached: the job itself settles the promise.
        task::refusing(crate::Fault::PoolClosed, || drop(self.spawn_blocking(job)));
        Ok(())
    }

    fn to_shared(&self) -> Option<std::sync::Arc<dyn Executor>> {
        Some(std::sync::Arc::new(self.clone()))
    }
}

/// Runs jobs by `spawn_fifo`. A panic in a job of its own would end the process; here it is caught.
#[cfg(feature = "rayon")]
impl Executor for rayon_core::ThreadPool {
    fn execute(&self, job: Job) -> Result<(), Rejected<Job>> {
        self.spawn_fifo(move || {
            // Printed already, and a plain job has nobody else to tell.
            let _ = crate::error::panic::catch(None, job);
        });
        Ok(())
    }

    fn parallelism(&self) -> Option<std::num::NonZeroUsize> {
        std::num::NonZeroUsize::new(self.current_num_threads())
    }

    fn on_worker_thread(&self) -> bool {
        self.current_thread_index().is_some()
    }
}
