//! The queue: strictly first in, first out, and any job can be taken out of the middle.

use super::Job;
use crate::Fault;
use std::collections::VecDeque;

/// Tells whoever waits for a place whether the job got it.
pub(super) type Announce = Box<dyn FnOnce(Result<(), Fault>) + Send>;

/// A job that waits for a place in the queue.
pub(super) struct Waiter {
    pub(super) job: Job,
    pub(super) announce: Announce,
}

/// Jobs with a place, and those that wait for one: somebody waits only while there is no room, so whatever comes later stands
/// behind. Each has a number from the start, larger than those before it.
#[derive(Default)]
pub(super) struct Queue {
    jobs: Line<Job>,
    waiters: Line<Waiter>,
    /// The newest number.
    last: u64,
}

/// What was taken out.
pub(super) enum Taken {
    Job(Job),
    Waiter(Waiter),
}

/// Entries by ascending number; one that was taken out of the middle leaves a gap. At most about half are gaps.
struct Line<V> {
    entries: VecDeque<(u64, Option<V>)>,
    len: usize,
}

impl<V> Default for Line<V> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), len: 0 }
    }
}

impl<V> Line<V> {
    fn push(&mut self, number: u64, entry: V) {
        self.entries.push_back((number, Some(entry)));
        self.len += 1;
    }

    fn pop(&mut self) -> Option<(u64, V)> {
        while let Some((number, entry)) = self.entries.pop_front() {
            if let Some(entry) = entry {
                self.len -= 1;
                return Some((number, entry));
            }
        }
        None
    }

