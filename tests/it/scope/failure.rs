//! What a failure does to the body and the other children.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use thenable::{AggregateError, CancelOutcome, EventLoop, Fault, Promise, Rejection, Scope, delay, scope};

use super::{SEC, fail_after, hour, text};
use crate::support::{LIMIT, Ledger, on_virtual_clock, quiet_bombs, watchdog};

#[test]
fn the_first_failure_cancels_the_body_and_the_other_children() {
    on_virtual_clock(|event_loop| {
        let (ledger, start) = (Ledger::default(), event_loop.handle().now());
        let (tell, told) = channel();
        let tokens = [ledger.token(), ledger.token(), ledger.token()];
        let outcome = event_loop.run(scope(async move |s: Scope| {
            let [a, b, c] = tokens;
            let sibling = s.spawn(hour(a));
            s.run(|| {
                let (promise, resolver) = Promise::<()>::with_resolvers();
                let held = resolver.clone();
                resolver.on_cancel(move |reason| {
                    drop((b, held));
                    tell.send(reason.to_string()).unwrap();
                });
                promise
            });
            s.spawn(fail_after(SEC, "disk full"));
            let _in_hand = c;
            sibling.await
        }));
        assert_eq!(text(outcome), "disk full");
        assert_eq!(told.recv().unwrap(), "another part of the scope failed: disk full");
        assert_eq!(event_loop.handle().now() - start, SEC);
        ledger.assert_balanced("futures are gone when the scope settles");
    });
}

#[test]
fn every_kind_of_failure_counts() {
    quiet_bombs();
    type Body = Box<dyn FnOnce(Scope) -> Promise<()>>;
    let ways: [(&str, Body); 7] = [
        ("future", Box::new(|s| s.spawn(fail_after(SEC, "future")))),
        ("promise", Box::new(|s| s.spawn(Promise::reject("promise")))),
        ("run", Box::new(|s| s.run(|| delay(SEC).then(|()| Err("run".into()))))),
        ("bomb: f", Box::new(|s| s.run(|| -> Promise<()> { panic!("bomb: f") }))),
        ("bomb: poll", Box::new(|s| s.spawn(async { panic!("bomb: poll") }))),
        ("bomb: handler", Box::new(|s| s.run(|| delay(SEC).map(|()| panic!("bomb: handler"))))),
        ("body", Box::new(|_| Promise::reject("body"))),
    ];
    for (expected, way) in ways {
        on_virtual_clock(|event_loop| {
            let ledger = Ledger::default();
            let (token, body) = (ledger.token(), ledger.token());
            let outcome = event_loop.run(scope(|s| {
                s.spawn(hour(token));
                if expected == "body" {
                    return way(s);
                }
                let failing = way(s.clone());
                drop(failing);
                s.run(move || Promise::spawn(hour(body)))
            }));
            let outcome = text(outcome);
            assert!(outcome.contains(expected), "{outcome}");
            ledger.assert_balanced(expected);
        });
    }
}

#[test]
fn a_body_that_panics_at_once_waits_for_its_children() {
    quiet_bombs();
    on_virtual_clock(|event_loop| {
        let ledger = Ledger::default();
        let token = ledger.token();
        let outcome = event_loop.run(scope(|s| -> Promise<()> {
            s.spawn(hour(token));
            panic!("bomb: body");
        }));
        assert_fault!(outcome, Fault::Panicked { .. });
        ledger.assert_balanced("children");
    });
}

#[test]
fn one_error_is_passed_on_and_several_are_all_kept() {
    #[derive(Debug, thiserror::Error)]
    #[error("typed")]
    struct Typed;
    on_virtual_clock(|event_loop| {
        let one = event_loop.run(scope(async |s| {
            s.spawn(async { Err::<(), _>(Typed.into()) });
            s.spawn(hour(())).await
        }));
        assert!(one.unwrap_err().is::<Typed>());

        let many = event_loop.run(scope(async |s| {
            s.spawn(fail_after(SEC, "too late to count"));
            s.spawn(Promise::<()>::reject("first"));
            s.spawn(Promise::<()>::reject("second"));
            s.spawn(Promise::<()>::reject("third"));
            hour(()).await
        }));
        let why = many.unwrap_err();
        let AggregateError { errors } = why.downcast_ref::<AggregateError>().expect("several errors");
        let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["first", "second", "third"]);
    });
}

