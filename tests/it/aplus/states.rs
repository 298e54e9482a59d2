//! S1 to S12: once settled, a promise never becomes anything else.

use thenable::{Promise, State};

use super::{
    ALREADY, AT_ONCE, Call, Colour, Event, Fulfilled, LATER, LATER_CALLS, Mark, R, REFUSED, Rejected, Timing, row, rows,
};

/// Only the handler of this colour runs.
fn one_side_only(colour: Colour, timings: &[Timing]) {
    rows(timings, |bench, timing, when| {
        let promise = bench.settles(colour, timing, |promise| {
            bench.watch("h", promise);
            promise.clone()
        });
        assert_eq!(bench.finish(), [colour.event("h", &bench.mark)], "{when}");
        let state = if colour == Fulfilled { State::Fulfilled } else { State::Rejected };
        assert_eq!(promise.state(), state, "{when}");
        promise.mark_handled();
    });
}

/// Settled this way first and the other way second: what was logged, and what the handler is to log.
fn both_ways(first: Colour, settle: impl Fn(Call, Call)) -> (Vec<Event>, Event) {
    let mut result = None;
    row(|bench| {
        let (promise, resolver): (_, R) = Promise::pending();
        bench.watch("h", &promise);
        let (mark, again, log) = (bench.mark.clone(), resolver.clone(), bench.log.clone());
        let second = if first == Fulfilled { Rejected } else { Fulfilled };
        settle(
            Box::new(move || first.settle(&resolver, &mark)),
            Box::new(move || second.settle_again(&again, &Mark::new("too late"), &log)),
        );
        result = Some((bench.finish(), first.event("h", &bench.mark)));
        promise.mark_handled();
    });
    result.unwrap()
}

fn both_now(first: Colour) {
    let (seen, event) = both_ways(first, |settle, again| {
        settle();
        again();
    });
    assert_eq!(seen, [REFUSED, event]);
}

fn both_later(first: Colour) {
    for by in LATER_CALLS {
        let (seen, event) = both_ways(first, |settle, again| {
            by(Box::new(|| {
                settle();
                again();
            }));
        });
        assert_eq!(seen, [REFUSED, event]);
    }
}

fn now_and_later(first: Colour) {
    for by in LATER_CALLS {
        let (seen, event) = both_ways(first, |settle, again| {
            settle();
            by(again);
        });
        assert_eq!(seen, [event, REFUSED]);
    }
}

#[test]
fn s1_fulfilled_never_calls_the_reject_handler_already() {
    one_side_only(Fulfilled, ALREADY);
}

#[test]
fn s2_fulfilled_never_calls_the_reject_handler_at_once() {
    one_side_only(Fulfilled, AT_ONCE);
}

#[test]
fn s3_fulfilled_never_calls_the_reject_handler_later() {
    one_side_only(Fulfilled, LATER);
}

#[test]
fn s4_fulfil_then_reject_both_now() {
    both_now(Fulfilled);
}

#[test]
fn s5_fulfil_then_reject_both_later() {
    both_later(Fulfilled);
}

#[test]
fn s6_fulfil_now_then_reject_later() {
    now_and_later(Fulfilled);
}

#[test]
fn s7_rejected_never_calls_the_fulfil_handler_already() {
    one_side_only(Rejected, ALREADY);
}

#[test]
fn s8_rejected_never_calls_the_fulfil_handler_at_once() {
    one_side_only(Rejected, AT_ONCE);
}

#[test]
fn s9_rejected_never_calls_the_fulfil_handler_later() {
    one_side_only(Rejected, LATER);
}

#[test]
fn s10_reject_then_fulfil_both_now() {
    both_now(Rejected);
}

#[test]
fn s11_reject_then_fulfil_both_later() {
    both_later(Rejected);
}

#[test]
fn s12_reject_now_then_fulfil_later() {
    now_and_later(Rejected);
}
