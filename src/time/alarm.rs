//! Timers that go with what they time.

use crate::Fault;
use crate::core::GatherHandle;
use crate::event_loop::{LoopHandle, TimerHandle};
use crate::primitive::sync::{Mutex, MutexGuard, PoisonError};
use std::sync::Arc;
use std::time::Duration;

/// Ends a gather after a while; if the loop goes away first, the gather fails with it.
pub(crate) fn end_after(event_loop: &LoopHandle, after: Duration, gather: GatherHandle) -> TimerHandle {
    let ring = Ring { gather, event_loop: event_loop.clone() };
    event_loop.call_later(after, move || ring.gather.end())
}

struct Ring {
    gather: GatherHandle,
    event_loop: LoopHandle,
}

impl Drop for Ring {
    fn drop(&mut self) {
        if self.event_loop.is_closed() {
            self.gather.fail(Fault::LoopClosed);
        }
    }
}

/// Lives in what is timed; dropping it disarms the timer.
pub(crate) struct Alarm(Arc<Mutex<State>>);

/// Sets the alarm, once the timer exists.
pub(crate) struct Setter(Arc<Mutex<State>>);

enum State {
    Unset,
    Set(TimerHandle),
    /// What was timed is over.
    Over,
}

/// An alarm, and the end that sets it: the timer may need what the alarm lives in.
pub(crate) fn pair() -> (Alarm, Setter) {
    let state = Arc::new(Mutex::new(State::Unset));
    (Alarm(Arc::clone(&state)), Setter(state))
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Setter {
    pub(crate) fn set(self, timer: TimerHandle) {
        let mut state = lock(&self.0);
        if matches!(*state, State::Over) {
            drop(state);
            timer.cancel();
        } else {
            *state = State::Set(timer);
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let state = std::mem::replace(&mut *lock(&self.0), State::Over);
        if let State::Set(timer) = state {
            timer.cancel();
        }
    }
}
