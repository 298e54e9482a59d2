//! One promise and its chain; everything is settled beforehand.

use thenable::{LoopHandle, Promise, Rejection, Resolution};

use crate::common::{assert_tick, no};
use crate::support::quiet_bombs;

fn one() -> Promise<i32> {
    Promise::resolve(1)
}

// ---- the first link

#[test]
fn fulfilled_then() {
    // js: Promise.resolve(1).then(h)
    assert_tick(1, |h| h.then(one()));
}

#[test]
fn rejected_catch() {
    // js: Promise.reject('no').catch(h)
    assert_tick(1, |h| h.catch(no("no")));
}

#[test]
fn fulfilled_finally() {
    // js: Promise.resolve(1).finally(h)
    assert_tick(1, |h| drop(one().finally(move || h.ran())));
}

#[test]
fn rejected_finally() {
    // js: Promise.reject('no').finally(h)
    assert_tick(1, |h| no("no").finally(move || h.ran()).mark_handled());
}

#[test]
fn executor_that_resolves() {
    // js: new Promise(resolve => resolve(1)).then(h)
    assert_tick(1, |h| h.then(Promise::new(|resolve, _| resolve(1))));
}

#[test]
fn executor_that_rejects() {
    // js: new Promise((_, reject) => reject('no')).catch(h)
    assert_tick(1, |h| h.catch(Promise::<i32>::new(|_, reject| reject("no".into()))));
}

#[test]
fn executor_that_throws() {
    // js: new Promise(() => { throw 'no' }).catch(h)
    quiet_bombs();
    assert_tick(1, |h| h.catch(Promise::<i32>::new(|_, _| panic!("bomb: executor"))));
}

#[test]
fn settled_right_after_registration() {
    // js: const d = deferred();
    // js: d.promise.then(h);
    // js: d.resolve(1)
    assert_tick(1, |h| {
        let (promise, resolver) = Promise::with_resolvers();
        h.then(promise);
        resolver.resolve(1).unwrap();
    });
}

#[test]
fn second_handler_of_one_promise() {
    // js: const p = Promise.resolve(1);
    // js: p.then(() => {});
    // js: p.then(h)
    assert_tick(1, |h| {
        let p = one();
        drop(p.clone().map(drop));
        h.then(p);
    });
}

#[test]
fn call_soon_is_queue_microtask() {
    // js: queueMicrotask(h)
    assert_tick(1, |h| drop(LoopHandle::current().unwrap().call_soon(move || h.ran())));
}

#[test]
fn call_soon_inside_call_soon() {
    // js: queueMicrotask(() => queueMicrotask(h))
    assert_tick(2, |h| {
        let handle = LoopHandle::current().unwrap();
        let inner = handle.clone();
        drop(handle.call_soon(move || drop(inner.call_soon(move || h.ran()))));
    });
}

// ---- a handler's plain result

#[test]
fn then_value_then() {
    // js: Promise.resolve(1).then(() => 2).then(h)
    assert_tick(2, |h| h.then(one().then(|_| Ok(2))));
}

#[test]
fn then_nothing_then() {
    // js: Promise.resolve(1).then(() => {}).then(h)
    assert_tick(2, |h| h.then(one().then(|_| ())));
}

#[test]
fn then_throw_catch() {
    // js: Promise.resolve(1).then(() => { throw 'no' }).catch(h)
    assert_tick(2, |h| h.catch(one().then(|_| -> Result<i32, Rejection> { Err("no".into()) })));
    quiet_bombs();
    assert_tick(2, |h| h.catch(one().map(|_| -> i32 { panic!("bomb: handler") })));
}

#[test]
fn catch_value_then() {
    // js: Promise.reject('no').catch(() => 2).then(h)
    assert_tick(2, |h| h.then(no("no").catch(|_| Ok(2))));
}

#[test]
fn catch_throw_catch() {
    // js: Promise.reject('no').catch(e => { throw e }).catch(h)
    assert_tick(2, |h| h.catch(no("no").catch(Err)));
}

#[test]
fn three_values() {
    // js: Promise.resolve(1).then(n => n + 1).then(n => n + 1).then(n => n + 1).then(h)
    assert_tick(4, |h| h.then(one().map(|n| n + 1).map(|n| n + 1).map(|n| n + 1)));
}

#[test]
fn missing_reject_handler_is_one_tick() {
    // js: Promise.resolve(1).catch(() => 2).then(h)
    assert_tick(2, |h| h.then(one().catch(|_| Ok(2))));
}

