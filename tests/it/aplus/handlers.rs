//! H1 to H22: a handler gets its value, not too early, and once.

use std::time::Duration;

use thenable::Promise;

use super::{ALREADY, AT_ONCE, Call, Colour, Event, Fulfilled, LATER, LATER_CALLS, Mark, R, REFUSED, Rejected, Timing};
use super::{row, rows, watch};
use crate::common::MS;

/// The value or reason arrives unchanged.
fn arrives(colour: Colour, timings: &[Timing]) {
    rows(timings, |bench, timing, when| {
        bench.settles(colour, timing, |promise| bench.watch("h", promise));
        // A mark equals itself only.
        assert_eq!(bench.finish(), [colour.event("h", &bench.mark)], "{when}");
    });
}

fn not_before_it_settles(colour: Colour) {
    for by in LATER_CALLS {
        row(|bench| {
            let (promise, resolver): (_, R) = Promise::pending();
            bench.watch("h", &promise);
            let (log, mark) = (bench.log.clone(), bench.mark.clone());
            by(Box::new(move || {
                log.add(Event::Note("settles"));
                colour.settle(&resolver, &mark);
            }));
            assert_eq!(bench.finish(), [Event::Note("settles"), colour.event("h", &bench.mark)]);
            promise.mark_handled();
        });
    }
}

fn never_while_pending(side: Colour) {
    row(|bench| {
        let (promise, resolver): (_, R) = Promise::pending();
        let log = bench.log.clone();
        let derived = match side {
            Fulfilled => promise.map(move |_| log.add(Event::Note("called"))),
            Rejected => promise.map(drop).catch(move |_| log.add(Event::Note("called"))),
        };
        for ms in 1..4 {
            drop(bench.event_loop.handle().call_later(Duration::from_millis(ms), || ()));
        }
        assert_eq!(bench.finish(), []);
        assert!(derived.is_pending());
        derived.mark_handled();
        drop(resolver);
    });
}

fn once_if_settled_already(colour: Colour) {
    row(|bench| {
        let promise = colour.settled(&bench.mark);
        bench.watch("h", &promise);
        assert_eq!(bench.finish(), [colour.event("h", &bench.mark)]);
        assert_eq!(bench.finish(), [], "and never again");
        promise.mark_handled();
    });
}

/// Settled the same way twice, the second time with another mark. What was logged, and what the handler is to log.
fn settled_twice(colour: Colour, settle: impl Fn(Call, Call)) -> (Vec<Event>, Event) {
    let mut result = None;
    row(|bench| {
        let (promise, resolver): (_, R) = Promise::pending();
        bench.watch("h", &promise);
        let (mark, again, log) = (bench.mark.clone(), resolver.clone(), bench.log.clone());
        settle(
            Box::new(move || colour.settle(&resolver, &mark)),
            Box::new(move || colour.settle_again(&again, &Mark::new("again"), &log)),
        );
        result = Some((bench.finish(), colour.event("h", &bench.mark)));
        promise.mark_handled();
    });
    result.unwrap()
}

fn once_twice_now(colour: Colour) {
    let (seen, event) = settled_twice(colour, |settle, again| {
        settle();
        again();
    });
    assert_eq!(seen, [REFUSED, event]);
}

fn once_twice_later(colour: Colour) {
    for by in LATER_CALLS {
        let (seen, event) = settled_twice(colour, |settle, again| {
            by(Box::new(|| {
                settle();
                again();
            }));
        });
        assert_eq!(seen, [REFUSED, event]);
    }
}

fn once_now_and_later(colour: Colour) {
    for by in LATER_CALLS {
        let (seen, event) = settled_twice(colour, |settle, again| {
            settle();
            by(again);
        });
        assert_eq!(seen, [event, REFUSED]);
    }
}

fn three_spaced_in_time_each_once(colour: Colour) {
    row(|bench| {
        let (promise, resolver): (_, R) = Promise::pending();
        bench.watch("now", &promise);
        let handle = bench.event_loop.handle();
        for (ms, name) in [(2, "after 2 ms"), (4, "after 4 ms")] {
            let (log, promise) = (bench.log.clone(), promise.clone());
            drop(handle.call_later(ms * MS, move || watch(&log, name, &promise)));
        }
        let mark = bench.mark.clone();
        drop(handle.call_later(6 * MS, move || colour.settle(&resolver, &mark)));
        let expected = ["now", "after 2 ms", "after 4 ms"].map(|name| colour.event(name, &bench.mark));
        assert_eq!(bench.finish(), expected);
        promise.mark_handled();
    });
}

fn one_before_and_one_after_each_once(colour: Colour) {
    row(|bench| {
        let (promise, resolver): (_, R) = Promise::pending();
        bench.watch("before", &promise);
        colour.settle(&resolver, &bench.mark);
        bench.watch("after", &promise);
        assert_eq!(bench.finish(), ["before", "after"].map(|name| colour.event(name, &bench.mark)));
        promise.mark_handled();
    });
}

#[test]
fn h1_value_arrives_unchanged_already() {
    arrives(Fulfilled, ALREADY);
}

#[test]
fn h2_value_arrives_unchanged_at_once() {
    arrives(Fulfilled, AT_ONCE);
}

#[test]
fn h3_value_arrives_unchanged_later() {
    arrives(Fulfilled, LATER);
}

#[test]
fn h4_fulfil_handler_not_before_it_settles() {
    not_before_it_settles(Fulfilled);
}

#[test]
fn h5_fulfil_handler_never_while_pending() {
    never_while_pending(Fulfilled);
}

#[test]
fn h6_fulfil_handler_once_if_settled_already() {
    once_if_settled_already(Fulfilled);
}

#[test]
fn h7_fulfil_handler_once_if_resolved_twice_now() {
    once_twice_now(Fulfilled);
}

#[test]
fn h8_fulfil_handler_once_if_resolved_twice_later() {
    once_twice_later(Fulfilled);
}

#[test]
fn h9_fulfil_handler_once_if_resolved_now_and_later() {
    once_now_and_later(Fulfilled);
}

#[test]
fn h10_three_fulfil_handlers_spaced_in_time_each_once() {
    three_spaced_in_time_each_once(Fulfilled);
}

#[test]
fn h11_fulfil_handlers_before_and_after_each_once() {
    one_before_and_one_after_each_once(Fulfilled);
}

#[test]
fn h12_reason_arrives_unchanged_already() {
    arrives(Rejected, ALREADY);
}

#[test]
fn h13_reason_arrives_unchanged_at_once() {
    arrives(Rejected, AT_ONCE);
}

#[test]
fn h14_reason_arrives_unchanged_later() {
    arrives(Rejected, LATER);
}

#[test]
fn h15_reject_handler_not_before_it_settles() {
    not_before_it_settles(Rejected);
}

#[test]
fn h16_reject_handler_never_while_pending() {
    never_while_pending(Rejected);
}

#[test]
fn h17_reject_handler_once_if_settled_already() {
    once_if_settled_already(Rejected);
}

#[test]
fn h18_reject_handler_once_if_rejected_twice_now() {
    once_twice_now(Rejected);
}

#[test]
fn h19_reject_handler_once_if_rejected_twice_later() {
    once_twice_later(Rejected);
}

#[test]
fn h20_reject_handler_once_if_rejected_now_and_later() {
    once_now_and_later(Rejected);
}

#[test]
fn h21_three_reject_handlers_spaced_in_time_each_once() {
    three_spaced_in_time_each_once(Rejected);
}

#[test]
fn h22_reject_handlers_before_and_after_each_once() {
    one_before_and_one_after_each_once(Rejected);
}
