//! Whatever is done, and wherever it ends: three thousand times over, the thread has no more memory than after a few.
#![expect(unsafe_code, reason = "a global allocator cannot be written without it")]

mod counting;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use counting::{BLOCKS, BYTES};
use thenable::{AbortController, EventLoop, Limiter, Promise, Rejection, Resolver, Retry, WaitFor};

const ROUNDS: usize = 3_000;
/// Less than a page of blocks. So many promises, the smallest of which has 40 bytes, are a whole one at least.
const SLACK_BYTES: isize = 60 << 10;

type Ends = (Promise<u64>, Resolver<u64>);

#[track_caller]
fn assert_flat(what: &str, round: impl Fn(&EventLoop)) {
    thenable::on_unhandled_rejection(|_| ());
    let event_loop = EventLoop::builder().virtual_clock().build();
    let _current = event_loop.enter();
    let round = || {
        round(&event_loop);
        event_loop.run_until_idle().unwrap();
    };
    (0..100).for_each(|_| round());
    let (blocks, before) = (BLOCKS.get(), BYTES.get());
    (0..ROUNDS).for_each(|_| round());
    let more = BYTES.get() - before;
    assert!(more <= SLACK_BYTES, "{what}: {more} bytes more after {ROUNDS} rounds, {} blocks", BLOCKS.get() - blocks);
}

/// Runs what is ready; no time passes.
fn pump(event_loop: &EventLoop) {
    while event_loop.run_ready(Duration::from_secs(1)) {}
}

/// All that can become of a pending promise and of what is made of it.
#[track_caller]
fn assert_flat_at_every_end<X>(what: &str, make: impl Fn(Promise<u64>) -> X) {
    type End = fn(Resolver<u64>);
    let ends: [(&str, End); 4] = [
        // Refused where what was made has cancelled it.
        ("fulfilled", |resolver| _ = resolver.resolve(1)),
        ("rejected", |resolver| drop(resolver.reject("no".into()))),
        ("abandoned", drop),
        ("adopted", |resolver| drop(resolver.adopt(Promise::resolve(1).map(|n| n)))),
    ];
    for (end, settle) in ends {
        assert_flat(&format!("{what}, {end}"), |event_loop| {
            let (promise, resolver): Ends = Promise::with_resolvers();
            promise.mark_handled();
            let made = make(promise);
            settle(resolver);
            pump(event_loop);
            drop(made);
        });
        assert_flat(&format!("{what}, dropped, {end}"), |_| {
            let (promise, resolver): Ends = Promise::with_resolvers();
            promise.mark_handled();
            drop(make(promise));
            settle(resolver);
        });
        assert_flat(&format!("{what}, {end} before"), |_| {
            let (promise, resolver): Ends = Promise::with_resolvers();
            promise.mark_handled();
            settle(resolver);
            drop(make(promise));
        });
    }
}

/// [`assert_flat_at_every_end`], and cancelled.
#[track_caller]
fn assert_promise_flat<T: Send + 'static>(what: &str, make: impl Fn(Promise<u64>) -> Promise<T>) {
    assert_flat_at_every_end(what, |promise| {
        let made = make(promise);
        made.mark_handled();
        made
    });
    assert_flat(&format!("{what}, cancelled"), |_| {
        let (promise, resolver): Ends = Promise::with_resolvers();
        let made = make(promise);
        made.cancel("enough");
        drop((made, resolver));
    });
    assert_flat(&format!("{what}, cancelled later"), |event_loop| {
        let (promise, resolver): Ends = Promise::with_resolvers();
        let made = make(promise);
        pump(event_loop);
        made.cancel("enough");
        pump(event_loop);
        drop((resolver, made));
    });
}

#[test]
fn a_leak_is_seen() {
    let leaks = std::panic::catch_unwind(|| assert_flat("a promise", |_| std::mem::forget(Promise::resolve(1))));
    assert!(leaks.is_err());
    let leaks = std::panic::catch_unwind(|| assert_flat("a small block", |_| std::mem::forget(Box::new([0_u64; 3]))));
    assert!(leaks.is_err());
}

