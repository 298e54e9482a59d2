//! Promises that follow promises: settled, pending, in ladders and in loops.

use thenable::{IntoPromise, Promise, Rejection, Resolution, Resolver};

use crate::common::{Observed, assert_tick, no, on_tick, tick};

/// Fulfils with 1 on that tick.
fn fulfilled_on(tick: usize) -> Promise<i32> {
    let (promise, resolver) = Promise::with_resolvers();
    on_tick(tick, move || resolver.resolve(1).unwrap());
    promise
}

/// Rejects on that tick.
fn rejected_on(tick: usize) -> Promise<i32> {
    let (promise, resolver) = Promise::with_resolvers();
    on_tick(tick, move || resolver.reject("no".into()).unwrap());
    promise
}

/// A promise resolved with that one.
fn adopting(inner: Promise<i32>) -> Promise<i32> {
    let (promise, resolver) = Promise::with_resolvers();
    resolver.adopt(inner).unwrap();
    promise
}

/// As a function that is generic over what handlers return.
fn identity<T, R, Via>(result: R) -> Promise<T>
where
    R: IntoPromise<T, Rejection, Via>,
{
    result.into_promise()
}

/// Rows of depth and tick.
#[track_caller]
fn by_depth<const N: usize>(rows: [(usize, usize); N], case: impl Fn(Observed, usize)) {
    for (depth, expected) in rows {
        assert_eq!(tick(|h| case(h, depth)), Some(expected), "depth {depth}");
    }
}

// ---- settled

#[test]
fn promise_resolve_of_a_promise_is_that_promise() {
    // js: Promise.resolve(Promise.resolve(1)).then(h)
    assert_tick(1, |h| h.then(identity(Promise::resolve(1))));
}

#[test]
fn adopting_a_fulfilled_promise() {
    // js: new Promise(resolve => resolve(Promise.resolve(1))).then(h)
    assert_tick(3, |h| h.then(adopting(Promise::resolve(1))));
}

#[test]
fn adopting_a_rejected_promise() {
    // js: new Promise(resolve => resolve(Promise.reject('no'))).catch(h)
    assert_tick(3, |h| h.catch(adopting(no("no"))));
}

#[test]
fn adopting_a_promise_that_was_resolved_so_itself() {
    // js: new Promise(resolve => resolve(new Promise(resolve => resolve(Promise.resolve(1))))).then(h)
    assert_tick(4, |h| h.then(adopting(adopting(Promise::resolve(1)))));
}

#[test]
fn adopting_a_derived_promise() {
    // js: new Promise(resolve => resolve(Promise.resolve(1).then(n => n))).then(h)
    assert_tick(3, |h| h.then(adopting(Promise::resolve(1).map(|n| n))));
}

#[test]
fn adopting_in_a_handler_of_another_promise() {
    // js: const d = deferred();
    // js: Promise.resolve(1).then(() => d.resolve(Promise.resolve(2)));
    // js: d.promise.then(h)
    assert_tick(4, |h| {
        let (promise, resolver) = Promise::with_resolvers();
        drop(Promise::resolve(1).map(move |_| resolver.adopt(Promise::resolve(2)).is_ok()));
        h.then(promise);
    });
}

#[test]
fn refused_settles_change_nothing() {
    // js: const d = deferred();
    // js: d.resolve(Promise.resolve(1)); d.resolve(2); d.reject('no');
    // js: d.promise.then(h)
    assert_tick(3, |h| {
        let (promise, resolver) = Promise::with_resolvers();
        resolver.adopt(Promise::resolve(1)).unwrap();
        assert!(resolver.resolve(2).is_err() && resolver.reject("no".into()).is_err());
        h.then(promise);
    });
}

// ---- pending, settled later by a job

#[test]
fn adopting_a_promise_that_fulfils_later() {
    // js: const d = deferred(); onTick(10, () => d.resolve(1));
    // js: new Promise(resolve => resolve(d.promise)).then(h)
    assert_tick(12, |h| h.then(adopting(fulfilled_on(10))));
}

#[test]
fn adopting_a_promise_that_rejects_later() {
    // js: const d = deferred(); onTick(10, () => d.reject('no'));
    // js: new Promise(resolve => resolve(d.promise)).catch(h)
    assert_tick(12, |h| h.catch(adopting(rejected_on(10))));
}

