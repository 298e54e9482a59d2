//! Abort signals: every helper follows one, later and at once, and its work stops.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures::StreamExt;
use thenable::{
    AbortController, AbortSignal, AggregateError, EventLoop, ExecutorExt, Fault, Promise, Rejection, Retry, ThreadPool,
    WaitFor, interval, wait_for, wait_for_within,
};

use super::{HOUR, SECOND, assert_cancelled, assert_stopped, work};
use crate::common::Seen;
use crate::support::{LIMIT, Ledger, eventually, on_loop, on_virtual_clock, scaled};

/// The promise of a helper follows a signal: one that aborts after a second, and one that aborted before.
#[track_caller]
fn assert_aborts<T, E>(what: &str, helper: impl Fn(&Ledger, &AbortSignal) -> Promise<T, E>)
where
    T: Send + 'static,
    E: Display + From<Fault> + Send + 'static,
{
    let aborted = |event_loop: &EventLoop, promise: Promise<T, E>, took: Duration, ledger: &Ledger| {
        let start = event_loop.handle().now();
        let Err(why) = event_loop.run(promise) else { panic!("{what}: a value") };
        assert!(why.to_string().contains("cancelled: enough"), "{what}: {why}");
        assert_eq!(event_loop.handle().now() - start, took, "{what}");
        assert_stopped(event_loop, ledger, what);
    };
    on_virtual_clock(|event_loop| {
        let (ledger, controller) = (Ledger::default(), AbortController::new());
        let promise = helper(&ledger, &controller.signal());
        let stopper = controller.clone();
        event_loop.handle().call_later(SECOND, move || stopper.abort("enough"));
        aborted(event_loop, promise, SECOND, &ledger);
        assert!(ledger.created() > 0, "{what}: work was under way");

        let promise = helper(&ledger, &controller.signal());
        assert!(!promise.is_pending(), "{what}: rejects at once");
        aborted(event_loop, promise, Duration::ZERO, &ledger);
    });
}

#[test]
fn sources_follow_a_signal() {
    assert_aborts("spawn", |ledger, signal| work(ledger).abort_on(signal));
    assert_aborts("delay", |ledger, signal| Promise::delay(HOUR, ledger.token()).abort_on(signal));
    assert_aborts("from_future", |ledger, signal| {
        let token = ledger.token();
        let future = async move {
            futures::future::pending::<()>().await;
            drop(token);
            Ok::<_, String>(())
        };
        Promise::from_future(future).abort_on(signal)
    });
    assert_aborts("interval", |ledger, signal| {
        let token = ledger.token();
        let endless = async move {
            let last = interval(10 * SECOND).fold(0, async |_, tick| tick).await;
            drop(token);
            Ok(last)
        };
        Promise::spawn(endless).abort_on(signal)
    });
    assert_aborts("timeout", |ledger, signal| work(ledger).timeout(2 * HOUR).abort_on(signal));
    assert_aborts("timeout of what follows", |ledger, signal| work(ledger).abort_on(signal).timeout(2 * HOUR));
}

#[test]
fn combinators_follow_a_signal() {
    fn three(ledger: &Ledger) -> [Promise<u32>; 3] {
        [(); 3].map(|()| work(ledger))
    }
    assert_aborts("all", |ledger, signal| Promise::all(three(ledger)).abort_on(signal));
    assert_aborts("all_settled", |ledger, signal| Promise::all_settled(three(ledger)).abort_on(signal));
    assert_aborts("any", |ledger, signal| Promise::any(three(ledger)).map_err(first_reason).abort_on(signal));
    assert_aborts("race", |ledger, signal| Promise::race(three(ledger)).abort_on(signal));
    assert_aborts("some", |ledger, signal| Promise::some(2, three(ledger)).map_err(first_reason).abort_on(signal));
    assert_aborts("join", |ledger, signal| Promise::join((work(ledger), work(ledger).map(|n| n > 1))).abort_on(signal));
    assert_aborts("all_keyed, ordered", |ledger, signal| {
        Promise::all_keyed(BTreeMap::from([("a", work(ledger)), ("b", work(ledger))])).abort_on(signal)
    });
    assert_aborts("all_keyed, hashed", |ledger, signal| {
        Promise::all_keyed(HashMap::from([("a", work(ledger)), ("b", work(ledger))])).abort_on(signal)
    });
    assert_aborts("wait_for", |ledger, signal| wait_for(three(ledger), WaitFor::All).abort_on(signal));
    assert_aborts("wait_for_within", |ledger, signal| {
        wait_for_within(three(ledger), WaitFor::All, 2 * HOUR).abort_on(signal)
    });
}

