//! With promises: a `then` for each step.

use super::{MILLISECOND, Operation, QUERIES};
use thenable::{EventLoop, Promise, Rejection};

/// A database, a blob store: everything that a request asks answers with what it was given.
fn ask<T: Send + 'static>(operation: Operation, answer: T) -> Promise<T> {
    match operation {
        Operation::Settled => Promise::resolve(answer),
        Operation::Timer => Promise::delay(MILLISECOND, answer),
    }
}

/// Uploads a file: ten steps, each of which needs the one before.
fn upload(request: u64, operation: Operation) -> Promise<u64> {
    let put_blob = ask(operation, request);
    put_blob
        .then(move |blob| ask(operation, (blob, None::<u64>)))
        .then(move |(blob, file)| ask(operation, (blob + 1, file)))
        .then(move |(version, file)| match file {
            Some(file) => Promise::resolve((file, version)),
            None => {
                let create_query = ask(operation, version + 1);
                create_query.then(move |query| ask(operation, query)).map(move |file| (file, version))
            }
        })
        .then(move |(file, version)| ask(operation, (file, version)))
        .then(move |(file, version)| ask(operation, file + version))
        .then(move |sum| ask(operation, sum))
        .catch(move |why| ask(operation, why).then(Err))
}

fn check(sums: Result<Vec<u64>, Rejection>, requests: usize) {
    let sum: u64 = sums.expect("no rejection").into_iter().sum();
    assert_eq!(sum, super::uploaded(requests as u64));
}

pub(crate) fn sequential(event_loop: &EventLoop, requests: usize, operation: Operation) {
    let done = event_loop.run(async {
        let uploads: Vec<_> = (0..requests as u64).map(|request| upload(request, operation)).collect();
        Promise::all(uploads).await
    });
    check(done, requests);
}

async fn upload_async(request: u64, operation: Operation) -> Result<u64, Rejection> {
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

pub(crate) fn sequential_async(event_loop: &EventLoop, requests: usize, operation: Operation) {
    let done = event_loop.run(async {
        let uploads: Vec<_> =
            (0..requests as u64).map(|request| Promise::spawn(upload_async(request, operation))).collect();
        Promise::all(uploads).await
    });
    check(done, requests);
}

/// All queries at once, then the commit.
fn insert(request: u64, operation: Operation) -> Promise<u64> {
    let queries: Vec<_> = (0..QUERIES as u64).map(|query| ask(operation, query + request)).collect();
    Promise::all(queries)
        .then(move |rows| ask(operation, rows.into_iter().sum()))
        .catch(move |why| ask(operation, why).then(Err))
}

pub(crate) fn parallel(event_loop: &EventLoop, requests: usize, operation: Operation) {
    let done = event_loop.run(async {
        let inserts: Vec<_> = (0..requests as u64).map(|request| insert(request, operation)).collect();
        Promise::all(inserts).await
    });
    let sum: u64 = done.expect("no rejection").into_iter().sum();
    assert_eq!(sum, super::inserted(requests as u64));
}
