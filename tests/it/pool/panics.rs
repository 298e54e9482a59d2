//! Panics, and what a job owns.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::{self};
use std::time::Duration;

use thenable::{CancelOutcome, ExecutorExt, Fault, Promise, Shutdown, ThreadPool};

use super::{Hold, cancel_reason, held_up};
use crate::support::{BombDrop, BombPayload, LIMIT, Ledger, ReentrantDrop, quiet_bombs, watchdog};

// ---- panics

#[test]
fn a_panic_rejects_its_promise_and_leaves_the_thread_alone() {
    watchdog(LIMIT, || {
        quiet_bombs();
        let pool = ThreadPool::new(1);
        let before = pool.submit(|| thread::current().id()).wait().unwrap();
        let outcome = pool.submit(|| panic!("bomb: number {}", 7)).wait();
        match outcome.unwrap_err().fault() {
            Some(Fault::Panicked { message, at }) => {
                assert_eq!(message, "bomb: number 7");
                assert!(at.as_ref().is_some_and(|at| at.contains("panics.rs")), "{at:?}");
            }
            other => panic!("expected a panic, got {other:?}"),
        }
        assert_eq!(pool.submit(|| thread::current().id()).wait().unwrap(), before);
    });
}

#[test]
fn a_pool_survives_payloads_and_captures_that_panic_when_dropped() {
    watchdog(LIMIT, || {
        quiet_bombs();
        let ledger = Ledger::default();
        let pool = ThreadPool::new(1);
        let before = pool.submit(|| thread::current().id()).wait().unwrap();

        let payload = pool.submit(|| resume_unwind(Box::new(BombPayload)));
        assert_fault!(payload.map(|()| 0).wait(), Fault::Panicked { .. });

        let bomb = BombDrop::new(ledger.token());
        let capture = pool.submit(move || drop(bomb));
        assert_fault!(capture.wait(), Fault::Panicked { .. });

        // Never run: its promise is cancelled before.
        let hold = Hold::new(&pool);
        let bomb = BombDrop::new(ledger.token());
        let queued = pool.submit(move || drop(bomb));
        assert_eq!(queued.cancel("not needed"), CancelOutcome::Cancelled);
        hold.release();
        assert_eq!(cancel_reason(&queued.wait()), "not needed");

        // A value that comes too late.
        let (go, gate) = channel::<()>();
        let (begun, begins) = channel();
        let bomb = BombDrop::new(ledger.token());
        let late = pool.submit(move || {
            begun.send(()).unwrap();
            let _ = gate.recv();
            bomb
        });
        begins.recv().unwrap();
        late.cancel("too late");
        drop(go);
        assert_eq!(pool.submit(|| thread::current().id()).wait().unwrap(), before, "the thread lives on");
        ledger.assert_balanced_soon("every bomb went off");
    });
}

#[test]
fn a_hundred_thousand_jobs_of_which_a_third_panic() {
    watchdog(Duration::from_secs(60), || {
        const JOBS: usize = 100_000;
        let pool = ThreadPool::new(4);
        let ran = Arc::new(AtomicUsize::new(0));
        let jobs: Vec<Promise<usize>> = (0..JOBS)
            .map(|n| {
                let ran = ran.clone();
                pool.submit(move || {
                    ran.fetch_add(1, SeqCst);
                    if n % 3 == 0 {
                        resume_unwind(Box::new("boom"));
                    }
                    n
                })
            })
            .collect();
        for (n, job) in jobs.into_iter().enumerate() {
            match job.wait() {
                Ok(value) => assert!(n % 3 != 0 && value == n),
                Err(why) => {
                    assert!(
                        n % 3 == 0 && matches!(why.fault(), Some(Fault::Panicked { message, .. }) if message == "boom")
                    );
                }
            }
        }
        assert_eq!(ran.load(SeqCst), JOBS);
        let stats = pool.stats();
        assert_eq!((stats.completed, stats.running, stats.queued), (JOBS as u64, 0, 0));
        assert!(stats.workers <= 4);
    });
}

// ---- ownership

#[test]
fn what_a_closure_owns_goes_on_the_worker_before_the_promise_settles() {
    watchdog(LIMIT, || {
        let ledger = Ledger::default();
        let pool = ThreadPool::new(1);
        for panics in [false, true] {
            let token = ledger.token();
            let worker = Arc::new(Mutex::new(None));
            let seen = worker.clone();
            let outcome = pool.submit(move || {
                let _owned = token;
                *seen.lock().unwrap() = Some(thread::current().id());
                if panics {
                    resume_unwind(Box::new("boom"));
                }
            });
            assert_eq!(outcome.wait().is_err(), panics);
            ledger.assert_balanced("dropped before the promise settled");
            assert_eq!(ledger.last_thread(), *worker.lock().unwrap());
        }
    });
}

#[test]
fn a_capture_may_use_its_pool_while_it_is_dropped() {
    watchdog(LIMIT, || {
        // Would hang if anything were dropped under the pool's lock.
        for end in ["run", "cancelled", "shut down"] {
            let (pool, hold) = held_up(8);
            let inner = pool.clone();
            let (told, tells) = channel();
            let capture = ReentrantDrop::new(move || told.send(inner.stats().workers).unwrap());
            let job = pool.submit(move || drop(capture));
            let ended = match end {
                "cancelled" => {
                    job.cancel("enough");
                    None
                }
                "shut down" => Some(pool.shutdown(Shutdown::Cancel)),
                _ => None,
            };
            hold.release();
            assert_eq!(job.wait().is_ok(), end == "run", "{end}");
            assert!(tells.recv().unwrap() <= 1, "{end}");
            if let Some(ended) = ended {
                ended.wait().unwrap();
            }
        }
    });
}

#[test]
fn a_job_may_hold_the_last_handle_of_its_pool() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::new(1);
        let hold = Hold::new(&pool);
        let own = pool.clone();
        let job = pool.submit(move || drop(own));
        drop(pool);
        hold.release();
        job.wait().unwrap();
    });
}
