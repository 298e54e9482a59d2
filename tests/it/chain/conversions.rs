//! `settled`, `flatten`, `named`, and promises made of results.

use thenable::{EventLoop, Fault, Promise, Rejection};

use super::{PANIC, ok, table};
use crate::common::no;
use crate::support::{LIMIT, watchdog};

#[test]
fn settled_never_rejects_because_of_the_outcome() {
    table(|t| {
        let told = |outcome: Result<i32, Rejection>| outcome.map_err(|why| why.to_string());
        t.row(ok().settled().map(told), "Ok(Ok(1))");
        t.row(no("no").settled().map(told), r#"Ok(Err("no"))"#);
        let panicked = ok().map(|_| -> i32 { panic!("bomb") }).settled().map(told);
        t.row(panicked, r#"Ok(Err("a handler panicked: bomb"))"#);
        t.row(no("no").settled().map(|_| -> i32 { panic!("bomb") }), PANIC);
    });
}

#[test]
fn flatten_of_a_result() {
    table(|t| {
        let checked = |p: Promise<i32>| p.map(|n| if n > 0 { Ok(n) } else { Err("not positive") }).flatten();
        t.row(checked(ok()), "Ok(1)");
        t.row(checked(Promise::resolve(0)), "Err(not positive)");
        t.row(checked(no("no")), "Err(no)");
        t.row(ok().settled().flatten(), "Ok(1)");
        t.row(no("no").settled().flatten(), "Err(no)");
    });
}

#[test]
fn flatten_of_a_promise() {
    table(|t| {
        t.row(ok().map(Promise::resolve).flatten(), "Ok(1)");
        t.row(ok().map(|_| no("inner")).flatten(), "Err(inner)");
        t.row(no("outer").map(Promise::resolve).flatten(), "Err(outer)");
        t.row(ok().map(|_| -> Promise<i32> { panic!("bomb") }).flatten(), PANIC);
        let (inner, resolver) = Promise::<i32>::with_resolvers();
        let flat = ok().map(move |_| inner).flatten();
        t.0.run_until_idle().unwrap();
        assert!(flat.is_pending(), "as long as the inner one is");
        resolver.resolve(2).unwrap();
        t.row(flat, "Ok(2)");
        t.row(ok().map(|n| Promise::resolve(Promise::resolve(n))).flatten().flatten(), "Ok(1)");
    });
}

#[test]
fn named_changes_the_name_only() {
    table(|t| {
        t.row(ok().named("one"), "Ok(1)");
        t.row(no("no").named(String::from("two")).map(|n| n + 1), "Err(no)");
        let (promise, resolver) = Promise::<i32>::with_resolvers();
        let promise = promise.named("first").named("second");
        resolver.resolve(1).unwrap();
        t.row(promise, "Ok(1)");
    });
}

#[test]
fn a_name_stands_in_the_report_of_a_rejection_that_nobody_handled() {
    watchdog(LIMIT, || {
        let event_loop = EventLoop::builder().strict().build();
        let _current = event_loop.enter();
        drop(no("lost").map(|n| n + 1).named("the answer"));
        match event_loop.run_until_idle() {
            Err(Fault::Unhandled { report }) => assert!(report.to_string().contains("`the answer`"), "{report}"),
            other => panic!("expected Unhandled, got {other:?}"),
        }
    });
}

#[test]
fn results_become_promises() {
    table(|t| {
        t.row(Promise::from("5".parse::<i32>()).map_err(Rejection::from), "Ok(5)");
        t.row(Promise::from("x".parse::<i32>()).map_err(Rejection::from), "Err(invalid digit found in string)");
        let typed: Promise<i32, String> = Err("text".to_owned()).into();
        t.row(typed.catch(|why| if why == "text" { Ok(2) } else { Err(why) }), "Ok(2)");
        t.row(Promise::<i32, String>::fulfilled(1).map(|n| n + 1), "Ok(2)");
        t.row(Promise::<i32, String>::rejected("text".into()).map(|n| n + 1), "Err(text)");
    });
}