#[test]
fn missing_fulfil_handler_is_one_tick() {
    // js: Promise.reject('no').then(() => 2).catch(h)
    assert_tick(2, |h| h.catch(no("no").then(|_| Ok(2))));
}

#[test]
fn then_with_two_handlers() {
    // js: Promise.resolve(1).then(() => 2, () => 3).then(h)
    assert_tick(2, |h| h.then(one().then_or(|_| Ok(2), |_| Ok(3))));
}

#[test]
fn then_with_two_handlers_on_a_rejection() {
    // js: Promise.reject('no').then(() => 2, () => 3).then(h)
    assert_tick(2, |h| h.then(no("no").then_or(|_| Ok(2), |_| Ok(3))));
}

#[test]
fn handle_is_one_tick() {
    // js: Promise.reject('no').then(v => [v], e => [e]).then(h)
    assert_tick(2, |h| h.then(no("no").handle(|outcome| Ok::<_, Rejection>(outcome.is_ok()))));
}

#[test]
fn the_methods_that_javascript_lacks_are_one_tick() {
    // js: Promise.resolve(1).then(v => v, e => { throw e }).then(h)
    assert_tick(2, |h| h.then(one().map(|n| n)));
    assert_tick(2, |h| h.then(one().map_err(|why| why.to_string())));
    assert_tick(2, |h| h.then(one().err_into::<Rejection>()));
    assert_tick(2, |h| h.then(one().tap(|_| ())));
    assert_tick(2, |h| h.then(one().tap_err(|_| ())));
    assert_tick(2, |h| h.then(one().catch_if(|_| true, |_| Ok(2))));
    assert_tick(2, |h| h.then(one().settled()));
}

#[test]
fn the_methods_that_javascript_lacks_are_one_tick_on_a_rejection() {
    // js: Promise.reject('no').then(v => v, e => { throw e }).catch(h)
    assert_tick(2, |h| h.catch(no("no").map(|n| n)));
    assert_tick(2, |h| h.catch(no("no").map_err(|why| why.to_string())));
    assert_tick(2, |h| h.catch(no("no").err_into::<Rejection>()));
    assert_tick(2, |h| h.catch(no("no").tap(|_| ())));
    assert_tick(2, |h| h.catch(no("no").tap_err(|_| ())));
    assert_tick(2, |h| h.catch(no("no").catch_if(|_| false, |_| Ok(2))));
    assert_tick(2, |h| h.then(no("no").catch_if(|_| true, |_| Ok(2))));
    assert_tick(2, |h| h.then(no("no").settled()));
}

#[test]
fn flatten_of_a_result_is_one_tick() {
    // js: Promise.resolve(1).then(r => r).then(h)
    assert_tick(2, |h| h.then(Promise::resolve(Ok::<i32, Rejection>(1)).flatten()));
}

#[test]
fn named_is_no_tick() {
    // js: Promise.resolve(1).then(h)
    assert_tick(1, |h| h.then(one().named("one")));
}

#[test]
fn from_a_result_is_no_tick() {
    // js: Promise.reject('no').catch(h)
    assert_tick(1, |h| h.catch(Promise::from(Err::<i32, _>(Rejection::from("no")))));
}

// ---- a handler's promise

#[test]
fn then_settled_promise_then() {
    // js: Promise.resolve(1).then(() => Promise.resolve(2)).then(h)
    assert_tick(4, |h| h.then(one().then(|_| Promise::resolve(2))));
}

#[test]
fn then_rejected_promise_catch() {
    // js: Promise.resolve(1).then(() => Promise.reject('no')).catch(h)
    assert_tick(4, |h| h.catch(one().then(|_| no("no"))));
}

#[test]
fn catch_settled_promise_then() {
    // js: Promise.reject('no').catch(() => Promise.resolve(2)).then(h)
    assert_tick(4, |h| h.then(no("no").catch(|_| Promise::resolve(2))));
}

#[test]
fn catch_rejected_promise_catch() {
    // js: Promise.reject('no').catch(e => Promise.reject(e)).catch(h)
    assert_tick(4, |h| h.catch(no("no").catch(Promise::reject)));
}

#[test]
fn handler_that_returns_a_chain() {
    // js: Promise.resolve(1).then(() => Promise.resolve(2).then(n => n + 1)).then(h)
    assert_tick(4, |h| h.then(one().then(|_| Promise::resolve(2).map(|n| n + 1))));
}

