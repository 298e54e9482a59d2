//! Spawned futures: a task of the loop's executor that settles a promise.

use super::shared::lock;
use super::watchdog::Watch;
use crate::Promise;
use crate::core::{self, Companion, Guarded, Site, Working};
use crate::error::{CancelReason, Fault, panic};
use crate::primitive::sync::Mutex;
use async_executor::Executor;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

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
    let (handle, working) = core::pending_with(site, Sleeper::default());
    executor.spawn(drive(Guarded::new(future), Task(working), site, watch)).detach();
    Promise::from_handle(handle)
}

/// The task's waker, once it has waited: a cancellation wakes it, and it drops its future. (A task has one waker for life.)
#[derive(Default)]
struct Sleeper(Mutex<Option<Waker>>);

impl<T, E> Companion<T, E> for Sleeper {
    fn cancelled(this: &Working<T, E, Self>, _: &CancelReason) {
        let waker = lock(&this.companion().0).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// What a task holds of its promise. A task that its loop throws away rejects it.
struct Task<T, E>(Working<T, E, Sleeper>);

impl<T, E> Task<T, E> {
    /// Has a cancellation wake the task. False: it was cancelled already.
    fn sleep(&self, context: &Context<'_>) -> bool {
        let waker = context.waker().clone();
        let before = lock(&self.0.companion().0).replace(waker);
        drop(before);
        !self.0.is_settled() || cfg!(thenable_plant = "s30_cancelled_before_asleep")
    }
}

impl<T, E> Drop for Task<T, E> {
    fn drop(&mut self) {
        #[cfg(not(thenable_plant = "s25_task_goes_silently"))]
        self.0.fault(Fault::LoopClosed);
    }
}

async fn drive<T, E, F>(future: Guarded<F>, task: Task<T, E>, site: Site, watch: Option<Arc<Watch>>)
where
    F: Future<Output = Result<T, E>>,
{
    let mut future = pin!(future);
    let mut waits = false;
    let result = std::future::poll_fn(|context| {
        if task.0.is_settled() {
            // Cancelled.
            return Poll::Ready(None);
        }
        if let Some(watch) = &watch {
            watch.is_at(site);
        }
        match panic::catch(Some(site), || future.as_mut().poll(context)) {
            Ok(Poll::Ready(outcome)) => Poll::Ready(Some(Ok(outcome))),
            Ok(Poll::Pending) if std::mem::replace(&mut waits, true) || task.sleep(context) => Poll::Pending,
            Ok(Poll::Pending) => Poll::Ready(None),
            Err(fault) => Poll::Ready(Some(Err(fault))),
        }
    })
    .await;
    // The future is dropped before anybody hears of its outcome.
    future.as_mut().finish();
    match result {
        Some(Ok(outcome)) => panic::drop_quietly(task.0.settle(outcome)),
        Some(Err(fault)) => {
            task.0.fault(fault);
        }
        None => {}
    }
}