#[test]
fn promises() {
    assert_promise_flat("itself", |promise| promise);
    assert_promise_flat("named", |promise| promise.named("one").named("two"));
    assert_promise_flat("a clone", |promise| promise.clone());
    assert_promise_flat("a clone of a clone", |promise| {
        let (first, second) = (promise.clone(), promise);
        let third = second.clone().map(|n| n);
        third.mark_handled();
        drop(second);
        first
    });
}

#[test]
fn chains() {
    assert_promise_flat("then", |promise| promise.then(|n| Ok(n + 1)));
    assert_promise_flat("then, promise", |promise| promise.then(|n| Promise::resolve(n + 1)));
    assert_promise_flat("then, pending promise", |promise| promise.then(|n| Promise::resolve(n).map(|n| n + 1)));
    assert_promise_flat("then, shared promise", |promise| {
        let (other, _) = Promise::<u64>::with_resolvers();
        other.mark_handled();
        promise.then(move |_| other.clone())
    });
    assert_promise_flat("then, future", |promise| {
        promise.then(|n| async move { Promise::resolve(n).map(|n| n).await })
    });
    assert_promise_flat("catch", |promise| promise.catch(|_| Ok(1)));
    assert_promise_flat("catch, promise", |promise| promise.catch(|_| Promise::resolve(1)));
    assert_promise_flat("finally", |promise| promise.finally(|| ()));
    assert_promise_flat("finally, promise", |promise| promise.finally(|| Promise::resolve(())));
    assert_promise_flat("then_or", |promise| promise.then_or(Ok, |_| Ok(1)));
    assert_promise_flat("map, large", |promise| {
        let words = [1_u64; 40];
        promise.map(move |n| words.map(|word| word + n))
    });
    assert_promise_flat("two of one", |promise| {
        let other = promise.clone().map(|n| n);
        other.mark_handled();
        promise.map(|n| n)
    });
}

#[test]
fn adoption() {
    let adopt = |promise: Promise<u64>| {
        let (outer, resolver) = Promise::with_resolvers();
        resolver.adopt(promise).unwrap();
        outer
    };
    assert_promise_flat("adopt", adopt);
    assert_promise_flat("adopt twice", |promise| adopt(adopt(promise)));
    assert_promise_flat("adopt, shared", |promise| {
        let other = promise.clone();
        other.mark_handled();
        let outer = adopt(promise);
        drop(other);
        outer
    });
    assert_promise_flat("new", |promise| Promise::new(|resolve, _| resolve(promise)));
}

#[test]
fn combinators() {
    // Nobody waits for it; a promise that nobody settles would be abandoned.
    let late = || Promise::delay(Duration::from_secs(1), 1_u64);
    assert_promise_flat("all", move |promise| Promise::all([promise, late(), Promise::resolve(1)]));
    assert_promise_flat("all_settled", move |promise| Promise::all_settled([promise, late()]));
    assert_promise_flat("any", move |promise| Promise::any([promise, late()]).err_into());
    assert_promise_flat("race", move |promise| Promise::race([late(), promise]));
    assert_promise_flat("some", move |promise| Promise::some(1, [promise, late()]).err_into());
    assert_promise_flat("join", move |promise| Promise::join((promise, late())));
    assert_promise_flat("wait_for", move |promise| {
        thenable::wait_for([promise, late()], WaitFor::FirstSettled).map(drop)
    });
    assert_promise_flat("map_limit", |promise| {
        Promise::map_limit([1, 2, 3], 2, move |n| {
            let promise = promise.clone();
            promise.map(move |m| n + m)
        })
    });
    assert_promise_flat("retry", |promise| Promise::retry(Retry::times(2), move |_| promise.clone()));
    assert_promise_flat("limiter", |promise| {
        let limiter = Limiter::new(1);
        let held = limiter.acquire();
        let other = promise.clone();
        drop(held);
        drop(other);
        limiter.run(move || promise)
    });
    assert_promise_flat("scope", |promise| {
        thenable::scope(|scope| async move {
            scope.spawn(Promise::resolve(1));
            promise.await
        })
    });
}

