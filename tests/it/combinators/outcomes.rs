//! Order of values and reasons, who wins, and what no members at all come to.

use thenable::{AggregateError, Fault, Promise, Rejection};

use super::{after, ok};
use crate::common::{no, outcome, texts};
use crate::support::{on_loop, on_virtual_clock, quiet_bombs};

// ---- all

#[test]
fn all_keeps_input_order() {
    on_virtual_clock(|event_loop| {
        let mixed = [after(3, Ok(0)), ok(1), after(1, Ok(2)), ok(3).map(|n| n).map(|n| n), after(2, Ok(4))];
        assert_eq!(event_loop.run(Promise::all(mixed)).unwrap(), [0, 1, 2, 3, 4]);
    });
}

#[test]
fn all_rejects_with_the_first_rejection_in_time() {
    on_virtual_clock(|event_loop| {
        let members = [after(3, Err("third")), after(1, Err("first")), ok(1), after(2, Err("second"))];
        assert_eq!(outcome(event_loop, Promise::all(members)), "Err(first)");
        let hops = [no("a hop later").map(|n| n), no("at once"), ok(1)];
        assert_eq!(outcome(event_loop, Promise::all(hops)), "Err(at once)");
    });
}

#[test]
fn all_does_not_wait_for_the_rest_after_a_rejection() {
    on_loop(|event_loop| {
        let (never, resolver) = Promise::<i32>::with_resolvers();
        assert_eq!(outcome(event_loop, Promise::all([never, no("no")])), "Err(no)");
        assert!(!resolver.is_wanted(), "and lets go of it");
    });
}

#[test]
fn all_takes_the_lowest_index_in_equal_time() {
    on_loop(|event_loop| {
        assert_eq!(outcome(event_loop, Promise::all([ok(0), no("one"), no("two")])), "Err(one)");
        let (promises, resolvers): (Vec<_>, Vec<_>) = (0..3).map(|_| Promise::<i32>::with_resolvers()).unzip();
        let all = Promise::all(promises);
        event_loop.run_until_idle().unwrap();
        resolvers[2].reject("two".into()).unwrap();
        resolvers[1].reject("one".into()).unwrap();
        assert_eq!(outcome(event_loop, all), "Err(two)", "of two settled before any job ran, the earlier settle");
    });
}

#[test]
fn all_of_the_same_promise_many_times() {
    on_loop(|event_loop| {
        let promise = ok(7);
        let all = Promise::all(vec![promise.clone(), promise.clone(), promise]);
        assert_eq!(event_loop.run(all).unwrap(), [7, 7, 7]);
    });
}

// ---- all_settled

#[test]
fn all_settled_keeps_input_order_and_never_rejects() {
    on_virtual_clock(|event_loop| {
        let mixed = [after(2, Err("zero")), ok(1), no("two"), after(1, Ok(3))];
        let outcomes = event_loop.run(Promise::all_settled(mixed)).unwrap();
        let told: Vec<_> = outcomes.into_iter().map(|outcome| outcome.map_err(|why| why.to_string())).collect();
        assert_eq!(told, [Err("zero".into()), Ok(1), Err("two".into()), Ok(3)]);
    });
}

// ---- any

#[test]
fn any_gives_the_first_value_in_time() {
    on_virtual_clock(|event_loop| {
        let members = [after(3, Ok(3)), no("no"), after(1, Err("early")), after(2, Ok(2))];
        assert_eq!(event_loop.run(Promise::any(members)).unwrap(), 2);
        assert_eq!(event_loop.run(Promise::any([no("no"), ok(1), ok(2)])).unwrap(), 1, "ties: the lowest index");
        assert_eq!(event_loop.run(Promise::any([ok(1).map(|n| n), ok(2)])).unwrap(), 2, "a hop deeper is later");
    });
}

#[test]
fn any_rejects_with_every_reason_in_input_order() {
    on_virtual_clock(|event_loop| {
        let members = [after(3, Err("zero")), no("one"), after(1, Err("two")), after(2, Err("three"))];
        let why = event_loop.run(Promise::any(members)).unwrap_err();
        assert_eq!(texts(&why.errors), ["zero", "one", "two", "three"]);
        assert_eq!(why.to_string(), "4 promises were rejected");
    });
}

