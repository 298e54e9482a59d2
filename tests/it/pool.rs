//! Pools: order, threads, back-pressure, panics, the end, and waiting inside a job.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use thenable::{
    AbortSignal, CancelOutcome, Executor, ExecutorExt, Fault, Job, LoopHandle, Promise, Rejection, Shutdown, ThreadPool,
};

use crate::support::{BombDrop, BombPayload, LIMIT, Ledger, ReentrantDrop, eventually, quiet_bombs, watchdog};

/// A pool of one worker that is held up, and what lets it go on.
fn held_up(queue_limit: usize) -> (ThreadPool, Hold) {
    let pool = ThreadPool::builder().max_workers(1).queue_limit(queue_limit).build().unwrap();
    let hold = Hold::new(&pool);
    (pool, hold)
}

/// A job that runs until it is released or dropped.
struct Hold {
    gate: Sender<()>,
    job: Promise<()>,
}

impl Hold {
    fn new(pool: &ThreadPool) -> Self {
        let (gate, closed) = channel();
        let (begun, begins) = channel();
        let job = pool.submit(move || {
            begun.send(()).unwrap();
            let _ = closed.recv();
        });
        begins.recv().unwrap();
        Self { gate, job }
    }

    fn release(self) {
        drop(self.gate);
        self.job.wait().unwrap();
    }
}

/// A log to which jobs write.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<usize>>>);

impl Log {
    fn write(&self, entry: usize) {
        self.0.lock().unwrap().push(entry);
    }

    fn read(&self) -> Vec<usize> {
        self.0.lock().unwrap().clone()
    }
}

fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

fn cancel_reason<T>(outcome: &Result<T, Rejection>) -> String {
    match outcome.as_ref().map_err(Rejection::fault) {
        Err(Some(Fault::Cancelled { reason })) => reason.to_string(),
        Err(other) => panic!("expected a cancellation, got {other:?}"),
        Ok(_) => panic!("expected a cancellation, got a value"),
    }
}

// ---- order and threads

#[test]
fn jobs_start_in_the_order_of_submission() {
    watchdog(LIMIT, || {
        let (pool, hold) = held_up(usize::MAX);
        let log = Log::default();
        let jobs: Vec<_> = (0..200)
            .map(|n| {
                let log = log.clone();
                match n % 3 {
                    0 => pool.submit(move || log.write(n)),
                    1 => pool.try_submit(move || log.write(n)).unwrap(),
                    _ => pool.submit_wait(move || log.write(n)).flatten(),
                }
            })
            .collect();
        hold.release();
        Promise::all(jobs).wait().unwrap();
        assert_eq!(log.read(), (0..200).collect::<Vec<_>>());
    });
}

#[test]
fn threads_start_on_demand_and_have_names() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::builder().max_workers(3).thread_name("hash").build().unwrap();
        assert_eq!(pool.stats().workers, 0);
        assert_eq!(pool.submit(thread_name).wait().unwrap(), "hash-0");
        let holds = [Hold::new(&pool), Hold::new(&pool)];
        assert_eq!(pool.stats().workers, 2);
        assert_eq!(pool.submit(thread_name).wait().unwrap(), "hash-2");
        holds.into_iter().for_each(Hold::release);
        assert_eq!(ThreadPool::new(1).submit(thread_name).wait().unwrap(), "thenable-0");
    });
}

#[test]
fn sixty_short_jobs_on_four_workers_use_four_threads() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::new(4);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let jobs: Vec<_> = (0..60)
            .map(|_| {
                let (now, most) = (now.clone(), most.clone());
                pool.submit(move || {
                    most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                    thread::sleep(Duration::from_millis(2));
                    now.fetch_sub(1, SeqCst);
                    thread::current().id()
                })
            })
            .collect();
        let threads: Vec<ThreadId> = Promise::all(jobs).wait().unwrap();
        let different = threads.iter().enumerate().filter(|(n, id)| !threads[..*n].contains(id)).count();
        assert_eq!(different, 4);
        assert_eq!(pool.stats().workers, 4);
        assert!(most.load(SeqCst) <= 4, "{} ran together", most.load(SeqCst));
    });
}

#[test]
fn one_job_after_the_other_needs_one_thread() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::new(4);
        for n in 0..500 {
            assert_eq!(pool.submit(move || n).wait().unwrap(), n);
            let stats = pool.stats();
            assert_eq!((stats.workers, stats.idle, stats.running), (1, 1, 0), "after job {n}");
            assert_eq!(stats.completed, n + 1, "a job is counted before its promise settles");
        }
    });
}

