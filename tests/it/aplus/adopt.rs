//! X1 to X17: resolving a promise with a promise.

use std::sync::{Arc, Mutex};

use thenable::{Fault, Promise, Rejection, Resolution};

use super::{ALREADY, AT_ONCE, Bench, Cause, Colour, Event, Fulfilled, LATER, Mark, P, R, REFUSED, Rejected, TIMINGS};
use super::{Timing, handler, row, rows, watch};
use crate::common::{MS, outcome, quiet};
use crate::support::{on_loop, quiet_bombs};

/// The handler returns the promise that `then` returned.
fn returns_its_own(colour: Colour) {
    rows(TIMINGS, |bench, timing, when| {
        let own: Arc<Mutex<Option<P>>> = Arc::default();
        let take = Arc::clone(&own);
        bench.settles(colour, timing, |promise| {
            let derived = promise.clone().handle(handler(&bench.log, "h", move || {
                take.lock().unwrap().take().map_or(Resolution::Resolve(Mark::new("none")), Resolution::Adopt)
            }));
            *own.lock().unwrap() = Some(derived.clone());
            bench.watch("derived", &derived);
        });
        let expected = [colour.event("h", &bench.mark), Event::Fault("derived", Fault::Cycle.to_string())];
        assert_eq!(bench.finish(), expected, "{when}");
    });
}

#[test]
fn x1_a_fulfil_handler_that_returns_its_own_promise_rejects() {
    returns_its_own(Fulfilled);
}

#[test]
fn x2_a_reject_handler_that_returns_its_own_promise_rejects() {
    returns_its_own(Rejected);
}

#[test]
fn x3_an_adopted_pending_promise_keeps_the_outer_one_pending() {
    for colour in [Fulfilled, Rejected] {
        row(|bench| {
            let (inner, resolver): (P, R) = Promise::pending();
            let returned = inner.clone();
            let derived = colour.settled(&bench.mark).handle(|_| returned);
            let (outer, outer_resolver): (P, R) = Promise::pending();
            outer_resolver.adopt(inner).unwrap();
            bench.watch("derived", &derived);
            bench.watch("outer", &outer);
            drop(bench.event_loop.handle().call_later(MS, || ()));
            assert_eq!(bench.finish(), []);
            assert!(derived.is_pending() && outer.is_pending());
            quiet(derived);
            quiet(outer);
            drop(resolver);
        });
    }
}

/// The outer promise takes over the outcome of the adopted one: returned by a handler of either colour, and by `adopt`.
fn carried_over(inner: Colour, timings: &[Timing]) {
    rows(timings, |bench, timing, when| {
        let (outer, resolver): (P, R) = Promise::pending();
        let derived = bench.settles(inner, timing, |adopted| {
            assert!(resolver.adopt(adopted.clone()).is_ok(), "{when}");
            [Fulfilled, Rejected].map(|colour| {
                let adopted = adopted.clone();
                colour.settled(&Mark::new("outer")).handle(|_| adopted)
            })
        });
        bench.watch("adopt", &outer);
        bench.watch("then", &derived[0]);
        bench.watch("catch", &derived[1]);
        let mut seen = bench.finish();
        seen.sort_by_key(|event| match event {
            Event::Value(name, _) | Event::Reason(name, _) | Event::Fault(name, _) | Event::Note(name) => *name,
        });
        assert_eq!(seen, ["adopt", "catch", "then"].map(|name| inner.event(name, &bench.mark)), "{when}");
        quiet(outer);
        derived.into_iter().for_each(quiet);
    });
}

#[test]
fn x4_adopted_and_fulfilled_already() {
    carried_over(Fulfilled, ALREADY);
}

#[test]
fn x5_adopted_and_fulfilled_later() {
    carried_over(Fulfilled, AT_ONCE);
    carried_over(Fulfilled, LATER);
}

#[test]
fn x6_adopted_and_rejected_already() {
    carried_over(Rejected, ALREADY);
}

#[test]
fn x7_adopted_and_rejected_later() {
    carried_over(Rejected, AT_ONCE);
    carried_over(Rejected, LATER);
}