#[test]
fn handler_returns_a_promise_that_fulfils_later() {
    // js: const d = deferred(); onTick(10, () => d.resolve(1));
    // js: Promise.resolve(0).then(() => d.promise).then(h)
    assert_tick(12, |h| {
        let later = fulfilled_on(10);
        h.then(Promise::resolve(0).then(move |_| later));
    });
}

#[test]
fn catch_returns_a_promise_that_rejects_later() {
    // js: const d = deferred(); onTick(10, () => d.reject('no'));
    // js: Promise.reject(0).catch(() => d.promise).catch(h)
    assert_tick(12, |h| {
        let later = rejected_on(10);
        h.catch(no("first").catch(move |_| later));
    });
}

#[test]
fn settled_before_the_follower_begins_to_wait() {
    // js: const d = deferred(); onTick(1, () => d.resolve(1));
    // js: new Promise(resolve => resolve(d.promise)).then(h)
    assert_tick(3, |h| h.then(adopting(fulfilled_on(1))));
}

#[test]
fn settled_just_after_the_follower_begins_to_wait() {
    // js: const d = deferred(); const p = new Promise(resolve => resolve(d.promise));
    // js: onTick(1, () => d.resolve(1));
    // js: p.then(h)
    assert_tick(3, |h| {
        let (inner, resolver) = Promise::with_resolvers();
        let outer = adopting(inner);
        on_tick(1, move || resolver.resolve(1).unwrap());
        h.then(outer);
    });
}

#[test]
fn handler_returns_a_promise_that_follows_a_later_one() {
    // js: const d = deferred(); onTick(10, () => d.resolve(1));
    // js: Promise.resolve(0).then(() => new Promise(resolve => resolve(d.promise))).then(h)
    assert_tick(13, |h| {
        let later = fulfilled_on(10);
        h.then(Promise::resolve(0).then(move |_| adopting(later)));
    });
}

#[test]
fn finally_waits_for_a_promise_that_fulfils_later() {
    // js: const d = deferred(); onTick(10, () => d.resolve());
    // js: Promise.resolve(1).finally(() => d.promise).then(h)
    assert_tick(13, |h| {
        let (later, resolver) = Promise::with_resolvers();
        on_tick(10, move || resolver.resolve(()).unwrap());
        h.then(Promise::resolve(1).finally(move || later));
    });
}

#[test]
fn finally_waits_for_a_promise_that_rejects_later() {
    // js: const d = deferred(); onTick(10, () => d.reject('no'));
    // js: Promise.resolve(1).finally(() => d.promise).catch(h)
    assert_tick(13, |h| {
        let (later, resolver) = Promise::<()>::with_resolvers();
        on_tick(10, move || resolver.reject("no".into()).unwrap());
        h.catch(Promise::resolve(1).finally(move || later));
    });
}

// ---- ladders

#[test]
fn ladder_over_a_settled_promise() {
    // js: let p = Promise.resolve(1);
    // js: for (let i = 0; i < depth; i++) { const q = p; p = new Promise(resolve => resolve(q)) }
    // js: p.then(h)
    by_depth([(0, 1), (1, 3), (2, 4), (3, 5), (5, 7), (10, 12)], |h, depth| {
        h.then((0..depth).fold(Promise::resolve(1), |inner, _| adopting(inner)));
    });
}

#[test]
fn ladder_over_a_pending_promise() {
    // js: const d = deferred(); let p = d.promise;
    // js: for (let i = 0; i < depth; i++) { const q = p; p = new Promise(resolve => resolve(q)) }
    // js: onTick(60, () => d.resolve(1));
    // js: p.then(h)
    by_depth([(0, 61), (1, 62), (2, 63), (3, 64), (5, 66), (10, 71)], |h, depth| {
        let (inner, resolver) = Promise::with_resolvers();
        let top = (0..depth).fold(inner, |inner, _| adopting(inner));
        on_tick(60, move || resolver.resolve(1).unwrap());
        h.then(top);
    });
}

