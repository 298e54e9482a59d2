//! Scopes in scopes.

use std::sync::mpsc::channel;

use thenable::{Promise, Scope, delay, scope};

use super::{SEC, fail_after, hour, text};
use crate::support::{Ledger, on_virtual_clock};

#[test]
fn a_nested_scope_is_over_before_the_outer_one() {
    on_virtual_clock(|event_loop| {
        let start = event_loop.handle().now();
        event_loop
            .run(scope(async |outer: Scope| {
                // Nobody awaits these two.
                drop(scope(async |inner| {
                    inner.spawn(delay(3 * SEC));
                    Ok(())
                }));
                outer.spawn(async {
                    drop(scope(async |_| delay(5 * SEC).await));
                    Ok(())
                });
                Ok(())
            }))
            .unwrap();
        assert_eq!(event_loop.handle().now() - start, 5 * SEC);
    });
}

#[test]
fn nested_scopes_are_cancelled_with_the_outer_one() {
    // How deep the failure sits; all the others sleep.
    on_virtual_clock(|event_loop| {
        let ledger = Ledger::default();
        let start = event_loop.handle().now();
        let token = || ledger.token();
        let (a, b, c, d) = (token(), token(), token(), token());
        let outcome = event_loop.run(scope(async move |outer: Scope| {
            let in_future = async move {
                scope(async move |inner: Scope| {
                    inner.spawn(hour(a));
                    scope(async move |innermost| innermost.spawn(hour(b)).await).await
                })
                .await
            };
            outer.spawn(in_future);
            outer.run(|| scope(async move |inner| inner.spawn(hour(c)).await).map(drop));
            outer.spawn(fail_after(SEC, "outer child"));
            hour(d).await
        }));
        assert_eq!(text(outcome), "outer child");
        assert_eq!(event_loop.handle().now() - start, SEC);
        ledger.assert_balanced("all levels");
    });
}

#[test]
fn errors_of_a_nested_scope_go_to_whoever_awaits_it() {
    on_virtual_clock(|event_loop| {
        let value = event_loop.run(scope(async |outer: Scope| {
            let caught = outer.spawn(async {
                let inner = scope(async |inner| {
                    inner.spawn(fail_after(SEC, "inner"));
                    hour(()).await
                });
                Ok(text(inner.await))
            });
            caught.await
        }));
        assert_eq!(value.unwrap(), "inner", "the outer scope goes on");

        let outcome = event_loop.run(scope(async |outer: Scope| {
            outer.spawn(async { scope(async |_| fail_after(SEC, "passed on").await).await });
            hour(()).await
        }));
        assert_eq!(text(outcome), "passed on");
    });
}

#[test]
fn a_scope_that_is_made_in_an_ending_one_does_not_begin() {
    on_virtual_clock(|event_loop| {
        let outcome = event_loop.run(scope(async |s: Scope| {
            s.cancel("over");
            scope(|_| -> Promise<()> { panic!("must not begin") }).await
        }));
        assert_eq!(text(outcome), "cancelled: over");
    });
}

#[test]
fn the_place_inside_of_a_scope_ends_with_the_step() {
    on_virtual_clock(|event_loop| {
        let start = event_loop.handle().now();
        let handle = event_loop.handle();
        let (keep, kept) = channel();
        event_loop
            .run(scope(async move |_| {
                // A job is no part of the scope.
                drop(handle.call_soon(move || keep.send(scope(async |_| delay(5 * SEC).await)).unwrap()));
                delay(SEC).await
            }))
            .unwrap();
        assert_eq!(event_loop.handle().now() - start, SEC);
        event_loop.run(kept.recv().unwrap()).unwrap();
        assert_eq!(event_loop.handle().now() - start, 5 * SEC);
    });
}
