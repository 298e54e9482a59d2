//! Cancelling: what it stops, how fast, on which thread, and who is spared.

mod signals;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures::future::Either;
use thenable::{CancelOnDrop, CancelOutcome, CancelReason, EventLoop, Fault, Promise, delay};

use crate::common::{Seen, quiet};
use crate::support::{LIMIT, Ledger, Log, eventually, on_virtual_clock, quiet_bombs, watchdog};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// An hour's work in a spawned future that holds a token, and a timer that goes with it.
fn work(ledger: &Ledger) -> Promise<u32> {
    let token = ledger.token();
    Promise::spawn(async move {
        delay(HOUR).cancel_on_drop().await?;
        drop(token);
        Ok(1)
    })
}

/// Runs until idle: no work is left, and so none of its timers.
#[track_caller]
fn assert_stopped(event_loop: &EventLoop, ledger: &Ledger, what: &str) {
    let start = event_loop.handle().now();
    event_loop.run_until_idle().unwrap();
    assert_eq!(event_loop.handle().now() - start, Duration::ZERO, "{what}: timers are disarmed");
    ledger.assert_balanced(what);
}

#[track_caller]
fn assert_cancelled<T>(event_loop: &EventLoop, promise: Promise<T>, expected: &str)
where
    T: Send + 'static,
{
    match event_loop.run(promise).map(drop).unwrap_err().fault() {
        Some(Fault::Cancelled { reason }) => assert_eq!(reason.to_string(), expected),
        other => panic!("expected Cancelled, got {other:?}"),
    }
}

// ---- spawned futures

#[test]
fn a_sleeping_future_is_dropped_within_the_tick() {
    on_virtual_clock(|event_loop| {
        let ledger = Ledger::default();
        let work = work(&ledger);
        while event_loop.tick() {}
        assert_eq!((ledger.created(), ledger.dropped()), (1, 0), "it sleeps");
        let cancelled = work.clone();
        event_loop.handle().call_soon(move || {
            cancelled.cancel("enough");
        });
        event_loop.tick();
        ledger.assert_balanced("the sleeping future");
        assert_eq!(ledger.last_thread(), Some(thread::current().id()), "on its loop");
        assert_cancelled(event_loop, work, "enough");
    });
}

#[test]
fn a_sleeping_future_is_dropped_within_the_tick_while_others_are_ready() {
    on_virtual_clock(|event_loop| {
        let ledger = Ledger::default();
        let (work, handle) = (work(&ledger), event_loop.handle());
        while event_loop.tick() {}
        for _ in 0..10 {
            handle.call_later(Duration::ZERO, || ());
            quiet(handle.spawn(async { Ok(()) }));
        }
        let cancelled = work.clone();
        handle.call_soon(move || {
            cancelled.cancel("enough");
        });
        event_loop.tick();
        ledger.assert_balanced("the sleeping future, before the next tick");
        assert_cancelled(event_loop, work, "enough");
    });
}

#[test]
fn a_future_that_is_cancelled_from_another_thread_is_dropped_on_its_loop() {
    watchdog(LIMIT, || {
        let ledger = Ledger::default();
        let (started, begun) = mpsc::channel();
        let token = ledger.token();
        let runner = thread::spawn(move || {
            let event_loop = EventLoop::new();
            let slept = event_loop.handle().spawn(async move {
                delay(HOUR).await?;
                drop(token);
                Ok(1)
            });
            let handle = event_loop.handle();
            started.send((slept, handle.clone(), thread::current().id())).unwrap();
            event_loop.run_forever().unwrap();
        });
        let (slept, handle, id) = begun.recv().unwrap();
        // Until it sleeps.
        handle.spawn(async { delay(Duration::from_millis(5)).await }).wait().unwrap();
        assert_eq!(slept.cancel("from outside"), CancelOutcome::Cancelled);
        eventually("the future is dropped", || ledger.dropped() == 1);
        assert_eq!(ledger.last_thread(), Some(id));
        handle.stop();
        runner.join().unwrap();
        quiet(slept);
    });
}

#[test]
fn a_future_that_never_ran_never_runs() {
    on_virtual_clock(|event_loop| {
        let (ledger, log) = (Ledger::default(), Log::default());
        let (token, ran) = (ledger.token(), log.note("it ran"));
        let promise = Promise::spawn(async move {
            ran();
            drop(token);
            Ok(())
        });
        promise.cancel("not needed");
        assert_stopped(event_loop, &ledger, "a future before its first poll");
        assert_eq!(log.take(), [""; 0]);
        quiet(promise);
    });
}

// ---- upstream

