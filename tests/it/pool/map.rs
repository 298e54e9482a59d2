//! `map`.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread::{self};
use std::time::Duration;

use thenable::{Executor, ExecutorExt, Fault, Job, LoopHandle, Shutdown, ThreadPool};

use super::{Hold, cancel_reason, held_up, thread_name};
use crate::support::{BombDrop, LIMIT, Ledger, quiet_bombs, watchdog};

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
