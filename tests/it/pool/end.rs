//! The end of a pool.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread::{self};
use std::time::{Duration, Instant};

use thenable::{Executor, ExecutorExt, Fault, Promise, Shutdown, ThreadPool};

use super::{cancel_reason, held_up, until_aborted};
use crate::support::{LIMIT, Ledger, eventually, watchdog};

#[test]
fn drain_finishes_everything() {
    watchdog(LIMIT, || {
        let (pool, hold) = held_up(2);
        let queued = [pool.submit(|| 1), pool.submit(|| 2)];
        let waiting = pool.submit_wait(|| 3);
        let ended = pool.shutdown(Shutdown::Drain);
        let again = pool.shutdown(Shutdown::Drain);
        assert!(ended.is_pending() && again.is_pending());
        hold.release();
        ended.wait().unwrap();
        again.wait().unwrap();
        let stats = pool.stats();
        assert_eq!((stats.workers, stats.running, stats.queued, stats.completed), (0, 0, 0, 4));
        assert!(queued.iter().all(Promise::is_fulfilled), "before the shutdown is over");
        assert_eq!(waiting.wait().unwrap().wait().unwrap(), 3);
        assert!(pool.shutdown(Shutdown::Cancel).is_fulfilled(), "there is nothing left to wait for");
    });
}

#[test]
fn cancel_throws_the_queue_away() {
    watchdog(LIMIT, || {
        let ledger = Ledger::default();
        let pool = ThreadPool::builder().max_workers(1).queue_limit(1).build().unwrap();
        let (begun, begins) = channel();
        let (told, tells) = channel();
        let running = pool.submit_with(until_aborted(begun, told));
        begins.recv().unwrap();
        let (first, second) = (ledger.token(), ledger.token());
        let queued = pool.submit(move || drop(first));
        let waiting = pool.submit_wait(move || drop(second));
        let ended = pool.shutdown(Shutdown::Cancel);
        assert_eq!(cancel_reason(&queued.wait()), "the pool was shut down");
        assert_eq!(cancel_reason(&waiting.wait()), "the pool was shut down");
        ledger.assert_balanced("thrown away");
        assert_eq!(tells.recv().unwrap(), "the pool was shut down");
        running.wait().unwrap();
        ended.wait().unwrap();
        assert_eq!(pool.stats().completed, 1);
    });
}

#[test]
fn cancel_after_drain_is_stricter() {
    watchdog(LIMIT, || {
        let (pool, hold) = held_up(8);
        let queued = pool.submit(|| 1);
        let drained = pool.shutdown(Shutdown::Drain);
        let cancelled = pool.shutdown(Shutdown::Cancel);
        assert_eq!(cancel_reason(&queued.wait()), "the pool was shut down");
        hold.release();
        drained.wait().unwrap();
        cancelled.wait().unwrap();
    });
}

#[test]
fn a_deadline_that_is_kept() {
    watchdog(LIMIT, || {
        let (pool, hold) = held_up(8);
        let queued = pool.submit(|| 1);
        let ended = pool.shutdown(Shutdown::Deadline(Duration::from_secs(3600)));
        hold.release();
        ended.wait().unwrap();
        assert_eq!(queued.wait().unwrap(), 1);
        pool.shutdown(Shutdown::Deadline(Duration::MAX)).wait().unwrap();
    });
}

#[test]
fn a_deadline_that_is_missed() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::new(1);
        let (begun, begins) = channel();
        let (told, tells) = channel();
        let running = pool.submit_with(until_aborted(begun, told));
        let queued = pool.submit(|| 1);
        begins.recv().unwrap();
        let limit = Duration::from_millis(20);
        let start = Instant::now();
        let outcome = pool.shutdown(Shutdown::Deadline(limit)).wait();
        assert!(start.elapsed() >= limit);
        assert!(matches!(outcome.unwrap_err().fault(), Some(Fault::TimedOut { after }) if *after == limit));
        assert_eq!(tells.recv().unwrap(), "the pool was shut down");
        assert_eq!(cancel_reason(&queued.wait()), "the pool was shut down");
        running.wait().unwrap();
        pool.shutdown(Shutdown::Drain).wait().unwrap();
    });
}

