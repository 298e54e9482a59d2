//! What a pool costs the process that has it, counted in /proc: threads, descriptors, zombies.
//!
//! Each test runs in a process of its own, where nobody else opens anything.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thenable::{Fault, JobPoolExt, Promise, Shutdown};

use crate::support::{
    assert_fault, count_to, die_at, eventually, is_child, is_to_die, pool, run_child, sleep, within, zombies,
};

/// Runs the test again in a process of its own.
fn alone(test: &str, work: impl FnOnce() + Send + 'static) {
    let test = format!("counts::{test}");
    if is_child(&test) { within(work) } else { run_child(&test) }
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

fn descriptors() -> usize {
    // One of them reads the folder.
    std::fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

#[test]
fn no_thread_per_worker_and_no_descriptor_per_job() {
    alone("no_thread_per_worker_and_no_descriptor_per_job", || {
        // The loop and the reactor start with the first promise of any kind.
        thenable::delay(Duration::from_millis(1)).wait().unwrap();
        let (threads_before, descriptors_before) = (threads(), descriptors());
        let pool = pool(20).build().unwrap();
        let jobs: Vec<_> = (0..1000).map(|_| pool.submit_job(sleep, 2)).collect();
        eventually("all work", || pool.stats().running == 20 && pool.stats().workers == 20);
        assert_eq!(threads(), threads_before, "20 workers, 1,000 jobs");
        Promise::all(jobs).wait().unwrap();
        assert_eq!(threads(), threads_before);
        assert_eq!(descriptors(), descriptors_before + 2 * 20, "a socket and a process each");
        for _ in 0..1000 {
            pool.submit_job(count_to, 1).wait().unwrap();
        }
        assert_eq!(descriptors(), descriptors_before + 2 * 20, "after 2,000 jobs");
        assert_eq!(zombies(), 0);
        pool.shutdown(Shutdown::Drain).wait().unwrap();
        assert_eq!((threads(), descriptors(), zombies()), (threads_before, descriptors_before, 0));
    });
}

#[test]
fn ten_thousand_jobs_of_which_one_in_a_hundred_dies() {
    alone("ten_thousand_jobs_of_which_one_in_a_hundred_dies", || {
        const JOBS: u64 = 10_000;
        let seed = std::env::var("THENABLE_TEST_SEED").map_or(0x5eed, |seed| seed.parse().unwrap());
        thenable::delay(Duration::from_millis(1)).wait().unwrap();
        let (threads_before, descriptors_before) = (threads(), descriptors());
        let pool = pool(4).build().unwrap();
        let jobs: Vec<_> = (0..JOBS).map(|n| pool.submit_job(die_at, (n, seed))).collect();
        let outcomes = Promise::all_settled(jobs).wait().unwrap();
        let mut lost = 0;
        for (n, outcome) in (0..JOBS).zip(outcomes) {
            if is_to_die(n, seed) {
                crate::support::assert_fault!(outcome, thenable::Fault::Crashed { signal: Some(9), code: None });
                lost += 1;
            } else {
                assert_eq!(outcome.unwrap(), n, "seed {seed}");
            }
        }
        assert!((50..200).contains(&lost), "{lost} were to die, seed {seed}");
        assert_eq!(pool.stats().completed, JOBS);
        assert_eq!(threads(), threads_before);
        pool.shutdown(Shutdown::Drain).wait().unwrap();
        assert_eq!((descriptors(), zombies()), (descriptors_before, 0));
    });
}

#[test]
fn a_thousand_pools_leave_nothing() {
    alone("a_thousand_pools_leave_nothing", || {
        thenable::delay(Duration::from_millis(1)).wait().unwrap();
        let (threads_before, descriptors_before) = (threads(), descriptors());
        let mut jobs = Vec::new();
        for n in 0..1000 {
            let pool = pool(2).build().unwrap();
            // Most have no job at all.
            if n % 20 == 0 {
                jobs.push(pool.submit_job(count_to, n));
            }
        }
        let results = Promise::all(jobs).wait().unwrap();
        assert_eq!(results, (0..1000).step_by(20).collect::<Vec<_>>(), "a pool that is dropped finishes its jobs");
        eventually("all is closed", || descriptors() == descriptors_before && zombies() == 0);
        assert_eq!(threads(), threads_before);
    });
}

#[test]
fn two_thousand_queued_jobs_need_no_descriptors() {
    alone("two_thousand_queued_jobs_need_no_descriptors", || {
        let limit = Rlimit { current: Some(40), maximum: Some(40) };
        setrlimit(Resource::Nofile, limit).unwrap();
        let pool = pool(4).build().unwrap();
        let jobs: Vec<_> = (0..2000).map(|n| pool.submit_job(count_to, n)).collect();
        assert_eq!(Promise::all(jobs).wait().unwrap(), (0..2000).collect::<Vec<_>>());
    });
}

#[test]
fn with_too_few_descriptors_there_are_fewer_workers() {
    alone("with_too_few_descriptors_there_are_fewer_workers", || {
        thenable::delay(Duration::from_millis(1)).wait().unwrap();
        let limit = descriptors() as u64 + 20;
        setrlimit(Resource::Nofile, Rlimit { current: Some(limit), maximum: Some(limit) }).unwrap();
        let pool = pool(50).build().unwrap();
        let jobs: Vec<_> = (0..500).map(|_| pool.submit_job(sleep, 1)).collect();
        assert_eq!(Promise::all(jobs).wait().unwrap(), [1; 500]);
        assert!((1..50).contains(&pool.stats().workers), "{:?}", pool.stats());
    });
}

#[test]
fn without_descriptors_jobs_are_refused_and_later_ones_run() {
    alone("without_descriptors_jobs_are_refused_and_later_ones_run", || {
        thenable::delay(Duration::from_millis(1)).wait().unwrap();
        let pool = pool(2).build().unwrap();
        let limit = Rlimit { current: Some(64), maximum: getrlimit(Resource::Nofile).maximum };
        setrlimit(Resource::Nofile, limit).unwrap();
        let taken: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        let jobs: Vec<_> = (0..10).map(|n| pool.submit_job(count_to, n)).collect();
        for job in jobs {
            assert_fault!(job.wait(), Fault::NoWorker { .. });
        }
        drop(taken);
        // There may be a pause before the next try, and what comes meanwhile waits for it or is refused with it.
        eventually("a worker", || pool.submit_job(count_to, 5).wait().is_ok());
        assert_eq!(pool.submit_job(count_to, 7).wait().unwrap(), 7);
    });
}
