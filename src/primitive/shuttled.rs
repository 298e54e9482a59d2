//! Shuttle's types, and a time for them.
//!
//! Shuttle has no time: its own timed waits never end by themselves. Here each execution has a clock that stands still until
//! a timed wait is over. Such a wait gives way to the other threads for a number of steps, which shuttle draws and replays
//! like every other choice; whoever has not been woken by then has waited long enough, and the clock says so. A thread may
//! be slow, so no timed wait is ever too short.

use shuttle::rand::Rng;
use std::time::Duration;

/// Waits beyond this have no end.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// For how many steps a timed wait lasts: a few, or enough for others to get something done.
fn patience() -> u32 {
    let limit = if shuttle::rand::thread_rng().r#gen() { 3 } else { 20 };
    shuttle::rand::thread_rng().gen_range(0..limit)
}

pub(crate) mod clock {
    use super::{FOR_EVER, patience};
    use std::pin::Pin;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::{Context, Poll};
    use std::time::{Duration, Instant};

    pub(crate) use shuttle::future::block_on;

    /// A virtual loop that has nothing left waits for other threads for ever, and shuttle says whether it is stalled.
    pub(crate) const STALL_GRACE: Option<Duration> = None;

    /// The same in all executions.
    static START: OnceLock<Instant> = OnceLock::new();

    shuttle::lazy_static! {
        /// Nanoseconds since the start.
        static ref PASSED: AtomicU64 = AtomicU64::new(0);
    }

    pub(crate) fn now() -> Instant {
        // ORDERING: Relaxed, one machine thread runs all threads of an execution.
        *START.get_or_init(Instant::now) + Duration::from_nanos(PASSED.load(Ordering::Relaxed))
    }

