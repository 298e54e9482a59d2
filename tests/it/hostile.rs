//! Foreign code that panics, re-enters, or goes away: every case ends in a typed rejection, none in a hang or an abort.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use thenable::{EventLoop, Fault, Promise, Rejection, Resolver, State};

use crate::support::{
    BombClone, BombDrop, BombPayload, LIMIT, Ledger, NotSend, ZST_DROPS, Zst, cross, lives, on_loop, panic_message,
    quiet_bombs, watchdog,
};

/// An error type of the user's own.
#[derive(Debug, PartialEq)]
enum Mine {
    Abandoned(u32),
    Other,
}

impl From<Fault> for Mine {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Abandoned { created_at } => Self::Abandoned(created_at.line()),
            _ => Self::Other,
        }
    }
}

// ---- producers that go away

#[test]
fn dropped_resolver_says_where_the_promise_was_made() {
    watchdog(LIMIT, || {
        let (line, (promise, resolver)) = (line!(), Promise::<u8>::with_resolvers());
        drop(resolver);
        let why = promise.wait().unwrap_err();
        match why.fault() {
            Some(Fault::Abandoned { created_at }) => {
                assert_eq!((created_at.file(), created_at.line()), (file!(), line));
            }
            other => panic!("expected Abandoned, got {other:?}"),
        }

        let (line, (promise, resolver)) = (line!(), Promise::<u8, Mine>::pending());
        drop(resolver);
        assert_eq!(promise.wait(), Err(Mine::Abandoned(line)), "the promise's own error type");
    });
}

#[test]
fn only_the_last_resolver_abandons() {
    let (promise, resolver) = Promise::<u8>::with_resolvers();
    let other = resolver.clone();
    drop(resolver);
    assert_eq!(promise.state(), State::Pending);
    drop(other);
    assert_eq!(promise.state(), State::Rejected);

    let promise = Promise::<u8>::new(|resolve, reject| {
        let again = resolve.clone();
        drop((resolve, reject));
        again(7);
    });
    assert_eq!(watchdog(LIMIT, || promise.wait()).unwrap(), 7);
    assert_fault!(watchdog(LIMIT, || Promise::<u8>::new(|_, _| {}).wait()), Fault::Abandoned { .. });
}

#[test]
fn a_panic_in_the_executor_function_reaches_everybody_who_waits() {
    quiet_bombs();
    let promise = Promise::<u8>::new(|_, _| panic!("bomb: executor"));
    assert_eq!(panic_message(&promise), "bomb: executor");
    let settled = Promise::new(|resolve, _| {
        resolve(3);
        panic!("bomb: too late to matter");
    });
    watchdog(LIMIT, || {
        thread::scope(|scope| {
            for _ in 0..3 {
                let waiting = promise.clone();
                scope.spawn(|| assert_fault!(waiting.wait(), Fault::Panicked { .. }));
            }
        });
        assert_eq!(settled.wait().unwrap(), 3, "the first settle wins, also over a panic");
    });
}

#[test]
fn a_dropped_loop_rejects_what_it_owned() {
    watchdog(LIMIT, || {
        let ledger = Ledger::default();
        let event_loop = EventLoop::new();
        let handle = event_loop.handle();
        let (source, resolver) = Promise::<u8>::with_resolvers();
        let guard = event_loop.enter();
        let (a, b, c) = (ledger.token(), ledger.token(), ledger.token());
        let queued = Promise::resolve(1).map(move |_| drop(a));
        let waiting = source.map(move |_| drop(b));
        let spawned = Promise::spawn(async move {
            let _held = c;
            futures::future::pending::<Result<(), Rejection>>().await
        });
        let ran = Arc::new(AtomicBool::new(false));
        let run = Arc::clone(&ran);
        handle.call_soon(move || run.store(true, Ordering::SeqCst));
        drop(guard);
        drop(event_loop);

        assert!(handle.is_closed());
        assert_fault!(queued.wait(), Fault::LoopClosed);
        assert_fault!(spawned.wait(), Fault::LoopClosed);
        let _ = resolver.resolve(1);
        assert_fault!(waiting.wait(), Fault::LoopClosed);
        assert!(!ran.load(Ordering::SeqCst), "a queued call is dropped, not run");
        assert_fault!(Promise::resolve(1).on(&handle).map(|n| n).wait(), Fault::LoopClosed);
        assert_fault!(handle.spawn(async { Ok(1) }).wait(), Fault::LoopClosed);
        ledger.assert_balanced("captures of handlers and tasks");
    });
}

// ---- panics