#[test]
fn any_chains_and_its_error_becomes_a_rejection() {
    on_loop(|event_loop| {
        let fallback =
            Promise::any([no("a"), no("b")]).catch(|why| if why.errors.len() == 2 { Ok(0) } else { Err(why) });
        assert_eq!(event_loop.run(fallback).unwrap(), 0);
        let dynamic = event_loop.run(Promise::any([no("a"), no("b")]).err_into::<Rejection>()).unwrap_err();
        assert_eq!(texts(&dynamic.downcast_ref::<AggregateError>().unwrap().errors), ["a", "b"]);
    });
}

// ---- race

#[test]
fn race_gives_the_first_outcome_in_time() {
    on_virtual_clock(|event_loop| {
        assert_eq!(outcome(event_loop, Promise::race([after(2, Ok(2)), after(1, Ok(1))])), "Ok(1)");
        assert_eq!(outcome(event_loop, Promise::race([after(2, Ok(2)), after(1, Err("one"))])), "Err(one)");
        assert_eq!(outcome(event_loop, Promise::race([after(1, Ok(1)), no("at once")])), "Err(at once)");
    });
}

#[test]
fn race_takes_the_lowest_index_in_equal_time() {
    on_virtual_clock(|event_loop| {
        assert_eq!(outcome(event_loop, Promise::race([ok(0), ok(1), no("two")])), "Ok(0)");
        assert_eq!(outcome(event_loop, Promise::race([no("zero"), ok(1)])), "Err(zero)");
        assert_eq!(outcome(event_loop, Promise::race([ok(0).map(|n| n), ok(1)])), "Ok(1)", "a hop deeper loses");
        assert_eq!(outcome(event_loop, Promise::race([after(1, Ok(0)), after(1, Ok(1))])), "Ok(0)", "equal deadlines");
    });
}

// ---- some

#[test]
fn some_gives_the_first_values_in_the_order_in_which_they_came() {
    on_virtual_clock(|event_loop| {
        let members = || [after(3, Ok(3)), after(1, Ok(1)), no("no"), after(2, Ok(2))];
        assert_eq!(event_loop.run(Promise::some(2, members())).unwrap(), [1, 2]);
        assert_eq!(event_loop.run(Promise::some(3, members())).unwrap(), [1, 2, 3]);
        assert_eq!(event_loop.run(Promise::some(1, members())).unwrap(), [1]);
        assert_eq!(event_loop.run(Promise::some(0, members())).unwrap(), [0; 0]);
    });
}

#[test]
fn some_rejects_when_too_few_are_left() {
    on_virtual_clock(|event_loop| {
        let (never, resolver) = Promise::<i32>::with_resolvers();
        let members = [after(2, Err("zero")), after(1, Err("one")), never];
        let why = event_loop.run(Promise::some(2, members)).unwrap_err();
        assert_eq!(texts(&why.errors), ["zero", "one"], "as soon as it is out of reach, in input order");
        assert!(!resolver.is_wanted());
        let why = event_loop.run(Promise::some(3, [ok(1), ok(2)])).unwrap_err();
        assert_eq!(why.errors.len(), 0, "there were too few to begin with");
    });
}

// ---- no members

#[test]
fn no_members() {
    on_loop(|event_loop| {
        assert_eq!(event_loop.run(Promise::<i32>::all([])).unwrap(), [0; 0]);
        assert_eq!(event_loop.run(Promise::<i32>::all_settled([])).unwrap().len(), 0);
        let why = event_loop.run(Promise::<i32>::any([])).unwrap_err();
        assert_eq!(why.errors.len(), 0);
        assert_eq!(event_loop.run(Promise::<i32>::some(0, [])).unwrap(), [0; 0]);
        assert_eq!(event_loop.run(Promise::<i32>::some(1, [])).unwrap_err().errors.len(), 0);
        let race = Promise::<i32>::race([]);
        event_loop.run_until_idle().unwrap();
        assert!(race.is_pending(), "for ever");
    });
}