    /// It is at least this late.
    pub(super) fn advance_to(time: Instant) {
        let passed = time.saturating_duration_since(*START.get_or_init(Instant::now));
        // ORDERING: Relaxed, see `now`.
        PASSED.fetch_max(u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// async-io's timer.
    #[derive(Debug)]
    pub(crate) struct Timer {
        deadline: Instant,
        patience: u32,
    }

    impl Timer {
        pub(crate) fn at(deadline: Instant) -> Self {
            Self { deadline, patience: patience() }
        }
    }

    impl Future for Timer {
        type Output = Instant;

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Instant> {
            let now = now();
            if self.deadline > now && self.deadline - now > FOR_EVER {
                return Poll::Pending;
            }
            if self.deadline > now && self.patience > 0 {
                self.patience -= 1;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            advance_to(self.deadline);
            Poll::Ready(self.deadline)
        }
    }
}

pub(crate) mod thread {
    use super::{clock, patience};
    use std::num::NonZeroUsize;
    use std::time::Duration;

    pub(crate) use shuttle::thread::{Builder, JoinHandle, Thread, current, park};

    /// Returns after a while, or at once: a wake-up that comes meanwhile is left for the next `park`.
    pub(crate) fn park_timeout(limit: Duration) {
        let end = clock::now() + limit;
        for _ in 0..patience() {
            shuttle::thread::yield_now();
        }
        clock::advance_to(end);
    }

    pub(crate) fn available_parallelism() -> std::io::Result<NonZeroUsize> {
        Ok(NonZeroUsize::MIN.saturating_add(1))
    }
}

pub(crate) mod sync {
    use super::{Duration, FOR_EVER, clock, patience, thread};
    use shuttle::rand::Rng;
    use std::ops::{Deref, DerefMut};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, LockResult};

    pub(crate) use shuttle::sync::atomic;
    pub(crate) use std::sync::PoisonError;

    /// Shuttle's mutex, with guards that know it.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

    #[derive(Debug)]
    pub(crate) struct MutexGuard<'a, T> {
        mutex: &'a Mutex<T>,
        guard: shuttle::sync::MutexGuard<'a, T>,
        _step: StepAfter,
    }

    /// A step after the lock is gone: what comes next may be the count of an `Arc`, which shuttle does not see.
    #[derive(Debug)]
    struct StepAfter;

    impl Drop for StepAfter {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                shuttle::thread::sleep(Duration::ZERO);
            }
        }
    }

    impl<T> Mutex<T> {
        #[track_caller]
        pub(crate) const fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
            let guarded = |guard| MutexGuard { mutex: self, guard, _step: StepAfter };
            self.0.lock().map(guarded).map_err(|poisoned| PoisonError::new(guarded(poisoned.into_inner())))
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.guard
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.guard
        }
    }

    /// A condition variable whose timed waits end. Whoever waits is parked, so that shuttle sees a deadlock.
    #[derive(Debug, Default)]
    pub(crate) struct Condvar {
        /// Never locked across a step.
        waiters: std::sync::Mutex<Vec<Arc<Waiter>>>,
    }

    #[derive(Debug)]
    struct Waiter {
        thread: thread::Thread,
        notified: AtomicBool,
    }

    impl Waiter {
        fn is_notified(&self) -> bool {
            // ORDERING: Relaxed, one machine thread runs all threads of an execution.
            self.notified.load(Ordering::Relaxed)
        }
    }

    #[derive(Debug)]
    pub(crate) struct WaitTimeoutResult(bool);

    impl WaitTimeoutResult {
        pub(crate) fn timed_out(&self) -> bool {
            self.0
        }
    }

    impl Condvar {
        pub(crate) const fn new() -> Self {
            Self { waiters: std::sync::Mutex::new(Vec::new()) }
        }

        fn waiters(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Waiter>>> {
            self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
        }

        fn wait_until<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            limit: Option<Duration>,
        ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
            let waiter = Arc::new(Waiter { thread: thread::current(), notified: AtomicBool::new(false) });
            self.waiters().push(waiter.clone());
            let mutex = guard.mutex;
            drop(guard);
            match limit.filter(|limit| *limit < FOR_EVER) {
                None => {
                    while !waiter.is_notified() {
                        thread::park();
                    }
                }
                Some(limit) => {
                    let end = clock::now() + limit;
                    let mut patience = patience();
                    while patience > 0 && !waiter.is_notified() {
                        patience -= 1;
                        shuttle::thread::yield_now();
                    }
                    if !waiter.is_notified() {
                        clock::advance_to(end);
                    }
                }
            }
            self.waiters().retain(|other| !Arc::ptr_eq(other, &waiter));
            let result = WaitTimeoutResult(!waiter.is_notified());
            match mutex.lock() {
                Ok(guard) => Ok((guard, result)),
                Err(poisoned) => Err(PoisonError::new((poisoned.into_inner(), result))),
            }
        }

        pub(crate) fn wait_while<'a, T>(
            &self,
            mut guard: MutexGuard<'a, T>,
            mut condition: impl FnMut(&mut T) -> bool,
        ) -> LockResult<MutexGuard<'a, T>> {
            while condition(&mut guard) {
                guard = self.wait_until(guard, None).map_err(|p| PoisonError::new(p.into_inner().0))?.0;
            }
            Ok(guard)
        }

        pub(crate) fn wait_timeout<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            limit: Duration,
        ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
            self.wait_until(guard, Some(limit))
        }

        pub(crate) fn wait_timeout_while<'a, T>(
            &self,
            mut guard: MutexGuard<'a, T>,
            limit: Duration,
            mut condition: impl FnMut(&mut T) -> bool,
        ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
            let started = clock::now();
            loop {
                if !condition(&mut guard) {
                    return Ok((guard, WaitTimeoutResult(false)));
                }
                let left = limit.saturating_sub(clock::now().saturating_duration_since(started));
                if left.is_zero() {
                    return Ok((guard, WaitTimeoutResult(true)));
                }
                guard = self.wait_until(guard, Some(left))?.0;
            }
        }

        /// Wakes any one: std does not say which.
        pub(crate) fn notify_one(&self) {
            shuttle::thread::yield_now();
            let waiter = {
                let mut waiters = self.waiters();
                let chosen = match waiters.len() {
                    0 => return,
                    1 => 0,
                    count => shuttle::rand::thread_rng().gen_range(0..count),
                };
                waiters.remove(chosen)
            };
            Self::notify(&waiter);
        }

        pub(crate) fn notify_all(&self) {
            shuttle::thread::yield_now();
            let waiters = std::mem::take(&mut *self.waiters());
            waiters.iter().for_each(|waiter| Self::notify(waiter));
        }

        fn notify(waiter: &Waiter) {
            waiter.notified.store(true, Ordering::Relaxed);
            waiter.thread.unpark();
        }
    }

    /// std's, with a step before each access.
    #[derive(Debug)]
    pub(crate) struct OnceLock<T> {
        step: atomic::AtomicBool,
        value: std::sync::OnceLock<T>,
    }

    impl<T> Default for OnceLock<T> {
        fn default() -> Self {
            Self::new()
        }
    }

    impl<T> OnceLock<T> {
        #[track_caller]
        pub(crate) const fn new() -> Self {
            Self { step: atomic::AtomicBool::new(false), value: std::sync::OnceLock::new() }
        }

        pub(crate) fn get(&self) -> Option<&T> {
            self.step.load(Ordering::SeqCst);
            self.value.get()
        }

        pub(crate) fn set(&self, value: T) -> Result<(), T> {
            self.step.store(true, Ordering::SeqCst);
            self.value.set(value)
        }
    }
}
