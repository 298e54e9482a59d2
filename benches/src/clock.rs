//! What a round costs.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// The time that `work` takes.
pub fn wall(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// The processor time that `work` takes, on all threads of the process.
pub fn cpu(work: impl FnOnce()) -> Duration {
    let now = || {
        let now = clock_gettime(ClockId::ProcessCPUTime);
        Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs().try_into().unwrap_or_default())
    };
    let start = now();
    work();
    now() - start
}
