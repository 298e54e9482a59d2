//! The test kit: values, wakers and places that misbehave on purpose, and the means to survive them.

#[macro_use]
mod assert_fault;
mod child;
pub(crate) mod cross;
pub(crate) mod lives;
mod values;
mod waker;
mod watchdog;

#[cfg(target_os = "linux")]
pub(crate) use child::resident;
pub(crate) use child::{assert_passed, is_child, run_child};
pub(crate) use values::{
    Align128, Big4K, BombClone, BombDrop, BombPayload, Ledger, NotSend, NotSync, ReentrantDrop, Token, ZST_DROPS, Zst,
    quiet_bombs,
};
pub(crate) use waker::HostileWaker;
pub(crate) use watchdog::{scaled, watchdog};

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use thenable::{EventLoop, Promise};

/// How long anything in these tests may take unless it says otherwise.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Runs `f` under a watchdog with a fresh loop that is current on this thread.
pub(crate) fn on_loop<R>(f: impl FnOnce(&EventLoop) -> R) -> R {
    watchdog(LIMIT, || {
        let event_loop = EventLoop::new();
        let guard = event_loop.enter();
        let result = f(&event_loop);
        drop(guard);
        result
    })
}

/// As [`on_loop`], with a clock that jumps.
pub(crate) fn on_virtual_clock<R>(f: impl FnOnce(&EventLoop) -> R) -> R {
    watchdog(LIMIT, || {
        let event_loop = EventLoop::builder().virtual_clock().build();
        let guard = event_loop.enter();
        let result = f(&event_loop);
        drop(guard);
        result
    })
}

/// What ran, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn note(&self, text: impl Into<String>) -> impl FnOnce() + Send + 'static {
        let (log, text) = (Arc::clone(&self.0), text.into());
        move || log.lock().unwrap().push(text)
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Waits until `condition` holds; fails when it does not within [`LIMIT`].
#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < scaled(LIMIT), "not within {LIMIT:?}: {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Message of the panic that rejected this promise; fails for every other outcome.
#[track_caller]
pub(crate) fn panic_message<T>(promise: &Promise<T>) -> String {
    match promise.peek() {
        Some(Err(why)) => match why.fault() {
            Some(thenable::Fault::Panicked { message, .. }) => message.to_string(),
            other => panic!("expected a panic, got {other:?} of {why}"),
        },
        Some(Ok(_)) => panic!("expected a panic, got a value"),
        None => panic!("expected a panic, but the promise is pending"),
    }
}
