//! Jobs that nobody wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::time::Duration;

use thenable::{CancelOutcome, EventLoop, Executor, ExecutorExt, Promise, ThreadPool};

use super::{cancel_reason, held_up, until_aborted};
use crate::support::{LIMIT, Ledger, watchdog};

#[test]
fn a_queued_job_is_taken_out_when_its_promise_is_cancelled() {
    watchdog(LIMIT, || {
        let ledger = Ledger::default();
        let (pool, hold) = held_up(8);
        let token = ledger.token();
        let job = pool.submit(move || drop(token));
        assert_eq!(pool.stats().queued, 1);
        job.cancel("not needed");
        assert_eq!(pool.stats().queued, 0);
        ledger.assert_balanced("the closure is gone at once");
        hold.release();
        assert_eq!(cancel_reason(&job.wait()), "not needed");
        assert_eq!(pool.stats().completed, 1, "it does not count");
    });
}

/// What is behind an `Arc`, or a `dyn Executor`, is the pool itself.
#[test]
fn it_is_taken_out_whatever_the_pool_is_wrapped_in() {
    watchdog(LIMIT, || {
        let (pool, hold) = held_up(8);
        let pools: [Arc<dyn Executor>; 3] =
            [Arc::new(pool.clone()), Arc::new(Arc::new(pool.clone())), Arc::new(Arc::new(Arc::new(pool.clone())))];
        for wrapped in pools {
            let job = wrapped.submit(|| ());
            assert_eq!(pool.stats().queued, 1);
            job.cancel("not needed");
            assert_eq!(pool.stats().queued, 0);
            assert_eq!(cancel_reason(&job.wait()), "not needed");
        }
        hold.release();
    });
}

/// A handler is on its way to the pool when its promise is cancelled.
#[test]
fn a_handler_that_waits_for_a_thread_does_not_run_when_it_is_cancelled() {
    watchdog(LIMIT, || {
        let ledger = Ledger::default();
        let (pool, hold) = held_up(8);
        let ran = Arc::new(AtomicUsize::new(0));
        let (token, count) = (ledger.token(), ran.clone());
        let handled = EventLoop::new()
            .run(async {
                let value = ledger.token();
                let handled = Promise::resolve(value).on(&pool).map(move |_| {
                    let _owned = token;
                    count.fetch_add(1, SeqCst);
                });
                // Its turn of the loop, which hands it to the pool.
                thenable::delay(Duration::from_millis(1)).await?;
                assert_eq!(pool.stats().queued, 1);
                handled.cancel("not needed");
                thenable::Ok(handled)
            })
            .unwrap();
        hold.release();
        assert_eq!(cancel_reason(&handled.wait()), "not needed");
        assert_eq!(pool.submit(|| 5).wait().unwrap(), 5, "behind it in the queue");
        assert_eq!(ran.load(SeqCst), 0);
        ledger.assert_balanced("the handler and the value");
    });
}

#[test]
fn a_job_without_anybody_who_could_see_it_is_skipped() {
    watchdog(LIMIT, || {
        let ledger = Ledger::default();
        let (pool, hold) = held_up(8);
        let ran = Arc::new(AtomicUsize::new(0));
        let job = || {
            let (ran, token) = (ran.clone(), ledger.token());
            move || {
                let _owned = token;
                ran.fetch_add(1, SeqCst);
            }
        };
        drop(pool.submit(job()));
        drop(pool.submit_wait(job()));
        // What is chained to a promise wants it, whatever becomes of the handle of the chain.
        drop(pool.submit(job()).map(|()| 1));
        // A plain job is nobody's promise: it runs.
        pool.execute(Box::new(job())).unwrap();
        hold.release();
        pool.submit(|| ()).wait().unwrap();
        assert_eq!(ran.load(SeqCst), 2);
        ledger.assert_balanced("run or not");
    });
}

#[test]
fn a_running_job_sees_its_token() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::new(1);
        let (begun, begins) = channel();
        let (told, tells) = channel();
        let job = pool.submit_with(until_aborted(begun, told));
        begins.recv().unwrap();
        assert_eq!(job.cancel("found elsewhere"), CancelOutcome::Cancelled);
        assert_eq!(tells.recv().unwrap(), "found elsewhere");
        assert_eq!(cancel_reason(&job.wait()), "found elsewhere");
        // A token is its job's alone.
        assert!(!pool.submit_with(|token| token.aborted()).wait().unwrap());
    });
}
