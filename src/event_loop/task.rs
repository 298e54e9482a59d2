//! Spawned futures: a task of the loop's executor that settles a promise.

use super::watchdog::Watch;
use crate::Promise;
use crate::core::{Guarded, Site};
use crate::error::{Fault, panic};
use crate::promise::Ending;
use async_executor::Executor;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

/// Runs a future on the executor, for the promise of its outcome.
pub(super) fn spawn<T, E>(
    executor: &Executor<'static>,
    future: impl Future<Output = Result<T, E>> + Send + 'static,
    site: Site,
    watch: Option<Arc<Watch>>,
) -> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    let (promise, resolver) = Promise::pending_at(site);
    let task = drive(Guarded::new(future), Ending::new(resolver), site, watch);
    executor.spawn(task).detach();
    promise
}

async fn drive<T, E, F>(future: Guarded<F>, ending: Ending<T, E>, site: Site, watch: Option<Arc<Watch>>)
where
    F: Future<Output = Result<T, E>>,
{
    let Some(resolver) = ending.resolver() else { return };
    let mut future = pin!(future);
    let mut waits = false;
    let result = std::future::poll_fn(|context| {
        if resolver.is_settled() {
            // Cancelled.
            return Poll::Ready(None);
        }
        if let Some(watch) = &watch {
            watch.is_at(site);
        }
        match panic::catch(Some(site), || future.as_mut().poll(context)) {
            Ok(Poll::Ready(outcome)) => Poll::Ready(Some(Ok(outcome))),
            Ok(Poll::Pending) => {
                if !std::mem::replace(&mut waits, true) {
                    // The task has one waker for life: a cancellation wakes it, and it drops the future.
                    let waker = context.waker().clone();
                    resolver.on_cancel(move |_| waker.wake());
                }
                Poll::Pending
            }
            Err(fault) => Poll::Ready(Some(Err(fault))),
        }
    })
    .await;
    // The future is dropped before anybody hears of its outcome.
    future.as_mut().finish();
    match result {
        Some(Ok(outcome)) => panic::drop_quietly(resolver.settle(outcome)),
        Some(Err(fault)) => {
            resolver.fault(fault);
        }
        None => {}
    }
}
