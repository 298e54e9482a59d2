//! Heap blocks per operation. These numbers do not depend on the machine, so they are promises.
#![expect(unsafe_code, reason = "a global allocator cannot be written without it")]

mod counting;

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use counting::BLOCKS;
#[cfg(thenable_no_reuse)]
use counting::BYTES;
use thenable::{EventLoop, ExecutorExt, Promise, Resolver, ThreadPool};

/// Heap blocks that this thread asks for during `f`.
fn blocks<R>(f: impl FnOnce() -> R) -> usize {
    let before = BLOCKS.get();
    let result = f();
    let after = BLOCKS.get();
    drop(result);
    after - before
}

/// Whether the library takes its small blocks from pages of its own. Then `blocks` sees less than what is used, and budgets
/// are met all the more; the exact figures are those of a build with `RUSTFLAGS="--cfg thenable_no_reuse"`.
const PAGES: bool = cfg!(not(thenable_no_reuse));

/// What `measure` usually reports: the median of many rounds, so that a queue that grows now and then does not show.
fn usually(mut measure: impl FnMut() -> usize) -> usize {
    let mut rounds: Vec<usize> = (0..101).map(|_| measure()).collect();
    rounds.sort_unstable();
    rounds[rounds.len() / 2]
}

fn poll<T, E>(promise: &mut Promise<T, E>) -> Poll<Result<T, E>> {
    Pin::new(promise).poll(&mut Context::from_waker(Waker::noop()))
}

/// A loop that has run everything once.
fn warm_loop() -> EventLoop {
    let event_loop = EventLoop::new();
    let outcome = event_loop.run(async {
        Promise::spawn(async { Promise::resolve(1).await }).await?;
        Promise::resolve(1).map(|n| n + 1).await
    });
    assert!(outcome.is_ok());
    event_loop
}

#[test]
fn the_counter_counts() {
    assert_eq!(blocks(|| Box::new(1)), 1);
    assert_eq!(blocks(|| ()), 0);
    assert_eq!(blocks(|| vec![Box::new(1), Box::new(2)]), 3);
    if !PAGES {
        assert_eq!(blocks(|| Promise::<u64, u64>::fulfilled(1)), 1);
    }
}

#[test]
fn a_settled_promise_is_at_most_one_block() {
    let resolved = || {
        let mut promise = Promise::resolve(5_u64);
        assert_eq!(promise.peek().and_then(Result::ok), Some(&5));
        assert!(poll(&mut promise).is_ready());
    };
    assert!(usually(|| blocks(resolved)) <= 1);
    let fulfilled = || assert!(poll(&mut Promise::<u64, u64>::fulfilled(5)).is_ready());
    assert!(usually(|| blocks(fulfilled)) <= 1);
    let rejected = || assert!(matches!(poll(&mut Promise::<u64, u64>::rejected(5)), Poll::Ready(Err(5))));
    assert!(usually(|| blocks(rejected)) <= 1);
}

#[test]
fn pending_resolve_await_is_one_block() {
    let cycle = || {
        let (mut promise, resolver) = Promise::<u64>::with_resolvers();
        assert!(resolver.resolve(5).is_ok());
        assert!(poll(&mut promise).is_ready());
    };
    assert_eq!(usually(|| blocks(cycle)), usize::from(!PAGES));
}

#[test]
fn awaiting_while_pending_is_at_most_one_more() {
    let cycle = || {
        let (mut promise, resolver) = Promise::<u64>::with_resolvers();
        assert!(poll(&mut promise).is_pending());
        assert!(resolver.resolve(5).is_ok());
        assert!(poll(&mut promise).is_ready());
    };
    assert!(usually(|| blocks(cycle)) <= 2);
}

/// Blocks for `links` more links below one promise: registered, run, and dropped.
fn chain(event_loop: &EventLoop, settled: bool, links: usize, link: fn(Promise<u64>) -> Promise<u64>) -> usize {
    blocks(|| {
        let (mut promise, resolver) = Promise::with_resolvers();
        if settled {
            assert!(resolver.resolve(1).is_ok());
        }
        for _ in 0..links {
            promise = link(promise);
        }
        if !settled {
            assert!(resolver.resolve(1).is_ok());
        }
        event_loop.run_until_idle().unwrap();
        assert!(promise.is_fulfilled());
    })
}