    fn remove(&mut self, number: u64) -> Option<V> {
        let place = self.entries.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        let taken = self.entries.get_mut(place)?.1.take()?;
        self.len -= 1;
        if self.len < self.entries.len() / 2 {
            // Amortised: as many removals as entries that move.
            self.entries.retain(|(_, entry)| entry.is_some());
            self.entries.shrink_to(2 * self.len);
        }
        Some(taken)
    }
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.jobs.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.jobs.len == 0
    }

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Only while nobody waits.
    pub(super) fn push(&mut self, job: Job) -> u64 {
        debug_assert!(!self.has_waiters(), "nobody is overtaken");
        let number = self.number();
        self.jobs.push(number, job);
        number
    }

    pub(super) fn push_waiter(&mut self, waiter: Waiter) -> u64 {
        let number = self.number();
        self.waiters.push(number, waiter);
        number
    }

    /// The oldest job.
    pub(super) fn pop(&mut self) -> Option<Job> {
        self.jobs.pop().map(|(_, job)| job)
    }

    /// This job, if it is queued.
    pub(super) fn remove_job(&mut self, number: u64) -> Option<Job> {
        self.jobs.remove(number)
    }

    /// This job, wherever it is.
    pub(super) fn remove(&mut self, number: u64) -> Option<Taken> {
        match self.jobs.remove(number) {
            Some(job) => Some(Taken::Job(job)),
            None => self.waiters.remove(number).map(Taken::Waiter),
        }
    }

    /// Gives a place to the one that has waited longest.
    pub(super) fn admit(&mut self) -> Option<Announce> {
        let (number, waiter) = self.waiters.pop()?;
        self.jobs.push(number, waiter.job);
        Some(waiter.announce)
    }

    pub(super) fn has_waiters(&self) -> bool {
        self.waiters.len > 0
    }

    /// Everything, in order.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Taken> + use<> {
        let (jobs, waiters) = (std::mem::take(&mut self.jobs), std::mem::take(&mut self.waiters));
        let jobs = jobs.entries.into_iter().filter_map(|(_, job)| job.map(Taken::Job));
        jobs.chain(waiters.entries.into_iter().filter_map(|(_, waiter)| waiter.map(Taken::Waiter)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Queues whose jobs say their number.
    struct Model {
        queue: Queue,
        ran: Arc<AtomicU64>,
    }

    impl Model {
        fn new() -> Self {
            Self { queue: Queue::default(), ran: Arc::default() }
        }

        fn job(&self, name: u64) -> Job {
            let ran = self.ran.clone();
            Box::new(move || ran.store(name, Ordering::Relaxed))
        }

        fn push(&mut self, name: u64) -> u64 {
            let job = self.job(name);
            self.queue.push(job)
        }

        fn wait(&mut self, name: u64) -> u64 {
            let waiter = Waiter { job: self.job(name), announce: Box::new(|_| ()) };
            self.queue.push_waiter(waiter)
        }

        fn pop(&mut self) -> Option<u64> {
            self.queue.pop().map(|job| self.name(job))
        }

        fn name(&self, job: Job) -> u64 {
            job();
            self.ran.load(Ordering::Relaxed)
        }

        fn remove(&mut self, number: u64) -> Option<u64> {
            match self.queue.remove(number)? {
                Taken::Job(job) | Taken::Waiter(Waiter { job, .. }) => Some(self.name(job)),
            }
        }
    }

    #[test]
    fn jobs_come_in_order_and_can_be_taken_out_anywhere() {
        let mut model = Model::new();
        let numbers: Vec<_> = (0..6).map(|name| model.push(name)).collect();
        for (number, name) in [(numbers[0], 0), (numbers[3], 3), (numbers[5], 5)] {
            assert_eq!(model.remove(number), Some(name));
            assert_eq!(model.remove(number), None, "once");
        }
        assert_eq!(model.queue.len(), 3);
        assert_eq!([model.pop(), model.pop(), model.pop(), model.pop()], [Some(1), Some(2), Some(4), None]);
        assert!(model.queue.is_empty());
        assert_eq!(model.remove(numbers[1]), None, "it has been popped");
    }

    #[test]
    fn whoever_waits_keeps_the_number() {
        let mut model = Model::new();
        let first = model.push(0);
        let waiting: Vec<_> = (1..5).map(|name| model.wait(name)).collect();
        assert_eq!(model.remove(waiting[1]), Some(2));
        assert!(model.queue.admit().is_some());
        assert!(model.queue.admit().is_some(), "past the gap");
        assert_eq!(model.queue.len(), 3);
        assert_eq!(model.remove(waiting[2]), Some(3), "by the number that it had while it waited");
        assert_eq!(model.remove(waiting[3]), Some(4));
        assert!(model.queue.admit().is_none());
        // Numbers of those who are gone are not given again.
        let later = model.push(5);
        assert!(later > waiting[3]);
        assert_eq!(model.remove(waiting[3]), None);
        assert_eq!([model.pop(), model.pop(), model.pop(), model.pop()], [Some(0), Some(1), Some(5), None]);
        assert_eq!(model.remove(first), None);
    }

    #[test]
    fn everything_is_taken_in_order_and_numbers_go_on() {
        let mut model = Model::new();
        let first = model.push(0);
        model.push(1);
        model.wait(2);
        let last = model.wait(3);
        let all: Vec<_> = model
            .queue
            .take_all()
            .map(|taken| match taken {
                Taken::Job(job) | Taken::Waiter(Waiter { job, .. }) => job,
            })
            .collect();
        assert_eq!(all.into_iter().map(|job| model.name(job)).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert!(model.queue.is_empty() && !model.queue.has_waiters());
        assert!(model.push(4) > last);
        assert_eq!(model.remove(first), None);
    }

    #[test]
    fn what_is_taken_out_takes_no_room() {
        let mut model = Model::new();
        model.push(0);
        model.wait(1);
        for _ in 0..10_000 {
            let number = model.wait(2);
            assert_eq!(model.remove(number), Some(2));
        }
        assert_eq!(model.remove(2), Some(1));
        for _ in 0..10_000 {
            let number = model.push(3);
            assert_eq!(model.remove(number), Some(3));
        }
        let room = |queue: &Queue| queue.jobs.entries.capacity() + queue.waiters.entries.capacity();
        assert!(room(&model.queue) < 32, "{} places", room(&model.queue));
        let many: Vec<_> = (0..10_000).map(|name| model.push(name)).collect();
        for number in &many[1..] {
            assert!(model.remove(*number).is_some());
        }
        assert!(room(&model.queue) < 32, "{} places", room(&model.queue));
        assert_eq!([model.pop(), model.pop(), model.pop()], [Some(0), Some(0), None]);
    }
}
