//! `join` over tuples of every length, and `all_keyed` over maps.

use std::collections::{BTreeMap, HashMap};

use thenable::Promise;

use super::{after, ok};
use crate::common::{no, outcome};
use crate::support::{on_loop, on_virtual_clock};

fn p<T: 'static>(value: T) -> Promise<T> {
    Promise::resolve(value)
}

#[test]
fn join_takes_one_to_twelve() {
    on_loop(|event_loop| {
        assert_eq!(event_loop.run(Promise::join((p(1),))).unwrap(), (1,));
        assert_eq!(event_loop.run(Promise::join((p(1), p("b")))).unwrap(), (1, "b"));
        assert_eq!(event_loop.run(Promise::join((p(1), p("b"), p('c')))).unwrap(), (1, "b", 'c'));
        assert_eq!(event_loop.run(Promise::join((p(1), p("b"), p('c'), p(4u8)))).unwrap(), (1, "b", 'c', 4u8));
        let five = Promise::join((p(1), p("b"), p('c'), p(4u8), p(())));
        assert_eq!(event_loop.run(five).unwrap(), (1, "b", 'c', 4u8, ()));
        let six = Promise::join((p(1), p("b"), p('c'), p(4u8), p(()), p(6i64)));
        assert_eq!(event_loop.run(six).unwrap(), (1, "b", 'c', 4u8, (), 6i64));
        let seven = Promise::join((p(1), p("b"), p('c'), p(4u8), p(()), p(6i64), p(true)));
        assert_eq!(event_loop.run(seven).unwrap(), (1, "b", 'c', 4u8, (), 6i64, true));
        let eight = Promise::join((p(1), p("b"), p('c'), p(4u8), p(()), p(6i64), p(true), p(Some(8))));
        assert_eq!(event_loop.run(eight).unwrap(), (1, "b", 'c', 4u8, (), 6i64, true, Some(8)));
        let nine = Promise::join((p(1), p("b"), p('c'), p(4u8), p(()), p(6i64), p(true), p(Some(8)), p(9.5)));
        assert_eq!(event_loop.run(nine).unwrap(), (1, "b", 'c', 4u8, (), 6i64, true, Some(8), 9.5));
        let ten = Promise::join((p(1), p(2u8), p(3), p(4u8), p(5), p(6u8), p(7), p(8u8), p(9), p("ten")));
        assert_eq!(event_loop.run(ten).unwrap(), (1, 2u8, 3, 4u8, 5, 6u8, 7, 8u8, 9, "ten"));
        let eleven = Promise::join((p(1), p(2u8), p(3), p(4u8), p(5), p(6u8), p(7), p(8u8), p(9), p("ten"), p('k')));
        assert_eq!(event_loop.run(eleven).unwrap(), (1, 2u8, 3, 4u8, 5, 6u8, 7, 8u8, 9, "ten", 'k'));
        let twelve =
            Promise::join((p(1), p(2u8), p(3), p(4u8), p(5), p(6u8), p(7), p(8u8), p(9), p("ten"), p('k'), p(12i64)));
        assert_eq!(event_loop.run(twelve).unwrap(), (1, 2u8, 3, 4u8, 5, 6u8, 7, 8u8, 9, "ten", 'k', 12i64));
    });
}

#[test]
fn join_waits_for_all_and_rejects_with_the_first_in_time() {
    on_virtual_clock(|event_loop| {
        let joined = Promise::join((after(2, Ok(1)), p("now"), after(1, Ok(3))));
        assert_eq!(event_loop.run(joined).unwrap(), (1, "now", 3));
        let text = |promise: Promise<i32>| promise.map(|n| n.to_string());
        let joined = Promise::join((after(2, Err("second")), text(after(1, Err("first"))), p(())));
        assert_eq!(outcome(event_loop, joined), "Err(first)");
        let (never, resolver) = Promise::<String>::with_resolvers();
        assert_eq!(outcome(event_loop, Promise::join((never, no("at once")))), "Err(at once)");
        assert!(!resolver.is_wanted(), "the loser is let go");
        assert_eq!(outcome(event_loop, Promise::join((no("zero"), no("one")))), "Err(zero)", "ties: the lowest index");
    });
}

#[test]
fn join_gives_a_tuple_that_a_handler_takes_apart() {
    on_loop(|event_loop| {
        let chain = Promise::join((p(2), p("ab"), thenable::delay(crate::common::MS)))
            .then(|(n, text, ())| Ok(text.repeat(n)))
            .map(|text| text.len());
        assert_eq!(event_loop.run(chain).unwrap(), 4);
    });
}

#[test]
fn all_keyed_keeps_the_keys() {
    on_virtual_clock(|event_loop| {
        let hashed = HashMap::from([("late", after(2, Ok(1))), ("now", ok(2)), ("soon", after(1, Ok(3)))]);
        let values = event_loop.run(Promise::all_keyed(hashed)).unwrap();
        assert_eq!(values, HashMap::from([("late", 1), ("now", 2), ("soon", 3)]));
        let sorted = BTreeMap::from([(3, after(1, Ok(30))), (1, after(2, Ok(10))), (2, ok(20))]);
        let values = event_loop.run(Promise::all_keyed(sorted)).unwrap();
        assert_eq!(Vec::from_iter(values), [(1, 10), (2, 20), (3, 30)]);
    });
}

#[test]
fn all_keyed_rejects_with_the_first_rejection_in_time() {
    on_virtual_clock(|event_loop| {
        let members = BTreeMap::from([("a", after(2, Err("second"))), ("b", after(1, Err("first"))), ("c", ok(1))]);
        assert_eq!(outcome(event_loop, Promise::all_keyed(members)), "Err(first)");
        let members = HashMap::from([("a", after(2, Err("second"))), ("b", after(1, Err("first"))), ("c", ok(1))]);
        assert_eq!(outcome(event_loop, Promise::all_keyed(members)), "Err(first)");
        let tie = BTreeMap::from([(2, no("two")), (1, no("one")), (0, ok(0))]);
        assert_eq!(outcome(event_loop, Promise::all_keyed(tie)), "Err(one)", "ties: the lowest key");
    });
}

#[test]
fn all_keyed_of_none() {
    on_loop(|event_loop| {
        let none = Promise::<i32>::all_keyed(BTreeMap::<&str, _>::new());
        assert!(none.is_fulfilled(), "at once");
        assert_eq!(event_loop.run(none).unwrap(), BTreeMap::new());
        assert_eq!(event_loop.run(Promise::<i32>::all_keyed(HashMap::<u8, _>::new())).unwrap(), HashMap::new());
    });
}