#[test]
fn every_kind_of_handler_may_panic() {
    quiet_bombs();
    let ok = || Promise::resolve(1);
    let err = || Promise::<i32>::reject("no");
    on_loop(|event_loop| {
        let derived: [(&str, Promise<i32>); 13] = [
            ("then", ok().then(|_| panic!("bomb: handler"))),
            ("then, asynchronous", ok().then(async |_| panic!("bomb: handler"))),
            ("then_or, value", ok().then_or(|_| panic!("bomb: handler"), |_| Ok(0))),
            ("then_or, reason", err().then_or(|_| Ok(0), |_| panic!("bomb: handler"))),
            ("catch", err().catch(|_| panic!("bomb: handler"))),
            ("catch_if, predicate", err().catch_if(|_| panic!("bomb: handler"), |_| Ok(0))),
            ("catch_if, handler", err().catch_if(|_| true, |_| panic!("bomb: handler"))),
            ("finally, value", ok().finally(|| panic!("bomb: handler"))),
            ("finally, reason", err().finally(|| panic!("bomb: handler"))),
            ("map", ok().map(|_| -> i32 { panic!("bomb: handler") })),
            ("map_err", err().map_err(|_| -> Rejection { panic!("bomb: handler") })),
            ("tap", ok().tap(|_| panic!("bomb: handler"))),
            ("tap_err", err().tap_err(|_| panic!("bomb: handler"))),
        ];
        let after = Promise::resolve(2).map(|n| n + 1);
        event_loop.run_until_idle().unwrap();
        for (name, promise) in &derived {
            assert_eq!(promise.state(), State::Rejected, "{name}");
            assert_eq!(panic_message(promise), "bomb: handler", "{name}");
        }
        assert_eq!(event_loop.run(after).unwrap(), 3, "the loop goes on");
    });
}

#[test]
fn panic_payloads_of_every_kind() {
    quiet_bombs();
    on_loop(|event_loop| {
        let text = Promise::resolve(1).map(|_| panic!("bomb: text"));
        let formatted = Promise::resolve(7).map(|n| panic!("bomb: number {n}"));
        let number = Promise::resolve(1).map(|_| panic_any(5_u8));
        let bomb = Promise::resolve(1).map(|_| panic_any(BombPayload));
        let job = event_loop.handle().call_soon(|| panic_any(BombPayload));
        let task = Promise::spawn(async { if true { panic_any(BombPayload) } else { Ok(()) } });
        event_loop.run_until_idle().unwrap();
        let text: Promise<()> = text;
        assert_eq!(panic_message(&text), "bomb: text");
        let formatted: Promise<()> = formatted;
        assert_eq!(panic_message(&formatted), "bomb: number 7");
        let unnamed: [Promise<()>; 3] = [number, bomb, task];
        for promise in &unnamed {
            panic_message(promise);
        }
        assert!(!job.cancel(), "it has run");
    });
}

#[test]
fn a_capture_that_panics_in_drop_rejects_the_derived_promise() {
    quiet_bombs();
    on_loop(|event_loop| {
        let ledger = Ledger::default();
        let (run, skipped, again) =
            (BombDrop::new(ledger.token()), BombDrop::new(ledger.token()), BombDrop::new(ledger.token()));
        let in_call = Promise::resolve(1).map(move |n| {
            let _held = &run;
            n
        });
        // A handler that is not called is dropped all the same; the outcome may pass or the panic may win.
        let not_called = Promise::resolve(1).catch(move |_| {
            let _held = &skipped;
            Ok(2)
        });
        event_loop.handle().call_soon(move || drop(again));
        let after = Promise::resolve(3).map(|n| n);
        event_loop.run_until_idle().unwrap();
        panic_message(&in_call);
        assert!(not_called.is_settled());
        assert_eq!(event_loop.run(after).unwrap(), 3);
        ledger.assert_balanced("captures");
    });
}

#[test]
fn a_value_that_panics_in_drop_does_not_stop_the_loop() {
    quiet_bombs();
    on_loop(|event_loop| {
        let ledger = Ledger::default();
        let dropped_by_handler = Promise::resolve(BombDrop::new(ledger.token())).map(drop);
        // The derived promise has no handle any more when its value arrives: the loop must drop it.
        drop(Promise::resolve(()).map({
            let token = ledger.token();
            move |()| BombDrop::new(token)
        }));
        // A race keeps one value of two and drops the other.
        let race = Promise::race([
            Promise::resolve(BombDrop::new(ledger.token())),
            Promise::resolve(BombDrop::new(ledger.token())),
        ]);
        let raced = race.map(drop);
        let after = Promise::resolve(3).map(|n| n);
        event_loop.run_until_idle().unwrap();
        panic_message(&dropped_by_handler);
        panic_message(&raced);
        assert_eq!(event_loop.run(after).unwrap(), 3);

        // A refused value comes back; it is the caller's.
        let (promise, resolver) = Promise::with_resolvers();
        assert!(resolver.resolve(BombDrop::new(ledger.token())).is_ok());
        let refused = resolver.resolve(BombDrop::new(ledger.token()));
        assert!(catch_unwind(AssertUnwindSafe(|| drop(refused))).is_err());
        let _ = catch_unwind(AssertUnwindSafe(|| drop((promise, resolver))));
        ledger.assert_balanced("values");
    });
}

