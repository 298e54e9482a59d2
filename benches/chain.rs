//! What a `then` link costs: in chains of 10, in one chain of 10^6, warm and in a fresh process.

use async_executor::LocalExecutor;
use futures_lite::future;
use std::time::Duration;
use thenable::{EventLoop, Promise, Rejection};
use thenable_benches::child::Task;
use thenable_benches::{Bench, Budget, clock};

const LINKS: usize = 10;

/// A chain of `links` links on a settled promise.
fn chain(start: u64, links: usize) -> Promise<u64> {
    (0..links).fold(Promise::resolve(start), |promise, link| {
        let step = link as u64;
        promise.then(move |n| Ok(n + step))
    })
}

/// The same with a task for each link.
fn tasks<'a>(executor: &LocalExecutor<'a>, start: u64, links: usize) -> async_executor::Task<u64> {
    (0..links).fold(executor.spawn(async move { start }), |task, link| {
        let step = link as u64;
        executor.spawn(async move { task.await + step })
    })
}

async fn tokio_tasks(start: u64, links: usize) -> u64 {
    let first = tokio::spawn(async move { start });
    let last = (0..links).fold(first, |task, link| {
        let step = link as u64;
        tokio::spawn(async move { task.await.expect("no panic") + step })
    });
    last.await.expect("no panic")
}

fn sum_of(chains: usize, links: usize) -> u64 {
    (0..chains as u64).map(|start| start + (0..links as u64).sum::<u64>()).sum()
}

fn ours(event_loop: &EventLoop, chains: usize, links: usize) {
    let sum = event_loop.run(async {
        let mut sum = 0;
        for start in 0..chains as u64 {
            sum += chain(start, links).await?;
        }
        Ok::<_, Rejection>(sum)
    });
    assert_eq!(sum.ok(), Some(sum_of(chains, links)));
}

fn local_executor(executor: &LocalExecutor<'_>, chains: usize, links: usize) {
    let sum = future::block_on(executor.run(async {
        let mut sum = 0;
        for start in 0..chains as u64 {
            sum += tasks(executor, start, links).await;
        }
        sum
    }));
    assert_eq!(sum, sum_of(chains, links));
}

fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

fn on_tokio(runtime: &tokio::runtime::Runtime, chains: usize, links: usize) {
    let sum = runtime.block_on(async {
        let mut sum = 0;
        for start in 0..chains as u64 {
            sum += tokio_tasks(start, links).await;
        }
        sum
    });
    assert_eq!(sum, sum_of(chains, links));
}

fn nanoseconds(work: impl FnOnce()) -> f64 {
    clock::wall(work).as_nanos() as f64
}

const COLD: Task = Task { name: "cold", run: |links| nanoseconds(|| ours(&EventLoop::new(), 1, links)) };
const COLD_LOCAL: Task =
    Task { name: "cold-local", run: |links| nanoseconds(|| local_executor(&LocalExecutor::new(), 1, links)) };
const COLD_TOKIO: Task = Task { name: "cold-tokio", run: |links| nanoseconds(|| on_tokio(&tokio_runtime(), 1, links)) };

/// What runs in processes of its own.
pub(crate) const TASKS: &[Task] = &[COLD, COLD_LOCAL, COLD_TOKIO];

pub(crate) fn ask(bench: &mut Bench) {
    let event_loop = EventLoop::new();
    let executor = LocalExecutor::new();
    let runtime = tokio_runtime();

    let chains = bench.size(1_000);
    let text = "`then` link, chains of 10";
    bench
        .question("ten", text, chains * LINKS, || clock::wall(|| ours(&event_loop, chains, LINKS)))
        .against("a task per link, LocalExecutor", Budget::new(0.25, 0.10), || {
            clock::wall(|| local_executor(&executor, chains, LINKS))
        })
        .against("a task per link, tokio", Budget::new(0.20, 0.08), || {
            clock::wall(|| on_tokio(&runtime, chains, LINKS))
        });

    let links = bench.size(1_000_000);
    let text = format!("one chain of {links} links, warm");
    bench
        .question("million", text, links, || clock::wall(|| ours(&event_loop, 1, links)))
        .against("a task per link, LocalExecutor", None, || clock::wall(|| local_executor(&executor, 1, links)))
        .against("a task per link, tokio", None, || clock::wall(|| on_tokio(&runtime, 1, links)));

    let text = format!("one chain of {links} links, fresh process");
    let cold = |task: Task| move || -> Duration { task.time(links) };
    bench
        .question("cold", text, links, cold(COLD))
        .against("a task per link, LocalExecutor", None, cold(COLD_LOCAL))
        .against("a task per link, tokio", None, cold(COLD_TOKIO));
}
