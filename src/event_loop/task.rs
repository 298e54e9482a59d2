//! Spawned futures: a task of the loop's executor that settles a promise.

use super::current;
use super::shared::{LoopShared, lock};
use super::watchdog::Watch;
use crate::Promise;
use crate::core::{self, Companion, Guarded, PlaceId, Site, Supervise, Supervised, Working};
use crate::error::{CancelReason, Fault, panic};
use crate::primitive::sync::Mutex;
use crate::primitive::sync::atomic::{AtomicUsize, Ordering};
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
    let task = Task { working, site, watch: shared.watch.clone(), place: shared.place(), waits: false };
    Tasks::add(shared);
    executor.spawn(Supervised::new(future, task)).detach();
    Promise::from_handle(handle)
}

/// How many spawned futures a loop has: the sum of the two, either of which may wrap.
#[derive(Default)]
pub(super) struct Tasks {
    /// Changed where the loop is current, which is on its own thread only: without a read-modify-write.
    here: AtomicUsize,
    elsewhere: AtomicUsize,
}

impl Tasks {
    // ORDERING of all: Relaxed. Who asks and knows of a task has that from somebody who counted it before.

    fn add(shared: &LoopShared) {
        if !current::with(shared.place(), |shared| shared.tasks.change(1)) {
            shared.tasks.elsewhere.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A task ends where its loop is current, or is thrown away with its loop, and then nobody asks any more.
    fn remove(place: PlaceId) {
        current::with(place, |shared| shared.tasks.change(usize::MAX));
    }

    fn change(&self, by: usize) {
        self.here.store(self.here.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
    }

    pub(super) fn any(&self) -> bool {
        self.here.load(Ordering::Relaxed).wrapping_add(self.elsewhere.load(Ordering::Relaxed)) != 0
    }
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
    /// Its loop.
    place: PlaceId,
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
        Tasks::remove(self.place);
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

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use crate::{EventLoop, Promise};

    /// Wherever it was spawned and however it ends.
    #[test]
    fn every_task_is_counted_until_it_ends() {
        let event_loop = EventLoop::new();
        let shared = event_loop.shared().clone();
        let (handle, other) = (event_loop.handle(), EventLoop::new());
        type Spawn<'a> = &'a dyn Fn(Promise<()>) -> Promise<()>;
        let spawns: [Spawn<'_>; 4] = [
            &|promise| {
                let _current = event_loop.enter();
                Promise::spawn(promise)
            },
            &|promise| handle.spawn(promise),
            &|promise| {
                let _current = other.enter();
                handle.spawn(promise)
            },
            &|promise| std::thread::scope(|scope| scope.spawn(|| handle.spawn(promise)).join().unwrap()),
        ];
        type End = fn(&Promise<()>, crate::Resolver<()>);
        let ends: [End; 4] = [
            |_, resolver| assert!(resolver.resolve(()).is_ok()),
            |_, resolver| assert!(resolver.reject("no".into()).is_ok()),
            |_, resolver| drop(resolver),
            |task, resolver| {
                task.cancel("no");
                drop(resolver);
            },
        ];
        for spawn in spawns {
            for started in [false, true] {
                for end in ends {
                    assert!(!shared.tasks.any());
                    let (promise, resolver) = Promise::with_resolvers();
                    let task = spawn(promise);
                    task.mark_handled();
                    assert!(shared.tasks.any());
                    if started {
                        while event_loop.tick() {}
                        assert!(shared.tasks.any());
                    }
                    end(&task, resolver);
                    while event_loop.tick() {}
                    assert!(task.is_settled() && !shared.tasks.any());
                }
            }
        }
    }
}
