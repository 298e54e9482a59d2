//! Combinators: each member's outcome takes one job, the result's handler the next one.

use std::collections::{BTreeMap, HashMap};

use thenable::Promise;

use crate::common::{assert_tick, no, on_tick, tick};

fn one() -> Promise<i32> {
    Promise::resolve(1)
}

/// Settles on that tick.
fn settled_on(tick: usize, outcome: Result<i32, &'static str>) -> Promise<i32> {
    let (promise, resolver) = Promise::with_resolvers();
    on_tick(tick, move || resolver.settle(outcome.map_err(|why| why.into())).unwrap());
    promise
}

// ---- one settled member

#[test]
fn all_of_one() {
    // js: Promise.all([Promise.resolve(1)]).then(h)
    assert_tick(2, |h| h.then(Promise::all([one()])));
}

#[test]
fn all_of_one_rejected() {
    // js: Promise.all([Promise.reject('no')]).catch(h)
    assert_tick(2, |h| h.catch(Promise::all([no("no")])));
}

#[test]
fn all_settled_of_one() {
    // js: Promise.allSettled([Promise.reject('no')]).then(h)
    assert_tick(2, |h| h.then(Promise::all_settled([no("no")])));
}

#[test]
fn any_of_one() {
    // js: Promise.any([Promise.resolve(1)]).then(h)
    assert_tick(2, |h| h.then(Promise::any([one()])));
    assert_tick(2, |h| h.then(Promise::some(1, [one()])));
}

#[test]
fn any_of_one_rejected() {
    // js: Promise.any([Promise.reject('no')]).catch(h)
    assert_tick(2, |h| h.catch(Promise::any([no("no")])));
    assert_tick(2, |h| h.catch(Promise::some(1, [no("no")])));
}

#[test]
fn race_of_one() {
    // js: Promise.race([Promise.resolve(1)]).then(h)
    assert_tick(2, |h| h.then(Promise::race([one()])));
}

#[test]
fn race_of_one_rejected() {
    // js: Promise.race([Promise.reject('no')]).catch(h)
    assert_tick(2, |h| h.catch(Promise::race([no("no")])));
}

#[test]
fn join_and_all_keyed_are_all() {
    // js: Promise.all([Promise.resolve(1), Promise.resolve(2)]).then(h)
    assert_tick(2, |h| h.then(Promise::join((one(), Promise::resolve("two")))));
    assert_tick(2, |h| h.then(Promise::all_keyed(HashMap::from([("a", one()), ("b", one())]))));
    assert_tick(2, |h| h.then(Promise::all_keyed(BTreeMap::from([("a", one()), ("b", one())]))));
    assert_tick(2, |h| h.then(Promise::some(2, [one(), one()])));
}

// ---- no members

#[test]
fn all_of_none() {
    // js: Promise.all([]).then(h)
    assert_tick(1, |h| h.then(Promise::<i32>::all([])));
    assert_tick(1, |h| h.then(Promise::<i32>::all_keyed(BTreeMap::<&str, _>::new())));
}

#[test]
fn all_settled_of_none() {
    // js: Promise.allSettled([]).then(h)
    assert_tick(1, |h| h.then(Promise::<i32>::all_settled([])));
}

#[test]
fn any_of_none() {
    // js: Promise.any([]).catch(h)
    assert_tick(1, |h| h.catch(Promise::<i32>::any([])));
}

#[test]
fn race_of_none_never_settles() {
    // js: Promise.race([]).then(h)
    assert_eq!(tick(|h| h.then(Promise::<i32>::race([]))), None);
}

// ---- several members

#[test]
fn all_of_three() {
    // js: Promise.all([Promise.resolve(1), Promise.resolve(2), Promise.resolve(3)]).then(h)
    assert_tick(2, |h| h.then(Promise::all([one(), one(), one()])));
}

#[test]
fn all_waits_for_the_deepest() {
    // js: Promise.all([Promise.resolve(1), Promise.resolve(2).then(n => n).then(n => n)]).then(h)
    assert_tick(4, |h| h.then(Promise::all([one(), one().map(|n| n).map(|n| n)])));
}

#[test]
fn all_rejects_with_the_first_rejection() {
    // js: const d = deferred(); onTick(10, () => d.resolve(1));
    // js: Promise.all([d.promise, Promise.resolve(1).then(() => { throw 'no' })]).catch(h)
    assert_tick(3, |h| h.catch(Promise::all([settled_on(10, Ok(1)), one().then_or(|_| Err("no".into()), Err)])));
}

