//! Each method with a fulfilled promise, a rejected one, and a handler that panics.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::{fmt, io};

use thenable::{Fault, Promise, Rejection};

use super::{PANIC, ok, table};
use crate::common::{Seen, no};

#[test]
fn then_sees_values_only() {
    table(|t| {
        t.row(ok().then(|n| Ok(n + 1)), "Ok(2)");
        t.row(no("no").then(|n| Ok(n + 1)), "Err(no)");
        t.row(ok().then(|_| -> Result<i32, Rejection> { panic!("bomb") }), PANIC);
        t.row(no("no").then(|_| -> Result<i32, Rejection> { panic!("bomb") }), "Err(no)");
    });
}

#[test]
fn then_or_calls_one_of_its_two_handlers() {
    table(|t| {
        let text = |why: Rejection| Ok(format!("caught {why}"));
        t.row(ok().then_or(|n| Ok(n.to_string()), text), r#"Ok("1")"#);
        t.row(no("no").then_or(|n| Ok(n.to_string()), text), r#"Ok("caught no")"#);
        t.row(ok().then_or(|_| Err::<i32, _>("first".into()), |_| Ok(2)), "Err(first)");
        t.row(ok().then_or(|_| -> Result<i32, Rejection> { panic!("bomb") }, |_| Ok(2)), PANIC);
        t.row(no("no").then_or(|_| Ok(2), |_| Err("second".into())), "Err(second)");
        t.row(no("no").then_or(Ok, |_| -> Result<i32, Rejection> { panic!("bomb") }), PANIC);
    });
}

#[test]
fn handle_sees_both_outcomes_and_may_change_both_types() {
    table(|t| {
        let told = |outcome: Result<i32, Rejection>| Ok::<_, String>(outcome.map_err(|why| why.to_string()));
        t.row(ok().handle(told), "Ok(Ok(1))");
        t.row(no("no").handle(told), r#"Ok(Err("no"))"#);
        t.row(ok().handle(|_| Err::<(), String>("text".into())), "Err(text)");
        t.row(no("no").handle(|_| Err::<(), String>("text".into())), "Err(text)");
        t.row(ok().handle(|_| -> Result<(), String> { panic!("bomb") }), PANIC);
        t.row(no("no").handle(|_| -> Result<(), String> { panic!("bomb") }), PANIC);
    });
}

#[test]
fn catch_sees_reasons_only() {
    table(|t| {
        t.row(ok().catch(|_| Ok(2)), "Ok(1)");
        t.row(no("no").catch(|_| Ok(2)), "Ok(2)");
        t.row(no("no").catch(Err), "Err(no)");
        t.row(no("no").catch(|_| Err("other".into())), "Err(other)");
        t.row(ok().catch(|_| -> Result<i32, Rejection> { panic!("bomb") }), "Ok(1)");
        t.row(no("no").catch(|_| -> Result<i32, Rejection> { panic!("bomb") }), PANIC);
        t.row(ok().map(|_| -> i32 { panic!("bomb") }).catch(|why| Ok(i32::from(why.is::<Fault>()))), "Ok(1)");
    });
}

#[test]
fn catch_and_then_or_do_not_guard_their_own_link() {
    table(|t| {
        let caught = Seen::default();
        let catching = |entry: &'static str| {
            let caught = caught.clone();
            move |why: Rejection| {
                caught.add(entry);
                Err::<i32, _>(why)
            }
        };
        let chain = ok().then_or(|_| Err("in then_or".into()), catching("the sibling"));
        t.row(chain.catch(catching("the next link")), "Err(in then_or)");
        assert_eq!(caught.take(), ["the next link"]);
    });
}

#[test]
fn catch_if_asks_first() {
    table(|t| {
        let io = || Promise::<i32>::reject(io::Error::other("disk"));
        t.row(ok().catch_if(|_| true, |_| Ok(2)), "Ok(1)");
        t.row(io().catch_if(|why| why.is::<io::Error>(), |_| Ok(2)), "Ok(2)");
        t.row(io().catch_if(|why| why.is::<fmt::Error>(), |_| Ok(2)), "Err(disk)");
        t.row(io().catch_if(|_| true, |_| Err("other".into())), "Err(other)");
        t.row(io().catch_if(|_| panic!("bomb"), |_| Ok(2)), PANIC);
        t.row(io().catch_if(|_| true, |_| -> Result<i32, Rejection> { panic!("bomb") }), PANIC);
        t.row(io().catch_if(|_| false, |_| -> Result<i32, Rejection> { panic!("bomb") }), "Err(disk)");
        let called = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&called);
        let predicate = move |_: &Rejection| count.fetch_add(1, Ordering::SeqCst) == 0;
        t.row(ok().catch_if(predicate, |_| Ok(2)), "Ok(1)");
        assert_eq!(called.load(Ordering::SeqCst), 0, "a value asks nothing");
    });
}

#[test]
fn finally_passes_the_outcome_through() {
    table(|t| {
        let ran = Seen::default();
        let note = |entry: &'static str| {
            let note = ran.noting(entry);
            move || note(())
        };
        t.row(ok().finally(note("fulfilled")), "Ok(1)");
        t.row(no("no").finally(note("rejected")), "Err(no)");
        assert_eq!(ran.take(), ["fulfilled", "rejected"]);
        for promise in [ok, || no("no")] {
            t.row(promise().finally(|| Err("finally".into())), "Err(finally)");
            t.row(promise().finally(|| panic!("bomb")), PANIC);
            t.row(promise().finally(|| Promise::<()>::reject("finally")), "Err(finally)");
        }
        for (promise, expected) in [(ok(), "Ok(1)"), (no("no"), "Err(no)")] {
            t.row(promise.finally(|| Ok(())), expected);
        }
        for (promise, expected) in [(ok(), "Ok(1)"), (no("no"), "Err(no)")] {
            t.row(promise.finally(|| Promise::resolve("another value").map(drop)), expected);
        }
        for (promise, expected) in [(ok(), "Ok(1)"), (no("no"), "Err(no)")] {
            t.row(promise.finally(async || ()), expected);
        }
    });
}