#[test]
fn stats_show_what_runs_and_what_waits() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::builder().max_workers(2).build().unwrap();
        let holds = [Hold::new(&pool), Hold::new(&pool)];
        let queued: Vec<_> = (0..3).map(|n| pool.submit(move || n)).collect();
        let stats = pool.stats();
        assert_eq!((stats.workers, stats.idle, stats.running, stats.queued, stats.completed), (2, 0, 2, 3, 0));
        assert!(format!("{pool:?}").contains("queued: 3"), "{pool:?}");
        holds.into_iter().for_each(Hold::release);
        assert_eq!(Promise::all(queued).wait().unwrap(), [0, 1, 2]);
        let stats = pool.stats();
        assert_eq!((stats.workers, stats.idle, stats.running, stats.queued, stats.completed), (2, 2, 0, 0, 5));
    });
}

// ---- bad input

#[test]
fn zero_workers_are_an_error_of_the_builder_and_one_for_new() {
    watchdog(LIMIT, || {
        let error = ThreadPool::builder().max_workers(0).build().unwrap_err();
        assert!(matches!(error, Fault::InvalidConfig { .. }), "{error}");
        let error = ThreadPool::builder().thread_name("a\0b").build().unwrap_err();
        assert!(matches!(error, Fault::InvalidConfig { .. }), "{error}");
        assert_eq!(ThreadPool::new(0).submit(|| 7).wait().unwrap(), 7);
        assert_eq!(ThreadPool::new(0).parallelism().map(usize::from), Some(1));
    });
}

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
                assert!(at.as_ref().is_some_and(|at| at.contains("pool.rs")), "{at:?}");
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

// ---- back-pressure

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

// ---- jobs that nobody wants

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

fn until_aborted(begun: Sender<()>, told: Sender<String>) -> impl FnOnce(AbortSignal) + Send + 'static {
    move |token| {
        begun.send(()).unwrap();
        while !token.aborted() {
            thread::sleep(Duration::from_micros(200));
        }
        told.send(token.reason().unwrap().to_string()).unwrap();
    }
}

// ---- the end

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

// ---- waiting inside a job

#[test]
fn a_job_may_wait_for_jobs_of_its_pool() {
    watchdog(LIMIT, || {
        for workers in [1, 4] {
            let pool = ThreadPool::new(workers);
            let inner = pool.clone();
            let outer: Vec<_> = (0..20)
                .map(|n| {
                    let pool = inner.clone();
                    inner.submit(move || {
                        let parts: Vec<_> = (0..5).map(|m| pool.submit(move || n * m)).collect();
                        parts.into_iter().map(|part| part.wait().unwrap()).sum::<u32>()
                    })
                })
                .collect();
            for (n, sum) in (0..).zip(outer) {
                assert_eq!(sum.wait().unwrap(), n * 10, "{workers} workers");
            }
            let stats = pool.stats();
            assert_eq!((stats.completed, stats.running), (120, 0), "{workers} workers");
        }
    });
}

#[test]
fn jobs_nest_as_deep_as_their_tree_is_high() {
    fn fib(pool: &ThreadPool, n: u64) -> u64 {
        if n < 2 {
            return n;
        }
        let branch = |n: u64| {
            let inner = pool.clone();
            pool.submit(move || fib(&inner, n))
        };
        let (left, right) = (branch(n - 1), branch(n - 2));
        left.wait().unwrap() + right.wait().unwrap()
    }
    watchdog(LIMIT, || {
        for workers in [1, 4] {
            let pool = ThreadPool::new(workers);
            let inner = pool.clone();
            assert_eq!(pool.submit(move || fib(&inner, 13)).wait().unwrap(), 233, "{workers} workers");
        }
    });
}

#[test]
fn waiting_too_deep_is_an_error_and_no_overflow() {
    fn dig(pool: &ThreadPool, depth: u32) -> Result<u32, Rejection> {
        if depth == 1000 {
            return Ok(depth);
        }
        let inner = pool.clone();
        pool.attempt(move || dig(&inner, depth + 1)).wait()
    }
    watchdog(LIMIT, || {
        let pool = ThreadPool::new(1);
        let inner = pool.clone();
        assert_fault!(pool.attempt(move || dig(&inner, 0)).wait(), Fault::WouldDeadlock);
        assert_eq!(pool.submit(|| 1).wait().unwrap(), 1, "the pool goes on");
    });
}

