//! When the future of a `run` is polled.
//!
//! It is polled where it lives, and takes its turns among the loop's tasks, first come first served. While the loop has no task
//! nobody can stand before it, so that to wake it on the loop's thread is to say that its turn has come. Otherwise a task that
//! stands for it, the *stand-in*, goes through the executor's queue, and the turn has come when that one runs. It is made when it
//! is first needed. (From another thread it is always the stand-in: what that thread spawns next must come after it.)
//!
//! ```text
//!            woken, no tasks                  taken by the driver, which polls the future
//!   IDLE ─────────────────────────► COME ─────────────────────────────────────────────────► IDLE
//!    │ woken, tasks                  ▲
//!    └───────────────► QUEUED ───────┘ the stand-in runs                 any ──► OVER, with the run
//! ```
//!
//! Whoever makes IDLE to QUEUED sends the stand-in on its way; everything else is the loop's thread's. Woken again before it is
//! polled, the future keeps its place.

use super::shared::LoopShared;
use super::{current, task};
use crate::core::PlaceId;
use crate::primitive::sync::OnceLock;
use crate::primitive::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};

const IDLE: u8 = 0;
const QUEUED: u8 = 1;
const COME: u8 = 2;
const OVER: u8 = 3;

/// See the module documentation. It is the future's waker, and so keeps nothing of the loop alive.
pub(super) struct Turn {
    shared: Weak<LoopShared>,
    place: PlaceId,
    state: AtomicU8,
    /// Set by the stand-in's first run. (A task has one waker for life.)
    stand_in: OnceLock<Waker>,
}

impl Turn {
    /// It comes as soon as the tasks that are ready now have had theirs.
    pub(super) fn new(shared: &Arc<LoopShared>) -> Arc<Self> {
        let turn = Arc::new(Self {
            shared: Arc::downgrade(shared),
            place: shared.place(),
            state: AtomicU8::new(IDLE),
            stand_in: OnceLock::new(),
        });
        turn.wake_by_ref();
        turn
    }

    pub(super) fn has_come(&self) -> bool {
        // ORDERING: Relaxed: it comes on the loop's thread, which asks; and see `take`.
        self.state.load(Ordering::Relaxed) == COME
    }

    /// Whether it is on its way, or has come.
    pub(super) fn is_under_way(&self) -> bool {
        // ORDERING: Relaxed, as in `has_come`.
        matches!(self.state.load(Ordering::Relaxed), QUEUED | COME)
    }

    /// Takes the turn if it has come. On the loop's thread.
    pub(super) fn take(&self) -> bool {
        // ORDERING: AcqRel, as in `wake_by_ref`: the poll that follows sees what was done before each wake-up that it answers, and
        // whoever queues next sees the stand-in.
        self.has_come() && self.state.swap(IDLE, Ordering::AcqRel) == COME
    }

    /// The run is over: the stand-in ends too. On the loop's thread.
    pub(super) fn end(&self) {
        // ORDERING: Relaxed: a wake-up that comes late is in vain.
        self.state.store(OVER, Ordering::Relaxed);
        if let Some(stand_in) = self.stand_in.get() {
            stand_in.wake_by_ref();
        }
    }