#[test]
fn finally_waits_for_its_promise() {
    table(|t| {
        for rejects in [false, true] {
            let (gate, open) = Promise::<()>::with_resolvers();
            let chain = ok().finally(move || gate);
            let seen = chain.clone();
            t.0.run_until_idle().unwrap();
            assert!(seen.is_pending(), "the gate is closed");
            if rejects {
                open.reject("broken".into()).unwrap();
            } else {
                open.resolve(()).unwrap();
            }
            drop(seen);
            t.row(chain, if rejects { "Err(broken)" } else { "Ok(1)" });
        }
    });
}

#[test]
fn map_takes_plain_values() {
    table(|t| {
        t.row(ok().map(|n| n.to_string()), r#"Ok("1")"#);
        t.row(no("no").map(|n| n.to_string()), "Err(no)");
        t.row(ok().map(|_| -> i32 { panic!("bomb") }), PANIC);
        t.row(ok().map(|n| if n > 5 { Ok(n) } else { Err("a plain value") }), r#"Ok(Err("a plain value"))"#);
    });
}

#[test]
fn map_err_changes_the_reason() {
    table(|t| {
        t.row(ok().map_err(|why| format!("{why}!")), "Ok(1)");
        t.row(no("no").map_err(|why| format!("{why}!")), "Err(no!)");
        t.row(no("no").map_err(|_| -> String { panic!("bomb") }), PANIC);
        t.row(ok().map_err(|_| -> String { panic!("bomb") }), "Ok(1)");
    });
}

#[test]
fn map_err_is_the_way_in_for_a_foreign_error_type() {
    struct Foreign(u8);
    table(|t| {
        let rejected: Promise<i32, Foreign> = Promise::rejected(Foreign(7));
        t.row(rejected.map_err(|Foreign(n)| Rejection::from(format!("code {n}"))).map(|n| n + 1), "Err(code 7)");
        let fulfilled: Promise<i32, Foreign> = Promise::fulfilled(1);
        t.row(fulfilled.map_err(|Foreign(n)| Rejection::from(format!("code {n}"))).map(|n| n + 1), "Ok(2)");
    });
}

#[test]
fn err_into_converts_the_reason() {
    table(|t| {
        let typed = |outcome: Result<i32, io::Error>| Promise::from(outcome);
        t.row(typed(Ok(1)).err_into::<Rejection>(), "Ok(1)");
        t.row(typed(Err(io::Error::other("disk"))).err_into::<Rejection>(), "Err(disk)");
        let why = t.0.run(typed(Err(io::Error::other("disk"))).err_into::<Rejection>()).unwrap_err();
        assert!(why.is::<io::Error>(), "converted, not printed");

        #[derive(Debug, PartialEq)]
        struct Bomb;
        impl From<Fault> for Bomb {
            fn from(_: Fault) -> Self {
                Self
            }
        }
        impl From<Bomb> for Rejection {
            fn from(_: Bomb) -> Self {
                panic!("bomb")
            }
        }
        t.row(Promise::<i32, Bomb>::rejected(Bomb).err_into::<Rejection>(), PANIC);
        t.row(Promise::<i32, Bomb>::fulfilled(1).err_into::<Rejection>(), "Ok(1)");
    });
}

#[test]
fn tap_borrows_the_value() {
    table(|t| {
        let seen = Seen::default();
        let look = || {
            let seen = seen.clone();
            move |n: &i32| seen.add(*n)
        };
        t.row(ok().tap(look()), "Ok(1)");
        t.row(no("no").tap(look()), "Err(no)");
        t.row(ok().tap(|_| panic!("bomb")), PANIC);
        t.row(no("no").tap(|_| panic!("bomb")), "Err(no)");
        assert_eq!(seen.take(), [1]);
    });
}

#[test]
fn tap_err_borrows_the_reason() {
    table(|t| {
        let seen = Seen::default();
        let look = || {
            let seen = seen.clone();
            move |why: &Rejection| seen.add(why.to_string())
        };
        t.row(ok().tap_err(look()), "Ok(1)");
        t.row(no("no").tap_err(look()), "Err(no)");
        t.row(no("no").tap_err(|_| panic!("bomb")), PANIC);
        t.row(ok().tap_err(|_| panic!("bomb")), "Ok(1)");
        assert_eq!(seen.take(), ["no"]);
    });
}

#[test]
fn a_link_is_usable_after_any_other() {
    table(|t| {
        let chain = ok()
            .then(|n| Ok(n + 1))
            .map(|n| n * 10)
            .tap(|_| ())
            .finally(|| ())
            .then(|n| if n == 20 { Err("twenty".into()) } else { Ok(n) })
            .tap_err(|_| ())
            .map(|n| n + 1000)
            .catch_if(|why| why.is::<io::Error>(), |_| Ok(0))
            .map_err(|why| why.to_string())
            .map_err(Rejection::from)
            .settled()
            .map(|outcome: Result<i32, Rejection>| outcome.map_or_else(|why| why.to_string(), |n| n.to_string()));
        t.row(chain, r#"Ok("twenty")"#);
    });
}

#[test]
fn what_a_handler_captured_is_dropped_when_it_has_run_or_never_will() {
    struct Capture(Arc<Mutex<Vec<&'static str>>>, &'static str);
    impl Drop for Capture {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(self.1);
        }
    }
    table(|t| {
        let dropped = Arc::default();
        let capture = |name| Capture(Arc::clone(&dropped), name);
        let (ran, skipped) = (capture("ran"), capture("skipped"));
        let chain = ok().then(move |n| {
            let _kept = &ran;
            Ok(n)
        });
        let chain = chain.catch(move |why| {
            let _kept = &skipped;
            Err(why)
        });
        assert!(dropped.lock().unwrap().is_empty());
        t.row(chain, "Ok(1)");
        assert_eq!(*dropped.lock().unwrap(), ["ran", "skipped"]);
    });
}