/// Locked in to a pending promise; then somebody settles the outer one in vain.
fn locked_in(inner: Colour, settle_again: impl Fn(&Bench<'_>, &R)) {
    rows(&[Timing::AtOnce, Timing::ByJob, Timing::ByTimer], |bench, timing, when| {
        let (outer, resolver): (P, R) = Promise::pending();
        bench.settles(inner, timing, |adopted| assert!(resolver.adopt(adopted.clone()).is_ok()));
        bench.watch("outer", &outer);
        settle_again(bench, &resolver);
        assert!(outer.is_pending(), "{when}");
        assert_eq!(bench.finish(), [REFUSED, inner.event("outer", &bench.mark)], "{when}");
        settle_again(bench, &resolver);
        assert_eq!(bench.finish(), [REFUSED], "{when}: settled, too");
        quiet(outer);
    });
}

fn then_settled(inner: Colour, again: Colour) {
    locked_in(inner, |bench, resolver| again.settle_again(resolver, &Mark::new("refused"), &bench.log));
}

fn then_adopting_again(inner: Colour) {
    locked_in(inner, |bench, resolver| {
        let other = Mark::new("other");
        match resolver.adopt(Promise::fulfilled(other.clone())) {
            Err(back) if matches!(back.peek(), Some(Ok(mark)) if *mark == other) => bench.log.add(REFUSED),
            _ => bench.log.add(Event::Note("adopted twice")),
        }
    });
}

#[test]
fn x8_locked_in_then_resolved_the_inner_one_fulfils() {
    then_settled(Fulfilled, Fulfilled);
}

#[test]
fn x9_locked_in_then_resolved_the_inner_one_rejects() {
    then_settled(Rejected, Fulfilled);
}

#[test]
fn x10_locked_in_then_rejected_the_inner_one_fulfils() {
    then_settled(Fulfilled, Rejected);
}

#[test]
fn x11_locked_in_then_rejected_the_inner_one_rejects() {
    then_settled(Rejected, Rejected);
}

#[test]
fn x12_locked_in_then_adopting_again_the_inner_one_fulfils() {
    then_adopting_again(Fulfilled);
}

#[test]
fn x13_locked_in_then_adopting_again_the_inner_one_rejects() {
    then_adopting_again(Rejected);
}

#[test]
fn x14_a_resolver_that_is_kept_and_abused_changes_nothing() {
    for colour in [Fulfilled, Rejected] {
        rows(TIMINGS, |bench, timing, when| {
            let (promise, resolver): (P, R) = Promise::pending();
            let abuse = {
                let (resolver, log) = (resolver.clone(), bench.log.clone());
                move || {
                    for again in [Fulfilled, Rejected, Fulfilled] {
                        again.settle_again(&resolver, &Mark::new("abuse"), &log);
                    }
                }
            };
            let mark = bench.mark.clone();
            let inside = abuse.clone();
            drop(promise.clone().handle(handler(&bench.log, "h", move || {
                inside();
                Resolution::Resolve(Mark::new("done"))
            })));
            let settle = move || {
                colour.settle(&resolver, &mark);
                abuse();
            };
            match timing {
                Timing::Already | Timing::AtOnce => settle(),
                Timing::ByJob => drop(bench.event_loop.handle().call_soon(settle)),
                Timing::ByTimer => crate::common::by_timer(settle),
            }
            let mut seen = bench.finish();
            let refused = seen.iter().filter(|event| **event == REFUSED).count();
            seen.retain(|event| *event != REFUSED);
            assert_eq!((seen, refused), (vec![colour.event("h", &bench.mark)], 6), "{when}");
            watch(&bench.log, "late", &promise);
            assert_eq!(bench.finish(), [colour.event("late", &bench.mark)], "{when}: the outcome stays");
            quiet(promise);
        });
    }
}

#[test]
fn x15_an_executor_that_throws_after_it_settled_is_ignored() {
    quiet_bombs();
    on_loop(|event_loop| {
        let fulfilled = Promise::new(|resolve, _| {
            resolve(1);
            panic!("bomb: after resolve");
        });
        assert_eq!(outcome(event_loop, fulfilled), "Ok(1)");
        let rejected = Promise::<i32>::new(|_, reject| {
            reject("first".into());
            panic!("bomb: after reject");
        });
        assert_eq!(outcome(event_loop, rejected), "Err(first)");
        let both = Promise::new(|resolve, reject| {
            resolve(1);
            reject("second".into());
            resolve(3);
        });
        assert_eq!(outcome(event_loop, both), "Ok(1)");
    });
}

#[test]
fn x16_an_executor_that_throws_before_it_settled_rejects() {
    quiet_bombs();
    on_loop(|event_loop| {
        let kept = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&kept);
        let promise = Promise::<i32>::new(move |resolve, _| {
            *keep.lock().unwrap() = Some(resolve);
            panic!("bomb: executor");
        });
        let resolve = kept.lock().unwrap().take().unwrap();
        resolve(1);
        let why = event_loop.run(promise).unwrap_err();
        assert!(matches!(why.fault(), Some(Fault::Panicked { message, .. }) if message == "bomb: executor"), "{why:?}");
    });
}

/// So many promises, each resolved with the next one.
fn ladder(length: usize, innermost: P) -> P {
    (0..length).fold(innermost, |inner, _| {
        let (outer, resolver): (P, R) = Promise::pending();
        assert!(resolver.adopt(inner).is_ok());
        outer
    })
}

#[test]
fn x17_promises_of_promises_flatten() {
    for colour in [Fulfilled, Rejected] {
        for length in [1, 2, 1000] {
            rows(TIMINGS, |bench, timing, when| {
                bench.settles(colour, timing, |innermost| {
                    let outermost = ladder(length, innermost.clone());
                    watch(&bench.log, "h", &outermost);
                    quiet(outermost);
                });
                assert_eq!(bench.finish(), [colour.event("h", &bench.mark)], "{when}, length {length}");
            });
        }
    }
    row(|bench| {
        let two: Promise<Promise<Mark, Cause>, Cause> = Promise::fulfilled(Promise::fulfilled(bench.mark.clone()));
        watch(&bench.log, "two", &two.flatten());
        let three: Promise<Promise<P, Cause>, Cause> =
            Promise::fulfilled(Promise::fulfilled(Rejected.settled(&bench.mark)));
        watch(&bench.log, "three", &three.flatten().flatten());
        let expected = [Event::Value("two", bench.mark.clone()), Event::Reason("three", bench.mark.clone())];
        assert_eq!(bench.finish(), expected);
        let nested: Promise<Promise<i32>> = Promise::resolve(Promise::reject("inner"));
        let why: Rejection = bench.event_loop.run(nested.flatten()).unwrap_err();
        assert_eq!(why.to_string(), "inner");
    });
}
