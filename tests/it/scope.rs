//! `scope`: what starts together ends together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use thenable::{
    AggregateError, CancelOutcome, EventLoop, ExecutorExt, Fault, LoopHandle, Promise, Rejection, Result, Scope,
    ThreadPool, WaitFor, delay, scope, wait_for,
};

use crate::common::Seen;
use crate::support::{LIMIT, Ledger, on_loop, on_virtual_clock, quiet_bombs, watchdog};

const SEC: Duration = Duration::from_secs(1);

/// An hour of sleep with something in hand.
async fn hour(in_hand: impl Send) -> Result<()> {
    delay(3600 * SEC).await?;
    drop(in_hand);
    Ok(())
}

async fn fail_after(after: Duration, text: &'static str) -> Result<()> {
    delay(after).await?;
    Err(text.into())
}

fn text<T>(outcome: Result<T>) -> String {
    outcome.map_or_else(|why| why.to_string(), |_| "a value".into())
}

// ---- success

#[test]
fn it_waits_for_children_that_nobody_awaits() {
    on_virtual_clock(|event_loop| {
        let (seen, start) = (Seen::default(), event_loop.handle().now());
        let value = scope({
            let seen = seen.clone();
            async move |s: Scope| {
                for n in [3_u32, 1, 2] {
                    let seen = seen.clone();
                    s.spawn(async move {
                        delay(n * SEC).await?;
                        seen.add(n);
                        Ok(())
                    });
                }
                assert_eq!(s.running(), 4, "three and the body");
                Ok("body")
            }
        });
        assert_eq!(event_loop.run(value).unwrap(), "body");
        assert_eq!(event_loop.handle().now() - start, 3 * SEC);
        assert_eq!(seen.take(), [1, 2, 3]);
    });
}

#[test]
fn the_values_of_children_need_not_be_clone() {
    struct Plain(i32);
    on_virtual_clock(|event_loop| {
        let sum = event_loop.run(scope(async |s| {
            let future = s.spawn(async { Ok(Plain(1)) });
            let promise = s.spawn(Promise::delay(SEC, Plain(2)));
            let run = s.run(|| Promise::resolve(Plain(3)));
            let run_async = s.run(async || {
                delay(SEC).await?;
                Ok(Plain(4))
            });
            Ok(future.await?.0 + promise.await?.0 + run.await?.0 + run_async.await?.0)
        }));
        assert_eq!(sum.unwrap(), 10);
    });
}

#[test]
fn children_start_children() {
    fn grow(s: Scope, depth: u32, leaves: Arc<AtomicUsize>) {
        if depth == 0 {
            leaves.fetch_add(1, SeqCst);
            return;
        }
        for _ in 0..2 {
            let (s, leaves) = (s.clone(), leaves.clone());
            let inner = s.clone();
            s.spawn(async move {
                delay(SEC).await?;
                grow(inner, depth - 1, leaves);
                Ok(())
            });
        }
    }
    on_virtual_clock(|event_loop| {
        let leaves = Arc::new(AtomicUsize::new(0));
        let (start, counted) = (event_loop.handle().now(), leaves.clone());
        event_loop
            .run(scope(async |s| {
                grow(s, 5, counted);
                Ok(())
            }))
            .unwrap();
        assert_eq!((leaves.load(SeqCst), event_loop.handle().now() - start), (32, 5 * SEC));
    });
}

#[test]
fn handlers_of_children_run_before_those_of_the_scope() {
    on_loop(|event_loop| {
        let seen = Seen::default();
        let whole = scope({
            let seen = seen.clone();
            async move |s: Scope| {
                drop(s.spawn(async { Ok(()) }).map(seen.noting("future")));
                drop(s.spawn(Promise::resolve(())).map(seen.noting("promise")));
                Ok(())
            }
        });
        event_loop.run(whole.map(seen.noting("scope"))).unwrap();
        let mut order = seen.take();
        assert_eq!(order.pop(), Some("scope"));
        order.sort_unstable();
        assert_eq!(order, ["future", "promise"]);
    });
}

