//! As `stacks`, for rows of combinators, cancellations, tasks and time limits, and for values that hold promises.

use std::time::Duration;

use thenable::{CancelOutcome, EventLoop, Fault, Limiter, LoopHandle, Promise, Rejection, Resolver};

use crate::support::{scaled_down, small_stack};

/// A row's length: thirty times what a stack of this size could take if each link had no more than 100 bytes of it.
fn length() -> u64 {
    scaled_down(20_000)
}

/// One more combinator around a promise.
type Wrap = fn(Promise<u64>) -> Promise<u64>;

const WRAPS: [(&str, Wrap); 12] = [
    ("all", |p| Promise::all([p]).map(|values| values[0])),
    ("all_settled", |p| Promise::all_settled([p]).then(|mut outcomes| outcomes.remove(0))),
    ("any", |p| Promise::any([p]).map_err(|why| why.into_iter().next().unwrap())),
    ("race", |p| Promise::race([p])),
    ("join", |p| Promise::join((p, Promise::resolve(()))).map(|(n, ())| n)),
    ("timeout", |p| p.timeout(Duration::from_secs(3600))),
    ("some", |p| Promise::some(1, [p]).map_err(|why| why.into_iter().next().unwrap()).map(|values| values[0])),
    ("on", |p| p.on(&LoopHandle::global()).map(|n| n)),
    ("limiter", |p| Limiter::new(1).run(move || p)),
    ("map_limit", |p| Promise::map_limit([p], 1, |p| p).map(|values| values[0])),
    ("scope", |p| {
        let p = p.cancel_on_drop();
        thenable::scope(move |scope| async move { scope.spawn(p).await })
    }),
    ("cancel_on_drop", |p| Promise::spawn(p.cancel_on_drop())),
];

fn nested(wrap: Wrap) -> (Promise<u64>, Resolver<u64>) {
    let (mut outermost, resolver) = Promise::with_resolvers();
    for _ in 0..length() {
        outermost = wrap(outermost);
    }
    (outermost, resolver)
}

/// What becomes of a row.
type End = fn(&str, &EventLoop, Promise<u64>, Resolver<u64>);

fn for_every_wrap(end: End) {
    for (name, wrap) in WRAPS {
        println!("{name}"); // An overflow ends the process, and this is all that it leaves.
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let (outermost, resolver) = nested(wrap);
        end(name, &event_loop, outermost, resolver);
    }
}

#[test]
fn resolved() {
    small_stack(|| {
        for_every_wrap(|name, event_loop, outermost, resolver| {
            assert!(resolver.resolve(7).is_ok());
            assert_eq!(event_loop.run(outermost).unwrap(), 7, "{name}");
        });
    });
}

#[test]
fn rejected() {
    small_stack(|| {
        for_every_wrap(|name, event_loop, outermost, resolver| {
            assert!(resolver.reject("no".into()).is_ok());
            assert_eq!(event_loop.run(outermost).unwrap_err().to_string(), "no", "{name}");
        });
    });
}

#[test]
fn dropped_pending() {
    small_stack(|| {
        for_every_wrap(|_, _, outermost, resolver| drop((outermost, resolver)));
        for_every_wrap(|_, _, outermost, resolver| drop((resolver, outermost)));
    });
}

#[test]
fn dropped_settled() {
    small_stack(|| {
        for_every_wrap(|name, event_loop, outermost, resolver| {
            assert!(resolver.resolve(7).is_ok());
            event_loop.run_until_idle_or_stop(&outermost);
            assert_eq!(outermost.peek().and_then(Result::ok), Some(&7), "{name}");
            drop(outermost);
        });
    });
}

/// A row with time limits is not idle before they have passed.
trait RunUntil {
    fn run_until_idle_or_stop(&self, promise: &Promise<u64>);
}

impl RunUntil for EventLoop {
    fn run_until_idle_or_stop(&self, promise: &Promise<u64>) {
        assert_eq!(self.run(promise.clone()).unwrap(), 7);
    }
}

