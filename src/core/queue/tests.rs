//! A queue on the thread that owns it, and what comes from elsewhere.

use super::*;
use crate::core::job;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

struct Loop {
    queue: Arc<JobQueue>,
    woken: Arc<AtomicUsize>,
    /// What the jobs have written.
    log: Arc<Mutex<Vec<u32>>>,
}

impl Loop {
    fn new() -> Self {
        let woken = Arc::new(AtomicUsize::new(0));
        let count = woken.clone();
        let queue = place::register(false, move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        Self { queue, woken, log: Arc::default() }
    }

    /// As if from another thread, while the queue is not current.
    fn post(&self, n: u32) {
        let log = self.log.clone();
        job::post(self.queue.id(), move || log.lock().unwrap().push(n));
    }

    /// What has happened since: how often it was woken, and what the jobs wrote.
    fn take(&self) -> (usize, Vec<u32>) {
        (self.woken.swap(0, Ordering::Relaxed), std::mem::take(&mut *self.log.lock().unwrap()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        self.queue.close();
        place::unregister(self.queue.id());
    }
}

#[test]
fn jobs_run_in_order_wherever_they_came_from() {
    let here = Loop::new();
    assert!(here.queue.is_empty() && !here.queue.run_next());
    for n in 0..3 {
        here.post(n);
    }
    assert!(!here.queue.is_empty());
    {
        let _current = place::Entered::new(here.queue.clone());
        for n in 3..6 {
            here.post(n);
        }
    }
    for n in 6..9 {
        here.post(n);
    }
    let mut ran = 0;
    while here.queue.run_next() {
        ran += 1;
        // The first six were in the list when the seventh came.
        if ran == 6 {
            assert!(!here.queue.is_empty());
        }
    }
    assert!(here.queue.is_empty());
    assert_eq!((ran, here.take()), (9, (0, (0..9).collect())));
}

/// A closed queue is nobody's current one; should it be made so again, it takes no job either.
#[test]
fn a_closed_queue_takes_no_job_on_its_own_thread() {
    let here = Loop::new();
    here.queue.close();
    let lives = Arc::new(());
    let held = lives.clone();
    {
        let _current = place::Entered::new(here.queue.clone());
        job::post(here.queue.id(), move || drop(held));
    }
    assert_eq!(Arc::strong_count(&lives), 1, "what it captured was dropped");
    assert!(here.queue.is_empty() && !here.queue.run_next());
}

#[test]
fn a_watched_job_says_where_its_handler_was_registered() {
    let here = Loop::new();
    here.post(1);
    let mut sites = Vec::new();
    assert!(here.queue.run_next_watched(|site| sites.push(site)));
    assert!(!here.queue.run_next_watched(|site| sites.push(site)));
    assert_eq!((sites, here.take().1), (vec![None], vec![1]));
}

#[test]
fn whoever_finds_a_loop_asleep_wakes_it_once() {
    let here = Loop::new();
    // Awake.
    here.post(0);
    here.queue.notify();
    assert!(!here.queue.arm(), "there is a job");
    assert!(here.queue.run_next());
    assert_eq!(here.take(), (0, vec![0]));
    // Jobs from elsewhere.
    assert!(here.queue.arm());
    here.post(1);
    here.post(2);
    here.queue.notify();
    assert_eq!(here.take().0, 1);
    assert!(!here.queue.disarm() && !here.queue.arm());
    while here.queue.run_next() {}
    // News that are no job, also after a job.
    assert!(here.queue.arm() && here.queue.arm());
    here.queue.notify();
    assert_eq!(here.take(), (1, vec![1, 2]));
    here.queue.notify();
    here.post(3);
    assert_eq!(here.take().0, 0);
    while here.queue.run_next() {}
    // A job of its own.
    assert!(here.queue.arm());
    {
        let _current = place::Entered::new(here.queue.clone());
        here.post(4);
        here.post(5);
    }
    assert_eq!(here.take(), (1, vec![3]));
    assert!(!here.queue.arm(), "there are jobs");
    while here.queue.run_next() {}
    // It wakes by itself.
    assert!(here.queue.arm() && here.queue.disarm() && !here.queue.disarm());
    here.post(6);
    assert_eq!(here.take().0, 0);
    assert!(here.queue.run_next() && here.queue.arm());
}

#[test]
fn each_loop_of_a_batch_is_woken() {
    let loops = [Loop::new(), Loop::new(), Loop::new()];
    assert!(loops.iter().all(|one| one.queue.arm()));
    let (promise, resolver) = crate::Promise::<u32>::with_resolvers();
    for n in 0..6 {
        let one = &loops[n % 3];
        let _current = place::Entered::new(one.queue.clone());
        let log = one.log.clone();
        drop(promise.clone().map(move |value| log.lock().unwrap().push(value + n as u32)));
    }
    assert!(loops.iter().all(|one| one.take().0 == 0));
    assert!(resolver.resolve(10).is_ok());
    for (n, one) in (0..).zip(&loops) {
        let _current = place::Entered::new(one.queue.clone());
        while one.queue.run_next() {}
        assert_eq!(one.take(), (1, vec![10 + n, 13 + n]));
    }
}

#[test]
fn a_closed_queue_drops_what_it_has_and_what_comes() {
    let here = Loop::new();
    let entered = place::Entered::new(here.queue.clone());
    here.post(1);
    std::thread::scope(|scope| {
        scope.spawn(|| here.post(2));
    });
    let held = || Arc::strong_count(&here.log);
    assert_eq!(held(), 3);
    here.queue.close();
    assert_eq!((held(), place::current()), (1, None));
    assert!(here.queue.arm(), "nothing will come");
    here.post(3);
    here.queue.notify();
    drop(entered);
    here.post(4);
    assert_eq!((held(), here.take()), (1, (0, vec![])));
    assert!(here.queue.is_empty() && !here.queue.run_next());
}

/// A handle of its loop may stay longer than the loop.
#[test]
fn a_closed_queue_gives_its_memory_back() {
    let here = Loop::new();
    let _current = place::Entered::new(here.queue.clone());
    let has_memory = || {
        here.queue.local.0.with(|list| {
            // SAFETY: on the owner thread.
            unsafe { (*list).jobs.has_memory() }
        })
    };
    (0..3).for_each(|n| here.post(n));
    assert!(has_memory());
    here.queue.close();
    assert!(!has_memory());
}

#[test]
fn a_queue_knows_whether_its_number_was_used() {
    for used in [false, true] {
        let queue = JobQueue::new(2, used, Box::new(|| ()));
        assert_eq!((queue.id(), queue.has_used_number()), (2, used));
    }
}

#[test]
fn a_queue_belongs_to_its_thread() {
    let here = Loop::new();
    here.queue.assert_owner();
    let numbers: Vec<u64> = std::thread::scope(|scope| {
        let threads = [(); 2].map(|()| {
            scope.spawn(|| {
                let not_ours = std::panic::AssertUnwindSafe(|| here.queue.assert_owner());
                assert!(std::panic::catch_unwind(not_ours).is_err());
                assert_eq!(thread_number(), thread_number());
                thread_number()
            })
        });
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(numbers[0] != numbers[1] && !numbers.contains(&thread_number()) && !numbers.contains(&0));
}