#[test]
fn it_works_without_a_loop_on_the_thread() {
    watchdog(LIMIT, || {
        let value = scope(async |s| {
            let one = s.spawn(async { Ok(1) });
            let two = s.spawn(Promise::delay(Duration::from_millis(1), 2));
            Ok(one.await? + two.await?)
        });
        assert_eq!(value.wait().unwrap(), 3);
    });
}

// ---- failure

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

// ---- cancellation

#[test]
fn cancelling_the_promise_waits_for_the_children() {
    on_virtual_clock(|event_loop| {
        let ledger = Ledger::default();
        let tokens = [ledger.token(), ledger.token(), ledger.token()];
        let whole = scope(async move |s: Scope| {
            let [a, b, c] = tokens;
            s.spawn(hour(a));
            s.run(|| Promise::spawn(hour(b)));
            hour(c).await
        });
        event_loop.run(delay(SEC)).unwrap();
        assert_eq!(whole.cancel("closing"), CancelOutcome::Cancelled);
        assert!(whole.is_pending(), "the children are asked, and not gone yet");
        assert_eq!(whole.cancel("again"), CancelOutcome::Cancelled);
        let then = ledger.clone();
        // A handler runs before any task has its next turn.
        let whole = whole.tap_err(move |_| then.assert_balanced("gone when the handler runs"));
        assert_eq!(text(event_loop.run(whole)), "cancelled: closing");
    });
}

#[test]
fn the_first_of_two_cancellations_counts() {
    on_loop(|event_loop| {
        let reasons = Seen::default();
        let heard = reasons.clone();
        let outcome = event_loop.run(scope(async move |s| {
            let (child, resolver) = Promise::<()>::with_resolvers();
            resolver.on_cancel(move |reason| heard.add(reason.to_string()));
            s.spawn(child).mark_handled();
            s.cancel("first");
            s.cancel("second");
            std::future::pending::<Result<()>>().await
        }));
        assert_eq!(text(outcome), "cancelled: first");
        assert_eq!(reasons.take(), ["first"]);
    });
}

#[test]
fn cancelling_reaches_a_scope_upstream() {
    on_virtual_clock(|event_loop| {
        let ledger = Ledger::default();
        let sleeper = || {
            let token = ledger.token();
            scope(async move |s| s.spawn(hour(token)).await)
        };
        let mapped = sleeper().map(drop);
        event_loop.run(delay(SEC)).unwrap();
        mapped.cancel("upstream");
        assert!(mapped.is_rejected());
        event_loop.run_until_idle().unwrap();
        ledger.assert_balanced("by a derived promise");

        let late = sleeper().timeout(SEC);
        assert_fault!(event_loop.run(late), Fault::TimedOut { .. });
        event_loop.run_until_idle().unwrap();
        ledger.assert_balanced("by a timeout");

        let guard = sleeper().cancel_on_drop();
        event_loop.run(delay(SEC)).unwrap();
        drop(guard);
        event_loop.run_until_idle().unwrap();
        ledger.assert_balanced("by a guard");

        let (kept, shield) = (sleeper(), ());
        let clone = kept.clone();
        let derived = kept.map(move |()| shield);
        event_loop.run(delay(SEC)).unwrap();
        derived.cancel("not the last consumer");
        event_loop.run(delay(SEC)).unwrap();
        assert!(clone.is_pending() && ledger.dropped() < ledger.created());
        clone.cancel("now");
        assert_fault!(event_loop.run(clone), Fault::Cancelled { .. });
        ledger.assert_balanced("by a clone");
    });
}

#[test]
fn a_failure_while_it_is_being_cancelled_is_the_reason() {
    on_virtual_clock(|event_loop| {
        let outcome = event_loop.run(scope(async |s: Scope| {
            let inner = s.clone();
            s.spawn(async move {
                inner.cancel("from inside of the step that fails");
                Err::<(), _>("the last word".into())
            });
            hour(()).await
        }));
        assert_eq!(text(outcome), "the last word");
    });
}

