//! Rejections that nobody handled are reported once; those that somebody did are not.
//!
//! The hook belongs to the whole process, so each test knows its own rejections by their text.

use std::sync::{Mutex, Once};
use std::thread;
use std::time::Duration;

use thenable::{CancelOutcome, EventLoop, Fault, Promise, Rejection};

use crate::common::without_place;
use crate::support::{LIMIT, eventually, on_loop, quiet_bombs, watchdog};

static REPORTS: Mutex<Vec<(String, u32)>> = Mutex::new(Vec::new());

/// Installs the hook that collects; the first test of the process does it.
fn collect() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        thenable::on_unhandled_rejection(|unhandled| {
            let text = unhandled.reason().map_or_else(|| unhandled.to_string(), ToString::to_string);
            REPORTS.lock().unwrap().push((without_place(&text), unhandled.created_at().line()));
        });
    });
}

/// The lines of the promises whose rejections with this text were reported.
fn reported(text: &str) -> Vec<u32> {
    REPORTS.lock().unwrap().iter().filter(|(other, _)| other == text).map(|(_, line)| *line).collect()
}

/// Runs what a test does on a fresh loop, until nothing is left of it.
fn collecting(test: impl FnOnce(&EventLoop)) {
    collect();
    on_loop(|event_loop| {
        test(event_loop);
        event_loop.run_until_idle().unwrap();
    });
}

/// Checks that this, which rejects with `text`, is reported so many times.
#[track_caller]
fn check(text: &'static str, times: usize, act: impl FnOnce(&'static str)) {
    collecting(|_| {
        act(text);
        assert_eq!(reported(text), [], "{text}: not before the job queue has drained");
    });
    assert_eq!(reported(text).len(), times, "{text}");
}

fn reject(text: &'static str) -> Promise<i32> {
    Promise::reject(text)
}

#[test]
fn a_dropped_rejection_is_reported_once_with_its_place() {
    let line = line!() + 1;
    check("dropped at once", 1, |text| drop(Promise::<i32>::reject(text)));
    assert_eq!(reported("dropped at once"), [line]);
}

#[test]
fn the_end_of_a_chain_is_reported_not_its_beginning() {
    let line = line!() + 1;
    check("lost at the end", 1, |text| drop(reject(text).map(|n| n + 1)));
    assert_eq!(reported("lost at the end"), [line]);
    check("lost after many links", 1, |text| drop(reject(text).map(|n| n + 1).finally(|| ()).tap(|_| ())));
    check("thrown in a handler", 1, |text| drop(Promise::resolve(1).then(move |_| Err::<i32, _>(text.into()))));
}

#[test]
fn a_rejection_that_comes_later_is_reported() {
    collecting(|event_loop| {
        let (promise, resolver) = Promise::<i32>::with_resolvers();
        drop(promise.map(|n| n + 1));
        event_loop.run_until_idle().unwrap();
        resolver.reject("rejected later".into()).unwrap();
    });
    assert_eq!(reported("rejected later").len(), 1);
}

#[test]
fn a_catch_in_the_same_drain_is_in_time() {
    check("caught late in the drain", 0, |text| {
        let promise = reject(text);
        let chain = (0..10).fold(Promise::resolve(()), |chain, _| chain.map(|()| ()));
        drop(chain.map(move |()| drop(promise.catch(|_| Ok(0)))));
    });
}

#[test]
fn whoever_looks_is_responsible() {
    check("caught", 0, |text| drop(reject(text).catch(|_| Ok(0))));
    check("caught further down", 0, |text| drop(reject(text).map(|n| n + 1).finally(|| ()).catch(|_| Ok(0))));
    check("handled by then_or", 0, |text| drop(reject(text).then_or(|_| (), |_| ())));
    check("handled by handle", 0, |text| drop(reject(text).handle(|_| Ok::<_, Rejection>(()))));
    check("settled", 0, |text| drop(reject(text).settled()));
    check("marked", 0, |text| reject(text).mark_handled());
    check("peeked at", 0, |text| assert!(reject(text).peek().unwrap().is_err()));
    check("a member of all_settled", 0, |text| drop(Promise::all_settled([reject(text)])));
    collecting(|event_loop| {
        assert!(event_loop.run(reject("run")).is_err());
        assert!(event_loop.run(async { reject("awaited").await }).is_err());
        let waited = thread::spawn(|| reject("waited for").wait().is_err());
        assert!(waited.join().unwrap());
        let (promise, resolver) = Promise::<i32>::with_resolvers();
        promise.mark_handled();
        drop(promise);
        assert!(resolver.reject("marked while pending".into()).is_ok());
    });
    for text in ["run", "awaited", "waited for", "marked while pending"] {
        assert_eq!(reported(text), [], "{text}");
    }
}

