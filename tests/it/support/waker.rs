//! Wakers that panic, re-enter, and never compare equal.
//!
//! `std::task::Wake` has no hook for `clone`, so this is a table of functions over a boxed handle.
#![expect(unsafe_code, reason = "a hook for `Waker::clone` needs a hand-made `RawWaker`")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{RawWaker, RawWakerVTable, Waker};

type Hook = Box<dyn Fn(usize) + Send + Sync>;

/// Counts clones, wakes and drops, and runs a hook at each, with the number of the call (from 1).
#[derive(Clone, Default)]
pub(crate) struct HostileWaker {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    clones: AtomicUsize,
    wakes: AtomicUsize,
    drops: AtomicUsize,
    on_clone: Option<Hook>,
    on_wake: Option<Hook>,
    on_drop: Option<Hook>,
}

impl HostileWaker {
    pub(crate) fn on_clone(hook: impl Fn(usize) + Send + Sync + 'static) -> Self {
        Self { shared: Arc::new(Shared { on_clone: Some(Box::new(hook)), ..Shared::default() }) }
    }

    pub(crate) fn on_wake(hook: impl Fn(usize) + Send + Sync + 'static) -> Self {
        Self { shared: Arc::new(Shared { on_wake: Some(Box::new(hook)), ..Shared::default() }) }
    }

    pub(crate) fn on_drop(hook: impl Fn(usize) + Send + Sync + 'static) -> Self {
        Self { shared: Arc::new(Shared { on_drop: Some(Box::new(hook)), ..Shared::default() }) }
    }

    /// A waker. No two are equal to `Waker::will_wake`, not even a waker and its clone.
    pub(crate) fn waker(&self) -> Waker {
        // SAFETY: `raw` pairs `TABLE` with a pointer that the functions of `TABLE` expect; they keep the contract of
        // `RawWaker` (see each), and `Shared` is `Send + Sync`.
        unsafe { Waker::from_raw(raw(Arc::clone(&self.shared))) }
    }

    pub(crate) fn clones(&self) -> usize {
        self.shared.clones.load(Ordering::SeqCst)
    }

    pub(crate) fn wakes(&self) -> usize {
        self.shared.wakes.load(Ordering::SeqCst)
    }

    pub(crate) fn drops(&self) -> usize {
        self.shared.drops.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn call(count: &AtomicUsize, hook: Option<&Hook>) {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(hook) = hook {
            hook(number);
        }
    }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// A box of its own for each waker, so that no two have the same address.
fn raw(shared: Arc<Shared>) -> RawWaker {
    RawWaker::new(Box::into_raw(Box::new(shared)).cast_const().cast(), &TABLE)
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: the pointer came from `raw`, and the waker that it belongs to is borrowed by the caller.
    let shared = unsafe { &*data.cast::<Arc<Shared>>() };
    Shared::call(&shared.clones, shared.on_clone.as_ref());
    raw(Arc::clone(shared))
}

unsafe fn wake(data: *const ()) {
    // SAFETY: as for `wake_by_ref` and `drop_waker`: `wake` is both, and the waker is gone afterwards. The box is taken
    // first, so that a hook that panics does not leak it.
    let shared = unsafe { Box::from_raw(data.cast_mut().cast::<Arc<Shared>>()) };
    Shared::call(&shared.wakes, shared.on_wake.as_ref());
    Shared::call(&shared.drops, shared.on_drop.as_ref());
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the pointer came from `raw`, and the waker that it belongs to is borrowed by the caller.
    let shared = unsafe { &*data.cast::<Arc<Shared>>() };
    Shared::call(&shared.wakes, shared.on_wake.as_ref());
}

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: the pointer came from `Box::into_raw` in `raw`, and a waker is dropped once.
    let shared = unsafe { Box::from_raw(data.cast_mut().cast::<Arc<Shared>>()) };
    Shared::call(&shared.drops, shared.on_drop.as_ref());
}
