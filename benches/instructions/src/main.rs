//! Does one operation so many times, for callgrind: `thenable-instructions settle 1000`.

use std::hint::black_box;
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Waker};
use thenable::{EventLoop, Promise};

/// Create, resolve, await.
fn settle(count: u64) {
    for _ in 0..count {
        let (mut promise, resolver) = Promise::<u64>::with_resolvers();
        let _ = resolver.resolve(black_box(5));
        drop(resolver);
        let outcome = Pin::new(&mut promise).poll(&mut Context::from_waker(Waker::noop()));
        assert!(outcome.is_ready());
    }
}

/// One chain of so many links, each with a capture of two words, registered and then run.
fn link(count: u64) {
    let event_loop = EventLoop::new();
    let current = event_loop.enter();
    let mut promise = Promise::resolve(0_u64);
    for _ in 0..count {
        let (a, b) = black_box((1_u64, 2_u64));
        promise = promise.then(move |n| Ok(n + a * b));
    }
    drop(current);
    assert_eq!(event_loop.run(promise).ok(), Some(2 * count));
}

/// So many chains of ten links, each awaited by the loop's main future.
fn tens(count: u64) {
    let sum = EventLoop::new().run(async {
        let mut sum = 0;
        for start in 0..count {
            let chain = (0..10).fold(Promise::resolve(start), |promise, step| promise.then(move |n| Ok(n + step)));
            sum += chain.await?;
        }
        thenable::Ok(sum)
    });
    assert_eq!(sum.ok(), Some(count * (count - 1) / 2 + 45 * count));
}

/// `all` of so many pending promises.
fn all(count: u64) {
    let event_loop = EventLoop::new();
    let current = event_loop.enter();
    let (promises, resolvers): (Vec<_>, Vec<_>) = (0..count).map(|_| Promise::<u64>::with_resolvers()).unzip();
    let all = Promise::all(promises);
    resolvers.into_iter().for_each(|resolver| assert_eq!(resolver.resolve(1), Ok(())));
    drop(current);
    assert_eq!(event_loop.run(all).ok().map(|values| values.len() as u64), Some(count));
}

/// So many handlers on one promise.
fn fan_out(count: u64) {
    let event_loop = EventLoop::new();
    let current = event_loop.enter();
    let (promise, resolver) = Promise::<u64>::with_resolvers();
    let derived: Vec<_> = (0..count).map(|n| promise.clone().map(move |value| value + n)).collect();
    let _ = resolver.resolve(1);
    drop(current);
    assert!(event_loop.run_until_idle().is_ok());
    assert!(derived.iter().all(Promise::is_fulfilled));
}

/// So many awaits of one promise, each with its own clone.
fn awaits(count: u64) {
    let (promise, resolver) = Promise::<u64>::with_resolvers();
    let mut context = Context::from_waker(Waker::noop());
    let mut clones: Vec<_> = (0..count).map(|_| promise.clone()).collect();
    for clone in &mut clones {
        assert!(Pin::new(clone).poll(&mut context).is_pending());
    }
    let _ = resolver.resolve(1);
    for mut clone in clones {
        assert!(Pin::new(&mut clone).poll(&mut context).is_ready());
    }
}

/// So many futures, spawned and awaited.
fn spawn(count: u64) {
    let event_loop = EventLoop::new();
    let sum = event_loop.run(async {
        let promises: Vec<_> = (0..count).map(|n| Promise::spawn(async move { Ok(n) })).collect();
        let mut sum = 0;
        for promise in promises {
            sum += promise.await?;
        }
        thenable::Ok(sum)
    });
    assert!(sum.is_ok());
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [what, count] = &arguments[..] else { return ExitCode::from(2) };
    let Ok(count) = count.parse() else { return ExitCode::from(2) };
    match what.as_str() {
        "settle" => settle(count),
        "link" => link(count),
        "all" => all(count),
        "fan_out" => fan_out(count),
        "tens" => tens(count),
        "awaits" => awaits(count),
        "spawn" => spawn(count),
        _ => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}
