//! Promises in a tokio program: both ways across the border.
//!
//! ```text
//! cargo run --release --features tokio --example tokio
//! ```
//!
//! A promise is a future, so tokio's tasks await it. A tokio task becomes a promise by `Promise::from_future`, and blocking
//! work goes to the runtime's own blocking threads by `handle.submit`. Handlers run on thenable's global loop, unless
//! `.on(..)` says otherwise.

use std::time::Duration;
use thenable::{ExecutorExt, Promise, Rejection};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Rejection> {
    let runtime = tokio::runtime::Handle::current();

    // A promise, awaited in a tokio task; two at once.
    let (sum, product) = tokio::join!(
        Promise::all((1..=10_u64).map(Promise::resolve)).map(|numbers| numbers.into_iter().sum::<u64>()),
        Promise::resolve(1..=10_u64).map(|numbers| numbers.product::<u64>()),
    );
    println!("sum {}, product {}", sum?, product?);

    // A tokio task as a promise: chained, with a time limit, like any other.
    let answer = tokio::spawn(async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        42
    });
    let answer = Promise::from_future(async move { Ok::<u64, Rejection>(answer.await?) });
    let doubled = answer.timeout(Duration::from_secs(10)).map(|n| n * 2).await?;
    println!("twice the answer: {doubled}");

    // Blocking work on the runtime's blocking threads. A panic is a rejection with its place.
    let lines = runtime.submit(|| std::fs::read_to_string("Cargo.toml").map(|text| text.lines().count())).await??;
    println!("Cargo.toml has lines: {}", lines > 0);
    let broken = runtime.submit(|| -> u64 { panic!("the disk is on fire") });
    println!("{}", broken.await.unwrap_err());

    // A handler on the runtime's blocking threads instead of the loop.
    let name = Promise::resolve("a handler on a tokio thread: ")
        .on(&runtime)
        .map(|text| format!("{text}{}", tokio::runtime::Handle::try_current().is_ok()));
    println!("{}", name.await?);

    // The runtime cancels a task: the promise that stands for it rejects.
    let endless = tokio::spawn(std::future::pending::<()>());
    endless.abort();
    let aborted = Promise::from_future(async move { Ok::<(), Rejection>(endless.await?) });
    let why = aborted.await.unwrap_err();
    let cancelled = why.downcast_ref::<tokio::task::JoinError>().is_some_and(tokio::task::JoinError::is_cancelled);
    println!("an aborted task rejects with tokio's own error: {cancelled}");
    Ok(())
}
