//! `timeout`: when it begins, who wins at the deadline, and what it stops.

use std::time::Duration;

use thenable::{Fault, Promise, delay};

use super::{HOUR, SECOND, advance, never};
use crate::support::{Ledger, on_virtual_clock};

#[test]
fn a_timeout_starts_at_the_call() {
    const AFTER: Duration = Duration::from_secs(3);
    on_virtual_clock(|event_loop| {
        let start = event_loop.handle().now();
        let outcome = event_loop.run(async {
            let limited = never().timeout(AFTER);
            delay(2 * SECOND).await?;
            limited.await
        });
        assert_fault!(outcome, Fault::TimedOut { after: AFTER });
        assert_eq!(event_loop.handle().now() - start, AFTER);
    });
}

#[test]
fn an_outcome_at_the_deadline_is_decided_by_sequence() {
    on_virtual_clock(|event_loop| {
        let in_time = Promise::delay(SECOND, 1).timeout(SECOND);
        assert_eq!(event_loop.run(in_time).unwrap(), 1, "the delay was set first");
        let (promise, resolver) = Promise::with_resolvers();
        let late = promise.timeout(SECOND);
        delay(SECOND).map(move |()| resolver.resolve(1).is_ok());
        assert_fault!(event_loop.run(late), Fault::TimedOut { .. });
        assert_eq!(advance(event_loop), Duration::ZERO);
    });
}

#[test]
fn a_timeout_of_nothing_is_for_what_is_settled() {
    on_virtual_clock(|event_loop| {
        assert_eq!(event_loop.run(Promise::resolve(1).timeout(Duration::ZERO)).unwrap(), 1);
        assert_fault!(event_loop.run(never().timeout(Duration::ZERO)), Fault::TimedOut { after: Duration::ZERO });
        assert_eq!(advance(event_loop), Duration::ZERO);
    });
}

#[test]
fn a_timeout_that_wins_stops_the_work_unless_it_is_wanted() {
    on_virtual_clock(|event_loop| {
        let (ledger, start) = (Ledger::default(), event_loop.handle().now());
        let work = || {
            let token = ledger.token();
            Promise::spawn(async move {
                delay(HOUR).cancel_on_drop().await?;
                drop(token);
                Ok(1)
            })
        };
        assert_fault!(event_loop.run(work().timeout(SECOND)), Fault::TimedOut { .. });
        assert_eq!(advance(event_loop), Duration::ZERO, "the work's timer is gone");
        ledger.assert_balanced("work that timed out");

        let wanted = work();
        assert_fault!(event_loop.run(wanted.clone().timeout(SECOND)), Fault::TimedOut { .. });
        assert!(wanted.is_pending());
        assert_eq!(event_loop.run(wanted).unwrap(), 1, "somebody else has a handle");
        assert_eq!(event_loop.handle().now() - start, SECOND + HOUR);
    });
}
