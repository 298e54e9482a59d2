//! More threads: one loop that several threads feed, and several loops side by side.

use crate::sizes::below;
use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;
use thenable::{EventLoop, Promise, Rejection, Resolver};

pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// Nanoseconds that so many operations take, with so many threads.
    pub(crate) run: fn(threads: u64, count: u64) -> f64,
}

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload { name: "feed_resolve", title: "one loop, `then` settled by n threads", run: feed_resolve },
    Workload { name: "feed_call", title: "one loop, `call_soon` from n threads", run: feed_call },
    Workload { name: "loops", title: "n loops side by side, `then` in chains of 10", run: loops },
];

/// Handlers of this loop, on promises that the producers resolve.
fn feed_resolve(threads: u64, count: u64) -> f64 {
    let event_loop = EventLoop::new();
    let start = Barrier::new(threads as usize + 1);
    thread::scope(|scope| {
        let mut promises = Vec::new();
        for _ in 0..threads {
            let (handed, resolvers) = channel::<Vec<Resolver<u64>>>();
            let start = &start;
            scope.spawn(move || {
                let resolvers = resolvers.recv().expect("the main thread is there");
                start.wait();
                for (resolver, n) in resolvers.into_iter().zip(0..) {
                    assert!(resolver.resolve(n).is_ok());
                }
            });
            let share: Vec<_> = (0..count / threads)
                .map(|_| {
                    let (promise, resolver) = Promise::<u64>::with_resolvers();
                    let _current = event_loop.enter();
                    promises.push(promise.then(Ok));
                    resolver
                })
                .collect();
            assert!(handed.send(share).is_ok());
        }
        start.wait();
        let begin = Instant::now();
        let sum = event_loop.run(async {
            let mut sum = 0;
            for promise in promises {
                sum += promise.await?;
            }
            Ok::<_, Rejection>(sum)
        });
        assert_eq!(sum.ok(), Some(threads * below(count / threads)));
        begin.elapsed().as_nanos() as f64
    })
}

/// Calls that the producers queue; the last of each says so.
fn feed_call(threads: u64, count: u64) -> f64 {
    let event_loop = EventLoop::new();
    let start = Barrier::new(threads as usize + 1);
    thread::scope(|scope| {
        let mut done = Vec::new();
        for _ in 0..threads {
            let handle = event_loop.handle();
            let (promise, resolver) = Promise::<u64>::with_resolvers();
            done.push(promise);
            let start = &start;
            scope.spawn(move || {
                start.wait();
                for _ in 1..count / threads {
                    handle.call_soon(|| ());
                }
                handle.call_soon(move || assert!(resolver.resolve(1).is_ok()));
            });
        }
        start.wait();
        let begin = Instant::now();
        let ends = event_loop.run(async {
            let mut ends = 0;
            for promise in done {
                ends += promise.await?;
            }
            Ok::<_, Rejection>(ends)
        });
        assert_eq!(ends.ok(), Some(threads));
        begin.elapsed().as_nanos() as f64
    })
}

/// As many loops as threads share the work.
fn loops(threads: u64, count: u64) -> f64 {
    let chains = count / threads / 10;
    let start = Barrier::new(threads as usize + 1);
    let begin = thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let event_loop = EventLoop::new();
                start.wait();
                let sum = event_loop.run(async {
                    let mut sum = 0;
                    for first in 0..chains {
                        let first = Promise::resolve(first);
                        sum += (0..10).fold(first, |promise, _| promise.then(Ok)).await?;
                    }
                    Ok::<_, Rejection>(sum)
                });
                assert_eq!(sum.ok(), Some(below(chains)));
            });
        }
        start.wait();
        Instant::now()
    });
    begin.elapsed().as_nanos() as f64
}
