//! Spawned futures: a task of the loop's executor that settles a promise.

use super::shared::{LoopShared, lock};
use super::watchdog::Watch;
use crate::Promise;
use crate::core::{self, Companion, Guarded, Site, Supervise, Supervised, Working};
use crate::error::{CancelReason, Fault, panic};
use crate::primitive::sync::Mutex;
use async_executor::Executor;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Runs a future on the loop's executor, for the promise of its outcome. None: the loop is closed.
pub(super) fn spawn_on<T, E>(
    executor: Option<&Executor<'static>>,
    future: impl Future<Output = Result<T, E>> + Send + 'static,
    site: Site,
    shared: &LoopShared,
) -> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    let Some(executor) = executor else {
        panic::drop_quietly(future);
        return Promise::faulted_at(Fault::LoopClosed, site);
    };
    let (handle, working) = core::pending_with(site, Sleeper::default());
    let task = Task { working, site, watch: shared.watch.clone(), waits: false };
    executor.spawn(Supervised::new(future, task)).detach();
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
struct Task<T, E> {
    working: Working<T, E, Sleeper>,
    site: Site,
    watch: Option<Arc<Watch>>,
    /// It has waited before, so that a cancellation wakes it.
    waits: bool,
}

impl<T, E> Task<T, E> {
    /// Has a cancellation wake the task. False: it was cancelled already.
    fn sleep(&mut self, context: &Context<'_>) -> bool {
        self.waits = true;
        let waker = context.waker().clone();
        let before = lock(&self.working.companion().0).replace(waker);
        drop(before);
        !self.working.is_settled()
    }
}

impl<T, E> Drop for Task<T, E> {
    fn drop(&mut self) {
        if !self.working.is_settled() {
            self.working.fault(Fault::LoopClosed);
        }
    }
}

impl<T, E, F> Supervise<F> for Task<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    fn poll(&mut self, mut future: Pin<&mut Guarded<F>>, context: &mut Context<'_>) -> Poll<()> {
        // None: cancelled.
        let result = if self.working.is_settled() {
            None
        } else {
            if let Some(watch) = &self.watch {
                watch.is_at(self.site);
            }
            match panic::catch(Some(self.site), || future.as_mut().poll(context)) {
                Ok(Poll::Pending) if self.waits || self.sleep(context) => return Poll::Pending,
                Ok(Poll::Pending) => None,
                Ok(Poll::Ready(outcome)) => Some(Ok(outcome)),
                Err(fault) => Some(Err(fault)),
            }
        };
        // The future is dropped before anybody hears of its outcome.
        future.finish();
        match result {
            Some(Ok(outcome)) => panic::drop_quietly(self.working.settle(outcome)),
            Some(Err(fault)) => {
                self.working.fault(fault);
            }
            None => {}
        }
        Poll::Ready(())
    }
}
