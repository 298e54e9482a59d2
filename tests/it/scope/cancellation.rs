//! Scopes that are cancelled.

use thenable::{CancelOutcome, Fault, Promise, Result, Scope, delay, scope};

use super::{SEC, hour, text};
use crate::common::Seen;
use crate::support::{Ledger, on_loop, on_virtual_clock};

#[test]
fn cancelling_the_promise_waits_for_the_children() {
    on_virtual_clock(|event_loop| {
        let ledger = Ledger::default();
        let tokens = [ledger.token(), ledger.token(), ledger.token()];
        let whole = scope(async move |s: Scope| {
            let [a, b, c] = tokens;
            s.spawn(hour(a));
            s.run(|| Promise::spawn(hour(b)));
            hour(c).await
        });
        event_loop.run(delay(SEC)).unwrap();
        assert_eq!(whole.cancel("closing"), CancelOutcome::Cancelled);
        assert!(whole.is_pending(), "the children are asked, and not gone yet");
        assert_eq!(whole.cancel("again"), CancelOutcome::Cancelled);
        let then = ledger.clone();
        // A handler runs before any task has its next turn.
        let whole = whole.tap_err(move |_| then.assert_balanced("gone when the handler runs"));
        assert_eq!(text(event_loop.run(whole)), "cancelled: closing");
    });
}

#[test]
fn the_first_of_two_cancellations_counts() {
    on_loop(|event_loop| {
        let reasons = Seen::default();
        let heard = reasons.clone();
        let outcome = event_loop.run(scope(async move |s| {
            let (child, resolver) = Promise::<()>::with_resolvers();
            resolver.on_cancel(move |reason| heard.add(reason.to_string()));
            s.spawn(child).mark_handled();
            s.cancel("first");
            s.cancel("second");
            std::future::pending::<Result<()>>().await
        }));
        assert_eq!(text(outcome), "cancelled: first");
        assert_eq!(reasons.take(), ["first"]);
    });
}

#[test]
fn cancelling_reaches_a_scope_upstream() {
    on_virtual_clock(|event_loop| {
        let ledger = Ledger::default();
        let sleeper = || {
            let token = ledger.token();
            scope(async move |s| s.spawn(hour(token)).await)
        };
        let mapped = sleeper().map(drop);
        event_loop.run(delay(SEC)).unwrap();
        mapped.cancel("upstream");
        assert!(mapped.is_rejected());
        event_loop.run_until_idle().unwrap();
        ledger.assert_balanced("by a derived promise");

        let late = sleeper().timeout(SEC);
        assert_fault!(event_loop.run(late), Fault::TimedOut { .. });
        event_loop.run_until_idle().unwrap();
        ledger.assert_balanced("by a timeout");

        let guard = sleeper().cancel_on_drop();
        event_loop.run(delay(SEC)).unwrap();
        drop(guard);
        event_loop.run_until_idle().unwrap();
        ledger.assert_balanced("by a guard");

        let (kept, shield) = (sleeper(), ());
        let clone = kept.clone();
        let derived = kept.map(move |()| shield);
        event_loop.run(delay(SEC)).unwrap();
        derived.cancel("not the last consumer");
        event_loop.run(delay(SEC)).unwrap();
        assert!(clone.is_pending() && ledger.dropped() < ledger.created());
        clone.cancel("now");
        assert_fault!(event_loop.run(clone), Fault::Cancelled { .. });
        ledger.assert_balanced("by a clone");
    });
}

#[test]
fn a_failure_while_it_is_being_cancelled_is_the_reason() {
    on_virtual_clock(|event_loop| {
        let outcome = event_loop.run(scope(async |s: Scope| {
            let inner = s.clone();
            s.spawn(async move {
                inner.cancel("from inside of the step that fails");
                Err::<(), _>("the last word".into())
            });
            hour(()).await
        }));
        assert_eq!(text(outcome), "the last word");
    });
}

#[test]
fn a_failure_before_the_cancellation_is_the_reason() {
    on_virtual_clock(|event_loop| {
        let (fails, resolver) = Promise::<()>::with_resolvers();
        let whole = scope(async |s: Scope| {
            s.spawn(fails);
            hour(()).await
        });
        event_loop.run(delay(SEC)).unwrap();
        resolver.reject("was there first".into()).unwrap();
        whole.cancel("too late");
        assert_eq!(text(event_loop.run(whole)), "was there first");
    });
}

#[test]
fn dropping_the_promise_cancels_nothing() {
    on_virtual_clock(|event_loop| {
        let seen = Seen::default();
        let late = seen.noting(());
        drop(scope(async move |s| s.spawn(delay(SEC).map(late)).await));
        event_loop.run_until_idle().unwrap();
        assert_eq!(seen.len(), 1);
    });
}

#[test]
fn cancel_before_the_body_was_polled() {
    on_loop(|event_loop| {
        let ledger = Ledger::default();
        let token = ledger.token();
        let whole = scope(|_| async move {
            drop(token);
            panic!("was cancelled")
        });
        let whole: Promise<()> = whole;
        whole.cancel("at once");
        assert_eq!(text(event_loop.run(whole)), "cancelled: at once");
        ledger.assert_balanced("body");
    });
}
