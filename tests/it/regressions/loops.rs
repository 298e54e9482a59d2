//! The ends of loops.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use thenable::{EventLoop, Fault, LoopHandle, Promise, Resolver};

use super::{isolated, side_by_side};
use crate::support::{LIMIT, Ledger, eventually, quiet_bombs, watchdog};

/// Panics when it is dropped.
#[derive(Debug)]
struct Bomb;

impl fmt::Display for Bomb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bomb")
    }
}

impl std::error::Error for Bomb {}

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("bomb: reason");
        }
    }
}

/// Two rejections that nobody handled were reported at once, and the loop dropped the second, whose reason panics in its
/// destructor. The panic went through the thread of the global loop, and every promise of the process lost its loop.
#[test]
fn global_loop_ends_when_an_unhandled_reason_panics_in_drop() {
    // In a child, because the hook belongs to the whole process.
    isolated("loops::global_loop_ends_when_an_unhandled_reason_panics_in_drop", || {
        quiet_bombs();
        let reports = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&reports);
        thenable::on_unhandled_rejection(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        });
        for round in 1..=3 {
            drop(Promise::resolve(()).map(|()| {
                drop(Promise::<i32>::reject(Bomb));
                drop(Promise::<i32>::reject(Bomb));
            }));
            eventually("both reports", || reports.load(Ordering::SeqCst) == 2 * round);
            assert_eq!(Promise::resolve(1).map(|n| n + 1).wait().unwrap(), 2, "the global loop goes on");
        }
        assert!(!LoopHandle::global().is_closed());
    });
}

/// The guard of `enter` was forgotten, and so a closed loop stayed current on its thread.  There its promises were
/// cancelled as by the only thread that touches them, while another thread resolved their sources: on a closed loop that
/// one discards them itself.
#[test]
fn crash_when_promises_of_a_closed_loop_are_cancelled_under_its_forgotten_guard() {
    const ROUNDS: usize = 100;
    const BATCH: usize = 64;
    isolated("loops::crash_when_promises_of_a_closed_loop_are_cancelled_under_its_forgotten_guard", || {
        let ledger = Ledger::default();
        let event_loop = EventLoop::new();
        mem::forget(event_loop.enter());
        let mut batches: Vec<_> = (0..ROUNDS)
            .map(|_| {
                (0..BATCH)
                    .map(|_| {
                        let (source, resolver) = Promise::<i32>::with_resolvers();
                        let token = ledger.token();
                        (source.map(move |_| token), resolver)
                    })
                    .unzip::<_, _, Vec<_>, Vec<Resolver<i32>>>()
            })
            .collect();
        drop(event_loop);
        let batches = std::cell::RefCell::new(mem::take(&mut batches));
        side_by_side(
            ROUNDS,
            || {
                let (promises, resolvers) = batches.borrow_mut().pop().expect("one for each round");
                (promises, resolvers, ())
            },
            |_, promises| {
                for promise in &promises {
                    promise.cancel("enough");
                }
            },
            |_, resolvers| {
                for resolver in resolvers {
                    let _ = resolver.resolve(1);
                }
            },
            drop,
        );
        ledger.assert_balanced("captures");
    });
}

/// The guard of `enter` was forgotten, and then the loop was dropped. It stayed current on its thread all the same, so
/// everything that the thread did with promises ended in `LoopClosed`.
#[test]
fn closed_loop_stays_current_when_its_guard_was_forgotten() {
    let on_a_thread_of_its_own = || {
        let event_loop = EventLoop::new();
        mem::forget(event_loop.enter());
        let lost = Promise::resolve(1).map(|n| n + 1);
        drop(event_loop);
        assert_fault!(lost.wait(), Fault::LoopClosed);
        assert!(LoopHandle::current().is_none());
        assert_eq!(Promise::resolve(1).map(|n| n + 1).wait().unwrap(), 2, "the global loop takes over");
    };
    watchdog(LIMIT, || std::thread::spawn(on_a_thread_of_its_own).join().unwrap());
}

/// One loop was entered, another one, and the first again; the oldest guard was dropped first. The thread took away the newest
/// entry of that loop instead: handlers ran on the first loop, and timers and tasks went to the second.
#[test]
fn guards_of_one_loop_are_confused() {
    let (first, second) = (EventLoop::new(), EventLoop::new());
    let oldest = first.enter();
    let middle = second.enter();
    let newest = first.enter();
    drop(oldest);
    let (handler, task) = (Promise::resolve(1).map(|n| n + 1), Promise::spawn(async { Ok(1) }));
    while second.tick() {}
    assert!(handler.is_pending() && task.is_pending());
    while first.tick() {}
    assert!(handler.is_fulfilled() && task.is_fulfilled());
    drop((newest, middle));
}