#[track_caller]
fn assert_per_link(what: &str, budget: usize, link: fn(Promise<u64>) -> Promise<u64>) {
    let event_loop = warm_loop();
    let _current = event_loop.enter();
    for settled in [true, false] {
        let (few, many) =
            (usually(|| chain(&event_loop, settled, 10, link)), usually(|| chain(&event_loop, settled, 110, link)));
        let more = many.saturating_sub(few);
        assert!(more <= budget * 100, "{what}, source settled: {settled}: {more} blocks for 100 links");
        assert!(
            few <= budget * 10 + 4,
            "{what}, source settled: {settled}: {few} blocks for 10 links and their source"
        );
    }
}

/// Two words to capture, which the optimiser cannot see through.
fn two_words() -> (u64, u64) {
    std::hint::black_box((1, 2))
}

#[test]
fn a_link_is_one_block() {
    assert_per_link("map", 1, |promise| {
        let (a, b) = two_words();
        promise.map(move |n| n + a + b)
    });
    assert_per_link("then", 1, |promise| {
        let (a, b) = two_words();
        promise.then(move |n| Ok(n + a + b))
    });
    assert_per_link("catch, passed by", 1, |promise| {
        let (a, b) = two_words();
        promise.catch(move |_| Ok(a + b))
    });
    assert_per_link("finally", 1, |promise| {
        let (a, b) = two_words();
        promise.finally(move || assert!(a < b))
    });
    assert_per_link("tap", 1, |promise| {
        let (a, b) = two_words();
        promise.tap(move |n| assert!(*n + a > b - b))
    });
}

#[test]
fn a_handler_that_returns_a_promise_adds_only_that_promise() {
    assert_per_link("then, promise", 2, |promise| {
        let (a, b) = two_words();
        promise.then(move |n| Promise::resolve(n + a + b))
    });
}

/// It is not followed: its value waits in the promise that takes it over.
#[cfg(thenable_no_reuse)]
#[test]
fn a_fulfilled_promise_that_a_handler_returns_is_gone_at_once() {
    const HANDLERS: u64 = 100;
    let event_loop = warm_loop();
    let _current = event_loop.enter();
    let held = || BYTES.get();
    let before = held();
    let one = Promise::resolve(0_u64);
    let size = held() - before;
    drop(one);
    let chains: Vec<_> = (0..HANDLERS).map(|n| Promise::resolve(n).then(Promise::resolve)).collect();
    let queued = held();
    let (tell, told) = std::sync::mpsc::channel();
    // After the handlers, and before the jobs that they queue.
    event_loop.handle().call_soon(move || tell.send(BYTES.get()).unwrap());
    event_loop.run_until_idle().unwrap();
    assert!(chains.iter().all(Promise::is_fulfilled));
    // What the handlers were given is gone, and so is what they have returned. (The channel and its job are small beside it.)
    assert!(queued - told.recv().unwrap() > size * HANDLERS as isize / 2);
}

#[test]
fn settling_allocates_nothing() {
    let event_loop = warm_loop();
    let _current = event_loop.enter();
    for reactions in [0, 1, 2, 100, 1000] {
        let settle = || {
            let (promise, resolver): (Promise<u64>, Resolver<u64>) = Promise::with_resolvers();
            let derived: Vec<_> = (0..reactions).map(|_| promise.clone().map(|n| n + 1)).collect();
            let cost = blocks(|| resolver.resolve(5));
            event_loop.run_until_idle().unwrap();
            assert!(derived.iter().all(Promise::is_fulfilled));
            cost
        };
        assert_eq!(usually(settle), 0, "{reactions} reactions");
    }
}