fn first_reason(why: AggregateError) -> Rejection {
    why.errors.into_iter().next().unwrap_or_else(|| "no reason".into())
}

#[test]
fn helpers_for_many_inputs_follow_a_signal() {
    assert_aborts("map_limit", |ledger, signal| {
        let ledger = ledger.clone();
        Promise::map_limit(0..100, 3, move |_| work(&ledger)).abort_on(signal)
    });
    assert_aborts("series", |ledger, signal| {
        let ledger = ledger.clone();
        Promise::series(0..100, move |_| work(&ledger)).abort_on(signal)
    });
    assert_aborts("reduce", |ledger, signal| {
        let ledger = ledger.clone();
        Promise::reduce(0..100, 0, move |sum, _| work(&ledger).map(move |n| sum + n)).abort_on(signal)
    });
    assert_aborts("retry, in an attempt", |ledger, signal| {
        let ledger = ledger.clone();
        Promise::retry(Retry::times(9).abort_on(signal), move |_| work(&ledger))
    });
    assert_aborts("retry, in a pause", |ledger, signal| {
        let token = ledger.token();
        Promise::retry(Retry::times(9).delay(HOUR).abort_on(signal), move |_| {
            let _held = &token;
            Promise::<u8>::reject("again")
        })
    });
}

#[test]
fn jobs_of_a_pool_follow_a_signal() {
    on_loop(|event_loop| {
        let (pool, controller) = (ThreadPool::new(1), AbortController::new());
        let (began, begun) = mpsc::channel();
        let running = pool.submit_with(move |token| {
            began.send(()).unwrap();
            while !token.aborted() {
                thread::yield_now();
            }
            token.reason().map(|reason| reason.to_string())
        });
        let running = running.abort_on(&controller.signal());
        let queued = pool.submit(|| panic!("a job that was aborted in the queue")).abort_on(&controller.signal());
        let mapped = pool.map(0..1000, |_| panic!("an input that was aborted")).abort_on(&controller.signal());
        begun.recv_timeout(scaled(LIMIT)).unwrap();
        controller.abort("enough");
        assert_cancelled(event_loop, running, "enough");
        assert_cancelled::<()>(event_loop, queued, "enough");
        assert_cancelled::<Vec<()>>(event_loop, mapped, "enough");
        eventually("the job that ran has seen its token", || pool.stats().running == 0);
        assert_eq!(event_loop.run(pool.submit(|| 1)).unwrap(), 1, "the pool goes on");
    });
}

#[test]
fn one_signal_stops_all_that_follow_it_in_order() {
    on_virtual_clock(|event_loop| {
        let (ledger, controller, seen) = (Ledger::default(), AbortController::new(), Seen::default());
        for number in 0..100 {
            let seen = seen.clone();
            work(&ledger).abort_on(&controller.signal()).catch(move |_| {
                seen.add(number);
                Ok(0)
            });
        }
        event_loop.handle().call_later(SECOND, move || controller.abort("enough"));
        event_loop.run_until_idle().unwrap();
        assert_eq!(seen.take(), (0..100).collect::<Vec<_>>());
        assert_stopped(event_loop, &ledger, "all that followed");
    });
}

#[test]
fn signals_of_time_of_several_and_of_a_parent() {
    on_virtual_clock(|event_loop| {
        let (ledger, parent, start) = (Ledger::default(), AbortController::new(), event_loop.handle().now());
        let by_time = work(&ledger).abort_on(&AbortSignal::timeout(SECOND));
        let either = AbortSignal::any([parent.signal(), AbortSignal::timeout(2 * SECOND)]);
        let by_either = work(&ledger).abort_on(&either);
        let child = parent.signal().child();
        let by_parent = work(&ledger).abort_on(&child.signal());
        let stopper = parent.clone();
        event_loop.handle().call_later(3 * SECOND, move || stopper.abort("closing"));
        for (promise, reason, at) in [(by_time, "timed out", 1), (by_either, "timed out", 2), (by_parent, "closing", 3)]
        {
            assert_cancelled(event_loop, promise, reason);
            assert_eq!(event_loop.handle().now() - start, at * SECOND);
        }
        assert_stopped(event_loop, &ledger, "work of three signals");
    });
}
