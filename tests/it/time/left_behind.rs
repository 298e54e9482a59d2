//! What is over leaves no timer: the virtual clock stands still where nothing is left to wait for.

use std::time::Duration;

use futures::StreamExt;
use thenable::{AbortSignal, CancelOutcome, Fault, Promise, Retry, WaitFor, delay, interval, wait_for_within};

use super::{HOUR, MINUTE, SECOND, advance, never};
use crate::support::{Ledger, on_virtual_clock};

#[test]
fn cancelled_timers_are_gone() {
    on_virtual_clock(|event_loop| {
        let (ledger, handle) = (Ledger::default(), event_loop.handle());
        let timers: Vec<_> = (0..100_u32)
            .map(|n| {
                let token = ledger.token();
                handle.call_later(n * HOUR, move || drop(token))
            })
            .collect();
        assert!(timers.iter().all(|timer| timer.cancel()));
        assert!(timers.iter().all(|timer| !timer.cancel()), "once");
        ledger.assert_balanced("closures of timers that were cancelled");
        assert_eq!(advance(event_loop), Duration::ZERO);
    });
}

#[test]
fn a_cancelled_delay_leaves_no_timer_and_no_value() {
    on_virtual_clock(|event_loop| {
        let ledger = Ledger::default();
        let promise = Promise::delay(HOUR, ledger.token());
        assert_eq!(promise.cancel("enough"), CancelOutcome::Cancelled);
        ledger.assert_balanced("values of cancelled delays");
        assert_eq!(advance(event_loop), Duration::ZERO);
        assert_eq!(promise.cancel("again"), CancelOutcome::AlreadySettled);
    });
}

#[test]
fn a_timeout_that_loses_leaves_no_timer() {
    on_virtual_clock(|event_loop| {
        let (in_time, resolver) = Promise::with_resolvers();
        let in_time = in_time.timeout(HOUR);
        resolver.resolve(1).unwrap();
        let (in_vain, resolver) = Promise::<u8>::with_resolvers();
        let in_vain = in_vain.timeout(HOUR);
        resolver.reject("in vain".into()).unwrap();
        let (abandoned, resolver) = Promise::<u8>::with_resolvers();
        let abandoned = abandoned.timeout(HOUR);
        drop(resolver);
        let cancelled = never().timeout(HOUR);
        cancelled.cancel("enough");
        let settled = Promise::resolve(2).timeout(HOUR);
        let nested = Promise::delay(SECOND, 3).timeout(MINUTE).timeout(HOUR);

        assert_eq!(advance(event_loop), SECOND, "not a moment longer than the slowest outcome");
        assert_eq!(event_loop.run(in_time).unwrap(), 1);
        assert_eq!(event_loop.run(in_vain).unwrap_err().to_string(), "in vain");
        assert_fault!(event_loop.run(abandoned), Fault::Abandoned { .. });
        assert_fault!(event_loop.run(cancelled), Fault::Cancelled { .. });
        assert_eq!(event_loop.run(settled).unwrap(), 2);
        assert_eq!(event_loop.run(nested).unwrap(), 3);
    });
}

#[test]
fn ten_thousand_timeouts_that_lose_leave_no_timer() {
    on_virtual_clock(|event_loop| {
        let start = event_loop.handle().now();
        let run = event_loop.run(async {
            for _ in 0..10_000 {
                delay(Duration::from_millis(1)).timeout(HOUR).await?;
            }
            thenable::Ok(())
        });
        run.unwrap();
        assert_eq!(event_loop.handle().now() - start, 10 * SECOND);
        assert_eq!(advance(event_loop), Duration::ZERO);
    });
}

#[test]
fn helpers_that_are_over_leave_no_timer() {
    on_virtual_clock(|event_loop| {
        let short = || delay(SECOND);
        let waited = wait_for_within([short()], WaitFor::All, HOUR);
        assert_eq!(advance(event_loop), SECOND, "wait_for_within");
        assert_eq!(event_loop.run(waited).unwrap().done.len(), 1);

        let ticks = event_loop.run(async { thenable::Ok(interval(HOUR).take(2).collect::<Vec<_>>().await) });
        assert_eq!(ticks.unwrap(), [0, 1]);
        assert_eq!(advance(event_loop), Duration::ZERO, "interval");

        let signal = AbortSignal::timeout(HOUR);
        let aborted = short().abort_on(&signal);
        drop(signal);
        assert_eq!(advance(event_loop), SECOND, "a signal that nobody can see any more");
        assert!(aborted.is_fulfilled());

        let retried = Promise::retry(Retry::times(3).delay(HOUR), |_| Promise::<u8>::reject("no"));
        let stopper = retried.clone();
        event_loop.handle().call_later(SECOND, move || {
            stopper.cancel("enough");
        });
        assert_eq!(advance(event_loop), SECOND, "a retry that was cancelled in a pause");
        assert_fault!(event_loop.run(retried), Fault::Cancelled { .. });
    });
}