#[test]
fn a_closed_pool_refuses() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::new(1);
        pool.shutdown(Shutdown::Drain).wait().unwrap();
        assert_fault!(pool.submit(|| 1).wait(), Fault::PoolClosed);
        assert_fault!(pool.submit_with(|_| 1).wait(), Fault::PoolClosed);
        assert_fault!(pool.submit_wait(|| 1).wait(), Fault::PoolClosed);
        assert_fault!(pool.map(0..3, |n| n).wait(), Fault::PoolClosed);
        let refused = pool.try_submit(|| 1).unwrap_err();
        assert!(matches!(refused.fault, Fault::PoolClosed));
        assert_eq!((refused.job)(), 1);
        let refused = pool.execute(Box::new(|| {})).unwrap_err();
        assert!(matches!(refused.fault, Fault::PoolClosed));
        assert_fault!(Promise::resolve(1).on(&pool).map(|n| n + 1).wait(), Fault::PoolClosed);
        assert_eq!(pool.stats().workers, 0, "no thread was started for that");
    });
}

#[test]
fn dropping_the_last_handle_drains_without_waiting() {
    watchdog(LIMIT, || {
        let ledger = Ledger::default();
        let (pool, hold) = held_up(64);
        let jobs: Vec<_> = (0..10)
            .map(|n| {
                let token = ledger.token();
                pool.submit(move || {
                    drop(token);
                    n
                })
            })
            .collect();
        let waiting = pool.submit_wait(|| 10);
        drop(pool.clone());
        assert!(pool.submit(|| 1).is_pending(), "a clone is not the pool");
        drop(pool);
        assert_eq!(ledger.dropped(), 0, "the drop did not wait");
        hold.release();
        assert_eq!(Promise::all(jobs).wait().unwrap(), (0..10).collect::<Vec<_>>());
        assert_eq!(waiting.wait().unwrap().wait().unwrap(), 10);
        ledger.assert_balanced("all have run");
    });
}

#[test]
fn every_promise_settles_whenever_the_pool_ends() {
    watchdog(LIMIT, || {
        for round in 0..40_u64 {
            let pool = ThreadPool::builder().max_workers(3).queue_limit(4).build().unwrap();
            let go = Arc::new(AtomicBool::new(false));
            let submitters: Vec<_> = (0..3)
                .map(|_| {
                    let (pool, go) = (pool.clone(), go.clone());
                    thread::spawn(move || {
                        while !go.load(SeqCst) {
                            thread::yield_now();
                        }
                        let mut promises = Vec::new();
                        for n in 0..30 {
                            let promise = match n % 3 {
                                0 => pool.submit(move || n),
                                1 => pool.submit_wait(move || n).flatten(),
                                _ => pool.map(0..4, move |m| n + m).map(|sums| sums[0]),
                            };
                            if n % 5 == 0 {
                                promise.cancel("by the submitter");
                            }
                            promises.push(promise);
                        }
                        promises
                    })
                })
                .collect();
            go.store(true, SeqCst);
            thread::sleep(Duration::from_micros(50 * (round % 8)));
            let ended = pool.shutdown(match round % 3 {
                0 => Shutdown::Drain,
                1 => Shutdown::Cancel,
                _ => Shutdown::Deadline(Duration::from_micros(100)),
            });
            for promise in submitters.into_iter().flat_map(|thread| thread.join().unwrap()) {
                if let Err(why) = promise.wait() {
                    let telling =
                        matches!(why.fault(), Some(Fault::Cancelled { .. } | Fault::Full | Fault::PoolClosed));
                    assert!(telling, "round {round}: {why}");
                }
            }
            if let Err(why) = ended.wait() {
                assert!(matches!(why.fault(), Some(Fault::TimedOut { .. })), "round {round}: {why}");
            }
            eventually("the threads are gone", || pool.stats().workers == 0);
            let stats = pool.stats();
            assert_eq!((stats.running, stats.queued), (0, 0), "round {round}");
        }
    });
}
