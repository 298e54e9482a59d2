//! A system that has no descriptor and no thread left to give: an error or the answer, and never a hang.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thenable::{EventLoop, ExecutorExt, Fault, LoopHandle, Promise, Rejection, ThreadPool};

use crate::support::{in_child, in_child_with, under_valgrind};

/// Takes every descriptor; they come back when this goes.
fn take_descriptors() -> Vec<File> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: limit.maximum }).unwrap();
    let taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(!taken.is_empty() && File::open("/dev/null").is_err());
    taken
}

/// The answer, or the one error that says that there is no loop.
#[track_caller]
fn assert_answer<T: PartialEq + std::fmt::Debug>(what: &str, outcome: Result<T, Rejection>, expected: T) {
    match outcome {
        Ok(value) => assert_eq!(value, expected, "{what}"),
        Err(why) => assert!(matches!(why.fault(), Some(Fault::LoopClosed)), "{what}: {why:?}"),
    }
}

#[test]
fn without_descriptors_everything_answers() {
    in_child(|| {
        let taken = take_descriptors();
        // Jobs and tasks need none, and neither does a pool of threads.
        let event_loop = EventLoop::new();
        {
            let _current = event_loop.enter();
            let derived = Promise::resolve(1).map(|n| n + 1);
            event_loop.run_until_idle().unwrap();
            assert_eq!(derived.peek().and_then(Result::ok), Some(&2));
            let task = Promise::spawn(async { Ok(3) });
            while event_loop.tick() {}
            assert_eq!(task.peek().and_then(Result::ok), Some(&3));
        }
        assert_eq!(ThreadPool::new(2).submit(|| 4).wait().unwrap(), 4);
        // The global loop and its timers may.
        assert_answer("handler", Promise::resolve(1).map(|n| n + 1).wait(), 2);
        assert_answer("delay", thenable::delay(Duration::from_millis(1)).wait(), ());
        assert_answer("task", Promise::spawn(async { Ok(3) }).wait(), 3);
        assert_answer("global", LoopHandle::global().spawn(async { Ok(3) }).wait(), 3);
        let (never, _resolver) = Promise::<u8>::with_resolvers();
        let why = never.timeout(Duration::from_millis(1)).wait().unwrap_err();
        assert!(matches!(why.fault(), Some(Fault::LoopClosed | Fault::TimedOut { .. })), "{why:?}");
        drop(taken);
        // A loop of one's own works as soon as there are some again.
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        event_loop.run(thenable::delay(Duration::from_millis(1))).unwrap();
    });
}

#[test]
fn with_descriptors_taken_later_everything_goes_on() {
    in_child(|| {
        thenable::delay(Duration::from_millis(1)).wait().unwrap();
        let _taken = take_descriptors();
        thenable::delay(Duration::from_millis(1)).wait().unwrap();
        assert_eq!(ThreadPool::new(2).submit(|| 4).map(|n| n + 1).wait().unwrap(), 5);
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        event_loop.run(thenable::delay(Duration::from_millis(1))).unwrap();
    });
}

/// A loop that sleeps until a timer needs the reactor: it panics, as documented, and works again when there are descriptors.
#[test]
fn without_descriptors_a_timer_of_ones_own_loop_panics_and_nothing_is_lost() {
    in_child(|| {
        let taken = take_descriptors();
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let (early, late) = (thenable::delay(Duration::from_millis(1)), thenable::delay(Duration::from_millis(1)));
        let run = catch_unwind(AssertUnwindSafe(|| event_loop.run(early)));
        assert!(run.is_err());
        while late.is_pending() && catch_unwind(AssertUnwindSafe(|| event_loop.run_ready(Duration::ZERO))).is_ok() {}
        drop(taken);
        event_loop.run(late).unwrap();
    });
}

/// The global loop tries again.
#[test]
fn the_global_loop_comes_back_with_descriptors() {
    in_child(|| {
        let taken = take_descriptors();
        let early = Promise::resolve(1).map(|n| n + 1);
        drop(taken);
        assert_eq!(early.wait().unwrap(), 2);
        assert_eq!(Promise::resolve(1).map(|n| n + 1).wait().unwrap(), 2);
    });
}

fn virtual_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find(|line| line.starts_with("VmSize:")).unwrap();
    size.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Leaves no room for another thread's stack; or gives it back.
