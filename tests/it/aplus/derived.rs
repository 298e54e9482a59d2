//! R1 to R5: what `then` returns.

use thenable::{Fault, Promise, Rejection, Resolution};

use super::{Cause, Colour, Event, Fulfilled, Mark, P, Rejected, TIMINGS, handler, row, rows};
use crate::common::quiet;
use crate::support::quiet_bombs;

#[test]
fn r1_then_always_returns_a_new_promise() {
    for colour in [Fulfilled, Rejected] {
        row(|bench| {
            let promise = colour.settled(&bench.mark);
            let derived: [(&str, P); 8] = [
                ("then", promise.clone().then(Ok)),
                ("then_or", promise.clone().then_or(Ok, Err)),
                ("catch", promise.clone().catch(Err)),
                ("catch_if", promise.clone().catch_if(|_| false, Err)),
                ("finally", promise.clone().finally(|| ())),
                ("map", promise.clone().map(|mark| mark)),
                ("tap", promise.clone().tap(|_| ())),
                ("map_err", promise.clone().map_err(|cause| cause)),
            ];
            assert!(promise.is_settled());
            for (method, derived) in &derived {
                assert!(derived.is_pending(), "{method}: its outcome is its own, and not there yet");
            }
            bench.finish();
            for (method, derived) in derived {
                assert_eq!(derived.state(), promise.state(), "{method}: passed on");
                quiet(derived);
            }
            quiet(promise);
        });
    }
}

/// A handler throws: the derived promise is rejected with that very cause.
fn throws(colour: Colour) {
    rows(TIMINGS, |bench, timing, when| {
        let thrown = Mark::new("thrown");
        let cause = Cause::Mark(thrown.clone());
        bench.settles(colour, timing, |promise| {
            let derived = promise.clone().handle(handler(&bench.log, "h", move || Resolution::Reject(cause)));
            bench.watch("derived", &derived);
        });
        let expected = [colour.event("h", &bench.mark), Event::Reason("derived", thrown)];
        assert_eq!(bench.finish(), expected, "{when}: a reason");
    });
    quiet_bombs();
    rows(TIMINGS, |bench, timing, when| {
        bench.settles(colour, timing, |promise| {
            let derived = promise.clone().handle(handler(&bench.log, "h", || panic!("bomb: thrown")));
            bench.watch("derived", &derived);
        });
        let fault = Fault::Panicked { message: "bomb: thrown".into(), at: None };
        let events = bench.finish();
        assert_eq!(events.len(), 2, "{when}: a panic");
        assert_eq!(events[0], colour.event("h", &bench.mark), "{when}: a panic");
        // The text goes on with where the handler was registered.
        let Event::Fault("derived", text) = &events[1] else { panic!("{when}: {events:?}") };
        assert!(text.starts_with(&fault.to_string()), "{when}: {text}");
    });
}

/// A reason that is a promise.
enum Held {
    Promise(Promise<u8>),
    Fault,
}

impl From<Fault> for Held {
    fn from(_: Fault) -> Self {
        Self::Fault
    }
}

/// A cause that is a promise arrives as that promise, not as its outcome.
fn throws_a_promise(colour: Colour) {
    row(|bench| {
        let (inner, resolver) = Promise::<u8>::with_resolvers();
        let source: Promise<(), Held> = match colour {
            Fulfilled => Promise::fulfilled(()),
            Rejected => Promise::rejected(Held::Fault),
        };
        let derived = source.handle(move |_| Err::<(), _>(Held::Promise(inner)));
        let log = bench.log.clone();
        let caught = derived.catch(move |held| {
            log.add(Event::Note(match held {
                Held::Promise(inner) if inner.is_pending() => "the pending promise itself",
                Held::Promise(_) => "a settled promise",
                Held::Fault => "a fault",
            }));
        });
        assert_eq!(bench.finish(), [Event::Note("the pending promise itself")]);
        assert!(caught.is_fulfilled());
        drop(resolver);
    });
}

#[test]
fn r2_a_fulfil_handler_that_throws_rejects_with_that_very_cause() {
    throws(Fulfilled);
    throws_a_promise(Fulfilled);
}

#[test]
fn r3_a_reject_handler_that_throws_rejects_with_that_very_cause() {
    throws(Rejected);
    throws_a_promise(Rejected);
}

#[test]
fn r4_an_absent_fulfil_handler_passes_the_value_on() {
    rows(TIMINGS, |bench, timing, when| {
        bench.settles(Fulfilled, timing, |promise| {
            bench.watch("one link", &promise.clone().catch(Err));
            let chain = promise.clone().catch(Err).catch_if(|_| true, Err).catch(|_| Ok(Mark::new("other")));
            bench.watch("three links", &chain);
        });
        let expected = ["one link", "three links"].map(|name| Event::Value(name, bench.mark.clone()));
        assert_eq!(bench.finish(), expected, "{when}");
    });
}

#[test]
fn r5_an_absent_reject_handler_passes_the_reason_on() {
    rows(TIMINGS, |bench, timing, when| {
        bench.settles(Rejected, timing, |promise| {
            bench.watch("one link", &promise.clone().then(Ok));
            let chain = promise.clone().map(drop).map(|()| 1).then(|_| Ok(Mark::new("other")));
            bench.watch("three links", &chain);
        });
        let expected = ["one link", "three links"].map(|name| Event::Reason(name, bench.mark.clone()));
        assert_eq!(bench.finish(), expected, "{when}");
    });
    // The dynamic reason is the same error, too.
    row(|bench| {
        let reason = Rejection::new(std::fmt::Error);
        let error: *const std::fmt::Error = reason.downcast_ref().unwrap();
        let passed = bench.event_loop.run(Promise::<u8>::reject(reason).map(|n| n + 1).map(|n| n + 1)).unwrap_err();
        assert!(std::ptr::eq(passed.downcast_ref().unwrap(), error));
    });
}