    /// The stand-in runs.
    fn come(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.stand_in.get().is_none() {
            let _ = self.stand_in.set(context.waker().clone());
        }
        // ORDERING: AcqRel, as in `take`; Relaxed: `end` is of this thread.
        match self.state.compare_exchange(QUEUED, COME, Ordering::AcqRel, Ordering::Relaxed) {
            Err(OVER) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }

    /// Sends the stand-in on its way.
    fn queue_up(self: &Arc<Self>) {
        if let Some(stand_in) = self.stand_in.get() {
            return stand_in.wake_by_ref();
        }
        let Some(shared) = self.shared.upgrade() else { return };
        let executor = shared.executor();
        if let Some(executor) = &executor {
            let turn = self.clone();
            task::enqueue(executor, &shared, std::future::poll_fn(move |context| turn.come(context)));
        }
        // If the loop was dropped meanwhile, its tasks and its hook are not to end in the midst of whatever woke the future.
        let last = (executor.and_then(Arc::into_inner), Arc::into_inner(shared));
        if last.0.is_some() || last.1.is_some() {
            drop(current::global_handle().call_soon(move || drop(last)));
        }
    }

    /// Its turn has come on the loop's thread, which may be asleep all the same: where it polls for I/O, that wakes.
    fn notify(&self) {
        if current::with(self.place, |shared| shared.queue.is_armed()) == Some(true) {
            if let Some(shared) = self.shared.upgrade() {
                shared.queue.notify();
            }
        }
    }
}

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // ORDERING: Relaxed, a guess.
        let mut now = self.state.load(Ordering::Relaxed);
        loop {
            let next = match now {
                IDLE if current::with(self.place, |shared| !shared.tasks.any()) == Some(true) => COME,
                IDLE => QUEUED,
                other => other,
            };
            // ORDERING: Release, and a read-modify-write also where nothing changes: whoever takes the turn sees what came before.
            // Acquire: the stand-in that `come` has set.
            match self.state.compare_exchange_weak(now, next, Ordering::AcqRel, Ordering::Relaxed) {
                Err(other) => now = other,
                Ok(IDLE) if next == QUEUED => return self.queue_up(),
                Ok(IDLE) => return self.notify(),
                Ok(_) => return,
            }
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::{EventLoop, Promise};

    #[test]
    fn without_tasks_to_be_woken_is_to_have_the_turn() {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let turn = Turn::new(event_loop.shared());
        assert!(turn.take() && !turn.take(), "a new one has its turn");
        turn.wake_by_ref();
        turn.wake_by_ref();
        assert!(turn.take() && !turn.take());
        assert!(turn.stand_in.get().is_none() && !event_loop.tick(), "there is no stand-in");
        turn.end();
        turn.wake_by_ref();
        assert!(!turn.has_come());
    }

    #[test]
    fn elsewhere_it_is_to_queue_up() {
        let event_loop = EventLoop::new();
        let turn = Turn::new(event_loop.shared());
        let executor = event_loop.shared().executor().unwrap();
        assert!(!turn.has_come() && executor.try_tick() && turn.take(), "its loop is not current");
        turn.end();
        assert!(executor.try_tick() && executor.is_empty());
    }

    #[test]
    fn with_tasks_a_stand_in_queues_up() {
        let event_loop = EventLoop::new();
        let executor = event_loop.shared().executor().unwrap();
        let (promise, resolver) = Promise::<()>::with_resolvers();
        let task = event_loop.handle().spawn(promise);
        let _current = event_loop.enter();
        let turn = Turn::new(event_loop.shared());
        turn.wake_by_ref();
        assert!(!turn.take() && turn.stand_in.get().is_none());
        assert!(executor.try_tick() && !turn.has_come(), "the task is first");
        assert!(executor.try_tick() && turn.has_come(), "then the stand-in");
        turn.wake_by_ref();
        assert!(!executor.try_tick() && turn.take(), "which is not needed for a turn that has come");
        turn.wake_by_ref();
        turn.wake_by_ref();
        assert!(executor.try_tick() && turn.take() && !executor.try_tick());
        turn.wake_by_ref();
        assert!(resolver.resolve(()).is_ok());
        turn.wake_by_ref();
        assert!(!turn.has_come(), "it keeps its place");
        assert!(executor.try_tick() && turn.take() && executor.try_tick() && task.is_fulfilled());
        turn.wake_by_ref();
        assert!(turn.take(), "nobody stands before it any more");
        turn.end();
        assert!(executor.try_tick() && !turn.has_come() && executor.is_empty(), "the stand-in has ended");
    }

    /// It ends before its first run, and when nobody has needed it.
    #[test]
    fn it_may_end_at_any_time() {
        for ticks in 0..3 {
            let event_loop = EventLoop::new();
            event_loop.handle().spawn(std::future::pending::<Result<(), crate::Rejection>>()).mark_handled();
            let turn = Turn::new(event_loop.shared());
            let executor = event_loop.shared().executor().unwrap();
            for _ in 0..ticks {
                assert!(executor.try_tick());
            }
            turn.end();
            turn.wake_by_ref();
            while executor.try_tick() {}
            assert!(!turn.has_come());
            let weak = Arc::downgrade(&turn);
            drop(turn);
            assert!(weak.upgrade().is_none(), "nobody holds it");
        }
    }
}