/// The promises of a ladder from the outside in, and the resolver of the innermost one.
fn outside_in(depth: usize) -> (Promise<i32>, Resolver<i32>) {
    let (outermost, mut resolver) = Promise::with_resolvers();
    for _ in 0..depth {
        let (next, next_resolver) = Promise::with_resolvers();
        resolver.adopt(next).unwrap();
        resolver = next_resolver;
    }
    (outermost, resolver)
}

#[test]
fn ladder_from_the_outside_in_settled_at_once() {
    // js: const ds = Array.from({ length: depth + 1 }, deferred);
    // js: for (let i = 0; i < depth; i++) ds[i].resolve(ds[i + 1].promise);
    // js: ds[depth].resolve(1);
    // js: ds[0].promise.then(h)
    by_depth([(0, 1), (1, 3), (2, 4), (3, 5), (5, 7), (10, 12)], |h, depth| {
        let (top, innermost) = outside_in(depth);
        innermost.resolve(1).unwrap();
        h.then(top);
    });
}

#[test]
fn ladder_from_the_outside_in_settled_later() {
    // js: const ds = Array.from({ length: depth + 1 }, deferred);
    // js: for (let i = 0; i < depth; i++) ds[i].resolve(ds[i + 1].promise);
    // js: onTick(60, () => ds[depth].reject('no'));
    // js: ds[0].promise.catch(h)
    by_depth([(0, 61), (1, 62), (2, 63), (3, 64), (5, 66), (10, 71)], |h, depth| {
        let (top, innermost) = outside_in(depth);
        on_tick(60, move || innermost.reject("no".into()).unwrap());
        h.catch(top);
    });
}

#[test]
fn ladder_whose_steps_have_handlers_of_their_own() {
    // js: const d = deferred(); let p = d.promise;
    // js: for (let i = 0; i < depth; i++) { const q = p; q.then(() => {}); p = new Promise(resolve => resolve(q)) }
    // js: onTick(60, () => d.resolve(1));
    // js: p.then(h)
    by_depth([(1, 62), (2, 63), (3, 64), (5, 66), (10, 71)], |h, depth| {
        let (inner, resolver) = Promise::with_resolvers();
        let top = (0..depth).fold(inner, |inner, _| {
            drop(inner.clone().map(drop));
            adopting(inner)
        });
        on_tick(60, move || resolver.resolve(1).unwrap());
        h.then(top);
    });
}

#[test]
fn ladder_built_while_it_settles() {
    // js: const ds = Array.from({ length: depth + 1 }, deferred);
    // js: for (let i = 0; i < depth; i++) onTick(i + 1, () => ds[i].resolve(ds[i + 1].promise));
    // js: onTick(depth + 1, () => ds[depth].resolve(1));
    // js: ds[0].promise.then(h)
    by_depth([(0, 2), (1, 4), (2, 6), (3, 8), (5, 12), (10, 22)], |h, depth| {
        let (promises, resolvers): (Vec<_>, Vec<_>) = (0..=depth).map(|_| Promise::<i32>::with_resolvers()).unzip();
        let mut promises = promises.into_iter();
        let top = promises.next().unwrap();
        for (index, (resolver, next)) in resolvers.iter().cloned().zip(promises).enumerate() {
            on_tick(index + 1, move || resolver.adopt(next).unwrap());
        }
        let innermost = resolvers[depth].clone();
        on_tick(depth + 1, move || innermost.resolve(1).unwrap());
        h.then(top);
    });
}

// ---- recursion: `step` returns a promise whose handler returns the next step

#[test]
fn recursion_that_ends_with_a_value() {
    // js: const step = n => Promise.resolve(n).then(n => n == 0 ? 0 : step(n - 1));
    // js: step(depth).then(h)
    fn step(left: usize) -> Promise<usize> {
        Promise::resolve(left).then(|n| if n == 0 { Resolution::Resolve(0) } else { Resolution::Adopt(step(n - 1)) })
    }
    by_depth([(0, 2), (1, 4), (2, 6), (3, 8), (5, 12), (10, 22)], |h, depth| h.then(step(depth)));
}

