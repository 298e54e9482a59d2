//! What a loop shares with its handles, its tasks and the threads that give it work.

use super::task::Tasks;
use super::timers::Timers;
use super::watchdog::{self, Watch};
use crate::core::{self, JobQueue, PlaceId};
use crate::error::{self, Unhandled};
use crate::primitive::clock;
use crate::primitive::sync::atomic::{AtomicBool, Ordering};
use crate::primitive::sync::{Mutex, MutexGuard, PoisonError};
use async_executor::Executor;
use std::borrow::Cow;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

/// Locks a mutex under which no foreign code runs, so that poison means nothing.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// See the module documentation.
pub(crate) struct LoopShared {
    pub(super) queue: Arc<JobQueue>,
    /// None once the loop is closed.
    executor: Mutex<Option<Arc<Executor<'static>>>>,
    pub(super) timers: Timers,
    pub(super) clock: Clock,
    pub(super) signal: Arc<Signal>,
    pub(super) name: Option<Cow<'static, str>>,
    pub(super) strict: bool,
    pub(super) watch: Option<Arc<Watch>>,
    pub(super) tasks: Tasks,
    stop: AtomicBool,
    pub(super) running: AtomicBool,
    unhandled: Mutex<Vec<Unhandled>>,
    /// That `unhandled` is not empty, for a look without the lock.
    any_unhandled: AtomicBool,
}

/// How a sleeping loop is woken.
#[derive(Default)]
pub(super) struct Signal {
    /// The waker of the `run` that sleeps.
    driver: Mutex<Option<Waker>>,
    /// The hook of a loop that is pumped by hand.
    on_wake: Option<Box<dyn Fn() + Send + Sync>>,
}

impl Signal {
    /// Called once per change from idle to not idle.
    pub(super) fn raise(&self) {
        let driver = lock(&self.driver).clone();
        match (driver, &self.on_wake) {
            (Some(waker), _) => waker.wake(),
            (None, Some(hook)) => {
                // A panic of the hook has been printed.
                let _ = error::panic::catch(None, hook);
            }
            (None, None) => {}
        }
    }

    pub(super) fn set_driver(&self, waker: Option<&Waker>) {
        let driver = lock(&self.driver);
        let same = match (driver.as_ref(), waker) {
            (Some(old), Some(new)) => old.will_wake(new),
            (None, None) => true,
            _ => false,
        };
        if !same {
            // Cloned and dropped outside the lock.
            drop(driver);
            let new = waker.cloned();
            let old = std::mem::replace(&mut *lock(&self.driver), new);
            drop(old);
        }
    }
}

/// Where a loop's time comes from.
pub(super) enum Clock {
    Real,
    /// Stands still until the loop moves it.
    Virtual(Mutex<Instant>),
}

impl Clock {
    pub(super) fn now(&self) -> Instant {
        match self {
            Self::Real => clock::now(),
            Self::Virtual(now) => *lock(now),
        }
    }

    pub(super) fn is_virtual(&self) -> bool {
        matches!(self, Self::Virtual(_))
    }

    /// Jumps to a deadline; never back.
    pub(super) fn advance_to(&self, deadline: Instant) {
        if let Self::Virtual(now) = self {
            let mut now = lock(now);
            *now = (*now).max(deadline);
        }
    }
}

/// What the builder decided.
#[derive(Default)]
pub(super) struct Settings {
    pub(super) virtual_clock: bool,
    pub(super) strict: bool,
    pub(super) name: Option<Cow<'static, str>>,
    pub(super) on_wake: Option<Box<dyn Fn() + Send + Sync>>,
    pub(super) watchdog: Option<(Duration, watchdog::Hook)>,
}