#[test]
fn a_clone_that_panics_hurts_one_consumer_only() {
    quiet_bombs();
    on_loop(|event_loop| {
        for consumers in 2..=4 {
            for k in 1..consumers {
                for by_await in [false, true] {
                    let case = format!("clone {k} of {consumers} consumers, awaited: {by_await}");
                    let ledger = Ledger::default();
                    let (promise, resolver) = Promise::<BombClone>::with_resolvers();
                    let mut handles = vec![promise.clone(); consumers - 1];
                    handles.push(promise);
                    assert!(resolver.resolve(BombClone::new(ledger.token(), k)).is_ok());
                    drop(resolver);
                    let outcomes: Vec<Result<(), Rejection>> = if by_await {
                        handles.into_iter().map(|handle| event_loop.run(handle).map(drop)).collect()
                    } else {
                        let derived: Vec<_> = handles.into_iter().map(|handle| handle.map(drop)).collect();
                        derived.into_iter().map(|promise| event_loop.run(promise)).collect()
                    };
                    let failed: Vec<_> = outcomes.into_iter().filter(Result::is_err).collect();
                    assert_eq!(failed.len(), 1, "{case}");
                    assert_fault!(failed[0], Fault::Panicked { .. });
                    ledger.assert_balanced(&case);
                }
            }
        }
    });
}

#[test]
fn a_conversion_from_fault_that_panics_stays_where_it_is() {
    #[derive(Debug)]
    struct Touchy;
    impl From<Fault> for Touchy {
        fn from(_: Fault) -> Self {
            panic!("bomb: conversion")
        }
    }
    quiet_bombs();
    on_loop(|event_loop| {
        let (abandoned, resolver) = Promise::<u8, Touchy>::pending();
        let chained = Promise::<u8, Touchy>::fulfilled(1).map(|_| -> u8 { panic!("bomb: handler") });
        drop(resolver);
        let fine = Promise::<u8, Touchy>::fulfilled(1).map(|n| n + 1);
        event_loop.run_until_idle().unwrap();
        assert_eq!(event_loop.run(fine).unwrap(), 2, "others are not affected");
        for promise in [abandoned, chained] {
            let start = Instant::now();
            // There is no reason to reject with. It must not be a value, and it must not block.
            let outcome = catch_unwind(AssertUnwindSafe(|| promise.wait_timeout(Duration::from_millis(50))));
            assert!(!matches!(outcome, Ok(Ok(_))));
            assert!(start.elapsed() < LIMIT / 2);
        }
        assert_eq!(event_loop.run(Promise::<u8, Touchy>::fulfilled(5).map(|n| n)).unwrap(), 5, "the loop goes on");
    });
}

#[test]
fn cross_product_on_a_local_loop() {
    assert_eq!(watchdog(LIMIT * 6, || cross::run_all(cross::Place::Local)), 1680);
}

#[test]
fn cross_product_on_the_global_loop() {
    assert_eq!(watchdog(LIMIT * 6, || cross::run_all(cross::Place::Global)), 1680);
}

#[test]
fn cross_product_on_a_closed_loop() {
    assert_eq!(watchdog(LIMIT * 6, || cross::run_all(cross::Place::Closed)), 1680);
}

#[test]
fn cross_product_on_a_loop_that_shuts() {
    assert_eq!(watchdog(LIMIT * 6, || cross::run_all(cross::Place::Shut)), 1680);
}

#[test]
fn cross_product_of_shapes() {
    // One after the other: the places share the counts.
    let places = [cross::Place::Local, cross::Place::Global, cross::Place::Closed, cross::Place::Shut];
    let cases: usize = watchdog(LIMIT * 6, || places.into_iter().map(cross::run_shapes).sum());
    assert_eq!(cases, 7 * 4 * 90);
}

// ---- cycles and deadlocks

#[test]
fn adopting_oneself_rejects_with_cycle() {
    on_loop(|event_loop| {
        let (promise, resolver) = Promise::<u8>::with_resolvers();
        assert!(resolver.adopt(promise.clone()).is_ok(), "it counts as accepted");
        assert_eq!(resolver.resolve(1), Err(1));
        assert_fault!(event_loop.run(promise), Fault::Cycle);

        let slot = Arc::new(Mutex::new(None::<Promise<u8>>));
        let own = Arc::clone(&slot);
        let promise = Promise::resolve(1).then(move |_: i32| own.lock().unwrap().take().unwrap());
        *slot.lock().unwrap() = Some(promise.clone());
        assert_fault!(event_loop.run(promise), Fault::Cycle);
    });
}

