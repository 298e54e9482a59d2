//! With `async fn`, a oneshot channel for each operation, and a task for each request.

use super::{MILLISECOND, Operation, QUERIES};
use async_executor::LocalExecutor;
use async_io::Timer;
use futures::future::join_all;
use oneshot::RecvError;

async fn ask<T>(operation: Operation, answer: T) -> Result<T, RecvError> {
    match operation {
        Operation::Settled => {
            let (sender, receiver) = oneshot::async_channel();
            let _ = sender.send(answer);
            receiver.await
        }
        Operation::Timer => {
            Timer::after(MILLISECOND).await;
            Ok(answer)
        }
    }
}

async fn upload(request: u64, operation: Operation) -> Result<u64, RecvError> {
    let steps = async {
        let blob = ask(operation, request).await?;
        let file = ask(operation, None::<u64>).await?;
        let version = blob + 1;
        ask(operation, version).await?;
        let file = match file {
            Some(file) => file,
            None => {
                let query = ask(operation, version + 1).await?;
                ask(operation, query).await?
            }
        };
        ask(operation, (file, version)).await?;
        ask(operation, (file, version)).await?;
        ask(operation, file + version).await
    };
    match steps.await {
        Err(why) => Err(ask(operation, why).await?),
        done => done,
    }
}

pub(crate) fn sequential(requests: usize, operation: Operation) {
    let executor = LocalExecutor::new();
    let sums = async_io::block_on(executor.run(async {
        let uploads: Vec<_> = (0..requests as u64).map(|request| executor.spawn(upload(request, operation))).collect();
        join_all(uploads).await
    }));
    let sum: u64 = sums.into_iter().map(|sum| sum.expect("no error")).sum();
    assert_eq!(sum, super::uploaded(requests as u64));
}

async fn insert(request: u64, operation: Operation) -> Result<u64, RecvError> {
    let rows = join_all((0..QUERIES as u64).map(|query| ask(operation, query + request))).await;
    let mut sum = 0;
    for row in rows {
        sum += row?;
    }
    ask(operation, sum).await
}

pub(crate) fn parallel(requests: usize, operation: Operation) {
    let executor = LocalExecutor::new();
    let sums = async_io::block_on(executor.run(async {
        let inserts: Vec<_> = (0..requests as u64).map(|request| executor.spawn(insert(request, operation))).collect();
        join_all(inserts).await
    }));
    let sum: u64 = sums.into_iter().map(|sum| sum.expect("no error")).sum();
    assert_eq!(sum, super::inserted(requests as u64));
}
