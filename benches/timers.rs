//! A million delays that end within a second: the processor time of setting, firing and awaiting them.

use async_executor::LocalExecutor;
use async_io::Timer;
use futures::future::join_all;
use std::time::Duration;
use thenable::{EventLoop, Promise, Rejection, delay};
use thenable_benches::{Bench, Budget, clock};

/// A millionth of a second apart, so that a million of them are spread over a second.
fn deadline(n: u64) -> Duration {
    Duration::from_micros(n)
}

/// Sets all, then awaits all.
fn ours(event_loop: &EventLoop, count: u64) {
    let fired = event_loop.run(async {
        let delays: Vec<_> = (0..count).map(|n| delay(deadline(n))).collect();
        let mut fired = 0;
        for delay in delays {
            delay.await?;
            fired += 1;
        }
        Ok::<_, Rejection>(fired)
    });
    assert_eq!(fired.ok(), Some(count));
}

/// One handler and one `all`, as a program has it.
fn all(event_loop: &EventLoop, count: u64) {
    // Made inside of the run, so that the loop is current and the timers are its own.
    let fired = event_loop.run(async { Promise::all((0..count).map(|n| delay(deadline(n)))).await });
    assert_eq!(fired.ok().map(|fired| fired.len() as u64), Some(count));
}

/// Bare timers, polled in turn: a waker is registered only for the one that is awaited, the least that there can be.
fn in_turn(count: u64) {
    let fired = async_io::block_on(async {
        let timers: Vec<_> = (0..count).map(|n| Timer::after(deadline(n))).collect();
        let mut fired = 0;
        for timer in timers {
            timer.await;
            fired += 1;
        }
        fired
    });
    assert_eq!(fired, count);
}

/// Bare timers, all of them running at once.
fn joined(count: u64) {
    let fired = async_io::block_on(join_all((0..count).map(|n| Timer::after(deadline(n)))));
    assert_eq!(fired.len() as u64, count);
}

/// A task for each timer.
fn tasks(count: u64) {
    let executor = LocalExecutor::new();
    let fired = async_io::block_on(executor.run(async {
        let tasks: Vec<_> =
            (0..count).map(|n| executor.spawn(async move { Timer::after(deadline(n)).await })).collect();
        let mut fired = 0;
        for task in tasks {
            task.await;
            fired += 1;
        }
        fired
    }));
    assert_eq!(fired, count);
}

fn tokio(count: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let fired = runtime.block_on(async {
        let sleeps: Vec<_> = (0..count).map(|n| tokio::spawn(tokio::time::sleep(deadline(n)))).collect();
        let mut fired = 0;
        for sleep in sleeps {
            sleep.await.expect("no panic");
            fired += 1;
        }
        fired
    });
    assert_eq!(fired, count);
}

pub(crate) fn ask(bench: &mut Bench) {
    let event_loop = EventLoop::new();
    let count = bench.size(1_000_000);
    let n = count as u64;
    let budget = Budget::new(1.3, 1.05);
    bench
        .question("delays", format!("{count} delays within a second, processor time"), count, || {
            clock::cpu(|| ours(&event_loop, n))
        })
        .against("async-io timers, join_all", budget, || clock::cpu(|| joined(n)))
        .against("async-io timers, a task each", None, || clock::cpu(|| tasks(n)))
        .against("async-io timers, awaited in turn", None, || clock::cpu(|| in_turn(n)))
        .against("tokio sleeps, a task each", None, || clock::cpu(|| tokio(n)));
    bench
        .question("all", format!("`all` of {count} delays within a second, processor time"), count, || {
            clock::cpu(|| all(&event_loop, n))
        })
        .against("async-io timers, join_all", budget, || clock::cpu(|| joined(n)));
}
