//! Handles of a loop, and of what was asked of it.

use super::current;
use super::shared::{LoopShared, lock};
use super::task;
use super::timers::{self, Callback, Key};
use crate::Promise;
use crate::core::{self, Site};
use crate::error::{Fault, Rejection, panic};
use crate::pool::{Job, Rejected};
use crate::primitive::sync::Mutex;
use std::fmt;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// A handle of an event loop: clone it, send it, use it from any thread.
///
/// # Threads
///
/// Every method may be called from any thread and wakes the loop at once if it sleeps.
///
/// # Examples
///
/// ```
/// use thenable::EventLoop;
///
/// let event_loop = EventLoop::new();
/// let handle = event_loop.handle();
/// std::thread::spawn(move || handle.call_soon(|| println!("on the loop's thread")));
/// event_loop.run(async { thenable::Ok(()) })?;
/// # Ok::<(), thenable::Rejection>(())
/// ```
#[derive(Clone)]
pub struct LoopHandle {
    shared: Arc<LoopShared>,
}

/// Foreign code that panics is caught before it could leave the loop half changed.
impl UnwindSafe for LoopHandle {}
impl RefUnwindSafe for LoopHandle {}

impl LoopHandle {
    pub(super) fn new(shared: Arc<LoopShared>) -> Self {
        Self { shared }
    }

    /// The loop that is current on this thread: the one that runs here, or that was entered last.
    pub fn current() -> Option<LoopHandle> {
        current::current().map(Self::new)
    }

    /// The global loop, which runs on a thread of its own; it is started on first need.
    ///
    /// Where that thread cannot be started this is the handle of a closed loop.
    pub fn global() -> LoopHandle {
        current::global_handle()
    }

    pub(crate) fn current_or_global() -> LoopHandle {
        current::current_or_global()
    }

    /// Runs `f` as a job: JavaScript's `queueMicrotask`.
    ///
    /// # Ordering
    ///
    /// In the one queue that handlers run from: first come, first served.
    ///
    /// On a closed loop `f` is dropped.
    pub fn call_soon(&self, f: impl FnOnce() + Send + 'static) -> CallHandle {
        let call: SharedCall = Arc::new(Mutex::new(Some(Box::new(f))));
        let queued = Queued(call.clone());
        core::post(self.shared.place(), move || {
            let call = lock(&queued.0).take();
            if let Some(call) = call {
                call();
            }
        });
        CallHandle { call }
    }

    /// Runs `f` after a while, never early.
    ///
    /// # Ordering
    ///
    /// Equal deadlines fire in the order of the calls. A timer's jobs run before the next timer fires.
    ///
    /// On a closed loop `f` is dropped.
    pub fn call_later(&self, after: Duration, f: impl FnOnce() + Send + 'static) -> TimerHandle {
        self.set_timer(self.deadline(after), Box::new(f))
    }

    /// Runs `f` at a time of this loop's clock, never early; see [`call_later`](LoopHandle::call_later).
    pub fn call_at(&self, deadline: Instant, f: impl FnOnce() + Send + 'static) -> TimerHandle {
        self.set_timer(deadline, Box::new(f))
    }

    /// The time `after` from now.
    pub(crate) fn deadline(&self, after: Duration) -> Instant {
        self.shared.deadline(after)
    }

    /// `call_at`, boxed already.
    pub(crate) fn set_timer(&self, deadline: Instant, callback: Callback) -> TimerHandle {
        let key = match self.shared.timers.set(deadline, callback) {
            Ok((key, is_next)) => {
                if is_next && cfg!(not(thenable_plant = "s27_timer_unannounced")) {
                    self.shared.queue.notify();
                }
                key
            }
            Err(refused) => {
                panic::drop_quietly(refused);
                timers::never(deadline)
            }
        };
        TimerHandle { shared: Arc::downgrade(&self.shared), key }
    }

    /// Runs a future as a task of this loop; see [`Promise::spawn`].
    #[track_caller]
    pub fn spawn<T>(&self, future: impl Future<Output = Result<T, Rejection>> + Send + 'static) -> Promise<T>
    where
        T: Send + 'static,
    {
        self.spawn_at(future, Location::caller())
    }

    pub(super) fn spawn_at<T, E>(
        &self,
        future: impl Future<Output = Result<T, E>> + Send + 'static,
        site: Site,
    ) -> Promise<T, E>
    where
        T: Send + 'static,
        E: From<Fault> + Send + 'static,
    {
        task::spawn_on(self.shared.executor().as_deref(), future, site, &self.shared)
    }

    /// The time of this loop's clock.
    pub fn now(&self) -> Instant {
        self.shared.clock.now()
    }

    /// Ends the loop's current `run`, or the next one at once, after the turn it is in.
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// Whether the loop has been closed or dropped.
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// Whether the loop's time jumps instead of passing.
    #[cfg(all(feature = "process", unix))]
    pub(crate) fn has_virtual_clock(&self) -> bool {
        self.shared.clock.is_virtual()
    }

    /// Runs a pool-style job on this loop.
    pub(crate) fn execute_job(&self, job: Job) -> Result<(), Rejected<Job>> {
        if self.is_closed() {
            return Err(Rejected { job, fault: Fault::LoopClosed });
        }
        core::post(self.shared.place(), job);
        Ok(())
    }
}

impl fmt::Debug for LoopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopHandle").field("name", &self.shared.name).field("closed", &self.is_closed()).finish()
    }
}

type SharedCall = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// The queue's end of a call: a call that a closed loop throws away is dropped, whoever holds a handle of it.
struct Queued(SharedCall);

impl Drop for Queued {
    fn drop(&mut self) {
        let call = lock(&self.0).take();
        panic::drop_quietly(call);
    }
}

/// A `call_soon` that waits.
///
/// Dropping it does not cancel the call.
pub struct CallHandle {
    call: SharedCall,
}

impl CallHandle {
    /// Takes the call back and drops its closure. False: it runs, has run, or was cancelled before.
    pub fn cancel(&self) -> bool {
        let call = lock(&self.call).take();
        let found = call.is_some();
        panic::drop_quietly(call);
        found
    }
}

impl fmt::Debug for CallHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallHandle").field("waiting", &lock(&self.call).is_some()).finish()
    }
}

/// A timer that waits.
///
/// Dropping it does not cancel the timer.
pub struct TimerHandle {
    shared: Weak<LoopShared>,
    key: Key,
}

impl TimerHandle {
    /// Takes the timer back and drops its closure. False: it has fired, or was cancelled before.
    pub fn cancel(&self) -> bool {
        self.shared.upgrade().is_some_and(|shared| shared.timers.cancel(self.key))
    }

    /// When it fires, by its loop's clock.
    pub fn when(&self) -> Instant {
        self.key.0
    }
}

impl fmt::Debug for TimerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerHandle").field("when", &self.when()).finish_non_exhaustive()
    }
}
