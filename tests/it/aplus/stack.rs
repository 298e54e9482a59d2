//! C1 to C16: a handler runs on a clean stack, never inside the call that registers or settles.

use thenable::{Promise, Resolution};

use super::{ALREADY, AT_ONCE, Bench, Colour, Event, Fulfilled, LATER, Mark, R, Rejected, TIMINGS, Timing};
use super::{handler, row, rows, watch};
use crate::common::by_timer;

/// No handler has run when `then` returns, nor when the settle does.
fn not_inside_then(colour: Colour, timings: &[Timing]) {
    rows(timings, |bench, timing, when| {
        bench.settles(colour, timing, |promise| {
            bench.watch("h", promise);
            assert!(bench.log.is_empty(), "{when}: `then` has returned");
        });
        assert!(bench.log.is_empty(), "{when}: the settle has returned");
        assert_eq!(bench.finish(), [colour.event("h", &bench.mark)], "{when}");
    });
}

/// A handler added just before or just after settling, in one go of synchronous code.
fn not_inside_the_settle(colour: Colour, before: bool) {
    row(|bench: &Bench<'_>| {
        let (promise, resolver): (_, R) = Promise::pending();
        if before {
            bench.watch("h", &promise);
            colour.settle(&resolver, &bench.mark);
        } else {
            colour.settle(&resolver, &bench.mark);
            bench.watch("h", &promise);
        }
        bench.log.add(Event::Note("end of the code"));
        assert_eq!(bench.finish(), [Event::Note("end of the code"), colour.event("h", &bench.mark)]);
        promise.mark_handled();
    });
}

/// A handler added inside a handler starts after the outer one ended.
fn nested(outer: Colour, inner: Colour) {
    rows(TIMINGS, |bench, timing, when| {
        let inner_mark = Mark::new("inner");
        let inner_promise = inner.settled(&inner_mark);
        let log = bench.log.clone();
        bench.settles(outer, timing, |promise| {
            drop(promise.clone().handle(handler(&bench.log, "outer begins", move || {
                watch(&log, "inner", &inner_promise);
                log.add(Event::Note("outer ends"));
                Resolution::Resolve(Mark::new("done"))
            })));
        });
        let expected =
            [outer.event("outer begins", &bench.mark), Event::Note("outer ends"), inner.event("inner", &inner_mark)];
        assert_eq!(bench.finish(), expected, "{when}");
    });
}

/// Code after the settle in the same timer callback runs first.
fn settled_by_a_timer(colour: Colour) {
    row(|bench| {
        let (promise, resolver): (_, R) = Promise::pending();
        bench.watch("h", &promise);
        let (log, mark) = (bench.log.clone(), bench.mark.clone());
        by_timer(move || {
            colour.settle(&resolver, &mark);
            log.add(Event::Note("end of the callback"));
        });
        assert_eq!(bench.finish(), [Event::Note("end of the callback"), colour.event("h", &bench.mark)]);
        promise.mark_handled();
    });
}

#[test]
fn c1_fulfil_handler_not_inside_then_already() {
    not_inside_then(Fulfilled, ALREADY);
}

#[test]
fn c2_fulfil_handler_not_inside_then_at_once() {
    not_inside_then(Fulfilled, AT_ONCE);
}

#[test]
fn c3_fulfil_handler_not_inside_then_later() {
    not_inside_then(Fulfilled, LATER);
}

#[test]
fn c4_reject_handler_not_inside_then_already() {
    not_inside_then(Rejected, ALREADY);
}

#[test]
fn c5_reject_handler_not_inside_then_at_once() {
    not_inside_then(Rejected, AT_ONCE);
}

#[test]
fn c6_reject_handler_not_inside_then_later() {
    not_inside_then(Rejected, LATER);
}

#[test]
fn c7_fulfil_handler_added_just_before_settling() {
    not_inside_the_settle(Fulfilled, true);
}

#[test]
fn c8_fulfil_handler_added_just_after_settling() {
    not_inside_the_settle(Fulfilled, false);
}

#[test]
fn c9_reject_handler_added_just_before_settling() {
    not_inside_the_settle(Rejected, true);
}

#[test]
fn c10_reject_handler_added_just_after_settling() {
    not_inside_the_settle(Rejected, false);
}

#[test]
fn c11_fulfil_handler_inside_a_fulfil_handler() {
    nested(Fulfilled, Fulfilled);
}

#[test]
fn c12_reject_handler_inside_a_fulfil_handler() {
    nested(Fulfilled, Rejected);
}

#[test]
fn c13_fulfil_handler_inside_a_reject_handler() {
    nested(Rejected, Fulfilled);
}

#[test]
fn c14_reject_handler_inside_a_reject_handler() {
    nested(Rejected, Rejected);
}

#[test]
fn c15_fulfilled_by_a_timer_after_the_rest_of_its_callback() {
    settled_by_a_timer(Fulfilled);
}

#[test]
fn c16_rejected_by_a_timer_after_the_rest_of_its_callback() {
    settled_by_a_timer(Rejected);
}
