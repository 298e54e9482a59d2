//! Jobs on a thread pool: many in flight, one after the other, and with a handler on the loop.

use futures_lite::future;
use std::sync::Arc;
use std::thread::available_parallelism;
use thenable::{EventLoop, ExecutorExt, Promise, Rejection, ThreadPool};
use thenable_benches::{Bench, Budget, clock};

/// What a job does: almost nothing, so that its way there and back is all that is measured.
fn job(n: u64) -> u64 {
    std::hint::black_box(n) + 1
}

fn sum_of(count: u64) -> u64 {
    count * (count + 1) / 2
}

/// Submits all, then awaits all.
async fn in_flight<X: ExecutorExt>(pool: &X, count: u64) -> Result<u64, Rejection> {
    let jobs: Vec<Promise<u64>> = (0..count).map(|n| pool.submit(move || job(n))).collect();
    let mut sum = 0;
    for promise in jobs {
        sum += promise.await?;
    }
    Ok(sum)
}

/// The same with a handler on the loop for each job.
async fn with_then<X: ExecutorExt>(pool: &X, count: u64) -> Result<u64, Rejection> {
    let jobs: Vec<Promise<u64>> = (0..count).map(|n| pool.submit(move || n).then(|n| Ok(job(n)))).collect();
    let mut sum = 0;
    for promise in jobs {
        sum += promise.await?;
    }
    Ok(sum)
}

/// Submits one, awaits it, and so on.
async fn ping_pong<X: ExecutorExt>(pool: &X, count: u64) -> Result<u64, Rejection> {
    let mut sum = 0;
    for n in 0..count {
        sum += pool.submit(move || job(n)).await?;
    }
    Ok(sum)
}

fn send_job(pool: &rayon::ThreadPool, n: u64) -> oneshot::AsyncReceiver<u64> {
    let (sender, receiver) = oneshot::async_channel();
    pool.spawn(move || {
        let _ = sender.send(job(n));
    });
    receiver
}

async fn rayon_in_flight(pool: &rayon::ThreadPool, count: u64) -> u64 {
    let jobs: Vec<_> = (0..count).map(|n| send_job(pool, n)).collect();
    let mut sum = 0;
    for receiver in jobs {
        sum += receiver.await.expect("a value");
    }
    sum
}

async fn rayon_ping_pong(pool: &rayon::ThreadPool, count: u64) -> u64 {
    let mut sum = 0;
    for n in 0..count {
        sum += send_job(pool, n).await.expect("a value");
    }
    sum
}

async fn blocking_in_flight(count: u64) -> u64 {
    let jobs: Vec<_> = (0..count).map(|n| blocking::unblock(move || job(n))).collect();
    let mut sum = 0;
    for task in jobs {
        sum += task.await;
    }
    sum
}

async fn blocking_ping_pong(count: u64) -> u64 {
    let mut sum = 0;
    for n in 0..count {
        sum += blocking::unblock(move || job(n)).await;
    }
    sum
}

async fn tokio_in_flight(pool: &tokio::runtime::Handle, count: u64) -> u64 {
    let jobs: Vec<_> = (0..count).map(|n| pool.spawn_blocking(move || job(n))).collect();
    let mut sum = 0;
    for task in jobs {
        sum += task.await.expect("no panic");
    }
    sum
}

async fn tokio_ping_pong(pool: &tokio::runtime::Handle, count: u64) -> u64 {
    let mut sum = 0;
    for n in 0..count {
        sum += pool.spawn_blocking(move || job(n)).await.expect("no panic");
    }
    sum
}

pub(crate) fn ask(bench: &mut Bench) {
    let threads = available_parallelism().map_or(2, usize::from);
    let rayon = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool"));
    let rayon: &rayon::ThreadPool = &rayon;
    let pool = &ThreadPool::new(threads);
    let event_loop = &EventLoop::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().max_blocking_threads(threads).build().expect("a runtime");
    let tokio = &runtime.handle().clone();

    let many = bench.size(50_000);
    let few = bench.size(5_000);
    let awaited = |count: usize, work: &mut dyn FnMut() -> Result<u64, Rejection>| {
        clock::wall(|| assert_eq!(work().ok(), Some(sum_of(count as u64))))
    };
    let theirs = |count: usize, work: &mut dyn FnMut() -> u64| clock::wall(|| assert_eq!(work(), sum_of(count as u64)));
    let (n, m) = (many as u64, few as u64);
    let budget = Budget::new(1.2, 1.0);
    let against = "rayon + oneshot";

    bench
        .question("rayon_in_flight", "job on a rayon pool awaited, in flight", many, || {
            awaited(many, &mut || future::block_on(in_flight(rayon, n)))
        })
        .against(against, budget, || theirs(many, &mut || future::block_on(rayon_in_flight(rayon, n))));
    bench
        .question("rayon_ping_pong", "job on a rayon pool awaited, ping-pong", few, || {
            awaited(few, &mut || future::block_on(ping_pong(rayon, m)))
        })
        .against(against, budget, || theirs(few, &mut || future::block_on(rayon_ping_pong(rayon, m))));
    bench
        .question("rayon_then", "job on a rayon pool with `then` on the loop, in flight", many, || {
            awaited(many, &mut || event_loop.run(with_then(rayon, n)))
        })
        .against(against, Budget::new(2.0, 1.3), || theirs(many, &mut || future::block_on(rayon_in_flight(rayon, n))));

    bench
        .question("own_in_flight", "job on a `ThreadPool` awaited, in flight", many, || {
            awaited(many, &mut || future::block_on(in_flight(pool, n)))
        })
        .against(against, None, || theirs(many, &mut || future::block_on(rayon_in_flight(rayon, n))))
        .against("blocking::unblock", None, || theirs(many, &mut || future::block_on(blocking_in_flight(n))))
        .against("tokio spawn_blocking", None, || theirs(many, &mut || future::block_on(tokio_in_flight(tokio, n))));
    bench
        .question("own_ping_pong", "job on a `ThreadPool` awaited, ping-pong", few, || {
            awaited(few, &mut || future::block_on(ping_pong(pool, m)))
        })
        .against(against, None, || theirs(few, &mut || future::block_on(rayon_ping_pong(rayon, m))))
        .against("blocking::unblock", None, || theirs(few, &mut || future::block_on(blocking_ping_pong(m))))
        .against("tokio spawn_blocking", None, || theirs(few, &mut || future::block_on(tokio_ping_pong(tokio, m))));
    bench
        .question("own_then", "job on a `ThreadPool` with `then` on the loop, in flight", many, || {
            awaited(many, &mut || event_loop.run(with_then(pool, n)))
        })
        .against(against, None, || theirs(many, &mut || future::block_on(rayon_in_flight(rayon, n))));
}