#[test]
fn a_failure_before_the_cancellation_is_the_reason() {
    on_virtual_clock(|event_loop| {
        let (fails, resolver) = Promise::<()>::with_resolvers();
        let whole = scope(async |s: Scope| {
            s.spawn(fails);
            hour(()).await
        });
        event_loop.run(delay(SEC)).unwrap();
        resolver.reject("was there first".into()).unwrap();
        whole.cancel("too late");
        assert_eq!(text(event_loop.run(whole)), "was there first");
    });
}

#[test]
fn dropping_the_promise_cancels_nothing() {
    on_virtual_clock(|event_loop| {
        let seen = Seen::default();
        let late = seen.noting(());
        drop(scope(async move |s| s.spawn(delay(SEC).map(late)).await));
        event_loop.run_until_idle().unwrap();
        assert_eq!(seen.len(), 1);
    });
}

#[test]
fn cancel_before_the_body_was_polled() {
    on_loop(|event_loop| {
        let ledger = Ledger::default();
        let token = ledger.token();
        let whole = scope(|_| async move {
            drop(token);
            panic!("was cancelled")
        });
        let whole: Promise<()> = whole;
        whole.cancel("at once");
        assert_eq!(text(event_loop.run(whole)), "cancelled: at once");
        ledger.assert_balanced("body");
    });
}

// ---- nesting

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

// ---- loops, pools, numbers

#[test]
fn a_closed_loop_ends_its_scopes() {
    watchdog(LIMIT, || {
        let ledger = Ledger::default();
        let event_loop = EventLoop::builder().virtual_clock().build();
        let entered = event_loop.enter();
        let token = ledger.token();
        let whole = scope(async move |s| {
            s.spawn(hour(token));
            Ok(())
        });
        event_loop.run(delay(SEC)).unwrap();
        drop(entered);
        event_loop.close();
        assert_fault!(whole.wait(), Fault::LoopClosed);
        ledger.assert_balanced("with the loop");
    });
}

#[test]
fn jobs_of_a_pool_are_children() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::new(2);
        let whole = scope(async move |s: Scope| {
            let (first, second) = (s.run(|| pool.submit(|| 1)), s.run(|| pool.submit(|| 2)));
            let refused = s.run(|| pool.attempt(|| Err::<i32, Rejection>("no".into())));
            let _ = wait_for([first, second, refused], WaitFor::All).await?;
            thenable::Ok(())
        });
        assert_eq!(text(whole.wait()), "no");
    });
}

#[test]
fn children_may_run_on_several_loops() {
    watchdog(LIMIT, || {
        let global = LoopHandle::global();
        let event_loop = EventLoop::new();
        let _entered = event_loop.enter();
        let ledger = Ledger::default();
        let token = ledger.token();
        let (tell, told) = channel();
        let whole = scope(async move |s: Scope| {
            let there = s.clone();
            drop(global.call_soon(move || {
                there.spawn(async move {
                    tell.send(()).unwrap();
                    hour(token).await
                });
            }));
            told.recv()?;
            Err::<(), _>("here".into())
        });
        assert_eq!(text(event_loop.run(whole)), "here");
        ledger.assert_balanced("on the global loop");
    });
}

#[test]
fn a_hundred_thousand_children() {
    const MANY: usize = 100_000;
    watchdog(6 * LIMIT, || {
        let event_loop = EventLoop::builder().virtual_clock().build();
        let _entered = event_loop.enter();
        let ledger = Ledger::default();
        let tokens: Vec<_> = (0..MANY).map(|_| ledger.token()).collect();
        let outcome = event_loop.run(scope(async move |s: Scope| {
            for token in tokens {
                s.spawn(hour(token));
            }
            fail_after(SEC, "all of them").await
        }));
        assert_eq!(text(outcome), "all of them");
        ledger.assert_balanced("all of them");
    });
}