#[test]
fn errors_of_other_threads_are_kept() {
    watchdog(LIMIT, || {
        let (ready, both) = channel();
        let outcome = scope(|s| {
            for text in ["left", "right"] {
                let (ready, s) = (ready.clone(), s.clone());
                thread::spawn(move || {
                    let event_loop = EventLoop::new();
                    let _entered = event_loop.enter();
                    let (go, gone) = channel();
                    let child = s.spawn(async move {
                        ready.send(go).unwrap();
                        // Blocks the loop on purpose: cancelling comes too late for this step.
                        Err::<(), Rejection>(gone.recv()?)
                    });
                    let why = event_loop.run(child).unwrap_err();
                    assert!(why.to_string().contains(text) || matches!(why.fault(), Some(Fault::Cancelled { .. })));
                    event_loop.run_until_idle().unwrap();
                    text
                });
            }
            let gates = [both.recv().unwrap(), both.recv().unwrap()];
            for (gate, text) in gates.iter().zip(["left", "right"]) {
                // Both are in their step now.
                gate.send(Rejection::from(format!("left or right: {text}"))).unwrap();
            }
            Promise::resolve(())
        });
        let why = outcome.wait().unwrap_err();
        let errors = &why.downcast_ref::<AggregateError>().expect("both errors").errors;
        assert_eq!(errors.len(), 2);
    });
}

#[test]
fn a_child_that_is_cancelled_alone_is_no_failure() {
    on_virtual_clock(|event_loop| {
        let ledger = Ledger::default();
        let token = ledger.token();
        let (start, inside) = (event_loop.handle().now(), ledger.clone());
        let value = event_loop.run(scope(async move |s| {
            let child = s.spawn(hour(token));
            let other = s.spawn(Promise::delay(2 * SEC, 2));
            delay(SEC).await?;
            assert_eq!(child.cancel("not needed"), CancelOutcome::Cancelled);
            delay(Duration::ZERO).await?;
            assert_eq!(inside.dropped(), 1);
            assert!(!s.is_ending());
            other.await
        }));
        assert_eq!(value.unwrap(), 2);
        assert_eq!(event_loop.handle().now() - start, 2 * SEC);
    });
}

#[test]
fn no_child_starts_once_the_scope_is_ending() {
    on_virtual_clock(|event_loop| {
        let (keep, kept) = channel();
        let outcome = event_loop.run(scope(async move |s: Scope| {
            let late = s.clone();
            s.run(|| {
                let (promise, resolver) = Promise::<()>::with_resolvers();
                let held = resolver.clone();
                resolver.on_cancel(move |_| {
                    drop(held);
                    assert!(late.is_ending());
                    let refused = late.run(|| -> Promise<()> { panic!("the scope is ending") });
                    keep.send((refused, late)).unwrap();
                });
                promise
            });
            s.cancel("enough");
            Ok(())
        }));
        assert_eq!(text(outcome), "cancelled: enough");
        let (refused, scope) = kept.recv().unwrap();
        assert_eq!(text(refused.wait()), "cancelled: enough");
        let ledger = Ledger::default();
        assert_eq!(text(scope.spawn(hour(ledger.token())).wait()), "cancelled: enough");
        ledger.assert_balanced("a future that was refused");
        assert_eq!(format!("{scope:?}"), "Scope { running: 0, ending: true }");

        let over = event_loop.run(scope_handle()).unwrap();
        assert_eq!(text(over.spawn(hour(())).wait()), "cancelled: the scope is over");
    });

    fn scope_handle() -> Promise<Scope> {
        scope(async |s| Ok(s))
    }
}

#[test]
fn errors_of_children_that_nobody_looks_at_are_not_reported() {
    watchdog(LIMIT, || {
        let event_loop = EventLoop::builder().virtual_clock().strict().build();
        let _entered = event_loop.enter();
        // Strict: a rejection that goes unhandled would be the outcome.
        let caught = scope(async |s| {
            s.spawn(fail_after(SEC, "seen by the scope"));
            s.spawn(hour(()));
            hour(()).await
        });
        assert_eq!(event_loop.run(caught.catch(|_| Ok(()))).map_err(|why| why.to_string()), Ok(()));
        event_loop.run_until_idle().unwrap();
        // But that of the scope itself is.
        drop(scope(async |_| Err::<(), _>("nobody looks".into())));
        assert!(matches!(event_loop.run_until_idle(), Err(Fault::Unhandled { .. })));
    });
}
