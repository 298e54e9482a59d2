//! `all` of 10^5 pending promises, and what the other combinators cost.

use futures::future::{join_all, select_all, try_join_all};
use futures_lite::future;
use std::time::Duration;
use thenable::{EventLoop, Promise, Rejection, Resolver};
use thenable_benches::{Bench, Budget, clock};

fn pending(count: u64) -> (Vec<Promise<u64>>, Vec<Resolver<u64>>) {
    (0..count).map(|_| Promise::with_resolvers()).unzip()
}

fn channels(count: u64) -> (Vec<oneshot::AsyncReceiver<u64>>, Vec<oneshot::Sender<u64>>) {
    (0..count).map(|_| oneshot::async_channel()).map(|(sender, receiver)| (receiver, sender)).unzip()
}

fn resolve_all(resolvers: Vec<Resolver<u64>>) {
    for (n, resolver) in resolvers.into_iter().enumerate() {
        assert!(resolver.resolve(n as u64).is_ok());
    }
}

fn send_all(senders: Vec<oneshot::Sender<u64>>) {
    for (n, sender) in senders.into_iter().enumerate() {
        assert!(sender.send(n as u64).is_ok());
    }
}

/// Runs `work` on the loop; it must give the sum below `count`.
fn ours(event_loop: &EventLoop, count: u64, work: impl Future<Output = Result<u64, Rejection>>) -> Duration {
    clock::wall(|| assert_eq!(event_loop.run(work).ok(), Some(below(count))))
}

fn theirs(count: u64, work: impl Future<Output = u64>) -> Duration {
    clock::wall(|| assert_eq!(future::block_on(work), below(count)))
}

fn below(count: u64) -> u64 {
    count * count.saturating_sub(1) / 2
}

async fn all(count: u64) -> Result<u64, Rejection> {
    let (promises, resolvers) = pending(count);
    let all = Promise::all(promises);
    resolve_all(resolvers);
    Ok(all.await?.into_iter().sum())
}

/// Polled once before they are sent, so that it waits as `all` does.
async fn join_all_oneshot(count: u64) -> u64 {
    let (receivers, senders) = channels(count);
    let mut all = join_all(receivers);
    assert!(future::poll_once(&mut all).await.is_none());
    send_all(senders);
    all.await.into_iter().map(|n| n.expect("a value")).sum()
}

async fn try_join_all_oneshot(count: u64) -> u64 {
    let (receivers, senders) = channels(count);
    let mut all = try_join_all(receivers);
    assert!(future::poll_once(&mut all).await.is_none());
    send_all(senders);
    all.await.expect("values").into_iter().sum()
}

async fn all_settled(count: u64) -> Result<u64, Rejection> {
    let (promises, resolvers) = pending(count);
    let all = Promise::all_settled(promises);
    resolve_all(resolvers);
    Ok(all.await?.into_iter().map(|n| n.unwrap_or_default()).sum())
}

/// The first of many wins; the losers settle later. Gives the sum below `count` as the others do.
async fn race(count: u64) -> Result<u64, Rejection> {
    let (promises, resolvers) = pending(count);
    let first = Promise::race(promises);
    resolve_all(resolvers);
    Ok(first.await? + below(count))
}

async fn select_all_oneshot(count: u64) -> u64 {
    let (receivers, senders) = channels(count);
    let mut first = select_all(receivers);
    assert!(future::poll_once(&mut first).await.is_none());
    for (n, sender) in senders.into_iter().enumerate() {
        assert!(sender.send(n as u64).is_ok());
    }
    first.await.0.expect("a value") + below(count)
}

/// Inputs that are settled already.
async fn all_ready(count: u64) -> Result<u64, Rejection> {
    Ok(Promise::all((0..count).map(Promise::resolve)).await?.into_iter().sum())
}

async fn join_all_ready(count: u64) -> u64 {
    join_all((0..count).map(std::future::ready)).await.into_iter().sum()
}

/// Groups of `width`, as most uses are.
async fn small(count: u64, width: u64) -> Result<u64, Rejection> {
    let mut sum = 0;
    for first in (0..count).step_by(width as usize) {
        let width = width.min(count - first);
        sum += all(width).await? + first * width;
    }
    Ok(sum)
}

async fn join_all_small(count: u64, width: u64) -> u64 {
    let mut sum = 0;
    for first in (0..count).step_by(width as usize) {
        let width = width.min(count - first);
        sum += join_all_oneshot(width).await + first * width;
    }
    sum
}

pub(crate) fn ask(bench: &mut Bench) {
    let event_loop = &EventLoop::new();
    let count = bench.size(100_000);
    let n = count as u64;
    let against = "join_all of oneshots";
    bench
        .question("all", format!("`all` of {count} pending"), count, || ours(event_loop, n, all(n)))
        .against(against, Budget::new(0.5, 0.2), || theirs(n, join_all_oneshot(n)))
        .against("try_join_all of oneshots", None, || theirs(n, try_join_all_oneshot(n)));
    bench.question("all_10", "`all` of 10 pending", count, || ours(event_loop, n, small(n, 10))).against(
        against,
        None,
        || theirs(n, join_all_small(n, 10)),
    );
    bench
        .question("all_ready", format!("`all` of {count} fulfilled"), count, || ours(event_loop, n, all_ready(n)))
        .against("join_all of ready", None, || theirs(n, join_all_ready(n)));
    bench
        .question("all_settled", format!("`all_settled` of {count} pending"), count, || {
            ours(event_loop, n, all_settled(n))
        })
        .against(against, None, || theirs(n, join_all_oneshot(n)));
    bench.question("race", format!("`race` of {count} pending"), count, || ours(event_loop, n, race(n))).against(
        "select_all of oneshots",
        None,
        || theirs(n, select_all_oneshot(n)),
    );
}
