//! Combinators: who owns their members, and what runs while they are being set up.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
use thenable::LoopHandle;
use thenable::{CancelOutcome, EventLoop, Fault, Promise, State};

use super::isolated;
use crate::support::{LIMIT, Ledger, on_loop, watchdog};
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
use crate::support::{assert_passed, is_child, run_child};

/// A derived promise settled, and its job put the member of `all` into the queue, together with its share of the promise.
/// The next job cancelled the `all`, which let go of the member as of one that was still pending: the value was never
/// dropped.
#[test]
fn value_leaks_when_all_is_cancelled_with_a_member_in_the_queue() {
    let ledger = Ledger::default();
    on_loop(|event_loop| {
        let token = ledger.token();
        let derived = Promise::resolve(()).map(move |()| token);
        let all = Promise::all([derived]);
        let cancelled = Promise::resolve(()).map(move |()| all.cancel("enough"));
        assert_eq!(event_loop.run(cancelled).unwrap(), CancelOutcome::Cancelled);
    });
    ledger.assert_balanced("the member's value");
}

/// A loop that runs its jobs as soon as one comes, from `on_wake`, which is called in the midst of what made the job.
fn eager_loop(f: impl FnOnce()) {
    thread_local! {
        static EAGER: RefCell<Option<Rc<EventLoop>>> = const { RefCell::new(None) };
    }
    fn pump() {
        if let Some(event_loop) = EAGER.with_borrow(Option::clone) {
            while event_loop.tick() {}
        }
    }
    let event_loop = Rc::new(EventLoop::builder().on_wake(pump).build());
    let current = event_loop.enter();
    EAGER.set(Some(Rc::clone(&event_loop)));
    // Idle from here on: the next job wakes it.
    pump();
    f();
    EAGER.set(None);
    drop(current);
}

/// The first member of the race was settled, so it went into the queue, and that woke a loop whose `on_wake` runs jobs at
/// once. So the race was decided, and took its other members out, while these were still being linked.
#[test]
fn crash_when_on_wake_runs_jobs_while_a_race_starts() {
    isolated("combinators::crash_when_on_wake_runs_jobs_while_a_race_starts", || {
        let ledger = Ledger::default();
        eager_loop(|| {
            let race = Promise::race([Promise::resolve(ledger.token()), Promise::resolve(ledger.token())]);
            assert_eq!(race.state(), State::Fulfilled);
        });
        ledger.assert_balanced("values of the members");
    });
}

/// `join` watched its members with its lock held, and the job of the first, which was settled, woke a loop whose
/// `on_wake` runs jobs at once. That job waited for the lock, on the thread that held it.
#[test]
fn hang_when_on_wake_runs_jobs_while_a_join_starts() {
    isolated("combinators::hang_when_on_wake_runs_jobs_while_a_join_starts", || {
        let ledger = Ledger::default();
        watchdog(LIMIT / 4, || {
            eager_loop(|| {
                let join = Promise::join((Promise::resolve(ledger.token()), Promise::resolve(ledger.token())));
                assert_eq!(join.state(), State::Fulfilled);
            });
        });
        ledger.assert_balanced("values of the members");
    });
}

/// The timer went off and put the end of the `timeout` into the queue of its loop. Then the loop was dropped with that in
/// it, and nobody was left to settle the promise.
#[test]
fn timeout_pending_for_ever_when_its_loop_closes_after_the_timer() {
    watchdog(LIMIT, || {
        let event_loop = EventLoop::new();
        let (source, resolver) = Promise::<i32>::with_resolvers();
        let timeout = {
            let _current = event_loop.enter();
            source.timeout(Duration::from_millis(2))
        };
        std::thread::sleep(Duration::from_millis(10));
        // Time for the timer, none for the jobs.
        event_loop.run_ready(Duration::ZERO);
        drop(event_loop);
        assert_fault!(timeout.peek().expect("settled"), Fault::LoopClosed | Fault::TimedOut { .. });
        drop(resolver);
    });
}

/// A loop was dropped with the timer of a `timeout` still running. The timer went, and nobody was left to settle the
/// promise.
#[test]
fn timeout_pending_for_ever_when_its_loop_closes_before_the_timer() {
    watchdog(LIMIT, || {
        let event_loop = EventLoop::builder().virtual_clock().build();
        let (source, resolver) = Promise::<i32>::with_resolvers();
        let timeout = {
            let _current = event_loop.enter();
            source.timeout(Duration::from_secs(1))
        };
        drop(event_loop);
        assert_fault!(timeout.peek().expect("settled"), Fault::LoopClosed);
        drop(resolver);
    });
}

/// The global loop's thread could not be started, so a combinator had no place to link its members on. The job that was to
/// do it was thrown away, and with it everything that could settle the combinator or let go of its members.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[test]
fn combinators_pending_for_ever_when_no_thread_can_be_started() {
    const NAME: &str = "regressions::combinators::combinators_pending_for_ever_when_no_thread_can_be_started";
    if !is_child(NAME) {
        // The test harness does without a thread of its own then.
        let no_stack_so_large = (1_u64 << 60).to_string();
        return assert_passed(&run_child(NAME, &[("RUST_MIN_STACK", &no_stack_so_large)]));
    }
    assert!(LoopHandle::global().is_closed(), "no thread, no global loop");
    let ledger = Ledger::default();
    let derived = Promise::resolve(ledger.token()).map(|token| token);
    assert_fault!(derived.peek().expect("settled"), Fault::LoopClosed);
    let all = Promise::all([Promise::resolve(ledger.token())]);
    assert_fault!(all.peek().expect("settled"), Fault::LoopClosed);
    let (source, resolver) = Promise::<i32>::with_resolvers();
    let timeout = source.timeout(Duration::from_millis(1));
    assert_fault!(timeout.peek().expect("settled"), Fault::LoopClosed);
    drop((derived, all, timeout, resolver));
    ledger.assert_balanced("values of the members");
}
