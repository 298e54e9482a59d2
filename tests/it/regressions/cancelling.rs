//! Cancellations that came to nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use thenable::{EventLoop, LoopHandle, Promise, Retry, State};

/// More than this many rounds are never wanted.
const ROUNDS: usize = 1000;

/// A promise loop: each step's handler returns the next step.
fn step(taken: Arc<AtomicUsize>) -> Promise<()> {
    Promise::resolve(()).then(move |()| {
        if taken.fetch_add(1, Ordering::Relaxed) >= ROUNDS { Promise::resolve(()) } else { step(taken) }
    })
}

/// Looks once a turn of the queue whether so many rounds are done, and then cancels.
fn cancel_after<T: Send + 'static>(rounds: usize, done: Arc<AtomicUsize>, promise: Promise<T>) {
    let Some(current) = LoopHandle::current() else { panic!("a loop is current") };
    drop(current.call_soon(move || {
        if done.load(Ordering::Relaxed) < rounds {
            return cancel_after(rounds, done, promise);
        }
        let _ = promise.cancel("enough");
        assert_eq!(promise.state(), State::Rejected);
    }));
}

/// The promise of a promise loop was cancelled between a handler and the job in which its promise would have begun to
/// follow the next step. That job was to find the promise cancelled and stop the next step; but the handler of that step
/// stood before it in the queue and had made another step by then, and so on: the loop was cancelled and went on for ever.
#[test]
fn a_cancelled_promise_loop_goes_on_for_ever() {
    for rounds in [1, 2, 3, 5, 10, 11, 12] {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let taken = Arc::new(AtomicUsize::new(0));
        cancel_after(rounds, taken.clone(), step(taken.clone()));
        event_loop.run_until_idle().unwrap();
        let taken = taken.load(Ordering::Relaxed);
        assert!((rounds..=rounds + 1).contains(&taken), "cancelled after {rounds} steps, and {taken} were taken");
    }
}

/// The same for `retry`, which is such a loop: it made all of its attempts.
#[test]
fn a_cancelled_retry_makes_all_of_its_attempts() {
    for rounds in [1, 2, 3, 5, 10, 11, 12] {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let made = Arc::new(AtomicUsize::new(0));
        let count = made.clone();
        let retried: Promise<()> = Promise::retry(Retry::times(ROUNDS as u32), move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Promise::reject("no")
        });
        cancel_after(rounds, made.clone(), retried);
        event_loop.run_until_idle().unwrap();
        let made = made.load(Ordering::Relaxed);
        assert!((rounds..=rounds + 1).contains(&made), "cancelled after {rounds} attempts, and {made} were made");
    }
}
