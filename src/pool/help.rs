//! Waiting on a worker: it runs other jobs of its pool meanwhile, so a job may wait for jobs of the same pool.

use super::worker;

/// How many jobs may wait inside each other on one thread. Each has its part of that thread's stack.
const DEPTH: usize = 64;

/// What came of helping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Helped {
    /// This thread runs no pool's jobs: it may simply sleep.
    NotAWorker,
    /// What was waited for has happened.
    Settled,
    /// No job is queued now. What is waited for runs elsewhere, or has other sources.
    NothingToRun,
    /// There are jobs, but too many wait inside each other here already.
    TooDeep,
}

/// On a worker, runs queued jobs of its pool until `settled`, or until none is left.
///
/// First come the jobs that the waiting job submitted, oldest first: it most likely waits for one of them. So trees of
/// jobs nest as deep as the tree is high, not as wide as it is. Then come all others, oldest first.
pub(crate) fn help_while(settled: &dyn Fn() -> bool) -> Helped {
    let Some((shared, depth)) = worker::current() else { return Helped::NotAWorker };
    while !settled() {
        if depth >= DEPTH && shared.has_queued() {
            return Helped::TooDeep;
        }
        let mut children = std::iter::from_fn(worker::next_child);
        let job = children.find_map(|id| shared.next_inside(Some(id))).or_else(|| shared.next_inside(None));
        match job {
            Some(job) => worker::run(job, false),
            None => return Helped::NothingToRun,
        }
    }
    Helped::Settled
}
