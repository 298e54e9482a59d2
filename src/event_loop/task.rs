//! Spawned futures: a task of the loop's executor that settles a promise.

use super::current;
use super::shared::{LoopShared, lock};
use super::watchdog::Watch;
use crate::Promise;
use crate::core::{self, Companion, Guarded, PlaceId, Site, Supervise, Supervised, Working};
use crate::error::{CancelReason, Fault, panic};
use crate::primitive::sync::Mutex;
use crate::primitive::sync::atomic::{AtomicUsize, Ordering};
use crate::primitive::thread_local_value;
use async_executor::Executor;
use std::cell::Cell;
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
    enqueue(executor, shared, Supervised::new(future, task));
    Promise::from_handle(handle)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Spawning {
    No,
    Yes,
    /// And somebody is to hear of it.
    WithNews,
}

thread_local_value! {
    static SPAWNING: Cell<Spawning> = Cell::new(Spawning::No);
}

/// Gives the executor of this loop a task. While the executor takes it, it holds a lock of its own, under which it wakes whoever
/// waits for tasks; where that would call the hook of a loop that is pumped by hand, which may spawn, it waits until afterwards.
pub(super) fn enqueue(
    executor: &Executor<'static>,
    shared: &LoopShared,
    future: impl Future<Output = ()> + Send + 'static,
) {
    let _ = SPAWNING.try_with(|spawning| spawning.set(Spawning::Yes));
    executor.spawn(future).detach();
    if let Ok(Spawning::WithNews) = SPAWNING.try_with(|spawning| spawning.replace(Spawning::No)) {
        shared.queue.notify();
    }
}

/// Whether the executor is taking a task on this thread: then the loop is notified afterwards.
pub(super) fn puts_off_news() -> bool {
    let puts_off = SPAWNING.try_with(|spawning| {
        let is_spawning = spawning.get() != Spawning::No;
        if is_spawning {
            spawning.set(Spawning::WithNews);
        }
        is_spawning
    });
    puts_off.unwrap_or(false)
}

/// How many spawned futures a loop has: the sum of the two, either of which may wrap.
#[derive(Default)]
pub(super) struct Tasks {
    /// Changed where the loop is current, which is on its own thread only: without a read-modify-write.
    here: AtomicUsize,
    elsewhere: AtomicUsize,
}

// ORDERING of all: Relaxed. Only the loop's thread asks. It has every end from itself, and with it the start; of those that it
// knows of it has the start from somebody who counted it before.
impl Tasks {
    fn add(shared: &LoopShared) {
        if current::with(shared.place(), |shared| shared.tasks.change(1)).is_none() {
            shared.tasks.elsewhere.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A task that ends while another loop is current on its thread, or whose loop is closed, stays counted; so do those of a loop
    /// whose number was another one's before, which may have left tasks. The count is never too low.
    fn remove(place: PlaceId) {
        current::with(place, |shared| {
            if !shared.queue.has_used_number() {
                shared.tasks.change(usize::MAX);
            }
        });
    }

    fn change(&self, by: usize) {
        self.here.store(self.here.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
    }

    /// On the loop's thread.
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