#[test]
fn half_run_when_the_loop_goes() {
    small_stack(|| {
        thenable::on_unhandled_rejection(|_| ()); // There are many.
        for (name, wrap) in WRAPS {
            println!("{name}");
            for budget in [Duration::ZERO, Duration::from_millis(1)] {
                let event_loop = EventLoop::new();
                let current = event_loop.enter();
                let (outermost, resolver) = nested(wrap);
                assert!(resolver.resolve(7).is_ok());
                event_loop.run_ready(budget);
                drop(current);
                drop(event_loop);
                match outermost.wait() {
                    Ok(n) => assert_eq!(n, 7, "{name}: a fast machine may have run them all"),
                    Err(why) => assert!(matches!(why.fault(), Some(Fault::LoopClosed)), "{name}: {why:?}"),
                }
            }
        }
    });
}

#[test]
fn cancelled() {
    small_stack(|| {
        for_every_wrap(|name, event_loop, outermost, resolver| {
            assert_eq!(outermost.cancel("enough"), CancelOutcome::Cancelled, "{name}");
            assert_fault!(event_loop.run(outermost), Fault::Cancelled { .. });
            event_loop.run_until_idle().unwrap();
            // These have not begun, and drop what they would have begun with.
            let lazy = ["limiter", "map_limit"].contains(&name);
            assert!(lazy || !resolver.is_wanted(), "{name}: the cancellation came down to the first");
        });
    });
}

#[test]
fn a_chain_is_cancelled_from_its_end() {
    small_stack(|| {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let (mut tail, resolver) = Promise::<u64>::with_resolvers();
        for _ in 0..length() {
            tail = tail.map(|n| n + 1);
        }
        assert_eq!(tail.cancel("enough"), CancelOutcome::Cancelled);
        assert_fault!(event_loop.run(tail), Fault::Cancelled { .. });
        event_loop.run_until_idle().unwrap();
        assert!(!resolver.is_wanted());
    });
}

/// A task that waits for a task that waits for a task.
fn tasks() -> (Promise<u64>, Resolver<u64>) {
    let (mut outermost, resolver) = Promise::with_resolvers();
    for _ in 0..length() {
        let inner = outermost;
        outermost = Promise::spawn(async move { Ok::<_, Rejection>(inner.await? + 1) });
    }
    (outermost, resolver)
}

#[test]
fn tasks_that_wait_for_tasks() {
    small_stack(|| {
        for started in [false, true] {
            for end in 0..4 {
                let event_loop = EventLoop::new();
                let current = event_loop.enter();
                let (outermost, resolver) = tasks();
                while started && event_loop.tick() {}
                match end {
                    0 => {
                        assert!(resolver.resolve(0).is_ok());
                        assert_eq!(event_loop.run(outermost).unwrap(), length());
                    }
                    1 => {
                        outermost.cancel("enough");
                        assert_fault!(event_loop.run(outermost), Fault::Cancelled { .. });
                    }
                    2 => {
                        drop(resolver);
                        assert_fault!(event_loop.run(outermost), Fault::Abandoned { .. });
                    }
                    _ => {
                        drop(current);
                        drop(event_loop);
                        assert!(outermost.peek().is_some(), "pending for ever");
                    }
                }
            }
        }
    });
}

/// Each value keeps a promise, and so does each capture.
#[test]
fn captures_that_hold_promises() {
    small_stack(|| {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let never = Promise::<()>::with_resolvers();
        let mut held = Promise::resolve(0_u64);
        for _ in 0..length() {
            let inside = held;
            held = never.0.clone().map(move |()| {
                drop(inside);
                1
            });
        }
        drop(held);
        drop(never);
        event_loop.run_until_idle().unwrap();
    });
}

#[test]
fn reasons_and_lists_that_hold_promises() {
    #[derive(Debug)]
    enum Nest {
        Held { _inner: Promise<u64, Nest> },
        List { _all: Promise<Vec<u64>, Nest> },
        Fault { _fault: Fault },
    }
    impl From<Fault> for Nest {
        fn from(fault: Fault) -> Self {
            Self::Fault { _fault: fault }
        }
    }
    small_stack(|| {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let mut nest = Promise::<u64, Nest>::fulfilled(1);
        for round in 0..length() {
            nest.mark_handled();
            nest = Promise::rejected(if round % 2 == 0 {
                Nest::Held { _inner: nest }
            } else {
                Nest::List { _all: Promise::all([nest]) }
            });
        }
        nest.mark_handled();
        drop(nest);
        event_loop.run_until_idle().unwrap();
    });
}
