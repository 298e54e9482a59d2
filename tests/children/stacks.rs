//! A thread with a small stack, and rows of promises that are a million long: run, rejected, dropped, adopted.

use std::time::Duration;

use thenable::{EventLoop, Fault, Promise, Resolver};

use crate::support::{scaled_down, small_stack};

/// How long a row is.
fn links() -> u64 {
    scaled_down(1_000_000)
}

/// A million links below one pending promise, on a loop that is current.
fn chain() -> (Promise<u64>, Resolver<u64>) {
    let (mut tail, resolver) = Promise::with_resolvers();
    for _ in 0..links() {
        tail = tail.map(|n: u64| n + 1);
    }
    (tail, resolver)
}

// ---- chains

#[test]
fn chain_resolved() {
    small_stack(|| {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let (tail, resolver) = chain();
        assert!(resolver.resolve(0).is_ok());
        assert_eq!(event_loop.run(tail).unwrap(), links());
    });
}

#[test]
fn chain_rejected() {
    small_stack(|| {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let (tail, resolver) = chain();
        assert!(resolver.reject("no".into()).is_ok());
        assert_eq!(event_loop.run(tail).unwrap_err().to_string(), "no");
    });
}

#[test]
fn chain_abandoned() {
    small_stack(|| {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let (tail, resolver) = chain();
        drop(resolver);
        assert_fault!(event_loop.run(tail), Fault::Abandoned { .. });
    });
}

#[test]
fn chain_dropped_pending() {
    small_stack(|| {
        // The handle first, the resolver first, and with the loop gone before both.
        for order in 0..3 {
            let event_loop = EventLoop::new();
            let current = event_loop.enter();
            let (tail, resolver) = chain();
            match order {
                0 => {
                    drop(tail);
                    drop(resolver);
                }
                1 => {
                    drop(resolver);
                    drop(tail);
                }
                _ => {
                    drop(current);
                    drop(event_loop);
                    drop((tail, resolver));
                }
            }
        }
    });
}

#[test]
fn chain_dropped_settled() {
    small_stack(|| {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let (tail, resolver) = chain();
        assert!(resolver.resolve(0).is_ok());
        event_loop.run_until_idle().unwrap();
        assert_eq!(tail.peek().and_then(Result::ok), Some(&links()));
        drop(tail);
    });
}

#[test]
fn chain_resolved_then_its_loop_dropped() {
    small_stack(|| {
        for head_start in [Duration::ZERO, Duration::from_millis(1)] {
            let event_loop = EventLoop::new();
            let current = event_loop.enter();
            let (tail, resolver) = chain();
            assert!(resolver.resolve(0).is_ok());
            if !head_start.is_zero() {
                event_loop.run_ready(head_start);
            }
            drop(current);
            drop(event_loop);
            match tail.wait() {
                Ok(n) => assert!(!head_start.is_zero() && n == links(), "a fast machine may have run them all"),
                outcome => assert_fault!(outcome, Fault::LoopClosed),
            }
        }
    });
}

// ---- adoption

#[test]
fn adopted_by_handlers() {
    small_stack(|| {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let mut nested = Promise::resolve(7_u64);
        for _ in 0..links() {
            nested = Promise::resolve(()).then(move |()| nested);
        }
        assert_eq!(event_loop.run(nested).unwrap(), 7);
    });
}

#[test]
fn adopted_by_handlers_that_never_run() {
    small_stack(|| {
        let event_loop = EventLoop::new();
        let current = event_loop.enter();
        let (never, resolver) = Promise::<()>::with_resolvers();
        let mut nested = Promise::resolve(7_u64);
        for _ in 0..links() {
            nested = never.clone().then(move |()| nested);
        }
        drop(current);
        drop(event_loop);
        drop((never, nested));
        drop(resolver);
    });
}

#[test]
fn adopted_by_resolvers_outside_in() {
    small_stack(|| {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let (outermost, mut resolver) = Promise::<u64>::with_resolvers();
        for _ in 0..links() {
            let (inner, next) = Promise::with_resolvers();
            assert!(resolver.adopt(inner).is_ok());
            resolver = next;
        }
        assert!(resolver.resolve(7).is_ok());
        assert_eq!(event_loop.run(outermost).unwrap(), 7);
    });
}

#[test]
fn adopted_by_resolvers_inside_out() {
    small_stack(|| {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        for settle in [true, false] {
            let (mut outermost, innermost) = Promise::<u64>::with_resolvers();
            for _ in 0..links() {
                let (outer, resolver) = Promise::with_resolvers();
                assert!(resolver.adopt(outermost).is_ok());
                outermost = outer;
            }
            if settle {
                assert!(innermost.resolve(7).is_ok());
                assert_eq!(event_loop.run(outermost).unwrap(), 7);
            } else {
                drop(outermost);
                drop(innermost);
            }
        }
    });
}

#[test]
fn values_that_hold_promises_that_hold_values() {
    struct Nest {
        _inner: Option<Promise<Nest>>,
    }
    small_stack(|| {
        let mut nest = Promise::resolve(Nest { _inner: None });
        for _ in 0..links() {
            nest = Promise::resolve(Nest { _inner: Some(nest) });
        }
        drop(nest);
    });
}
