//! Two threads, one promise.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::thread;

use thenable::{CancelOutcome, EventLoop, Promise, Resolver};

use super::{Meeting, dawdle, isolated, side_by_side, spin_until};
use crate::support::{LIMIT, Ledger, Token, watchdog};

fn poll_once<T: Send + 'static>(mut promise: Promise<T>) {
    let _ = Pin::new(&mut promise).poll(&mut Context::from_waker(Waker::noop()));
}

/// A loop shortens chains: it has a promise's only follower wait for the inner promise instead, when a handler returned
/// one. While it looked whether there was such a follower, another thread polled the promise and dropped it, and what the
/// loop looked at was the freed place of that thread's waker.
#[test]
fn crash_when_a_derived_promise_is_polled_and_dropped_while_it_adopts() {
    const ROUNDS: usize = 400;
    const BATCH: usize = 64;
    isolated("races::crash_when_a_derived_promise_is_polled_and_dropped_while_it_adopts", || {
        let ledger = Ledger::default();
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let make = || {
            let started = Arc::new(AtomicBool::new(false));
            let start = Arc::clone(&started);
            drop(Promise::resolve(()).map(move |()| start.store(true, Ordering::SeqCst)));
            let (promises, resolvers): (Vec<_>, Vec<_>) = (0..BATCH)
                .map(|_| {
                    let (inner, resolver) = Promise::<Token>::with_resolvers();
                    (Promise::resolve(()).then(move |()| inner), resolver)
                })
                .unzip();
            (resolvers, (promises, started), ())
        };
        let here = |_, resolvers: Vec<Resolver<Token>>| {
            while event_loop.tick() {}
            for resolver in resolvers {
                let _ = resolver.resolve(ledger.token());
            }
            while event_loop.tick() {}
        };
        let there = |_, (promises, started): (Vec<Promise<Token>>, Arc<AtomicBool>)| {
            spin_until(|| started.load(Ordering::SeqCst));
            promises.into_iter().for_each(poll_once);
        };
        side_by_side(ROUNDS, make, here, there, drop);
        ledger.assert_balanced("values of the inner promises");
    });
}

/// One thread cancelled a promise while another registered a second hook. When the hook came between the settling and the
/// delivery, after the canceller had taken the hooks, it was put on a list that nobody looked at again.
#[test]
fn cancel_hook_lost_when_it_is_registered_while_cancelling() {
    const ROUNDS: usize = 10_000;
    let lost = watchdog(LIMIT, || {
        let mut lost = 0;
        let make = || {
            let (promise, resolver) = Promise::<i32>::with_resolvers();
            resolver.on_cancel(|_| ());
            let (promise, ran) = (Arc::new(promise), Arc::new(AtomicUsize::new(0)));
            // The resolver lives on, so that the promise is not abandoned before it is cancelled.
            let ours: (Resolver<i32>, _) = (resolver.clone(), Arc::clone(&ran));
            (ours, Arc::clone(&promise), (promise, ran, resolver))
        };
        side_by_side(
            ROUNDS,
            make,
            |round, (resolver, ran)| {
                dawdle(round / 50 % 50);
                resolver.on_cancel(move |_| {
                    ran.fetch_add(1, Ordering::SeqCst);
                });
            },
            |round, promise| {
                dawdle(round % 50);
                assert_eq!(promise.cancel("enough"), CancelOutcome::Cancelled);
            },
            |(promise, ran, resolver)| {
                drop((promise, resolver));
                lost += usize::from(ran.load(Ordering::SeqCst) != 1);
            },
        );
        lost
    });
    assert_eq!(lost, 0, "hooks that did not run once, of {ROUNDS}");
}

/// One thread registered a cancel hook on a promise that it had resolved, and let go of the resolver; the hook gave the
/// promise a block for its extras. The other thread took the value out, with a look at the promise from before that, and
/// read the extras' address as something else.
#[test]
fn crash_when_a_value_is_taken_while_a_late_cancel_hook_is_registered() {
    const ROUNDS: usize = 10_000;
    isolated("races::crash_when_a_value_is_taken_while_a_late_cancel_hook_is_registered", || {
        let ledger = Ledger::default();
        side_by_side(
            ROUNDS,
            || {
                let (promise, resolver) = Promise::<Token>::with_resolvers();
                (resolver, promise, ())
            },
            |_, resolver| {
                assert!(resolver.resolve(ledger.token()).is_ok());
                resolver.on_cancel(|_| ());
            },
            |round, promise| {
                spin_until(|| promise.is_settled());
                dawdle(round % 64);
                poll_once(promise);
            },
            drop,
        );
        ledger.assert_balanced("values");
    });
}

/// Promises were derived on one loop and raced on another. While the second took a loser out of the race, the first was
/// about to hand that loser over together with its own share of it; nobody released that share, and the value stayed.
#[test]
fn values_leak_when_a_race_ends_while_its_losers_settle_on_another_loop() {
    const ROUNDS: usize = 60;
    const MEMBERS: usize = 256;
    watchdog(LIMIT, || {
        let ledger = Ledger::default();
        let (meeting, running, finished) = (Meeting::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        let (sender, receiver) = std::sync::mpsc::channel();
        thread::scope(|scope| {
            let (meeting, running, finished, counted) = (&meeting, &running, &finished, &ledger);
            scope.spawn(move || {
                let event_loop = EventLoop::new();
                let _current = event_loop.enter();
                for round in 1..=ROUNDS {
                    let (members, resolvers): (Vec<Promise<Token>>, Vec<_>) = (0..MEMBERS)
                        .map(|_| {
                            let (source, resolver) = Promise::<()>::with_resolvers();
                            let token = counted.token();
                            (source.map(move |()| token), resolver)
                        })
                        .unzip();
                    sender.send(members).unwrap();
                    meeting.wait();
                    for resolver in resolvers {
                        assert!(resolver.resolve(()).is_ok());
                    }
                    running.store(round, Ordering::SeqCst);
                    while event_loop.tick() {}
                    finished.store(round, Ordering::SeqCst);
                }
            });
            let event_loop = EventLoop::new();
            let _current = event_loop.enter();
            for round in 1..=ROUNDS {
                let race = Promise::race(receiver.recv().unwrap());
                meeting.wait();
                spin_until(|| running.load(Ordering::SeqCst) == round);
                while race.is_pending() {
                    event_loop.tick();
                }
                while event_loop.tick() {}
                drop(race);
                while finished.load(Ordering::SeqCst) != round {
                    event_loop.tick();
                }
                while event_loop.tick() {}
            }
        });
        ledger.assert_balanced("values of the members");
    });
}
