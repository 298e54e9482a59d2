//! A loop's timers: one ordered map by (deadline, sequence), so that equal deadlines fire in the order in which they were
//! set, and a cancelled timer is gone at once.

use crate::error::panic;
use crate::primitive::sync::atomic::{AtomicUsize, Ordering};
use crate::primitive::sync::{Mutex, MutexGuard, PoisonError};
use std::collections::BTreeMap;
use std::time::Instant;

/// Deadline and sequence number.
pub(super) type Key = (Instant, u64);

/// The key of a timer that was refused: none has it.
pub(super) fn never(deadline: Instant) -> Key {
    (deadline, u64::MAX)
}

pub(crate) type Callback = Box<dyn FnOnce() + Send>;

#[derive(Default)]
pub(super) struct Timers {
    state: Mutex<State>,
    /// How many are waiting, for a look without the lock.
    count: AtomicUsize,
}

#[derive(Default)]
struct State {
    waiting: BTreeMap<Key, Callback>,
    next_sequence: u64,
    closed: bool,
}

impl Timers {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets a timer. The flag says that it is the next one to fire now, so that a sleeping loop must look at it.
    ///
    /// # Errors
    ///
    /// Gives the callback back when the timers are closed.
    pub(super) fn set(&self, deadline: Instant, callback: Callback) -> Result<(Key, bool), Callback> {
        let mut state = self.lock();
        if state.closed {
            return Err(callback);
        }
        let key = (deadline, state.next_sequence);
        state.next_sequence += 1;
        state.waiting.insert(key, callback);
        self.note(&state);
        let is_next = state.waiting.first_key_value().is_some_and(|(first, _)| *first == key);
        Ok((key, is_next))
    }

    /// Takes a timer back and drops its callback. False: it has fired, or was cancelled before.
    pub(super) fn cancel(&self, key: Key) -> bool {
        let callback = {
            let mut state = self.lock();
            let callback = state.waiting.remove(&key);
            self.note(&state);
            callback
        };
        let found = callback.is_some();
        panic::drop_quietly(callback);
        found
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.lock().waiting.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// Takes the next timer that is due.
    pub(super) fn pop_due(&self, now: Instant) -> Option<Callback> {
        let mut state = self.lock();
        let first = state.waiting.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        let callback = first.remove();
        self.note(&state);
        Some(callback)
    }

    /// After a change of what is waiting.
    fn note(&self, state: &State) {
        // ORDERING: Relaxed, see `may_be_waiting`.
        self.count.store(state.waiting.len(), Ordering::Relaxed);
    }

    /// Whether a timer may be waiting. On the loop's thread false is true of all timers that were set there; one that was set
    /// elsewhere is seen before the loop sleeps, which looks at `next_deadline`.
    pub(super) fn may_be_waiting(&self) -> bool {
        // ORDERING: Relaxed, a hint as said.
        self.count.load(Ordering::Relaxed) > 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    /// Drops what is waiting and refuses what comes.
    pub(super) fn close(&self) {
        let waiting = {
            let mut state = self.lock();
            state.closed = true;
            let waiting = std::mem::take(&mut state.waiting);
            self.note(&state);
            waiting
        };
        for callback in waiting.into_values() {
            panic::drop_quietly(callback);
        }
    }
}
