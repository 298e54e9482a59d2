//! Promises that another thread resolves.

use futures_lite::future;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use thenable::{EventLoop, Promise, Rejection, Resolver};
use thenable_benches::{Bench, Budget, clock};

/// A thread that calls `settle` on whatever comes.
fn worker<S: Send + 'static>(settle: fn(S, u64)) -> Sender<Vec<S>> {
    let (jobs, batches): (_, Receiver<Vec<S>>) = channel();
    thread::spawn(move || {
        for batch in batches {
            for (n, side) in batch.into_iter().enumerate() {
                settle(side, n as u64);
            }
        }
    });
    jobs
}

fn resolve(resolver: Resolver<u64>, n: u64) {
    assert!(resolver.resolve(n).is_ok());
}

fn send(sender: oneshot::Sender<u64>, n: u64) {
    assert!(sender.send(n).is_ok());
}

fn below(count: u64) -> u64 {
    count * count.saturating_sub(1) / 2
}

/// Hands over `count` resolvers and awaits the promises.
async fn batch_ours(worker: &Sender<Vec<Resolver<u64>>>, count: u64) -> Result<u64, Rejection> {
    let (promises, resolvers): (Vec<_>, Vec<_>) = (0..count).map(|_| Promise::with_resolvers()).unzip();
    assert!(worker.send(resolvers).is_ok());
    let mut sum = 0;
    for promise in promises {
        sum += promise.await?;
    }
    Ok(sum)
}

/// The same with a handler on the loop for each.
async fn then_ours(worker: &Sender<Vec<Resolver<u64>>>, count: u64) -> Result<u64, Rejection> {
    let (promises, resolvers): (Vec<_>, Vec<_>) = (0..count)
        .map(|_| {
            let (promise, resolver) = Promise::<u64>::with_resolvers();
            (promise.then(|n| Ok(n + 1)), resolver)
        })
        .unzip();
    assert!(worker.send(resolvers).is_ok());
    let mut sum = 0;
    for promise in promises {
        sum += promise.await? - 1;
    }
    Ok(sum)
}

async fn batch_oneshot(worker: &Sender<Vec<oneshot::Sender<u64>>>, count: u64) -> u64 {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..count).map(|_| oneshot::async_channel()).unzip();
    assert!(worker.send(senders).is_ok());
    let mut sum = 0;
    for receiver in receivers {
        sum += receiver.await.expect("a value");
    }
    sum
}

/// One at a time: the other thread sleeps in between.
async fn single_ours(worker: &Sender<Vec<Resolver<u64>>>, count: u64) -> Result<u64, Rejection> {
    for _ in 0..count {
        let (promise, resolver) = Promise::with_resolvers();
        assert!(worker.send(vec![resolver]).is_ok());
        promise.await?;
    }
    Ok(below(count))
}

async fn single_oneshot(worker: &Sender<Vec<oneshot::Sender<u64>>>, count: u64) -> u64 {
    for _ in 0..count {
        let (sender, receiver) = oneshot::async_channel();
        assert!(worker.send(vec![sender]).is_ok());
        receiver.await.expect("a value");
    }
    below(count)
}

pub(crate) fn ask(bench: &mut Bench) {
    let event_loop = &EventLoop::new();
    let resolving = &worker(resolve);
    let sending = &worker(send);
    let many = bench.size(100_000);
    let few = bench.size(5_000);
    let (n, m) = (many as u64, few as u64);
    let peer = || clock::wall(|| assert_eq!(future::block_on(batch_oneshot(sending, n)), below(n)));

    bench
        .question("awaited", "resolve from another thread, awaited", many, || {
            clock::wall(|| assert_eq!(future::block_on(batch_ours(resolving, n)).ok(), Some(below(n))))
        })
        .against("oneshot", Budget::new(1.3, 1.0), peer);
    bench
        .question("then", "resolve from another thread, with `then` on the loop", many, || {
            clock::wall(|| assert_eq!(event_loop.run(then_ours(resolving, n)).ok(), Some(below(n))))
        })
        .against("oneshot, awaited", Budget::new(3.0, 1.8), peer);
    bench
        .question("ping_pong", "resolve from another thread, ping-pong", few, || {
            clock::wall(|| assert_eq!(future::block_on(single_ours(resolving, m)).ok(), Some(below(m))))
        })
        .against("oneshot", None, || {
            clock::wall(|| assert_eq!(future::block_on(single_oneshot(sending, m)), below(m)))
        });
}
