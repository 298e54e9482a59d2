//! Executors that are not our pool.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self};

use thenable::{Executor, ExecutorExt, Fault, Job, LoopHandle, Promise, ThreadPool};

use super::cancel_reason;
use crate::support::{LIMIT, Ledger, watchdog};

#[test]
fn every_executor_gives_promises() {
    fn check(executor: &(impl Executor + ?Sized), what: &str) {
        assert_eq!(executor.submit(|| 6 * 7).wait().unwrap(), 42, "{what}");
        assert_fault!(executor.submit(|| resume_unwind(Box::new("boom"))).map(|()| 0).wait(), Fault::Panicked { .. });
        let failed: Promise<u8, std::io::Error> = executor.attempt(|| Err(std::io::ErrorKind::NotFound.into()));
        assert_eq!(failed.wait().unwrap_err().kind(), std::io::ErrorKind::NotFound, "{what}");
        assert!(!executor.submit_with(|token| token.aborted()).wait().unwrap(), "{what}");
    }
    watchdog(LIMIT, || {
        let threads = |job: Job| drop(thread::spawn(job));
        let all: [(&str, Arc<dyn Executor>); 4] = [
            ("a closure", Arc::new(threads)),
            ("a loop", Arc::new(LoopHandle::global())),
            ("a pool", Arc::new(ThreadPool::new(2))),
            ("a shared pool", Arc::new(Arc::new(ThreadPool::new(2)))),
        ];
        for (what, executor) in &all {
            check(executor, what);
            check(&**executor, what);
        }
        assert_eq!(LoopHandle::global().parallelism().map(usize::from), Some(1));
        assert_eq!(all[2].1.parallelism().map(usize::from), Some(2));
        assert_eq!(threads.parallelism(), None);
    });
}

#[test]
fn on_worker_thread_knows_its_own_pool() {
    watchdog(LIMIT, || {
        let (pool, other) = (ThreadPool::new(1), ThreadPool::new(1));
        assert!(!pool.on_worker_thread());
        let (mine, theirs) = (pool.clone(), other.clone());
        let seen = pool.submit(move || (mine.on_worker_thread(), theirs.on_worker_thread()));
        assert_eq!(seen.wait().unwrap(), (true, false));
    });
}

#[test]
fn a_closure_that_loses_the_job_rejects_it() {
    watchdog(LIMIT, || {
        let ledger = Ledger::default();
        let token = ledger.token();
        let forgetful = |job: Job| drop(job);
        assert_fault!(forgetful.submit(move || drop(token)).wait(), Fault::Abandoned { .. });
        assert_fault!(forgetful.map(0..3, |n| n).wait(), Fault::Abandoned { .. });
        let broken = |_: Job| resume_unwind(Box::new("out of order"));
        assert_fault!(broken.submit(|| 1).wait(), Fault::Panicked { .. });
        assert_fault!(broken.map(0..3, |n| n).wait(), Fault::Panicked { .. });
        // One that has taken the job but not run it yet.
        let kept: Arc<Mutex<Vec<Job>>> = Arc::default();
        let lazy = {
            let kept = kept.clone();
            move |job: Job| kept.lock().unwrap().push(job)
        };
        let promise = lazy.submit(|| 1);
        assert!(promise.is_pending());
        kept.lock().unwrap().clear();
        assert_fault!(promise.wait(), Fault::Abandoned { .. });
        ledger.assert_balanced("the closure went with the job");
    });
}

#[test]
fn a_queue_behind_a_closure_skips_what_was_cancelled() {
    watchdog(LIMIT, || {
        let (send, jobs): (Sender<Job>, Receiver<Job>) = channel();
        let channel = move |job: Job| send.send(job).unwrap();
        let ran = Arc::new(AtomicBool::new(false));
        let flag = ran.clone();
        let promise = channel.submit(move || flag.store(true, SeqCst));
        promise.cancel("not needed");
        (jobs.recv().unwrap())();
        assert!(!ran.load(SeqCst));
        assert_eq!(cancel_reason(&promise.wait()), "not needed");
    });
}
