//! Workloads of any size. Each keeps all of its promises alive at once, so that the size is felt.

use rustix::time::{ClockId, clock_gettime};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use thenable::{EventLoop, ExecutorExt, Promise, Rejection, Resolver, ThreadPool, delay};

type Outcome = Result<u64, Rejection>;

pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// For the legend and the table.
    pub(crate) title: &'static str,
    /// Nanoseconds that so many operations take.
    pub(crate) run: fn(&EventLoop, u64) -> f64,
}

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload { name: "chain", title: "`then` in one chain", run: |on, n| wall(on, chain(n), n) },
    Workload { name: "settle", title: "create, resolve, await", run: |on, n| wall(on, settle(n), below(n)) },
    Workload { name: "fan_out", title: "handler on one promise", run: |on, n| wall(on, fan_out(n), n) },
    Workload { name: "all", title: "input of `all`", run: |on, n| wall(on, all(n), below(n)) },
    Workload { name: "any", title: "input of `any`", run: |on, n| wall(on, any(n), n) },
    Workload { name: "adopt", title: "adoption, each by the next", run: |on, n| wall(on, adopt(n), n) },
    Workload { name: "spawn", title: "spawned future", run: |on, n| wall(on, spawn(n), below(n)) },
    Workload { name: "doxbee", title: "doxbee-sequential, step", run: |on, n| wall(on, doxbee(n), below(n / 10)) },
    Workload { name: "parallel", title: "parallel, query", run: |on, n| wall(on, parallel(n), below(n / 25)) },
    Workload { name: "pool", title: "pool job in flight", run: |on, n| wall(on, pool(n), below(n)) },
    Workload {
        name: "cross_thread",
        title: "resolve from another thread",
        run: |on, n| wall(on, cross_thread(n), below(n)),
    },
    Workload {
        name: "memory",
        title: "for comparison: 64 bytes, written twice",
        run: |on, n| wall(on, memory(n), below(n)),
    },
    Workload { name: "delays", title: "delay, processor time", run: |on, n| cpu(on, delays(n), n) },
];

fn wall(event_loop: &EventLoop, work: impl Future<Output = Outcome>, expected: u64) -> f64 {
    let start = Instant::now();
    let outcome = event_loop.run(work);
    let took = start.elapsed();
    assert_eq!(outcome.expect("no rejection"), expected);
    took.as_nanos() as f64
}

fn cpu(event_loop: &EventLoop, work: impl Future<Output = Outcome>, expected: u64) -> f64 {
    let now = || {
        let now = clock_gettime(ClockId::ProcessCPUTime);
        now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
    };
    let start = now();
    let outcome = event_loop.run(work);
    let took = now() - start;
    assert_eq!(outcome.expect("no rejection"), expected);
    took
}

/// 0 + 1 + .. without `count` itself.
pub(crate) fn below(count: u64) -> u64 {
    count * count.saturating_sub(1) / 2
}

async fn sum(promises: Vec<Promise<u64>>) -> Outcome {
    let mut sum = 0;
    for promise in promises {
        sum += promise.await?;
    }
    Ok(sum)
}

async fn chain(count: u64) -> Outcome {
    let (mut promise, resolver) = Promise::with_resolvers();
    for _ in 0..count {
        promise = promise.then(|n| Ok(n + 1));
    }
    assert!(resolver.resolve(0).is_ok());
    promise.await
}

type Ends = (Vec<Promise<u64>>, Vec<Resolver<u64>>);

async fn settle(count: u64) -> Outcome {
    thread_local! {
        // Kept from run to run: new memory for them would be a quarter of what is measured, and not the library's.
        static KEPT: Cell<Ends> = const { Cell::new((Vec::new(), Vec::new())) };
    }
    let mut kept = KEPT.take();
    kept.extend((0..count).map(|_| Promise::with_resolvers()));
    for (resolver, n) in kept.1.drain(..).zip(0..) {
        assert!(resolver.resolve(n).is_ok());
    }
    let mut sum = 0;
    for promise in kept.0.drain(..) {
        sum += promise.await?;
    }
    KEPT.set(kept);
    Ok(sum)
}