impl LoopShared {
    pub(super) fn new(settings: Settings) -> Arc<Self> {
        let signal = Arc::new(Signal { driver: Mutex::new(None), on_wake: settings.on_wake });
        let raise = signal.clone();
        let queue = core::register(settings.virtual_clock, move || raise.raise());
        let clock = if settings.virtual_clock { Clock::Virtual(Mutex::new(clock::now())) } else { Clock::Real };
        let watch =
            settings.watchdog.and_then(|(threshold, hook)| Watch::start(threshold, hook, settings.name.clone()));
        // A new loop is idle: the first work wakes whoever pumps it.
        queue.arm();
        Arc::new(Self {
            queue,
            executor: Mutex::new(Some(Arc::new(Executor::new()))),
            timers: Timers::default(),
            clock,
            signal,
            name: settings.name,
            strict: settings.strict,
            watch,
            tasks: Tasks::default(),
            stop: AtomicBool::new(false),
            running: AtomicBool::new(false),
            unhandled: Mutex::new(Vec::new()),
            any_unhandled: AtomicBool::new(false),
        })
    }

    pub(super) fn place(&self) -> PlaceId {
        self.queue.id()
    }

    pub(super) fn executor(&self) -> Option<Arc<Executor<'static>>> {
        lock(&self.executor).clone()
    }

    pub(super) fn is_closed(&self) -> bool {
        lock(&self.executor).is_none()
    }

    pub(super) fn stop(&self) {
        // ORDERING: Release pairs with `take_stop`; the wake-up that follows is what the loop acts on.
        self.stop.store(true, Ordering::Release);
        self.queue.notify();
    }

    pub(super) fn take_stop(&self) -> bool {
        // ORDERING: AcqRel, see `stop`.
        self.stop.load(Ordering::Relaxed) && self.stop.swap(false, Ordering::AcqRel)
    }

    pub(super) fn is_stopping(&self) -> bool {
        // ORDERING: Acquire, see `stop`.
        self.stop.load(Ordering::Acquire)
    }

    /// The time `after` from now; so far away that it cannot be told counts as thirty years.
    pub(super) fn deadline(&self, after: Duration) -> Instant {
        let now = self.clock.now();
        now.checked_add(after).unwrap_or_else(|| now + Duration::from_secs(30 * 365 * 24 * 3600))
    }

    pub(super) fn add_unhandled(&self, unhandled: Unhandled) {
        {
            let mut reports = lock(&self.unhandled);
            reports.push(unhandled);
            // ORDERING: Relaxed, see `may_have_unhandled`.
            self.any_unhandled.store(true, Ordering::Relaxed);
        }
        self.queue.notify();
    }

    pub(super) fn has_unhandled(&self) -> bool {
        !lock(&self.unhandled).is_empty()
    }

    /// As `has_unhandled`, on the loop's thread; false may be out of date where another thread has just added a report. The loop
    /// asks `has_unhandled` before it sleeps.
    pub(super) fn may_have_unhandled(&self) -> bool {
        // ORDERING: Relaxed, a hint as said.
        self.any_unhandled.load(Ordering::Relaxed)
    }

    /// Reports what was collected. A strict loop gives the first one back.
    pub(super) fn report_unhandled(&self) -> Option<Arc<Unhandled>> {
        let reports = {
            let mut reports = lock(&self.unhandled);
            // ORDERING: Relaxed, as above; under the lock it says what is so.
            self.any_unhandled.store(false, Ordering::Relaxed);
            std::mem::take(&mut *reports)
        };
        let mut first = None;
        for report in reports {
            error::report(&report);
            if self.strict && first.is_none() {
                first = Some(Arc::new(report));
            } else {
                // The reason's destructor is foreign.
                error::panic::drop_quietly(report);
            }
        }
        first
    }

    /// Ends the loop, on its own thread: rejects and drops what it still owns.
    pub(super) fn close(&self) {
        let executor = lock(&self.executor).take();
        self.timers.close();
        // Tasks are dropped here, unless a spawn on another thread holds the executor for a moment longer.
        drop(executor);
        self.queue.close();
        core::unregister(self.place());
        error::panic::drop_quietly(self.report_unhandled());
        if let Some(watch) = &self.watch {
            watch.close();
        }
    }
}