#[test]
fn longer_rings_do_not_spin() {
    watchdog(LIMIT, || {
        for length in [2, 3, 100] {
            let (promises, resolvers): (Vec<Promise<u8>>, Vec<Resolver<u8>>) =
                (0..length).map(|_| Promise::with_resolvers()).unzip();
            for (index, resolver) in resolvers.iter().enumerate() {
                assert!(resolver.adopt(promises[(index + 1) % length].clone()).is_ok());
            }
            drop(resolvers);
            let why = promises[0].clone().wait_timeout(Duration::from_millis(20)).unwrap_err();
            assert!(matches!(why.fault(), Some(Fault::Cycle | Fault::TimedOut { .. })), "{length}: {why:?}");
        }
    });
}

// ---- re-entrancy

#[test]
fn a_handler_may_do_anything_to_its_promise() {
    on_loop(|event_loop| {
        let (promise, resolver) = Promise::<u8>::with_resolvers();
        let kept = Arc::new(Mutex::new(Some(promise.clone())));
        let log = Arc::new(Mutex::new(Vec::new()));
        let (last_handle, notes, again) = (Arc::clone(&kept), Arc::clone(&log), resolver.clone());
        let derived = promise.then(move |n| {
            notes.lock().unwrap().push(format!("handler {n}"));
            assert_eq!(again.resolve(9), Err(9));
            assert!(again.adopt(Promise::resolve(8)).is_err());
            let own = last_handle.lock().unwrap().take().unwrap();
            for round in 0..2 {
                let notes = Arc::clone(&notes);
                drop(own.clone().map(move |n| notes.lock().unwrap().push(format!("added {round}: {n}"))));
            }
            assert_eq!(own.peek().and_then(Result::ok), Some(&4));
            drop((own, again));
            notes.lock().unwrap().push("end".to_owned());
            Ok(n)
        });
        assert!(resolver.resolve(4).is_ok());
        assert_eq!(event_loop.run(derived).unwrap(), 4);
        event_loop.run_until_idle().unwrap();
        assert_eq!(*log.lock().unwrap(), ["handler 4", "end", "added 0: 4", "added 1: 4"]);
    });
}

#[test]
fn a_handler_may_drop_the_loop_handle() {
    watchdog(LIMIT, || {
        let event_loop = EventLoop::new();
        let handle = event_loop.handle();
        let outcome = event_loop.run(async {
            Promise::resolve(1)
                .map(move |n| {
                    drop(handle);
                    n + 1
                })
                .map(|n| n + 1)
                .await
        });
        assert_eq!(outcome.unwrap(), 3);
    });
}

#[test]
fn captures_are_dropped_on_the_loop_thread() {
    on_loop(|event_loop| {
        let ledger = Ledger::default();
        let (promise, resolver) = Promise::<u8>::with_resolvers();
        let (used, unused) = (ledger.token(), ledger.token());
        let derived = promise.map(move |_| drop(used)).catch(move |_| drop(unused));
        thread::spawn(move || assert!(resolver.resolve(1).is_ok())).join().unwrap();
        assert_eq!(ledger.dropped(), 0, "settling runs nothing");
        event_loop.run(derived).unwrap();
        ledger.assert_balanced("captures");
        assert_eq!(ledger.last_thread(), Some(thread::current().id()));
    });
}

#[test]
fn a_value_may_do_anything_in_its_drop() {
    lives::reentrant_drops();
}

// ---- shapes of values, and the end of each

#[test]
fn values_of_odd_layouts() {
    lives::odd_layouts();
}

#[test]
fn every_value_is_dropped_exactly_once() {
    lives::every_end_of_a_value();
}

#[test]
fn zero_sized_values_are_dropped_once() {
    on_loop(|event_loop| {
        drop(Promise::resolve(Zst));
        event_loop.run(Promise::resolve(Zst).map(drop)).unwrap();
        let (promise, resolver) = Promise::with_resolvers();
        assert!(resolver.resolve(Zst).is_ok());
        drop(resolver.resolve(Zst));
        drop((promise, resolver));
        assert_eq!(ZST_DROPS.load(Ordering::SeqCst), 4);
    });
}

#[test]
fn values_that_stay_on_their_thread_can_be_looked_at() {
    let promise = Promise::<NotSend, NotSend>::fulfilled(NotSend::new(4));
    assert_eq!(promise.peek().and_then(Result::ok).map(|value| value.0), Some(4));
    let value = futures::executor::block_on(promise);
    assert_eq!(value.ok().map(|value| value.0), Some(4));
}