#[test]
fn all_with_a_member_that_fulfils_later() {
    // js: const d = deferred(); onTick(10, () => d.resolve(1));
    // js: Promise.all([Promise.resolve(1), d.promise]).then(h)
    assert_tick(12, |h| h.then(Promise::all([one(), settled_on(10, Ok(1))])));
}

#[test]
fn all_with_a_member_that_rejects_later() {
    // js: const d = deferred(); onTick(10, () => d.reject('no'));
    // js: Promise.all([d.promise, Promise.resolve(1)]).catch(h)
    assert_tick(12, |h| h.catch(Promise::all([settled_on(10, Err("no")), one()])));
}

#[test]
fn all_settled_waits_for_everybody() {
    // js: const d = deferred(); onTick(10, () => d.reject('no'));
    // js: Promise.allSettled([Promise.reject('first'), d.promise, Promise.resolve(1)]).then(h)
    assert_tick(12, |h| h.then(Promise::all_settled([no("first"), settled_on(10, Err("no")), one()])));
}

#[test]
fn any_takes_the_first_value() {
    // js: Promise.any([Promise.reject('no'), Promise.resolve(1), Promise.resolve(2)]).then(h)
    assert_tick(2, |h| h.then(Promise::any([no("no"), one(), one()])));
}

#[test]
fn any_with_a_value_one_hop_deeper() {
    // js: Promise.any([Promise.reject('no'), Promise.resolve(1).then(n => n)]).then(h)
    assert_tick(3, |h| h.then(Promise::any([no("no"), one().map(|n| n)])));
}

#[test]
fn any_with_a_last_rejection_later() {
    // js: const d = deferred(); onTick(10, () => d.reject('no'));
    // js: Promise.any([d.promise, Promise.reject('first')]).catch(h)
    assert_tick(12, |h| h.catch(Promise::any([settled_on(10, Err("no")), no("first")])));
}

#[test]
fn race_takes_the_first_outcome() {
    // js: const d = deferred(); onTick(10, () => d.resolve(1));
    // js: Promise.race([d.promise, Promise.reject('no')]).catch(h)
    assert_tick(2, |h| h.catch(Promise::race([settled_on(10, Ok(1)), no("no")])));
}

#[test]
fn race_of_two_that_settle_later() {
    // js: const d = deferred(); onTick(10, () => d.resolve(1));
    // js: const e = deferred(); onTick(12, () => e.resolve(1));
    // js: Promise.race([e.promise, d.promise]).then(h)
    assert_tick(12, |h| {
        let (d, e) = (settled_on(10, Ok(1)), settled_on(12, Ok(1)));
        h.then(Promise::race([e, d]));
    });
}

#[test]
fn race_of_a_promise_that_adopts() {
    // js: Promise.race([new Promise(resolve => resolve(Promise.resolve(1)))]).then(h)
    assert_tick(4, |h| {
        let (promise, resolver) = Promise::with_resolvers();
        resolver.adopt(one()).unwrap();
        h.then(Promise::race([promise]));
    });
}

// ---- nested

#[test]
fn all_of_all() {
    // js: Promise.all([Promise.all([Promise.resolve(1)])]).then(h)
    assert_tick(3, |h| h.then(Promise::all([Promise::all([one()])])));
}

#[test]
fn all_of_empty_all() {
    // js: Promise.all([Promise.all([])]).then(h)
    assert_tick(2, |h| h.then(Promise::all([Promise::<i32>::all([])])));
}

#[test]
fn race_of_race_of_race() {
    // js: Promise.race([Promise.race([Promise.race([Promise.resolve(1)])])]).then(h)
    assert_tick(4, |h| h.then(Promise::race([Promise::race([Promise::race([one()])])])));
}

#[test]
fn handler_that_returns_all() {
    // js: Promise.resolve(0).then(() => Promise.all([Promise.resolve(1)])).then(h)
    assert_tick(4, |h| h.then(Promise::resolve(0).then(|_| Promise::all([one()]))));
}

#[test]
fn handler_that_returns_empty_all() {
    // js: Promise.resolve(0).then(() => Promise.all([])).then(h)
    assert_tick(4, |h| h.then(Promise::resolve(0).then(|_| Promise::<i32>::all([]))));
}

#[test]
fn all_in_a_chain_of_links() {
    // js: Promise.all([Promise.resolve(1)]).then(v => v).finally(() => {}).then(h)
    assert_tick(6, |h| h.then(Promise::all([one()]).map(|v| v).finally(|| ())));
}
