//! O1 to O10: several handlers of one promise.

use thenable::Resolution;

use super::{Cause, Colour, Event, Fulfilled, Mark, Rejected, TIMINGS, handler, rows, watch};
use crate::support::quiet_bombs;

const NAMES: [&str; 3] = ["first", "second", "third"];

/// All run, with the same value, and never the opposite one.
fn all_get_the_same(colour: Colour) {
    rows(TIMINGS, |bench, timing, when| {
        bench.settles(colour, timing, |promise| NAMES.map(|name| bench.watch(name, promise)));
        let mut seen = bench.finish();
        for name in NAMES {
            let event = colour.event(name, &bench.mark);
            let place = seen.iter().position(|other| *other == event);
            seen.remove(place.unwrap_or_else(|| panic!("{when}: {name} was not called")));
        }
        assert_eq!(seen, [], "{when}: and nothing else");
    });
}

/// The second of three throws; the others do not notice.
fn one_throws(colour: Colour) {
    quiet_bombs();
    for panics in [false, true] {
        rows(TIMINGS, |bench, timing, when| {
            let second = bench.settles(colour, timing, |promise| {
                bench.watch("first", promise);
                let second = promise.clone().handle(handler(&bench.log, "second", move || {
                    assert!(!panics, "bomb: the second of three");
                    Resolution::Reject(Cause::Mark(Mark::new("thrown")))
                }));
                bench.watch("third", promise);
                second
            });
            second.mark_handled();
            assert_eq!(bench.finish(), NAMES.map(|name| colour.event(name, &bench.mark)), "{when}");
            assert!(second.is_rejected(), "{when}");
        });
    }
}

fn in_registration_order(colour: Colour) {
    const TEN: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    rows(TIMINGS, |bench, timing, when| {
        bench.settles(colour, timing, |promise| TEN.map(|name| bench.watch(name, promise)));
        assert_eq!(bench.finish(), TEN.map(|name| colour.event(name, &bench.mark)), "{when}");
    });
}

/// Three branches: a value, a throw, another value.
fn each_branch_sees_its_own_outcome(colour: Colour) {
    rows(TIMINGS, |bench, timing, when| {
        let [one, thrown, two] = ["one", "thrown", "two"].map(Mark::new);
        let results = [
            Resolution::Resolve(one.clone()),
            Resolution::Reject(Cause::Mark(thrown.clone())),
            Resolution::Resolve(two.clone()),
        ];
        bench.settles(colour, timing, |promise| {
            for (name, result) in NAMES.into_iter().zip(results) {
                let branch = promise.clone().handle(handler(&bench.log, name, move || result));
                watch(&bench.log, name, &branch);
            }
        });
        let mut expected = NAMES.map(|name| colour.event(name, &bench.mark)).to_vec();
        expected.push(Event::Value("first", one));
        expected.push(Event::Reason("second", thrown));
        expected.push(Event::Value("third", two));
        assert_eq!(bench.finish(), expected, "{when}");
    });
}

/// One that is registered inside the first of two handlers runs after the second.
fn registered_inside_goes_last(colour: Colour) {
    rows(TIMINGS, |bench, timing, when| {
        bench.settles(colour, timing, |promise| {
            let (log, again) = (bench.log.clone(), promise.clone());
            drop(promise.clone().handle(handler(&bench.log, "first", move || {
                watch(&log, "inside the first", &again);
                Resolution::Resolve(Mark::new("done"))
            })));
            bench.watch("second", promise);
        });
        let expected = ["first", "second", "inside the first"].map(|name| colour.event(name, &bench.mark));
        assert_eq!(bench.finish(), expected, "{when}");
    });
}

#[test]
fn o1_all_fulfil_handlers_get_the_same_value() {
    all_get_the_same(Fulfilled);
}

#[test]
fn o2_a_fulfil_handler_that_throws_does_not_stop_the_others() {
    one_throws(Fulfilled);
}

#[test]
fn o3_fulfil_handlers_run_in_registration_order() {
    in_registration_order(Fulfilled);
}

#[test]
fn o4_each_branch_of_a_fulfilled_promise_sees_its_own_outcome() {
    each_branch_sees_its_own_outcome(Fulfilled);
}

#[test]
fn o5_registered_inside_a_fulfil_handler_goes_last() {
    registered_inside_goes_last(Fulfilled);
}

#[test]
fn o6_all_reject_handlers_get_the_same_reason() {
    all_get_the_same(Rejected);
}

#[test]
fn o7_a_reject_handler_that_throws_does_not_stop_the_others() {
    one_throws(Rejected);
}

#[test]
fn o8_reject_handlers_run_in_registration_order() {
    in_registration_order(Rejected);
}

#[test]
fn o9_each_branch_of_a_rejected_promise_sees_its_own_outcome() {
    each_branch_sees_its_own_outcome(Rejected);
}

#[test]
fn o10_registered_inside_a_reject_handler_goes_last() {
    registered_inside_goes_last(Rejected);
}
