//! Each kind of result that a handler may return, in every method that takes one; and the place where a handler runs.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use thenable::{EventLoop, Executor, ExecutorExt, Fault, IntoPromise, Job, Promise, Rejection, Resolution, ThreadPool};

use super::{PANIC, Table, ok, table};
use crate::common::{Seen, no};

/// One kind of result in every method, where it is to lead to this value or reason.
fn in_every_method<R, Via>(t: &Table<'_>, make: fn() -> R, expected: &str)
where
    R: IntoPromise<i32, Rejection, Via> + 'static,
{
    t.row(ok().then(move |_: i32| make()), expected);
    t.row(ok().then_or(move |_: i32| make(), Err), expected);
    t.row(no("no").then_or(Ok, move |_| make()), expected);
    t.row(ok().handle(move |_| make()), expected);
    t.row(no("no").handle(move |_| make()), expected);
    t.row(no("no").catch(move |_| make()), expected);
    t.row(no("no").catch_if(|_| true, move |_| make()), expected);
    t.row(Promise::attempt(make), expected);
    t.row(ok().on(&t.0.handle()).then(move |_: i32| make()), expected);
    t.row(no("no").on(&t.0.handle()).catch(move |_| make()), expected);
}

#[test]
fn a_result() {
    table(|t| {
        in_every_method(t, || Ok(2), "Ok(2)");
        in_every_method(t, || Err::<i32, Rejection>("why".into()), "Err(why)");
        in_every_method(
            t,
            || -> Result<i32, Rejection> { Ok("x".parse::<i32>()?) },
            "Err(invalid digit found in string)",
        );
    });
}

#[test]
fn a_promise() {
    table(|t| {
        in_every_method(t, || Promise::resolve(2), "Ok(2)");
        in_every_method(t, || no("why"), "Err(why)");
        in_every_method(t, || Promise::resolve(1).map(|n| n + 1), "Ok(2)");
        in_every_method(t, || Promise::resolve(1).then(|_| no("deep")).map(|n| n + 1), "Err(deep)");
        in_every_method(t, || thenable::delay(crate::common::MS).map(|()| 2), "Ok(2)");
    });
}

/// The handler's job and two more, then its promise has the value; a cancellation and the end of the loop after each of them.
#[test]
fn a_fulfilled_promise_and_an_end_between_its_jobs() {
    for jobs in 1..=3 {
        for cancelled in [true, false] {
            let event_loop = EventLoop::new();
            let current = event_loop.enter();
            let value = Arc::new(());
            let given = value.clone();
            let promise = Promise::resolve(()).then(move |()| Promise::resolve(given));
            for _ in 0..jobs {
                assert!(promise.is_pending());
                event_loop.run_ready(Duration::ZERO);
            }
            assert_eq!((promise.is_pending(), Arc::strong_count(&value)), (jobs < 3, 2), "after {jobs} jobs");
            if cancelled {
                promise.cancel("enough");
            }
            drop(current);
            // A value that is there is not lost with its loop.
            drop(event_loop);
            match promise.wait() {
                Ok(arrived) => assert!(Arc::ptr_eq(&arrived, &value) && (jobs == 3 || !cancelled)),
                Err(why) => {
                    assert!(matches!(why.fault(), Some(Fault::Cancelled { .. })) && cancelled && jobs < 3, "{why}")
                }
            }
            assert_eq!(Arc::strong_count(&value), 1);
        }
    }
}

#[test]
fn a_future() {
    table(|t| {
        in_every_method(t, || async { Ok(2) }, "Ok(2)");
        in_every_method(t, || async { Err::<i32, Rejection>("why".into()) }, "Err(why)");
        in_every_method(t, || async { Ok(Promise::resolve(1).await? + 1) }, "Ok(2)");
        in_every_method(t, || async { Ok::<_, Rejection>(no("why").await? + 1) }, "Err(why)");
        let waits = || async {
            thenable::delay(crate::common::MS).await?;
            Ok(2)
        };
        in_every_method(t, waits, "Ok(2)");
        in_every_method(t, || Box::pin(async { Ok(2) }), "Ok(2)");
        in_every_method(t, || std::future::ready(Err::<i32, _>(Rejection::from("why"))), "Err(why)");
        let panics = || async {
            let ready = Promise::resolve(1).await?;
            if ready == 1 { panic!("bomb") } else { Ok(ready) }
        };
        in_every_method(t, panics, PANIC);
    });
}

#[test]
fn an_async_closure() {
    table(|t| {
        t.row(ok().then(async |n| Ok(n + 1)), "Ok(2)");
        t.row(ok().then(async |_| Err::<i32, _>("why".into())), "Err(why)");
        t.row(ok().then_or(async |n| Ok(n + 1), async |_| Ok(0)), "Ok(2)");
        t.row(no("no").then_or(async |n| Ok(n + 1), async |_| Ok(0)), "Ok(0)");
        t.row(ok().handle(async |outcome: Result<i32, Rejection>| Ok::<_, Rejection>(outcome.is_ok())), "Ok(true)");
        t.row(no("no").catch(async |why| Ok(i32::from(why.to_string() == "no"))), "Ok(1)");
        t.row(no("no").catch_if(|_| true, async |_| Ok(2)), "Ok(2)");
        t.row(ok().finally(async || Ok(())), "Ok(1)");
        t.row(ok().finally(async || Err("finally".into())), "Err(finally)");
        t.row(ok().finally(async || thenable::delay(crate::common::MS).await), "Ok(1)");
        t.row(Promise::attempt(async || Ok(2)), "Ok(2)");
        let panics = async |n: i32| if n == 1 { panic!("bomb") } else { Ok(n) };
        t.row(ok().then(panics), PANIC);
    });
}

#[test]
fn a_resolution() {
    table(|t| {
        in_every_method(t, || Resolution::Resolve(2), "Ok(2)");
        in_every_method(t, || Resolution::<i32>::Reject("why".into()), "Err(why)");
        in_every_method(t, || Resolution::Adopt(Promise::resolve(2)), "Ok(2)");
        in_every_method(t, || Resolution::Adopt(no("why")), "Err(why)");
        in_every_method(t, || Resolution::<i32>::from(Ok(2)), "Ok(2)");
        in_every_method(t, || Resolution::from(Promise::resolve(2)), "Ok(2)");
    });
}

#[test]
fn nothing() {
    table(|t| {
        t.row(ok().then(|_| ()), "Ok(())");
        t.row(no("no").then(|_| ()), "Err(no)");
        t.row(Promise::<()>::reject("no").catch(|_| ()), "Ok(())");
        t.row(ok().then_or(|_| (), |_| ()), "Ok(())");
        t.row(ok().handle::<_, Rejection, _, _>(|_| ()), "Ok(())");
        t.row(ok().then(async |_| ()), "Ok(())");
        t.row(Promise::attempt(|| ()), "Ok(())");
    });
}

#[test]
fn a_panic_alone() {
    table(|t| {
        in_every_method(t, || -> Result<i32, Rejection> { panic!("bomb") }, PANIC);
        in_every_method(t, || -> Promise<i32> { panic!("bomb") }, PANIC);
        in_every_method(t, || -> Resolution<i32> { panic!("bomb") }, PANIC);
        t.row(ok().then::<i32, _, _>(|_| panic!("bomb")), PANIC);
        t.row(no("no").catch(|_| panic!("bomb")), PANIC);
        t.row(ok().finally(|| panic!("bomb")), PANIC);
        t.row(Promise::<i32>::attempt(|| panic!("bomb")), PANIC);
    });
}

#[test]
fn attempt_runs_its_closure_at_once() {
    table(|t| {
        let ran = Seen::default();
        let promise = Promise::attempt(|| {
            ran.add("ran");
            Ok(1)
        });
        assert_eq!(ran.take(), ["ran"]);
        assert!(promise.is_fulfilled());
        t.row(promise, "Ok(1)");
        let borrowed = String::from("may borrow");
        t.row(Promise::attempt(|| Ok(borrowed.len())), "Ok(10)");
    });
}

// ---- on

#[test]
fn on_runs_the_next_handler_there_and_the_one_after_it_here() {
    table(|t| {
        let pool = ThreadPool::new(1);
        let worker = t.0.run(pool.submit(|| thread::current().id())).unwrap();
        let here = thread::current().id();
        let threads = ok().on(&pool).map(|_| thread::current().id()).map(|first| [first, thread::current().id()]);
        assert_eq!(t.0.run(threads).unwrap(), [worker, here]);
        let catch = no("no").map(move |_| here).on(&pool).catch(|_| Ok(thread::current().id()));
        assert_eq!(t.0.run(catch).unwrap(), worker);
        let seen = Seen::default();
        let log = seen.clone();
        t.row(ok().on(&pool).finally(move || log.add(thread::current().id())), "Ok(1)");
        assert_eq!(seen.take(), [worker]);
    });
}

#[test]
fn on_takes_every_method_and_outcome() {
    table(|t| {
        let pool = ThreadPool::new(2);
        t.row(ok().on(&pool).map(|n| n + 1), "Ok(2)");
        t.row(no("no").on(&pool).map(|n| n + 1), "Err(no)");
        t.row(ok().on(&pool).map(|_| -> i32 { panic!("bomb") }), PANIC);
        t.row(ok().on(&pool).then(|n| Ok(n + 1)), "Ok(2)");
        t.row(ok().on(&pool).then(|_| Promise::resolve(2)), "Ok(2)");
        t.row(ok().on(&pool).then(async |n| Ok(Promise::resolve(n).await? + 1)), "Ok(2)");
        t.row(ok().on(&pool).then_or(Ok, Err), "Ok(1)");
        t.row(no("no").on(&pool).then_or(Ok, |_| Ok(2)), "Ok(2)");
        t.row(no("no").on(&pool).handle(|outcome| Ok::<_, Rejection>(outcome.is_err())), "Ok(true)");
        t.row(no("no").on(&pool).catch(|_| Ok(2)), "Ok(2)");
        t.row(no("no").on(&pool).catch(|_| -> Result<i32, Rejection> { panic!("bomb") }), PANIC);
        t.row(no("no").on(&pool).catch_if(|_| false, |_| Ok(2)), "Err(no)");
        t.row(ok().on(&pool).finally(|| ()), "Ok(1)");
        t.row(ok().on(&pool).finally(|| panic!("bomb")), PANIC);
        t.row(ok().on(&pool).tap(|_| ()), "Ok(1)");
        t.row(no("no").on(&pool).tap_err(|_| ()), "Err(no)");
        t.row(no("no").on(&pool).map_err(|why| format!("{why}!")), "Err(no!)");
    });
}

#[test]
fn on_takes_any_executor() {
    table(|t| {
        let bare = |job: Job| {
            thread::spawn(job);
        };
        t.row(ok().on(&bare).map(|n| n + 1), "Ok(2)");
        let dynamic: Arc<dyn Executor> = Arc::new(ThreadPool::new(1));
        t.row(ok().on(&dynamic).map(|n| n + 1), "Ok(2)");
        t.row(ok().on(&t.0.handle()).map(|n| n + 1), "Ok(2)");
        let inline = |job: Job| job();
        t.row(ok().on(&inline).map(|n| n + 1), "Ok(2)");
        t.row(ok().on(&inline).map(|_| -> i32 { panic!("bomb") }), PANIC);
    });
}