#[test]
fn time_and_cancellation() {
    assert_promise_flat("timeout", |promise| promise.timeout(Duration::from_secs(1)));
    assert_flat("timeout that wins", |_| {
        let (promise, _resolver): Ends = Promise::with_resolvers();
        promise.timeout(Duration::from_millis(1)).mark_handled();
    });
    assert_promise_flat("abort_on", |promise| promise.abort_on(&AbortController::new().signal()));
    assert_promise_flat("abort_on, aborted", |promise| {
        let controller = AbortController::new();
        let made = promise.abort_on(&controller.signal());
        controller.abort("enough");
        made
    });
    assert_flat_at_every_end("cancel_on_drop", |promise| promise.cancel_on_drop());
    assert_flat_at_every_end("cancel_on_drop, kept", |promise| promise.cancel_on_drop().keep());
    assert_flat_at_every_end("on_settled", |promise| {
        let subscription = promise.on_settled(|| ());
        (promise, subscription)
    });
    assert_flat_at_every_end("on_settled, removed", |promise| {
        promise.on_settled(|| ()).remove();
        promise
    });
    assert_flat("on_cancel", |_| {
        let (promise, resolver): Ends = Promise::with_resolvers();
        resolver.on_cancel(|_| ());
        promise.cancel("enough");
    });
    assert_flat("on_cancel, never", |_| {
        let (_promise, resolver): Ends = Promise::with_resolvers();
        resolver.on_cancel(|_| ());
        assert_eq!(resolver.resolve(1), Ok(()));
    });
}

#[test]
fn tasks_and_jobs() {
    assert_promise_flat("spawn", |promise| Promise::spawn(promise));
    assert_promise_flat("spawn, async", |promise| {
        Promise::spawn(async move { Ok::<_, Rejection>(promise.await? + 1) })
    });
    assert_promise_flat("from_future", |promise| Promise::from_future(async move { promise.await.map(|n| n + 1) }));
    assert_flat("call_soon", |event_loop| drop(event_loop.handle().call_soon(|| ())));
    assert_flat("call_soon, cancelled", |event_loop| {
        event_loop.handle().call_soon(|| ()).cancel();
    });
    assert_flat("call_later", |event_loop| drop(event_loop.handle().call_later(Duration::from_secs(1), || ())));
    assert_flat("call_later, cancelled", |event_loop| {
        event_loop.handle().call_later(Duration::from_secs(1), || ()).cancel();
    });
    assert_flat("a loop", |_| {
        let event_loop = EventLoop::new();
        let current = event_loop.enter();
        let _made = Promise::resolve(1).then(|n| Promise::resolve(n).map(|n| n)).catch(|_| Ok(2));
        drop(current);
    });
}

/// Does nothing, and is another one each time.
struct Other;
impl Wake for Other {
    fn wake(self: Arc<Self>) {}
}

/// Polls with so many wakers, one after the other, until there is an outcome.
fn poll_with(wakers: usize, promise: &mut Promise<u64>) {
    for _ in 0..wakers {
        let waker = Waker::from(Arc::new(Other));
        if Pin::new(&mut *promise).poll(&mut Context::from_waker(&waker)).is_ready() {
            return;
        }
    }
}

#[test]
fn wakers() {
    for wakers in 0..3 {
        assert_flat_at_every_end(&format!("polled by {wakers}"), move |mut promise| {
            poll_with(wakers, &mut promise);
            promise
        });
        assert_flat_at_every_end(&format!("clones polled by {wakers}"), move |promise| {
            let mut clones = [promise.clone(), promise.clone()];
            clones.iter_mut().for_each(|clone| poll_with(wakers, clone));
            let [first, _] = clones;
            (promise, first)
        });
    }
}