#[test]
fn a_cancel_at_the_end_of_a_chain_stops_its_source() {
    type End = fn(Promise<u32>) -> Promise<u32>;
    let chains: [(&str, End); 7] = [
        ("map", |p| p.map(|n| n).map(|n| n)),
        ("then", |p| p.then(|n| Ok(n + 1)).then(Ok)),
        ("catch and finally", |p| p.catch(|_| Ok(2)).finally(|| ())),
        ("handle and tap", |p| p.handle(|outcome| outcome).tap(|_| ())),
        ("settled, flattened", |p| p.settled().flatten()),
        ("a promise from a handler", |p| Promise::resolve(()).then(move |()| p)),
        ("a future from a handler", |p| Promise::resolve(()).then(async move |()| p.cancel_on_drop().await)),
    ];
    for (what, chain) in chains {
        on_virtual_clock(|event_loop| {
            let ledger = Ledger::default();
            let end = chain(work(&ledger));
            let start = event_loop.handle().now();
            let cancelled = end.clone();
            event_loop.handle().call_later(SECOND, move || {
                cancelled.cancel("enough");
            });
            assert_cancelled(event_loop, end, "enough");
            assert_eq!(event_loop.handle().now() - start, SECOND, "{what}");
            assert_stopped(event_loop, &ledger, what);
        });
    }
}

#[test]
fn the_source_goes_on_while_somebody_else_wants_it() {
    on_virtual_clock(|event_loop| {
        let ledger = Ledger::default();
        // A clone shields it, and so does another branch.
        let source = work(&ledger);
        let branch = source.clone().map(|n| n + 1);
        let first = source.clone().map(|n| n);
        first.cancel("enough");
        event_loop.tick();
        assert!(source.is_pending() && branch.is_pending());
        drop(source);
        assert_eq!(event_loop.run(branch).unwrap(), 2);
        assert_cancelled(event_loop, first, "enough");
        assert_stopped(event_loop, &ledger, "work that was wanted");

        let source = work(&ledger);
        let [one, two] = [source.clone().map(|n| n), source.map(|n| n)];
        one.cancel("the first leaves");
        event_loop.tick();
        assert_eq!(ledger.created() - ledger.dropped(), 1);
        two.cancel("the last leaves");
        assert_stopped(event_loop, &ledger, "work that its last consumer left");
        quiet(one);
        quiet(two);
    });
}

#[test]
fn dropping_a_handle_cancels_nothing() {
    on_virtual_clock(|event_loop| {
        let (ledger, start, log) = (Ledger::default(), event_loop.handle().now(), Log::default());
        drop(work(&ledger));
        let ran = log.note("handler");
        drop(delay(HOUR).map(|()| ran()));
        drop(work(&ledger).timeout(2 * HOUR));
        event_loop.run_until_idle().unwrap();
        assert_eq!(event_loop.handle().now() - start, HOUR);
        assert_eq!(log.take(), ["handler"]);
        ledger.assert_balanced("work that nobody waits for");
    });
}

#[test]
fn a_value_that_is_there_wins() {
    on_virtual_clock(|event_loop| {
        let (promise, resolver) = Promise::with_resolvers();
        let derived = promise.clone().map(|n: u32| n);
        resolver.resolve(1).unwrap();
        assert_eq!(promise.cancel("too late"), CancelOutcome::AlreadySettled);
        assert_eq!(event_loop.run(promise).unwrap(), 1);
        assert_eq!(event_loop.run(derived.clone()).unwrap(), 1);
        assert_eq!(derived.cancel("too late"), CancelOutcome::AlreadySettled);

        let rejected = Promise::<u32>::reject("no");
        assert_eq!(rejected.cancel("too late"), CancelOutcome::AlreadySettled);
        assert_eq!(event_loop.run(rejected).unwrap_err().to_string(), "no");

        // And a cancel that is there wins over a value.
        let (promise, resolver) = Promise::with_resolvers();
        assert_eq!(promise.cancel("first"), CancelOutcome::Cancelled);
        assert_eq!(resolver.resolve(2), Err(2));
        assert_cancelled(event_loop, promise, "first");
    });
}

#[test]
fn a_cancelled_promise_that_is_locked_in_stops_what_it_follows() {
    on_virtual_clock(|event_loop| {
        let ledger = Ledger::default();
        let (outer, resolver) = Promise::with_resolvers();
        resolver.adopt(work(&ledger)).unwrap();
        event_loop.tick();
        assert_eq!(outer.cancel("enough"), CancelOutcome::Cancelled);
        assert_cancelled(event_loop, outer, "enough");
        assert_stopped(event_loop, &ledger, "work that was adopted");
    });
}

#[test]
fn a_cancelled_attempt_stops_the_promise_that_it_returned() {
    on_virtual_clock(|event_loop| {
        let ledger = Ledger::default();
        let attempt = Promise::attempt(|| work(&ledger));
        event_loop.tick();
        assert_eq!(attempt.cancel("enough"), CancelOutcome::Cancelled);
        assert_cancelled(event_loop, attempt, "enough");
        assert_stopped(event_loop, &ledger, "work that an attempt began");
    });
}

#[test]
fn handlers_of_a_cancelled_promise_hear_of_it_and_its_own_never_runs() {
    on_virtual_clock(|event_loop| {
        let (log, ledger) = (Log::default(), Ledger::default());
        let (own, caught, finally) = (log.note("own handler"), log.note("catch"), log.note("finally"));
        let token = ledger.token();
        let cancelled = work(&ledger).map(move |_| {
            own();
            drop(token);
        });
        let after = cancelled.clone().finally(finally).catch(move |why| {
            caught();
            assert!(matches!(why.fault(), Some(Fault::Cancelled { .. })), "{why:?}");
            Ok(())
        });
        cancelled.cancel("enough");
        event_loop.run(after).unwrap();
        assert_eq!(log.take(), ["finally", "catch"]);
        assert_stopped(event_loop, &ledger, "what the handler captured");
        quiet(cancelled);
    });
}

