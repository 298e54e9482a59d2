//! The queue: strictly first in, first out, and any job can be taken out of the middle.

use super::Job;
use crate::Fault;
use std::collections::BTreeMap;

/// Tells whoever waits for a place whether the job got it.
pub(super) type Announce = Box<dyn FnOnce(Result<(), Fault>) + Send>;

/// A job that waits for a place in the queue.
pub(super) struct Waiter {
    pub(super) job: Job,
    pub(super) announce: Announce,
}

/// Jobs by number, in order of submission. One that waits for a place has its number from the start: it was there
/// before everything that came later.
#[derive(Default)]
pub(super) struct Queue {
    jobs: BTreeMap<u64, Job>,
    waiters: BTreeMap<u64, Waiter>,
    next: u64,
}

/// What was taken out.
pub(super) enum Taken {
    Job(Job),
    Waiter(Waiter),
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    pub(super) fn push(&mut self, job: Job) -> u64 {
        let id = self.number();
        self.jobs.insert(id, job);
        id
    }

    pub(super) fn push_waiter(&mut self, waiter: Waiter) -> u64 {
        let id = self.number();
        self.waiters.insert(id, waiter);
        id
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The oldest job.
    pub(super) fn pop(&mut self) -> Option<Job> {
        self.jobs.pop_first().map(|(_, job)| job)
    }

    /// This job, if it is queued.
    pub(super) fn remove_job(&mut self, id: u64) -> Option<Job> {
        self.jobs.remove(&id)
    }

    /// This job, wherever it is.
    pub(super) fn remove(&mut self, id: u64) -> Option<Taken> {
        match self.jobs.remove(&id) {
            Some(job) => Some(Taken::Job(job)),
            None => self.waiters.remove(&id).map(Taken::Waiter),
        }
    }

    /// Gives a place to the one that has waited longest.
    pub(super) fn admit(&mut self) -> Option<Announce> {
        let (id, waiter) = self.waiters.pop_first()?;
        self.jobs.insert(id, waiter.job);
        Some(waiter.announce)
    }

    pub(super) fn has_waiters(&self) -> bool {
        !self.waiters.is_empty()
    }

    /// Everything, in order.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Taken> + use<> {
        let jobs = std::mem::take(&mut self.jobs).into_values().map(Taken::Job);
        jobs.chain(std::mem::take(&mut self.waiters).into_values().map(Taken::Waiter))
    }
}
