//! Read-modify-writes per operation: each costs as much as a dozen plain instructions, and none of them may creep in.

use crate::primitive::read_modify_writes;
use crate::{EventLoop, Promise};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// What this thread does to the core's atomics during `f`.
fn count<R>(f: impl FnOnce() -> R) -> usize {
    let before = read_modify_writes();
    let result = f();
    let count = read_modify_writes() - before;
    drop(result);
    count
}

fn poll(mut promise: Promise<u64>) -> Poll<Result<u64, crate::Rejection>> {
    Pin::new(&mut promise).poll(&mut Context::from_waker(Waker::noop()))
}

/// A chain of so many links, run.
fn chain(event_loop: &EventLoop, links: usize, link: fn(Promise<u64>) -> Promise<u64>, settled: bool) -> usize {
    let _current = event_loop.enter();
    count(|| {
        let (mut promise, resolver) = Promise::with_resolvers();
        if settled {
            resolver.resolve(1).unwrap();
        }
        for _ in 0..links {
            promise = link(promise);
        }
        if !settled {
            resolver.resolve(1).unwrap();
        }
        event_loop.run_until_idle().unwrap();
        assert!(promise.is_fulfilled());
    })
}

#[track_caller]
fn assert_per_link(budget: usize, link: fn(Promise<u64>) -> Promise<u64>) {
    let event_loop = EventLoop::new();
    for settled in [true, false] {
        let (few, many) = (chain(&event_loop, 10, link, settled), chain(&event_loop, 110, link, settled));
        assert_eq!(many - few, budget * 100, "for 100 links, source settled: {settled}");
    }
}

#[test]
fn a_link_on_its_own_loop_is_none() {
    assert_per_link(0, |promise| promise.map(|n| n + 1));
    assert_per_link(0, |promise| promise.then(|n| Ok(n + 1)));
    assert_per_link(0, |promise| promise.catch(|_| Ok(1)));
    assert_per_link(0, |promise| promise.then(Promise::resolve));
}

#[test]
fn registering_for_another_loop_is_one() {
    let here = EventLoop::new();
    let cost = |links| {
        let (mut promise, _resolver) = Promise::with_resolvers();
        count(|| {
            for _ in 0..links {
                let there = here.enter();
                let link = promise.map(|n: u64| n + 1);
                drop(there);
                // Registered while no loop is current, for the global one.
                promise = link.map(|n| n + 1);
            }
        })
    };
    assert_eq!(cost(110) - cost(10), 100 * 2);
}

#[test]
fn a_handler_whose_promise_is_dropped_is_none() {
    let event_loop = EventLoop::new();
    let _current = event_loop.enter();
    let cost = |promises: u64| {
        let settled: Vec<_> = (0..promises).map(Promise::resolve).collect();
        count(|| {
            settled.into_iter().for_each(|promise| drop(promise.map(|n: u64| n + 1)));
            event_loop.run_until_idle().unwrap();
        })
    };
    assert_eq!(cost(110), cost(10));
}

#[test]
fn a_handler_of_many_is_few() {
    let event_loop = EventLoop::new();
    let _current = event_loop.enter();
    let cost = |handlers: u64| {
        let (promise, resolver) = Promise::with_resolvers();
        let cost = count(|| {
            (0..handlers).for_each(|n| drop(promise.clone().map(move |value: u64| value + n)));
            resolver.resolve(1).unwrap();
            event_loop.run_until_idle().unwrap();
        });
        drop(promise);
        cost
    };
    // Of each: its share of the promise, made and given back. (The lock of the hub is not counted: it is std's.)
    assert_eq!(cost(110) - cost(10), 100 * 2);
}

#[test]
fn an_await_of_many_is_few() {
    let cost = |awaits: u64| {
        let (promise, resolver) = Promise::with_resolvers();
        let cost = count(|| {
            let mut context = Context::from_waker(Waker::noop());
            let mut clones: Vec<_> = (0..awaits).map(|_| promise.clone()).collect();
            for clone in &mut clones {
                assert!(Pin::new(clone).poll(&mut context).is_pending());
            }
            resolver.resolve(1).unwrap();
            for mut clone in clones {
                assert!(Pin::new(&mut clone).poll(&mut context).is_ready());
            }
        });
        drop(promise);
        cost
    };
    // Of each: its share of the promise, made and given back, and the block of its waker between the settler and the handle.
    assert_eq!(cost(110) - cost(10), 100 * 3);
}

#[test]
fn a_settled_promise_is_none() {
    assert_eq!(count(|| assert!(poll(Promise::resolve(1)).is_ready())), 0);
}

#[test]
fn create_resolve_await_is_three() {
    let cycle = || {
        let (promise, resolver) = Promise::with_resolvers();
        resolver.resolve(1).unwrap();
        drop(resolver);
        assert!(poll(promise).is_ready());
    };
    // The claim, the settle, and the resolver's share.
    assert_eq!(count(cycle), 3);
}

/// What spawned futures and pool jobs are.
#[test]
fn the_same_with_a_companion_is_three() {
    struct Nothing;
    impl super::Companion<u64, crate::Rejection> for Nothing {
        fn cancelled(_: &super::Working<u64, crate::Rejection, Self>, _: &crate::CancelReason) {}
    }
    let cycle = || {
        let (handle, working) = super::pending_with(std::panic::Location::caller(), Nothing);
        assert!(working.settle(Ok(1)).is_ok());
        drop(working);
        assert!(poll(Promise::from_handle(handle)).is_ready());
    };
    assert_eq!(count(cycle), 3);
}

#[test]
fn an_input_of_a_combinator_is_few() {
    let event_loop = EventLoop::new();
    let _current = event_loop.enter();
    let cost = |inputs: u64| {
        let (promises, resolvers): (Vec<_>, Vec<_>) = (0..inputs).map(|_| Promise::<u64>::with_resolvers()).unzip();
        count(|| {
            let all = Promise::all(promises);
            resolvers.into_iter().for_each(|resolver| resolver.resolve(1).unwrap());
            event_loop.run_until_idle().unwrap();
            assert!(all.is_fulfilled());
        })
    };
    // Of each: the link, the claim, the settle, the resolver's share.
    assert_eq!(cost(110) - cost(10), 100 * 4);
    // One that is there already is moved out.
    let settled = |inputs: u64| {
        count(|| {
            let all = Promise::all((0..inputs).map(Promise::resolve));
            event_loop.run_until_idle().unwrap();
            assert!(all.is_fulfilled());
        })
    };
    assert_eq!(settled(110), settled(10));
}