#[test]
fn recursion_that_ends_with_a_throw() {
    // js: const step = n => Promise.resolve(n).then(n => { if (n == 0) throw 'no'; return step(n - 1) });
    // js: step(depth).catch(h)
    fn step(left: usize) -> Promise<usize> {
        Promise::resolve(left).then(|n| match n {
            0 => Resolution::Reject("no".into()),
            _ => Resolution::Adopt(step(n - 1)),
        })
    }
    by_depth([(0, 2), (1, 4), (2, 6), (3, 8), (5, 12), (10, 22)], |h, depth| h.catch(step(depth)));
}

#[test]
fn recursion_that_ends_with_a_settled_promise() {
    // js: const step = n => Promise.resolve(n).then(n => n == 0 ? Promise.resolve(0) : step(n - 1));
    // js: step(depth).then(h)
    fn step(left: usize) -> Promise<usize> {
        Promise::resolve(left).then(|n| if n == 0 { Promise::resolve(0) } else { step(n - 1) })
    }
    by_depth([(0, 4), (1, 6), (2, 8), (3, 10), (5, 14), (10, 24)], |h, depth| h.then(step(depth)));
}

#[test]
fn recursion_that_ends_with_a_promise_settled_by_a_later_job() {
    // js: const step = n => Promise.resolve(n).then(n => n == 0 ? d.promise : step(n - 1));
    // js: const d = deferred(); onTick(60, () => d.resolve(0));
    // js: step(depth).then(h)
    fn step(left: usize, end: Promise<i32>) -> Promise<i32> {
        Promise::resolve(left).then(move |n| if n == 0 { end } else { step(n - 1, end) })
    }
    by_depth([(0, 62), (1, 63), (2, 64), (3, 65), (5, 67), (10, 72)], |h, depth| h.then(step(depth, fulfilled_on(60))));
}

#[test]
fn recursion_whose_last_step_starts_the_wait() {
    // js: const end = () => { const d = deferred(); onTick(20, () => d.reject('no')); return d.promise };
    // js: const step = n => Promise.resolve(n).then(n => n == 0 ? end() : step(n - 1));
    // js: step(depth).catch(h)
    fn step(left: usize) -> Promise<i32> {
        Promise::resolve(left).then(|n| if n == 0 { rejected_on(20) } else { step(n - 1) })
    }
    by_depth([(0, 23), (1, 25), (2, 27), (3, 29), (5, 33), (10, 43)], |h, depth| h.catch(step(depth)));
}

#[test]
fn recursion_that_does_something_after_each_step() {
    // js: const step = n => Promise.resolve(n).then(n => n == 0 ? 0 : step(n - 1).then(n => n + 1));
    // js: step(depth).then(h)
    fn step(left: usize) -> Promise<usize> {
        Promise::resolve(left).then(|n| match n {
            0 => Resolution::Resolve(0),
            _ => Resolution::Adopt(step(n - 1).map(|n| n + 1)),
        })
    }
    by_depth([(0, 2), (1, 5), (2, 8), (3, 11), (5, 17), (10, 32)], |h, depth| h.then(step(depth)));
}

#[test]
fn recursion_that_somebody_watches() {
    // js: const step = n => {
    // js:     const p = Promise.resolve(n).then(n => n == 0 ? 0 : step(n - 1));
    // js:     p.then(() => {});
    // js:     return p
    // js: };
    // js: step(depth).then(h)
    fn step(left: usize) -> Promise<usize> {
        let promise = Promise::resolve(left).then(|n| match n {
            0 => Resolution::Resolve(0),
            _ => Resolution::Adopt(step(n - 1)),
        });
        drop(promise.clone().map(drop));
        promise
    }
    by_depth([(0, 2), (1, 4), (2, 6), (3, 8), (5, 12), (10, 22)], |h, depth| h.then(step(depth)));
}

#[test]
fn recursion_into_a_resolver() {
    // js: const step = n => new Promise(resolve => onTick(1, () => resolve(n == 0 ? 0 : step(n - 1))));
    // js: step(depth).then(h)
    fn step(left: usize) -> Promise<usize> {
        let (promise, resolver) = Promise::with_resolvers();
        on_tick(1, move || match left {
            0 => resolver.resolve(0).unwrap(),
            _ => resolver.adopt(step(left - 1)).unwrap(),
        });
        promise
    }
    by_depth([(0, 2), (1, 4), (2, 6), (3, 8), (5, 12), (10, 22)], |h, depth| h.then(step(depth)));
}