#[test]
fn a_job_may_wait_for_what_comes_from_elsewhere() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::new(1);
        let other = ThreadPool::new(1);
        let late = other.submit(|| {
            thread::sleep(Duration::from_millis(20));
            5
        });
        let job = pool.submit(move || late.wait().unwrap() + 1);
        // It helps while it waits.
        assert_eq!(pool.submit(|| 1).wait().unwrap(), 1);
        assert_eq!(job.wait().unwrap(), 6);
    });
}

// ---- map

#[test]
fn map_keeps_the_order_of_the_inputs() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::new(4);
        let expected: Vec<u64> = (0..2000).map(|n| n * n).collect();
        assert_eq!(pool.map(0..2000_u64, |n| n * n).wait().unwrap(), expected);
        let slow_first = pool.map([20, 5, 0, 10], |pause| {
            thread::sleep(Duration::from_millis(pause));
            pause
        });
        assert_eq!(slow_first.wait().unwrap(), [20, 5, 0, 10]);
        assert!(pool.map(Vec::<u8>::new(), |n| n).wait().unwrap().is_empty());
    });
}

#[test]
fn map_draws_no_more_than_it_works_on() {
    watchdog(LIMIT, || {
        for workers in [1, 3] {
            let pool = ThreadPool::new(workers);
            let (drawn, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let (most, counter) = (Arc::new(AtomicUsize::new(0)), done.clone());
            let inputs = {
                let (drawn, most) = (drawn.clone(), most.clone());
                (0..500).inspect(move |_| {
                    let ahead = drawn.fetch_add(1, SeqCst) + 1 - counter.load(SeqCst);
                    most.fetch_max(ahead, SeqCst);
                })
            };
            let (finished, queued) = (done.clone(), Arc::new(AtomicUsize::new(0)));
            let (watched, seen) = (pool.clone(), queued.clone());
            let job = pool.map(inputs, move |_| {
                seen.fetch_max(watched.stats().queued, SeqCst);
                finished.fetch_add(1, SeqCst);
            });
            job.wait().unwrap();
            assert_eq!((drawn.load(SeqCst), done.load(SeqCst)), (500, 500));
            assert!(most.load(SeqCst) <= 2 * workers, "{} drawn ahead on {workers} workers", most.load(SeqCst));
            assert!(queued.load(SeqCst) <= 2 * workers, "{} queued on {workers} workers", queued.load(SeqCst));
        }
    });
}

#[test]
fn map_uses_all_workers_and_leaves_room_for_others() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::new(3);
        let names = pool.map(0..60, |_| {
            thread::sleep(Duration::from_millis(1));
            thread_name()
        });
        let names: BTreeSet<_> = names.wait().unwrap().into_iter().collect();
        assert_eq!(names.len(), 3, "{names:?}");

        // On one worker, a job that comes later gets its turn before an endless map is done.
        let pool = ThreadPool::new(1);
        let endless = pool.map(0.., |n: u64| n);
        assert_eq!(pool.submit(|| 1).wait().unwrap(), 1);
        endless.cancel("enough");
        assert_eq!(cancel_reason(&endless.wait()), "enough");
        pool.shutdown(Shutdown::Drain).wait().unwrap();
    });
}

#[test]
fn a_cancelled_map_lets_go_of_everything() {
    watchdog(LIMIT, || {
        let ledger = Ledger::default();
        let (pool, hold) = held_up(8);
        let (inputs, token) = (vec![ledger.token(), ledger.token()], ledger.token());
        let job = pool.map(inputs, move |_| drop(token.clone()));
        job.cancel("not needed");
        ledger.assert_balanced("closure and inputs are gone at once");
        hold.release();
        assert_eq!(cancel_reason(&job.wait()), "not needed");
    });
}

#[test]
fn the_first_panic_ends_a_map() {
    watchdog(LIMIT, || {
        let ledger = Ledger::default();
        let pool = ThreadPool::new(2);
        let drawn = Arc::new(AtomicUsize::new(0));
        let seen = drawn.clone();
        let token = ledger.token();
        let (values, inputs) = (ledger.clone(), ledger.clone());
        let job = pool.map((0..).map(move |n| (n.max(seen.fetch_add(1, SeqCst)), inputs.token())), {
            move |(n, _input)| {
                let _owned = &token;
                if n == 20 {
                    resume_unwind(Box::new("boom"));
                }
                values.token()
            }
        });
        let outcome = job.wait();
        match outcome.map(|_| ()).unwrap_err().fault() {
            Some(Fault::Panicked { message, .. }) => assert_eq!(message, "boom"),
            other => panic!("expected a panic, got {other:?}"),
        }
        pool.shutdown(Shutdown::Drain).wait().unwrap();
        // The inputs are endless: that the pool could end shows that nothing more was drawn.
        assert!(drawn.load(SeqCst) > 20);
        ledger.assert_balanced_soon("closure, inputs and values are gone");

        let pool = ThreadPool::new(2);
        let broken = (0..5).inspect(|n| assert_or_unwind(*n < 3));
        assert_fault!(pool.map(broken, |n| n).wait(), Fault::Panicked { .. });
    });
}