#[test]
fn no_members_settle_at_once() {
    on_loop(|_| {
        assert!(Promise::<i32>::all([]).is_fulfilled());
        assert!(Promise::<i32>::all_settled([]).is_fulfilled());
        let any = Promise::<i32>::any([]);
        assert!(any.is_rejected());
        any.mark_handled();
    });
}

// ---- inputs

#[test]
fn typed_reasons_stay_typed() {
    on_loop(|event_loop| {
        let typed = |n: i32| if n > 0 { Promise::fulfilled(n) } else { Promise::rejected(format!("{n} is too small")) };
        assert_eq!(event_loop.run(Promise::all([typed(1), typed(2)])), Ok(vec![1, 2]));
        assert_eq!(event_loop.run(Promise::all([typed(1), typed(-2)])), Err("-2 is too small".into()));
        assert_eq!(event_loop.run(Promise::race([typed(-1), typed(2)])), Err("-1 is too small".into()));
        let all_settled = event_loop.run(Promise::all_settled([typed(1), typed(0)]));
        assert_eq!(all_settled, Ok(vec![Ok(1), Err("0 is too small".into())]));
        let errors = vec!["-1 is too small".to_owned(), "0 is too small".into()];
        assert_eq!(event_loop.run(Promise::any([typed(-1), typed(0)])), Err(AggregateError { errors }));
    });
}

#[test]
fn any_iterator_is_taken() {
    on_loop(|event_loop| {
        assert_eq!(event_loop.run(Promise::all((0..3).map(ok))).unwrap(), [0, 1, 2]);
        assert_eq!(event_loop.run(Promise::all(Some(ok(1)))).unwrap(), [1]);
        assert_eq!(event_loop.run(Promise::all(vec![ok(1)])).unwrap(), [1]);
        let filtered = (0..10).filter(|n| n % 3 == 0).map(ok);
        assert_eq!(event_loop.run(Promise::all(filtered)).unwrap(), [0, 3, 6, 9]);
    });
}

#[test]
fn an_iterator_that_panics_rejects() {
    quiet_bombs();
    on_loop(|event_loop| {
        let bad = || (0..3).map(|n| if n == 2 { panic!("bomb: the iterator") } else { ok(n) });
        assert_fault!(event_loop.run(Promise::all(bad())), Fault::Panicked { .. });
        assert_fault!(event_loop.run(Promise::all_settled(bad())), Fault::Panicked { .. });
        assert_fault!(event_loop.run(Promise::race(bad())), Fault::Panicked { .. });
        let why = event_loop.run(Promise::any(bad())).unwrap_err();
        assert!(matches!(why.errors[0].fault(), Some(Fault::Panicked { .. })), "{why:?}");
    });
}

#[test]
fn members_may_settle_on_other_threads() {
    on_loop(|event_loop| {
        let (promises, resolvers): (Vec<_>, Vec<_>) = (0..100).map(|_| Promise::<usize>::with_resolvers()).unzip();
        let all = Promise::all(promises);
        let threads: Vec<_> = resolvers
            .into_iter()
            .enumerate()
            .collect::<Vec<_>>()
            .chunks(25)
            .map(<[_]>::to_vec)
            .map(|part| {
                std::thread::spawn(move || {
                    part.into_iter().rev().all(|(index, resolver)| resolver.resolve(index).is_ok())
                })
            })
            .collect();
        assert_eq!(event_loop.run(all).unwrap(), Vec::from_iter(0..100));
        assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
    });
}

#[test]
fn without_a_loop_the_global_one_gathers() {
    crate::support::watchdog(crate::support::LIMIT, || {
        assert_eq!(Promise::all((0..10).map(ok)).wait().unwrap(), Vec::from_iter(0..10));
        assert_eq!(Promise::race([ok(1), ok(2)]).wait().unwrap(), 1);
    });
}
