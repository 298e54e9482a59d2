//! Limits of time, memory, size and number.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use thenable::{Fault, JobPoolExt, Promise};

use crate::support::{
    alive, allocate, append_line, assert_fault, big, count_to, endless, eventually, fresh, grandchild, leave_behind,
    pid, pool, sleep, stop, twice, within,
};

#[test]
fn a_timeout_kills_the_whole_group() {
    within(|| {
        let pool = pool(1).build().unwrap();
        let folder = fresh("timeout");
        let note = folder.join("grandchild").to_str().unwrap().to_owned();
        let limited = pool.with_timeout(Duration::from_millis(700));
        let start = Instant::now();
        let (promise, next) = (limited.submit_job(grandchild, note.clone()), pool.submit_job(count_to, 3));
        assert_fault!(promise.wait(), Fault::TimedOut { after } if *after == Duration::from_millis(700));
        assert!(start.elapsed() >= Duration::from_millis(700), "never early");
        let child: u32 = std::fs::read_to_string(&note).unwrap().trim().parse().unwrap();
        eventually("the grandchild is gone", || !alive(child));
        assert_eq!(next.wait().unwrap(), 3, "the pool goes on");
        let _ = std::fs::remove_dir_all(folder);
    });
}

#[test]
fn the_builders_timeout_holds_for_every_job() {
    within(|| {
        let pool = pool(2).job_timeout(Duration::from_millis(300)).build().unwrap();
        let jobs: Vec<_> = (0..4).map(|_| pool.submit_job(endless, ())).collect();
        for outcome in Promise::all_settled(jobs).wait().unwrap() {
            assert_fault!(outcome, Fault::TimedOut { .. });
        }
        assert_eq!(pool.submit_job(sleep, 20).wait().unwrap(), 20);
    });
}

#[test]
fn a_timeout_ends_a_worker_that_is_stopped() {
    within(|| {
        let pool = pool(1).build().unwrap();
        let worker = pool.submit_job(pid, ()).wait().unwrap();
        let limited = pool.with_timeout(Duration::from_millis(200));
        assert_fault!(limited.submit_job(stop, ()).wait(), Fault::TimedOut { .. });
        eventually("the stopped worker is gone", || !alive(worker));
        assert_ne!(pool.submit_job(pid, ()).wait().unwrap(), worker);
    });
}

#[test]
fn what_jobs_leave_behind_goes_with_their_worker() {
    within(|| {
        let pool = pool(1).max_jobs_per_worker(NonZeroU64::new(2).unwrap()).build().unwrap();
        let child = pool.submit_job(leave_behind, ()).wait().unwrap();
        assert!(alive(child), "it may outlive its job");
        pool.submit_job(count_to, 1).wait().unwrap();
        eventually("the worker is replaced", || !alive(child));
    });
}

#[test]
fn a_dropped_promise_skips_a_queued_job_and_lets_a_running_one_end() {
    within(|| {
        let folder = fresh("dropped");
        let file = folder.join("notes").to_str().unwrap().to_owned();
        let pool = pool(1).build().unwrap();
        let worker = pool.submit_job(pid, ()).wait().unwrap();
        let running = pool.submit_job(sleep, 200);
        eventually("it runs", || pool.stats().running == 1);
        drop(running);
        drop(pool.submit_job(append_line, (file.clone(), "dropped".into())));
        // A handler is somebody who wants the result.
        drop(pool.submit_job(append_line, (file.clone(), "chained".into())).map(|()| ()));
        let last = pool.submit_job(append_line, (file.clone(), "kept".into()));
        last.wait().unwrap();
        assert_eq!(std::fs::read_to_string(file).unwrap(), "chained\nkept\n");
        assert_eq!(pool.worker_ids(), [worker], "no worker had to die");
        assert_eq!(pool.stats().completed, 4, "the skipped one does not count");
        let _ = std::fs::remove_dir_all(folder);
    });
}

