//! What can only be seen, or only be made to happen, from inside.

use super::shared::Shared;
use super::task;
use super::{Executor, ExecutorExt, ThreadPool};
use crate::Fault;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

fn eventually(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(20), "not within 20 s");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn idle_threads_end_and_come_back() {
    let mut builder = ThreadPool::builder().max_workers(2);
    builder = builder.idle_time(Duration::from_millis(20));
    let pool = builder.build().unwrap();
    assert_eq!(pool.stats().workers, 0, "no thread before the first job");
    for _ in 0..3 {
        // Afterwards the thread may have ended before this one looks.
        let inside = pool.clone();
        assert_eq!(pool.submit(move || inside.stats().workers).wait().unwrap(), 1);
        eventually(|| pool.stats().workers == 0);
    }
}

#[test]
fn a_pool_without_threads_refuses_and_gives_the_job_back() {
    fn never(_: String, _: Arc<Shared>) -> io::Result<()> {
        Err(io::ErrorKind::WouldBlock.into())
    }
    let mut builder = ThreadPool::builder().max_workers(2);
    builder.start = Some(never);
    let pool = builder.build().unwrap();

    let refused = pool.try_submit(|| 5).unwrap_err();
    assert!(matches!(refused.fault, Fault::Full));
    assert_eq!((refused.job)(), 5);
    let why = pool.submit(|| 5).wait().unwrap_err();
    assert!(matches!(why.fault(), Some(Fault::Full)), "{why}");
    let why = pool.submit_wait(|| 5).wait().unwrap_err();
    assert!(matches!(why.fault(), Some(Fault::Full)), "{why}");
    let why = pool.map(0..3, |n| n).wait().unwrap_err();
    assert!(matches!(why.fault(), Some(Fault::Full)), "{why}");
    assert_eq!(pool.stats().queued, 0);
}

#[test]
fn one_thread_that_did_start_does_all_the_work() {
    static STARTS: AtomicUsize = AtomicUsize::new(0);
    fn once(name: String, shared: Arc<Shared>) -> io::Result<()> {
        if STARTS.fetch_add(1, SeqCst) > 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        super::worker::start(name, shared)
    }
    let mut builder = ThreadPool::builder().max_workers(4);
    builder.start = Some(once);
    let pool = builder.build().unwrap();
    let jobs: Vec<_> = (0..20).map(|n| pool.submit(move || n)).collect();
    for (n, job) in jobs.into_iter().enumerate() {
        assert_eq!(job.wait().unwrap(), n);
    }
    assert_eq!(pool.stats().workers, 1);
    assert!(STARTS.load(SeqCst) > 1, "it has tried to start others");
}

#[test]
fn a_discarded_job_says_why_and_what_it_owns_does_not() {
    // The job owns another one, which goes with it and was not refused by anybody.
    let site = std::panic::Location::caller();
    let (inner, assignment) = task::pending::<(), crate::Rejection>(site, None);
    let owned = task::job(assignment, site, false, || Ok(()));
    let (outer, assignment) = task::pending::<(), crate::Rejection>(site, None);
    let job = task::job(assignment, site, false, move || {
        owned();
        Ok(())
    });
    task::discard(job, Fault::PoolClosed);
    assert!(matches!(outer.wait().unwrap_err().fault(), Some(Fault::PoolClosed)));
    assert!(matches!(inner.wait().unwrap_err().fault(), Some(Fault::Abandoned { .. })));
    assert!(task::discard_reason().is_none());
}

#[test]
fn a_plain_job_that_panics_leaves_the_books_right() {
    let pool = ThreadPool::new(1);
    let (send, done) = channel();
    pool.execute(Box::new(|| std::panic::resume_unwind(Box::new(())))).unwrap();
    pool.execute(Box::new(move || send.send(()).unwrap())).unwrap();
    done.recv().unwrap();
    eventually(|| pool.stats().completed == 2);
    let stats = pool.stats();
    assert_eq!((stats.workers, stats.idle, stats.running, stats.queued), (1, 1, 0, 0));
}
