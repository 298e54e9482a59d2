//! Cancellations that came to nothing.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use thenable::{CancelOutcome, EventLoop, LoopHandle, Promise, Resolver, Retry, State};

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

std::thread_local! {
    static PUMPED: Rc<EventLoop> = Rc::new(EventLoop::new());
}

fn pumped() -> Rc<EventLoop> {
    PUMPED.try_with(Rc::clone).unwrap()
}

/// A cancellation stopped the promise that a link was about to follow, without a share of its own. A cancel hook of that
/// promise dropped the last resolver and pumped the loop, whose start job gave back the last share; then the cancellation
/// used the freed promise. (The address sanitizer sees it.)
#[test]
fn the_cancelled_promise_is_freed_by_its_own_hook() {
    let event_loop = pumped();
    let _current = event_loop.enter();
    let (inner, resolver) = Promise::<String>::with_resolvers();
    let last: Arc<Mutex<Option<Resolver<String>>>> = Arc::default();
    let (taken, hooks) = (last.clone(), Arc::new(AtomicUsize::new(0)));
    let ran = hooks.clone();
    resolver.on_cancel(move |_| {
        drop(taken.lock().unwrap().take());
        while pumped().run_ready(Duration::from_millis(10)) {}
        ran.fetch_add(1, Ordering::Relaxed);
    });
    *last.lock().unwrap() = Some(resolver);
    let outer = Promise::resolve(1).then(move |_: i32| inner);
    // One job, the handler: the start job stays in the queue.
    event_loop.run_ready(Duration::ZERO);
    assert!(outer.is_pending());
    assert_eq!(outer.cancel("stop"), CancelOutcome::Cancelled);
    assert_eq!(hooks.load(Ordering::Relaxed), 1);
}