fn assert_or_unwind(condition: bool) {
    if !condition {
        resume_unwind(Box::new("no"));
    }
}

#[test]
fn values_that_panic_when_dropped_do_not_hurt_a_map() {
    watchdog(LIMIT, || {
        quiet_bombs();
        let ledger = Ledger::default();
        let pool = ThreadPool::new(2);
        let bombs = ledger.clone();
        let job = pool.map(0..10, move |n| {
            assert_or_unwind(n < 9);
            BombDrop::new(bombs.token())
        });
        assert_fault!(job.wait(), Fault::Panicked { .. });
        ledger.assert_balanced_soon("nine bombs");
        assert_eq!(pool.submit(|| 1).wait().unwrap(), 1);
    });
}

#[test]
fn shutdown_and_map() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::new(2);
        let hold = Hold::new(&pool);
        let job = pool.map(0..100, |n| n);
        let ended = pool.shutdown(Shutdown::Drain);
        hold.release();
        assert_eq!(job.wait().unwrap().len(), 100, "drained");
        ended.wait().unwrap();

        let pool = ThreadPool::new(2);
        let (begun, begins) = channel();
        let endless = pool.map(0.., move |n: u64| {
            if n == 10 {
                begun.send(()).unwrap();
            }
        });
        begins.recv().unwrap();
        pool.shutdown(Shutdown::Cancel).wait().unwrap();
        assert_eq!(cancel_reason(&endless.wait()), "the pool was shut down");
    });
}

#[test]
fn map_works_everywhere() {
    fn check(executor: &(impl Executor + ?Sized), what: &str) {
        let expected: Vec<u64> = (0..3000).map(|n| n + 1).collect();
        assert_eq!(executor.map(0..3000_u64, |n| n + 1).wait().unwrap(), expected, "{what}");
        let broken = executor.map(0.., |n: u64| assert_or_unwind(n < 5));
        assert_fault!(broken.wait(), Fault::Panicked { .. });
    }
    watchdog(LIMIT, || {
        let threads = |job: Job| drop(thread::spawn(job));
        check(&threads, "a closure that starts threads");
        check(&Arc::new(threads), "the same, shared");
        // It runs the job at once, inside the call: nothing may nest with every input.
        let inline = |job: Job| job();
        check(&inline, "a closure that runs the job");
        let inline: Arc<dyn Executor> = Arc::new(inline);
        check(&inline, "the same, shared");
        check(&*inline, "the same, as an object");
        check(&LoopHandle::global(), "a loop");
        let full = ThreadPool::builder().max_workers(1).queue_limit(0).build().unwrap();
        check(&full, "a pool without a queue");
    });
}

// ---- other executors

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

#[cfg(feature = "tokio")]
#[test]
fn tokio_runs_jobs_on_its_blocking_threads() {
    watchdog(LIMIT, || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let handle = runtime.handle().clone();
        assert_eq!(handle.submit(|| 6 * 7).wait().unwrap(), 42);
        assert_fault!(handle.submit(|| resume_unwind(Box::new("boom"))).map(|()| 0).wait(), Fault::Panicked { .. });
        assert_eq!(handle.map(0..100, |n| n).wait().unwrap().len(), 100);
        runtime.shutdown_background();
        assert_fault!(handle.submit(|| 1).wait(), Fault::PoolClosed);
    });
}

#[cfg(feature = "rayon")]
#[test]
fn rayon_survives_a_job_that_panics() {
    watchdog(LIMIT, || {
        let pool = rayon_core::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        assert_eq!(pool.parallelism().map(usize::from), Some(2));
        assert_eq!(pool.submit(|| 6 * 7).wait().unwrap(), 42);
        assert_fault!(pool.submit(|| resume_unwind(Box::new("boom"))).map(|()| 0).wait(), Fault::Panicked { .. });
        // Without the crate's own protection this ends the process.
        pool.execute(Box::new(|| resume_unwind(Box::new("boom")))).unwrap();
        assert_eq!(pool.map(0..100, |n| n).wait().unwrap(), (0..100).collect::<Vec<_>>());
        assert!(!pool.on_worker_thread());
    });
}