fn limit_threads(limited: bool) {
    let limit = getrlimit(Resource::As);
    let current = limited.then(|| {
        // A thread that has just started reserves address space, and gives most of it back.
        let (mut kib, mut seen) = (virtual_kib(), 0);
        while seen < 50 {
            std::thread::sleep(Duration::from_millis(1));
            let now = virtual_kib();
            seen = if now == kib { seen + 1 } else { 0 };
            kib = now;
        }
        (kib + 1024) * 1024
    });
    setrlimit(Resource::As, Rlimit { current: current.or(limit.maximum), maximum: limit.maximum }).unwrap();
}

#[test]
fn without_threads_everything_answers() {
    if under_valgrind() {
        return; // It needs address space of its own.
    }
    in_child(|| {
        limit_threads(true);
        assert!(std::thread::Builder::new().spawn(|| ()).is_err(), "the limit works");
        assert!(LoopHandle::global().is_closed());
        assert_fault!(Promise::resolve(1).map(|n: u8| n + 1).wait(), Fault::LoopClosed);
        assert_fault!(thenable::delay(Duration::from_millis(1)).wait(), Fault::LoopClosed);
        assert_fault!(Promise::spawn(async { Ok(3) }).wait(), Fault::LoopClosed);
        let pool = ThreadPool::new(2);
        assert_fault!(pool.submit(|| 4).wait(), Fault::Full);
        assert!(pool.try_submit(|| 4).is_err());
        assert_fault!(pool.submit_wait(|| 4).wait(), Fault::Full);
        assert_fault!(pool.attempt(|| Ok::<u8, Rejection>(4)).wait(), Fault::Full);
        // What needs no other thread works.
        let watched = EventLoop::builder().watchdog(Duration::from_millis(10), |_| ()).build();
        let current = watched.enter();
        let derived = Promise::resolve(1).map(|n: u8| n + 1);
        while watched.run_ready(Duration::from_millis(1)) {}
        assert_eq!(derived.peek().and_then(Result::ok), Some(&2));
        drop(current);
        drop(watched);

        limit_threads(false);
        assert_eq!(pool.submit(|| 4).wait().unwrap(), 4, "the pool tries again");
        assert_eq!(Promise::resolve(1).map(|n: u8| n + 1).wait().unwrap(), 2, "and so does the global loop");
        thenable::delay(Duration::from_millis(1)).wait().unwrap();
    });
}

/// One thread of two can be started: the pool goes on with that.
#[test]
fn a_pool_makes_do_with_the_threads_that_it_has() {
    if under_valgrind() {
        return;
    }
    in_child(|| {
        let pool = ThreadPool::new(4);
        assert_eq!(pool.submit(|| 1).wait().unwrap(), 1);
        limit_threads(true);
        let jobs: Vec<_> = (0..100_u64).map(|n| pool.submit(move || n)).collect();
        for (n, job) in (0..).zip(jobs) {
            assert_eq!(job.wait().unwrap(), n);
        }
        pool.shutdown(thenable::Shutdown::Drain).wait().unwrap();
        assert_eq!(pool.stats().completed, 101);
    });
}

/// No stack is so small that nothing fits, but one may be so large that it does not.
#[test]
fn without_room_for_a_stack_everything_answers() {
    in_child_with(&[("RUST_MIN_STACK", &(1_u64 << 60).to_string())], || {
        assert_fault!(Promise::resolve(1).map(|n: u8| n + 1).wait(), Fault::LoopClosed);
        assert_fault!(ThreadPool::new(2).submit(|| 4).wait(), Fault::Full);
        let event_loop = EventLoop::builder().watchdog(Duration::from_millis(10), |_| ()).build();
        let _current = event_loop.enter();
        let derived = Promise::resolve(1).map(|n: u8| n + 1);
        while event_loop.run_ready(Duration::from_millis(1)) {}
        assert_eq!(derived.peek().and_then(Result::ok), Some(&2));
    });
}

/// async-io starts a thread of its own for the first `run`, and panics where it cannot, as documented.
#[test]
fn without_threads_a_run_of_ones_own_loop_works_or_panics() {
    in_child_with(&[("RUST_MIN_STACK", &(1_u64 << 60).to_string())], || {
        let event_loop = EventLoop::new();
        if let Ok(outcome) = catch_unwind(AssertUnwindSafe(|| event_loop.run(Promise::resolve(1)))) {
            assert_eq!(outcome.unwrap(), 1);
        }
    });
}