#[test]
fn handler_that_returns_a_longer_chain() {
    // js: Promise.resolve(1).then(() => Promise.resolve(2).then(n => n + 1).then(n => n + 1)).then(h)
    assert_tick(5, |h| h.then(one().then(|_| Promise::resolve(2).map(|n| n + 1).map(|n| n + 1))));
}

#[test]
fn handler_that_returns_an_older_promise() {
    // js: const old = Promise.resolve(2);
    // js: Promise.resolve(1).then(() => old).then(h)
    assert_tick(4, |h| {
        let old = Promise::resolve(2);
        h.then(one().then(move |_| old));
    });
}

#[test]
fn flatten_of_a_promise_follows_it() {
    // js: Promise.resolve(1).then(() => Promise.resolve(2)).then(h)
    assert_tick(4, |h| h.then(Promise::resolve(Promise::resolve(2)).flatten()));
}

#[test]
fn resolution_costs_what_it_decides() {
    // js: Promise.resolve(1).then(() => 2).then(h)
    assert_tick(2, |h| h.then(one().then(|_| Resolution::Resolve(2))));
    assert_tick(2, |h| h.catch(one().then(|_| Resolution::<i32>::Reject("no".into()))));
}

#[test]
fn resolution_that_adopts_is_a_promise() {
    // js: Promise.resolve(1).then(() => Promise.resolve(2)).then(h)
    assert_tick(4, |h| h.then(one().then(|_| Resolution::Adopt(Promise::resolve(2)))));
}

#[test]
fn async_handler_that_never_waits() {
    // js: Promise.resolve(1).then(async n => n + 1).then(h)
    assert_tick(4, |h| h.then(one().then(async |n| Ok(n + 1))));
}

// ---- attempt

#[test]
fn attempt_value() {
    // js: new Promise(resolve => resolve((() => 1)())).then(h)
    assert_tick(1, |h| h.then(Promise::attempt(|| Ok(1))));
}

#[test]
fn attempt_throw() {
    // js: new Promise(resolve => resolve((() => { throw 'no' })())).catch(h)
    assert_tick(1, |h| h.catch(Promise::<i32>::attempt(|| Err("no".into()))));
    quiet_bombs();
    assert_tick(1, |h| h.catch(Promise::<i32>::attempt(|| panic!("bomb: attempt"))));
}

#[test]
fn attempt_promise() {
    // js: new Promise(resolve => resolve((() => Promise.resolve(1))())).then(h)
    assert_tick(3, |h| h.then(Promise::attempt(one)));
}

// ---- finally

#[test]
fn finally_nothing_then() {
    // js: Promise.resolve(1).finally(() => {}).then(h)
    assert_tick(4, |h| h.then(one().finally(|| ())));
    assert_tick(4, |h| h.then(one().finally(|| Ok(()))));
}

#[test]
fn finally_nothing_catch() {
    // js: Promise.reject('no').finally(() => {}).catch(h)
    assert_tick(4, |h| h.catch(no("no").finally(|| ())));
}

#[test]
fn finally_settled_promise_then() {
    // js: Promise.resolve(1).finally(() => Promise.resolve()).then(h)
    assert_tick(4, |h| h.then(one().finally(|| Promise::resolve(()))));
}

#[test]
fn finally_settled_promise_catch() {
    // js: Promise.reject('no').finally(() => Promise.resolve()).catch(h)
    assert_tick(4, |h| h.catch(no("no").finally(|| Promise::resolve(()))));
}

#[test]
fn finally_rejected_promise_catch() {
    // js: Promise.resolve(1).finally(() => Promise.reject('no')).catch(h)
    assert_tick(4, |h| h.catch(one().finally(|| Promise::<()>::reject("no"))));
}

#[test]
fn finally_throw_catch() {
    // js: Promise.resolve(1).finally(() => { throw 'no' }).catch(h)
    assert_tick(2, |h| h.catch(one().finally(|| -> Result<(), Rejection> { Err("no".into()) })));
    quiet_bombs();
    assert_tick(2, |h| h.catch(one().finally(|| panic!("bomb: finally"))));
}

#[test]
fn two_finallies() {
    // js: Promise.resolve(1).finally(() => {}).finally(() => {}).then(h)
    assert_tick(7, |h| h.then(one().finally(|| ()).finally(|| ())));
}