// ---- producers

#[test]
fn a_producer_hears_why_once() {
    on_virtual_clock(|event_loop| {
        let seen = Seen::default();
        let heard = |name: &'static str| {
            let seen = seen.clone();
            move |reason: &CancelReason| seen.add(format!("{name}: {reason}"))
        };
        let (promise, resolver) = Promise::<u8>::with_resolvers();
        resolver.on_cancel(heard("first"));
        resolver.on_cancel(|_| panic!("bomb: a hook"));
        resolver.on_cancel(heard("second"));
        quiet_bombs();
        assert!(resolver.is_wanted());
        promise.cancel("enough");
        promise.cancel("again");
        assert_eq!(seen.take(), ["first: enough", "second: enough"]);
        assert!(!resolver.is_wanted());
        resolver.on_cancel(heard("late"));
        assert_eq!(seen.take(), ["late: enough"], "a hook that comes late runs at once");
        quiet(promise);

        let (promise, resolver) = Promise::with_resolvers();
        resolver.on_cancel(heard("settled"));
        resolver.resolve(1).unwrap();
        promise.cancel("too late");
        event_loop.run_until_idle().unwrap();
        assert_eq!(seen.take(), [""; 0]);
    });
}

// ---- cancel_on_drop

#[test]
fn cancel_on_drop_ties_the_work_to_its_handle() {
    on_virtual_clock(|event_loop| {
        let ledger = Ledger::default();
        let source = work(&ledger);
        drop(source.clone().cancel_on_drop());
        assert!(source.is_rejected(), "at once, whoever has a clone");
        assert_stopped(event_loop, &ledger, "dropped");
        assert_cancelled(event_loop, source, "dropped");

        let kept = work(&ledger).cancel_on_drop().keep();
        assert_eq!(event_loop.run(kept).unwrap(), 1);
        let settled = Promise::resolve(2);
        drop(settled.clone().cancel_on_drop());
        assert_eq!(event_loop.run(settled).unwrap(), 2);
        assert_eq!(event_loop.run(work(&ledger).cancel_on_drop()).unwrap(), 1, "it awaits as its promise does");

        // The habit of futures: a select drops what it does not need.
        let start = event_loop.handle().now();
        let chosen = event_loop.run(async {
            let both = futures::future::select(delay(SECOND), work(&ledger).cancel_on_drop());
            thenable::Ok(matches!(both.await, Either::Left((Ok(()), _loser))))
        });
        assert!(chosen.unwrap(), "the pause is shorter");
        assert_eq!(event_loop.handle().now() - start, SECOND);
        assert_stopped(event_loop, &ledger, "the loser of a select");
    });
}

#[test]
fn a_race_of_members_that_cancel_on_drop_stops_the_losers() {
    on_virtual_clock(|event_loop| {
        let (ledger, start) = (Ledger::default(), event_loop.handle().now());
        let members = || -> Vec<_> {
            let winner = Promise::delay(SECOND, 0);
            std::iter::once(winner).chain((0..10).map(|_| work(&ledger))).collect()
        };
        // The guards go when the race is over.
        let (race, guards) = guarded_race(members());
        let winner = race.finally(move || drop(guards));
        assert_eq!(event_loop.run(winner).unwrap(), 0);
        assert_stopped(event_loop, &ledger, "losers, by a handler");

        let winner = event_loop.run(async {
            let (race, _guards) = guarded_race(members());
            race.await
        });
        assert_eq!(winner.unwrap(), 0);
        assert_stopped(event_loop, &ledger, "losers, by scope");

        let members: Vec<_> = members().into_iter().map(Promise::cancel_on_drop).collect();
        let winner = event_loop.run(async { futures::future::select_all(members).await.0 });
        assert_eq!(winner.unwrap(), 0);
        assert_stopped(event_loop, &ledger, "losers of a select");
        assert_eq!(event_loop.handle().now() - start, 3 * SECOND);
    });
}

/// A race, and the guards of its members.
fn guarded_race(members: Vec<Promise<u32>>) -> (Promise<u32>, Vec<CancelOnDrop<u32>>) {
    let guards = members.iter().map(|member| member.clone().cancel_on_drop()).collect();
    (Promise::race(members), guards)
}

#[test]
fn a_race_without_guards_lets_the_losers_go_on() {
    on_virtual_clock(|event_loop| {
        let (ledger, start) = (Ledger::default(), event_loop.handle().now());
        let winner = Promise::race([Promise::delay(SECOND, 0), work(&ledger)]);
        assert_eq!(event_loop.run(winner).unwrap(), 0);
        event_loop.run_until_idle().unwrap();
        assert_eq!(event_loop.handle().now() - start, HOUR);
        ledger.assert_balanced("losers that ended by themselves");
    });
}
