//! A million reactions on one promise.

use event_listener::{Event, Listener};
use futures::FutureExt;
use futures_lite::future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use thenable::{EventLoop, Promise, Rejection};
use thenable_benches::{Bench, Budget, clock};

/// Handlers that count.
fn handlers(event_loop: &EventLoop, count: u64) {
    static RUN: AtomicU64 = AtomicU64::new(0);
    RUN.store(0, Ordering::Relaxed);
    let last = event_loop.run(async {
        let (promise, resolver) = Promise::<u64>::with_resolvers();
        for _ in 1..count {
            // One thread: an addition that is cheap, as on the other sides.
            drop(promise.clone().map(|n| RUN.store(RUN.load(Ordering::Relaxed) + n, Ordering::Relaxed)));
        }
        let last = promise.map(|_| RUN.load(Ordering::Relaxed) + 1);
        assert!(resolver.resolve(1).is_ok());
        last.await
    });
    assert_eq!(last.ok(), Some(count));
}

/// Clones that are awaited, each by its own poll before the promise settles.
fn awaits(count: u64) {
    let (promise, resolver) = Promise::<u64>::with_resolvers();
    let sum = future::block_on(async {
        let mut clones: Vec<_> = (0..count).map(|_| promise.clone()).collect();
        for clone in &mut clones {
            assert!(future::poll_once(clone).await.is_none());
        }
        assert!(resolver.resolve(1).is_ok());
        let mut sum = 0;
        for clone in clones {
            sum += clone.await?;
        }
        Ok::<_, Rejection>(sum)
    });
    assert_eq!(sum.ok(), Some(count));
}

/// As event-listener is meant to be used: a flag, an event, listeners, a notification.
fn listeners(count: u64) {
    let flag = AtomicU64::new(0);
    let event = Event::new();
    let sum = future::block_on(async {
        let mut listeners: Vec<_> = (0..count).map(|_| event.listen()).collect();
        for listener in &mut listeners {
            assert!(future::poll_once(listener).await.is_none());
        }
        flag.store(1, Ordering::Release);
        event.notify(usize::MAX);
        let mut sum = 0;
        for listener in listeners {
            listener.await;
            sum += flag.load(Ordering::Acquire);
        }
        sum
    });
    assert_eq!(sum, count);
}

/// Listeners that are only registered, notified and asked: no waker.
fn bare_listeners(count: u64) {
    let event = Event::new();
    let listeners: Vec<_> = (0..count).map(|_| event.listen()).collect();
    event.notify(usize::MAX);
    let mut sum = 0;
    for listener in listeners {
        listener.wait();
        sum += 1;
    }
    assert_eq!(sum, count);
}

fn shared(count: u64) {
    let (sender, receiver) = oneshot::async_channel::<u64>();
    let receiver = receiver.map(|n| n.expect("a value")).shared();
    let sum = future::block_on(async {
        let mut clones: Vec<_> = (0..count).map(|_| receiver.clone()).collect();
        for clone in &mut clones {
            assert!(future::poll_once(clone).await.is_none());
        }
        assert!(sender.send(1).is_ok());
        let mut sum = 0;
        for clone in clones {
            sum += clone.await;
        }
        sum
    });
    assert_eq!(sum, count);
}

/// As one has it without a promise: a task for each handler, all of them waiting for a shared cell.
fn set_once(count: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let sum = runtime.block_on(async {
        let cell = Arc::new(tokio::sync::SetOnce::new());
        let tasks: Vec<_> = (0..count)
            .map(|_| {
                let cell = cell.clone();
                tokio::spawn(async move { *cell.wait().await })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(cell.set(1_u64).is_ok());
        let mut sum = 0;
        for task in tasks {
            sum += task.await.expect("no panic");
        }
        sum
    });
    assert_eq!(sum, count);
}

pub(crate) fn ask(bench: &mut Bench) {
    let event_loop = EventLoop::new();
    let count = bench.size(1_000_000);
    let n = count as u64;
    let budget = Budget::new(1.2, 0.5);
    bench
        .question("handlers", format!("{count} handlers on one promise"), count, || {
            clock::wall(|| handlers(&event_loop, n))
        })
        .against("event-listener, awaited", budget, || clock::wall(|| listeners(n)))
        .against("event-listener, not polled", None, || clock::wall(|| bare_listeners(n)))
        .against("tokio tasks on a SetOnce", None, || clock::wall(|| set_once(n)));
    bench
        .question("awaits", format!("{count} awaits of one promise"), count, || clock::wall(|| awaits(n)))
        .against("event-listener, awaited", budget, || clock::wall(|| listeners(n)))
        .against("oneshot + Shared", None, || clock::wall(|| shared(n)));
}