#[test]
fn combinators_are_a_constant_beyond_their_result() {
    type Combine = fn(Vec<Promise<u64>>) -> Promise<()>;
    let combinators: [(&str, Combine); 5] = [
        ("all", |inputs| Promise::all(inputs).map(drop)),
        ("all_settled", |inputs| Promise::all_settled(inputs).map(drop)),
        ("any", |inputs| Promise::any(inputs).map(drop).err_into()),
        ("race", |inputs| Promise::race(inputs).map(drop)),
        ("some", |inputs| Promise::some(inputs.len(), inputs).map(drop).err_into()),
    ];
    let event_loop = warm_loop();
    let _current = event_loop.enter();
    for (name, combine) in combinators {
        let cost = |inputs: u64, settled: bool| {
            usually(|| {
                let (promises, resolvers): (Vec<_>, Vec<_>) = (0..inputs).map(|_| Promise::with_resolvers()).unzip();
                if settled {
                    resolvers.iter().for_each(|resolver| assert!(resolver.resolve(1).is_ok()));
                }
                blocks(|| {
                    let combined = combine(promises);
                    if !settled {
                        resolvers.iter().for_each(|resolver| assert!(resolver.resolve(1).is_ok()));
                    }
                    event_loop.run_until_idle().unwrap();
                    assert!(combined.is_fulfilled());
                })
            })
        };
        for settled in [true, false] {
            let (few, many) = (cost(10, settled), cost(1000, settled));
            // The promise, the slab and the list of outcomes, and up to two links.
            assert!(few <= 6, "{name}, settled: {settled}: {few} blocks for 10 inputs");
            assert!(many <= few + 2, "{name}, settled: {settled}: {few} blocks for 10 inputs, {many} for 1000");
        }
    }
}

#[test]
fn a_spawned_future_is_at_most_two_blocks() {
    let event_loop = warm_loop();
    let _current = event_loop.enter();
    let cost = usually(|| {
        blocks(|| {
            let promise = Promise::spawn(async { Ok(5) });
            event_loop.run_until_idle().unwrap();
            assert!(promise.is_fulfilled());
        })
    });
    assert!(cost <= 2, "{cost} blocks");
}

#[test]
fn a_pool_job_is_at_most_two_blocks() {
    let pool = ThreadPool::new(1);
    assert!(pool.submit(|| ()).wait().is_ok());
    let cost = usually(|| {
        let (a, b) = two_words();
        let mut cost = 0;
        let mut promise = None;
        cost += blocks(|| promise = Some(pool.submit(move || a + b)));
        assert_eq!(promise.map(|promise| promise.wait().unwrap()), Some(3));
        cost
    });
    assert!(cost <= 2, "{cost} blocks on the thread that submits");
}

#[test]
fn a_delay_is_at_most_two_blocks() {
    let event_loop = EventLoop::builder().virtual_clock().build();
    let _current = event_loop.enter();
    let cost = |delays: u64| {
        usually(|| {
            blocks(|| {
                let delays: Vec<_> =
                    (0..delays).map(|n| thenable::delay(std::time::Duration::from_millis(n))).collect();
                drop(event_loop.run(Promise::all(delays)));
            })
        })
    };
    let (few, many) = (cost(20), cost(1020));
    // Promise and callback, and their part of a node of the ordered map.
    assert!(many - few <= 1000 * 2 + 1000 / 4, "{} blocks for 1000 delays", many - few);
}

/// Once warm, the usual work asks the allocator for nothing.
#[cfg(not(thenable_no_reuse))]
#[test]
fn a_warm_thread_asks_for_nothing() {
    let event_loop = warm_loop();
    let _current = event_loop.enter();
    let cycle = || {
        let (promise, resolver) = Promise::<u64>::with_resolvers();
        let (a, b) = two_words();
        let mut sum = promise.map(move |n| n + a).then(move |n| Ok(n + b)).finally(|| ());
        assert!(resolver.resolve(5).is_ok());
        while event_loop.run_ready(std::time::Duration::from_secs(1)) {}
        assert!(matches!(poll(&mut sum), Poll::Ready(Ok(8))));
    };
    let idle = usually(|| blocks(|| while event_loop.run_ready(std::time::Duration::from_secs(1)) {}));
    assert_eq!(usually(|| blocks(cycle)), idle, "as much as the loop's turns alone");
}
