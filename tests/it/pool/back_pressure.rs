//! Full queues.

use thenable::{CancelOutcome, Executor, ExecutorExt, Fault, Promise, ThreadPool};

use super::{Hold, Log, cancel_reason, held_up};
use crate::support::{LIMIT, Ledger, watchdog};

#[test]
fn try_submit_gives_the_closure_back() {
    watchdog(LIMIT, || {
        let ledger = Ledger::default();
        let (pool, hold) = held_up(1);
        let first = pool.try_submit(|| 1).unwrap();
        let token = ledger.token();
        let refused = pool.try_submit(move || drop(token)).unwrap_err();
        assert!(matches!(refused.fault, Fault::Full));
        assert_eq!(refused.to_string(), Fault::Full.to_string());
        assert!(format!("{refused:?}").contains("Full"));
        assert_eq!(ledger.dropped(), 0, "as it was");
        (refused.job)();
        ledger.assert_balanced("run by the caller");
        hold.release();
        assert_eq!(first.wait().unwrap(), 1);
        assert_eq!(pool.try_submit(|| 2).unwrap().wait().unwrap(), 2);
    });
}

#[test]
fn a_full_queue_rejects() {
    watchdog(LIMIT, || {
        let (pool, hold) = held_up(2);
        let queued = [pool.submit(|| 1), pool.submit(|| 2)];
        assert_fault!(pool.submit(|| 3).wait(), Fault::Full);
        assert_fault!(pool.attempt(|| thenable::Ok(3)).wait(), Fault::Full);
        assert_fault!(pool.submit_with(|_| 3).wait(), Fault::Full);
        assert_fault!(pool.map(0..3, |n| n).wait(), Fault::Full);
        let refused = pool.execute(Box::new(|| {})).unwrap_err();
        assert!(matches!(refused.fault, Fault::Full));
        // A place is free as soon as a queued job is cancelled.
        queued[0].cancel("make room");
        let fourth = pool.submit(|| 4);
        hold.release();
        assert_eq!(fourth.wait().unwrap(), 4);
    });
}

#[test]
fn without_a_queue_a_job_needs_a_free_thread() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::builder().max_workers(2).queue_limit(0).build().unwrap();
        for _ in 0..50 {
            let holds = [Hold::new(&pool), Hold::new(&pool)];
            assert!(matches!(pool.try_submit(|| ()).unwrap_err().fault, Fault::Full));
            holds.into_iter().for_each(Hold::release);
        }
    });
}

#[test]
fn submit_wait_gives_places_in_order() {
    watchdog(LIMIT, || {
        let (pool, hold) = held_up(1);
        let log = Log::default();
        let submit = |n: usize| {
            let log = log.clone();
            pool.submit_wait(move || log.write(n))
        };
        let places: Vec<_> = (0..4).map(submit).collect();
        assert!(places[0].is_settled(), "there was room for the first");
        assert!(places[1..].iter().all(Promise::is_pending));
        // Nobody overtakes those that wait.
        assert!(matches!(pool.try_submit(|| ()).unwrap_err().fault, Fault::Full));
        assert_eq!(pool.stats().queued, 1);
        hold.release();
        for place in places {
            place.wait().unwrap().wait().unwrap();
        }
        assert_eq!(log.read(), [0, 1, 2, 3]);
    });
}

#[test]
fn a_wait_for_a_place_can_be_cancelled() {
    watchdog(LIMIT, || {
        let ledger = Ledger::default();
        let (pool, hold) = held_up(1);
        let queued = pool.submit(|| 1);
        let token = ledger.token();
        let place = pool.submit_wait(move || drop(token));
        let next = pool.submit_wait(|| 2);
        assert_eq!(place.cancel("no longer"), CancelOutcome::Cancelled);
        ledger.assert_balanced("the closure is gone at once");
        assert_eq!(cancel_reason(&place.wait()), "no longer");
        // Cancelling a queued job hands its place on.
        queued.cancel("no longer");
        assert!(next.is_settled());
        hold.release();
        assert_eq!(next.wait().unwrap().wait().unwrap(), 2);
    });
}