#[test]
fn cancelling_a_running_job_kills_it_and_a_queued_one_is_taken_back() {
    within(|| {
        let pool = pool(1).build().unwrap();
        let running = pool.submit_job(endless, ());
        eventually("it runs", || pool.stats().running == 1 && pool.stats().workers == 1);
        let worker = pool.worker_ids()[0];
        let queued = pool.submit_job(count_to, 1);
        let last = pool.submit_job(count_to, 2);
        assert_eq!(pool.stats().queued, 2);
        let _ = queued.cancel("not needed");
        assert_eq!(pool.stats().queued, 1);
        let _ = running.cancel("enough");
        assert_eq!(last.wait().unwrap(), 2);
        assert!(!alive(worker));
        assert_ne!(pool.worker_ids(), [worker]);
    });
}

#[test]
fn a_queued_job_that_is_taken_back_leaves_the_running_one_alone() {
    within(|| {
        let pool = pool(1).build().unwrap();
        let worker = pool.submit_job(pid, ()).wait().unwrap();
        let running = pool.submit_job(sleep, 200);
        eventually("it runs", || pool.stats().running == 1);
        let queued = pool.submit_job(count_to, 1);
        let stats = pool.stats();
        assert_eq!((stats.workers, stats.idle, stats.running, stats.queued), (1, 0, 1, 1));
        let _ = queued.cancel("not needed");
        assert_eq!(running.wait().unwrap(), 200);
        assert_eq!(pool.submit_job(pid, ()).wait().unwrap(), worker);
        eventually("it is idle", || pool.stats().idle == 1 && pool.stats().running == 0);
    });
}

#[test]
fn too_much_memory_ends_the_job() {
    within(|| {
        let pool = pool(1).memory_limit(256 << 20).build().unwrap();
        assert_eq!(pool.submit_job(allocate, 16 << 20).wait().unwrap(), 16 << 20);
        assert_fault!(pool.submit_job(allocate, 1 << 30).wait(), Fault::Crashed { signal: Some(6), .. });
        assert_eq!(pool.submit_job(allocate, 1 << 20).wait().unwrap(), 1 << 20);
    });
}

#[test]
fn arguments_and_results_have_a_limit() {
    within(|| {
        let pool = pool(1).frame_limit(100_000).build().unwrap();
        let worker = pool.submit_job(pid, ()).wait().unwrap();
        assert_fault!(pool.submit_job(twice, "x".repeat(100_001)).wait(), Fault::FrameTooLarge { limit: 100_000 });
        assert_fault!(pool.submit_job(big, 100_001).wait(), Fault::FrameTooLarge { limit: 100_000 });
        assert_eq!(pool.submit_job(big, 90_000).wait().unwrap().len(), 90_000);
        assert_eq!(pool.submit_job(twice, "x".repeat(40_000)).wait().unwrap().len(), 80_000);
        assert_eq!(pool.worker_ids(), [worker], "no worker dies of it");
    });
}

#[test]
fn large_frames_come_through_whole() {
    within(|| {
        let pool = pool(2).build().unwrap();
        let text: String = ('a'..='z').cycle().take(5 << 20).collect();
        let jobs: Vec<_> = (0..4).map(|_| pool.submit_job(twice, text.clone())).collect();
        for echo in Promise::all(jobs).wait().unwrap() {
            assert!(echo.len() == 10 << 20 && echo.starts_with(&text) && echo.ends_with(&text));
        }
    });
}

#[test]
fn a_worker_is_replaced_after_so_many_jobs() {
    within(|| {
        let pool = pool(1).max_jobs_per_worker(NonZeroU64::new(3).unwrap()).build().unwrap();
        let ids = Promise::all((0..9).map(|_| pool.submit_job(pid, ()))).wait().unwrap();
        let (a, b, c) = (ids[0], ids[3], ids[6]);
        assert_eq!(ids, [a, a, a, b, b, b, c, c, c]);
        assert_eq!(BTreeSet::from([a, b, c]).len(), 3);
        eventually("they have exited", || ![a, b, c].into_iter().any(alive));
        eventually("the pool knows it", || pool.worker_ids().is_empty() && pool.stats().workers == 0);
    });
}