#[test]
fn a_branch_without_catch_is_reported_though_its_sibling_catches() {
    let line = line!() + 4;
    check("one branch of two", 1, |text| {
        let source = reject(text);
        drop(source.clone().catch(|_| Ok(0)));
        drop(source.map(|n| n + 1));
    });
    assert_eq!(reported("one branch of two"), [line], "the derived promise");
    check("a finally branch", 1, |text| {
        let source = reject(text);
        drop(source.clone().finally(|| ()));
        drop(source.catch(|_| Ok(0)));
    });
    check("two branches of three", 2, |text| {
        let source = reject(text);
        drop(source.clone().map(|n| n + 1));
        drop(source.clone().catch(|_| Ok(0)));
        drop(source.tap(|_| ()));
    });
}

#[test]
fn a_clone_that_is_handled_is_enough_for_the_promise_itself() {
    check("its clone was caught", 0, |text| {
        let promise = reject(text);
        drop(promise.clone().catch(|_| Ok(0)));
        drop(promise);
    });
}

#[test]
fn the_fallback_of_a_catch_is_a_new_rejection() {
    check("thrown by the catch", 1, |text| drop(reject("caught first").catch(move |_| Err(text.into()))));
    assert_eq!(reported("caught first"), []);
}

#[test]
fn a_panic_is_a_rejection() {
    quiet_bombs();
    collecting(|_| drop(Promise::resolve(1).map(|_| -> i32 { panic!("bomb: nobody hears it") })));
    assert_eq!(reported("a handler panicked: bomb: nobody hears it").len(), 1);
}

#[test]
fn a_cancelled_promise_is_not_reported() {
    collecting(|_| {
        let (promise, _resolver) = Promise::<i32>::with_resolvers();
        let derived = promise.map(|n| n + 1);
        assert_eq!(derived.cancel("unhandled test: cancelled"), CancelOutcome::Cancelled);
        drop(derived);
    });
    assert_eq!(reported("cancelled: unhandled test: cancelled"), []);
}

#[test]
fn a_held_rejection_is_nobodys_fault_yet() {
    collecting(|event_loop| {
        let held = reject("held for a while");
        event_loop.run_until_idle().unwrap();
        assert_eq!(reported("held for a while"), [], "its handle lives");
        drop(held);
    });
    assert_eq!(reported("held for a while").len(), 1);
}

#[test]
fn without_a_loop_the_global_one_reports() {
    collect();
    watchdog(LIMIT, || {
        drop(reject("no loop here"));
        eventually("the report", || reported("no loop here").len() == 1);
    });
}

#[test]
fn typed_reasons_are_reported_without_their_content() {
    struct Typed;
    impl From<Fault> for Typed {
        fn from(_: Fault) -> Self {
            Self
        }
    }
    collecting(|_| drop(Promise::<i32, Typed>::rejected(Typed).map(|n| n + 1)));
    let typed = REPORTS.lock().unwrap().iter().filter(|(text, _)| text.contains("Typed")).count();
    assert_eq!(typed, 1, "by the name of their type");
}

#[test]
fn a_strict_loop_returns_it_instead() {
    collect();
    watchdog(LIMIT, || {
        let event_loop = EventLoop::builder().strict().build();
        let current = event_loop.enter();
        drop(reject("strict").map(|n| n + 1));
        match event_loop.run_until_idle() {
            Err(Fault::Unhandled { report }) => assert_eq!(report.reason().unwrap().to_string(), "strict"),
            other => panic!("expected Unhandled, got {other:?}"),
        }
        drop(reject("strict, in run"));
        let (never, _resolver) = Promise::<i32>::with_resolvers();
        let why = event_loop.run(never).unwrap_err();
        assert!(matches!(why.fault(), Some(Fault::Unhandled { .. })), "{why:?}");
        assert_eq!(event_loop.run(reject("strict, handled").catch(|_| Ok(2))).unwrap(), 2);
        event_loop.run_until_idle().unwrap();
        drop(current);
    });
}

#[test]
fn a_loop_that_is_not_strict_reports_it_and_returns_the_outcome() {
    collect();
    watchdog(LIMIT, || {
        let event_loop = EventLoop::new();
        let outcome = event_loop.run(async {
            drop(reject("lenient").map(|n| n + 1));
            thenable::delay(Duration::from_millis(1)).await?;
            thenable::Ok(3)
        });
        assert_eq!(outcome.unwrap(), 3);
        let current = event_loop.enter();
        drop(reject("lenient too"));
        event_loop.run_until_idle().unwrap();
        drop(current);
    });
    for text in ["lenient", "lenient too"] {
        assert_eq!(reported(text).len(), 1, "{text}");
    }
}