async fn fan_out(count: u64) -> Outcome {
    static RUN: AtomicU64 = AtomicU64::new(0);
    // One thread, so reading and writing will do.
    let add = |n: u64| RUN.store(RUN.load(Ordering::Relaxed) + n, Ordering::Relaxed);
    RUN.store(0, Ordering::Relaxed);
    let (promise, resolver) = Promise::with_resolvers();
    for _ in 0..count {
        drop(promise.clone().map(add));
    }
    let last = promise.map(|_| RUN.load(Ordering::Relaxed));
    assert!(resolver.resolve(1).is_ok());
    last.await
}

async fn all(count: u64) -> Outcome {
    let (promises, resolvers): (Vec<_>, Vec<_>) = (0..count).map(|_| Promise::with_resolvers()).unzip();
    let all = Promise::all(promises);
    for (resolver, n) in resolvers.into_iter().zip(0..) {
        assert!(resolver.resolve(n).is_ok());
    }
    Ok(all.await?.into_iter().sum())
}

/// All reject.
async fn any(count: u64) -> Outcome {
    let (promises, resolvers): (Vec<_>, Vec<_>) = (0..count).map(|_| Promise::<u64, Reason>::pending()).unzip();
    let any = Promise::any(promises);
    for resolver in resolvers {
        assert!(resolver.reject(Reason).is_ok());
    }
    match any.await {
        Ok(n) => Ok(n),
        Err(why) => Ok(why.errors.len() as u64),
    }
}

/// A reason that costs nothing.
#[derive(Clone, Debug)]
struct Reason;

impl From<thenable::Fault> for Reason {
    fn from(_: thenable::Fault) -> Self {
        Self
    }
}

/// Each resolves with the next.
async fn adopt(count: u64) -> Outcome {
    let (mut promise, innermost) = Promise::with_resolvers();
    for _ in 0..count {
        let (outer, resolver) = Promise::with_resolvers();
        assert!(resolver.adopt(promise).is_ok());
        promise = outer;
    }
    assert!(innermost.resolve(count).is_ok());
    promise.await
}

async fn spawn(count: u64) -> Outcome {
    sum((0..count).map(|n| Promise::spawn(async move { Ok(n) })).collect()).await
}

/// Requests of ten steps each, all of them at once.
async fn doxbee(steps: u64) -> Outcome {
    let request = |n: u64| {
        let first = Promise::resolve(n);
        (1..10).fold(first, |promise, _| promise.then(Promise::resolve))
    };
    Ok(Promise::all((0..steps / 10).map(request)).await?.into_iter().sum())
}

/// Requests of 25 queries each, all of them at once.
async fn parallel(queries: u64) -> Outcome {
    let request = |n: u64| Promise::all((0..25).map(move |_| Promise::resolve(n))).then(|rows| Ok(rows[24]));
    Ok(Promise::all((0..queries / 25).map(request)).await?.into_iter().sum())
}

async fn pool(count: u64) -> Outcome {
    let pool = ThreadPool::new(2);
    sum((0..count).map(|n| pool.submit(move || n)).collect()).await
}

async fn cross_thread(count: u64) -> Outcome {
    let (promises, resolvers): (Vec<_>, Vec<_>) = (0..count).map(|_| Promise::with_resolvers()).unzip();
    let resolver = std::thread::spawn(move || {
        for (resolver, n) in resolvers.into_iter().zip(0..) {
            assert!(resolver.resolve(n).is_ok());
        }
    });
    let sum = sum(promises).await;
    assert!(resolver.join().is_ok());
    sum
}

/// What a link does to memory, and nothing else: 64 bytes are written, and some of them once more when all are there.
async fn memory(count: u64) -> Outcome {
    let mut blocks: Vec<[u64; 8]> = (0..count).map(|n| [n; 8]).collect();
    for block in &mut blocks {
        block[1] = block[0];
    }
    Ok(std::hint::black_box(blocks).iter().map(|block| block[1]).sum())
}

/// A hundred nanoseconds apart.
async fn delays(count: u64) -> Outcome {
    let delays: Vec<_> = (0..count).map(|n| delay(Duration::from_nanos(100 * n))).collect();
    let mut fired = 0;
    for delay in delays {
        delay.await?;
        fired += 1;
    }
    Ok(fired)
}
