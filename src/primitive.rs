//! The concurrency types that the crate is built from: std's, or loom's under `cfg(loom)`, or shuttle's under
//! `cfg(shuttle)`. Unit tests have atomics that count their read-modify-writes, in the core.
//!
//! This module swaps types and never algorithms: what loom and shuttle explore is the code that ships.
//!
//! The core takes what stands here. What is above it, which loom leaves out, takes [`sync`], [`thread`] and [`clock`], by
//! std's names.

#[cfg(shuttle)]
mod shuttled;

#[cfg(all(test, not(any(loom, shuttle))))]
pub(crate) use counted::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, read_modify_writes};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize};
#[cfg(shuttle)]
pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize};
#[cfg(not(any(loom, shuttle, test)))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize};

pub(crate) use std::sync::atomic::Ordering;

#[cfg(loom)]
pub(crate) use loom::sync::MutexGuard;
#[cfg(not(loom))]
pub(crate) use sync::MutexGuard;

/// `std::sync`, as far as it is used above the core.
#[cfg(not(shuttle))]
pub(crate) mod sync {
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError, atomic};
}
/// `std::thread`, as far as it is used above the core.
#[cfg(not(shuttle))]
pub(crate) use std::thread;

/// Time, and the two places where an event loop sleeps.
#[cfg(not(any(loom, shuttle)))]
pub(crate) mod clock {
    pub(crate) use async_io::{Timer, block_on};
    use std::time::{Duration, Instant};

    /// How long a virtual loop that has nothing left waits for another thread before it says that it is stalled.
    pub(crate) const STALL_GRACE: Option<Duration> = Some(Duration::from_millis(100));

    #[inline(always)]
    pub(crate) fn now() -> Instant {
        Instant::now()
    }
}

#[cfg(shuttle)]
pub(crate) use shuttled::{clock, sync, thread};

/// A mutex without poisoning: no foreign code runs under any lock of this crate, so a panic cannot leave one half
/// changed.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T> {
    #[cfg(loom)]
    inner: loom::sync::Mutex<T>,
    #[cfg(not(loom))]
    inner: sync::Mutex<T>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        #[cfg(loom)]
        let inner = loom::sync::Mutex::new(value);
        #[cfg(not(loom))]
        let inner = sync::Mutex::new(value);
        Self { inner }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// `UnsafeCell` with loom's closure interface, so that loom sees each access.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct UnsafeCell<T> {
    #[cfg(loom)]
    inner: loom::cell::UnsafeCell<T>,
    #[cfg(not(loom))]
    inner: std::cell::UnsafeCell<T>,
}

impl<T> UnsafeCell<T> {
    #[inline(always)]
    pub(crate) fn new(value: T) -> Self {
        #[cfg(loom)]
        let inner = loom::cell::UnsafeCell::new(value);
        #[cfg(not(loom))]
        let inner = std::cell::UnsafeCell::new(value);
        Self { inner }
    }

    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        #[cfg(loom)]
        return self.inner.with(f);
        #[cfg(not(loom))]
        return f(self.inner.get());
    }

    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        #[cfg(loom)]
        return self.inner.with_mut(f);
        #[cfg(not(loom))]
        return f(self.inner.get());
    }
}

/// A thread-local with a constant initialiser: std's, or that of the model checker, whose threads are not the machine's.
macro_rules! thread_local_value {
    ($(#[$attr:meta])* static $name:ident: $ty:ty = $init:expr;) => {
        #[cfg(not(any(loom, shuttle)))]
        std::thread_local! {
            $(#[$attr])*
            static $name: $ty = const { $init };
        }
        #[cfg(loom)]
        loom::thread_local! {
            $(#[$attr])*
            static $name: $ty = $init;
        }
        #[cfg(shuttle)]
        shuttle::thread_local! {
            $(#[$attr])*
            static $name: $ty = const { $init };
        }
    };
}
pub(crate) use thread_local_value;

/// A static with a constant initialiser; under shuttle, each execution has its own.
macro_rules! static_value {
    ($(#[$attr:meta])* static $name:ident: $ty:ty = $init:expr;) => {
        #[cfg(not(shuttle))]
        $(#[$attr])*
        static $name: $ty = $init;
        #[cfg(shuttle)]
        shuttle::lazy_static! {
            $(#[$attr])*
            static ref $name: $ty = $init;
        }
    };
}
pub(crate) use static_value;

#[cfg(all(test, not(any(loom, shuttle))))]
#[expect(clippy::allow_attributes, reason = "what is dead differs from type to type")]
mod counted {
    use super::Ordering;
    use std::cell::Cell;
    use std::sync::atomic as real;

    thread_local! {
        static COUNT: Cell<usize> = const { Cell::new(0) };
    }

    /// How many read-modify-writes this thread has done so far.
    pub(crate) fn read_modify_writes() -> usize {
        COUNT.get()
    }

    fn count() {
        // The thread may be past its thread-locals.
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
    }

    macro_rules! atomic {
        ($name:ident$(<$param:ident>)?, $real:ty, $value:ty) => {
            #[derive(Debug)]
            #[repr(transparent)]
            pub(crate) struct $name$(<$param>)?($real);

            #[allow(dead_code, reason = "not every atomic has every operation done to it")]
            impl$(<$param>)? $name$(<$param>)? {
                pub(crate) const fn new(value: $value) -> Self {
                    Self(<$real>::new(value))
                }
                pub(crate) fn load(&self, order: Ordering) -> $value {
                    self.0.load(order)
                }
                pub(crate) fn store(&self, value: $value, order: Ordering) {
                    self.0.store(value, order);
                }
                pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                    count();
                    self.0.swap(value, order)
                }
                pub(crate) fn compare_exchange(
                    &self,
                    old: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    count();
                    self.0.compare_exchange(old, new, success, failure)
                }
                pub(crate) fn compare_exchange_weak(
                    &self,
                    old: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    count();
                    self.0.compare_exchange_weak(old, new, success, failure)
                }
            }
        };
    }

    macro_rules! arithmetic {
        ($name:ident, $value:ty) => {
            #[allow(dead_code, reason = "not every atomic has every operation done to it")]
            impl $name {
                pub(crate) fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                    count();
                    self.0.fetch_add(value, order)
                }
                pub(crate) fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                    count();
                    self.0.fetch_sub(value, order)
                }
                pub(crate) fn fetch_or(&self, value: $value, order: Ordering) -> $value {
                    count();
                    self.0.fetch_or(value, order)
                }
            }
        };
    }

    atomic!(AtomicBool, real::AtomicBool, bool);
    atomic!(AtomicPtr<T>, real::AtomicPtr<T>, *mut T);
    atomic!(AtomicU32, real::AtomicU32, u32);
    atomic!(AtomicUsize, real::AtomicUsize, usize);
    arithmetic!(AtomicU32, u32);
    arithmetic!(AtomicUsize, usize);
}
