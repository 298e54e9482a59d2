//! Create, resolve, await; and what a pending promise weighs.

use futures::FutureExt;
use futures_lite::future;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use thenable::{Promise, Resolver};
use thenable_benches::child::{Task, bytes_per_item};
use thenable_benches::{Bench, Budget, clock};

type Pair = (Promise<u64>, Resolver<u64>);

/// Create, resolve, await what is settled.
async fn settled_ours(count: u64) -> u64 {
    let mut sum = 0;
    for n in 0..count {
        let (promise, resolver) = Promise::with_resolvers();
        assert!(resolver.resolve(black_box(n)).is_ok());
        drop(resolver);
        sum += promise.await.expect("a value");
    }
    sum
}

async fn settled_oneshot(count: u64) -> u64 {
    let mut sum = 0;
    for n in 0..count {
        let (sender, receiver) = oneshot::async_channel();
        assert!(sender.send(black_box(n)).is_ok());
        sum += receiver.await.expect("a value");
    }
    sum
}

async fn settled_tokio(count: u64) -> u64 {
    let mut sum = 0;
    for n in 0..count {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        assert!(sender.send(black_box(n)).is_ok());
        sum += receiver.await.expect("a value");
    }
    sum
}

async fn settled_futures(count: u64) -> u64 {
    let mut sum = 0;
    for n in 0..count {
        let (sender, receiver) = futures::channel::oneshot::channel();
        assert!(sender.send(black_box(n)).is_ok());
        sum += receiver.await.expect("a value");
    }
    sum
}

/// The claim of a resolver, the settle, and the resolver's share, and nothing else.
fn exchanges(count: u64) {
    let word = AtomicU64::new(0);
    for n in 0..count {
        let claimed = word.compare_exchange(3 * n, 3 * n + 1, Ordering::AcqRel, Ordering::Acquire);
        let settled = word.compare_exchange(3 * n + 1, 3 * n + 2, Ordering::AcqRel, Ordering::Acquire);
        assert!(claimed.is_ok() && settled.is_ok());
        word.fetch_add(1, Ordering::AcqRel);
    }
    assert_eq!(word.load(Ordering::Relaxed), 3 * count);
}

/// Create, await, resolve: the waiting side comes first.
async fn pending_ours(count: u64) -> u64 {
    let mut sum = 0;
    for n in 0..count {
        let (mut promise, resolver) = Promise::<u64>::with_resolvers();
        assert!(future::poll_once(&mut promise).await.is_none());
        assert!(resolver.resolve(black_box(n)).is_ok());
        drop(resolver);
        sum += promise.await.expect("a value");
    }
    sum
}

async fn pending_oneshot(count: u64) -> u64 {
    let mut sum = 0;
    for n in 0..count {
        let (sender, mut receiver) = oneshot::async_channel::<u64>();
        assert!(future::poll_once(&mut receiver).await.is_none());
        assert!(sender.send(black_box(n)).is_ok());
        sum += receiver.await.expect("a value");
    }
    sum
}

/// One outcome for three readers.
async fn shared_ours(count: u64) -> u64 {
    let mut sum = 0;
    for n in 0..count {
        let (promise, resolver) = Promise::with_resolvers();
        let clones = [promise.clone(), promise.clone(), promise];
        assert!(resolver.resolve(black_box(n)).is_ok());
        for clone in clones {
            sum += clone.await.expect("a value");
        }
    }
    sum
}

async fn shared_futures(count: u64) -> u64 {
    let mut sum = 0;
    for n in 0..count {
        let (sender, receiver) = futures::channel::oneshot::channel();
        let promise = receiver.shared();
        let clones = [promise.clone(), promise.clone(), promise];
        assert!(sender.send(black_box(n)).is_ok());
        for clone in clones {
            sum += clone.await.expect("a value");
        }
    }
    sum
}

/// Awaiting on a fresh executor must give `times` the sum below `count`.
fn check(count: usize, times: u64, sum: impl Future<Output = u64>) {
    let count = count as u64;
    assert_eq!(future::block_on(sum), times * (count * count.saturating_sub(1) / 2));
}

fn keep<T>(count: usize, mut make: impl FnMut(usize) -> T) -> f64 {
    bytes_per_item(count, || {
        let mut kept = Vec::with_capacity(0);
        kept.reserve_exact(count);
        kept.extend((0..count).map(&mut make));
        kept
    }) - size_of::<T>() as f64
}

const PENDING: Task = Task { name: "pending", run: |count| keep(count, |_| -> Pair { Promise::with_resolvers() }) };
const WITH_THEN: Task = Task {
    name: "with-then",
    run: |count| {
        keep(count, |_| {
            let (promise, resolver) = Promise::<u64>::with_resolvers();
            (promise.then(|n| Ok(n + 1)), resolver)
        })
    },
};
const ONESHOT: Task = Task { name: "oneshot", run: |count| keep(count, |_| oneshot::async_channel::<u64>()) };
const TOKIO: Task = Task {
    name: "tokio",
    run: |count| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let runtime = Rc::new(runtime);
        let bytes = keep(count, |_| {
            let (sender, receiver) = tokio::sync::oneshot::channel::<u64>();
            (runtime.spawn(async move { receiver.await.map(|n| n + 1) }), sender)
        });
        std::mem::forget(runtime);
        bytes
    },
};

/// What runs in processes of its own.
pub(crate) const TASKS: &[Task] = &[PENDING, WITH_THEN, ONESHOT, TOKIO];

pub(crate) fn ask(bench: &mut Bench) {
    let count = bench.size(10_000);
    let n = count as u64;
    let text = "create + resolve + await";
    bench
        .question("settled", text, count, || clock::wall(|| check(count, 1, settled_ours(n))))
        .against("oneshot", Budget::new(1.3, 0.6), || clock::wall(|| check(count, 1, settled_oneshot(n))))
        .against("tokio oneshot", None, || clock::wall(|| check(count, 1, settled_tokio(n))))
        .against("futures oneshot", None, || clock::wall(|| check(count, 1, settled_futures(n))))
        .against("its three read-modify-writes alone", None, || clock::wall(|| exchanges(n)));
    bench
        .question("pending", "create + await + resolve", count, || clock::wall(|| check(count, 1, pending_ours(n))))
        .against("oneshot", None, || clock::wall(|| check(count, 1, pending_oneshot(n))));
    bench
        .question("shared", "one outcome awaited by three", count, || clock::wall(|| check(count, 3, shared_ours(n))))
        .against("futures oneshot + Shared", None, || clock::wall(|| check(count, 3, shared_futures(n))));

    let count = bench.size(1_000_000);
    bench.memory("resident bytes, pending (budget 64)", count, PENDING, &[("oneshot", ONESHOT)]);
    bench.memory(
        "resident bytes, pending with one `then` (budget 136)",
        count,
        WITH_THEN,
        &[("tokio task + oneshot", TOKIO)],
    );
}
