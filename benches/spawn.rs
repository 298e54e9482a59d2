//! A million trivial futures, spawned and awaited.

use async_executor::{Executor, LocalExecutor};
use futures_lite::future;
use thenable::{EventLoop, Promise, Rejection};
use thenable_benches::{Bench, Budget, clock};

async fn trivial(n: u64) -> u64 {
    std::hint::black_box(n)
}

async fn fallible(n: u64) -> Result<u64, Rejection> {
    Ok(trivial(n).await)
}

fn ours(event_loop: &EventLoop, count: u64) -> Option<u64> {
    let sum = event_loop.run(async {
        let promises: Vec<_> = (0..count).map(|n| Promise::spawn(fallible(n))).collect();
        let mut sum = 0;
        for promise in promises {
            sum += promise.await?;
        }
        Ok::<_, Rejection>(sum)
    });
    sum.ok()
}

fn executor(executor: &Executor<'_>, count: u64) -> u64 {
    future::block_on(executor.run(async {
        let tasks: Vec<_> = (0..count).map(|n| executor.spawn(trivial(n))).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await;
        }
        sum
    }))
}

fn local_executor(executor: &LocalExecutor<'_>, count: u64) -> u64 {
    future::block_on(executor.run(async {
        let tasks: Vec<_> = (0..count).map(|n| executor.spawn(trivial(n))).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await;
        }
        sum
    }))
}

fn tokio(runtime: &tokio::runtime::Runtime, count: u64) -> u64 {
    runtime.block_on(async {
        let tasks: Vec<_> = (0..count).map(|n| tokio::spawn(trivial(n))).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.expect("no panic");
        }
        sum
    })
}

pub(crate) fn ask(bench: &mut Bench) {
    let event_loop = EventLoop::new();
    let (send, local) = (Executor::new(), LocalExecutor::new());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let count = bench.size(1_000_000);
    let n = count as u64;
    let sum = n * n.saturating_sub(1) / 2;
    let budget = Budget::new(1.5, 1.1);
    bench
        .question("spawn", format!("spawn {count} trivial futures and await all"), count, || {
            clock::wall(|| assert_eq!(ours(&event_loop, n), Some(sum)))
        })
        .against("Executor", budget, || clock::wall(|| assert_eq!(executor(&send, n), sum)))
        .against("LocalExecutor", budget, || clock::wall(|| assert_eq!(local_executor(&local, n), sum)))
        .against("tokio", None, || clock::wall(|| assert_eq!(tokio(&runtime, n), sum)));
}
