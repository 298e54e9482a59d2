//! Promises that adopt others on other threads.

use crate::kit::{Remote, Tokens, Why, explore, flip, reports, spawn, why, with_loop};
use thenable::{CancelOutcome, Promise};

/// A chain of three: one loop makes the outer promise adopt the middle one, another the middle one the inner one, a third
/// thread settles that. In whatever order, the outcome arrives once.
#[test]
fn s08_adoption_chain_across_loops() {
    explore(|| {
        let (tokens, reports, well) = (Tokens::default(), reports(), flip());
        let (one, two) = (Remote::start(), Remote::start());
        with_loop(|event_loop| {
            let (outer, adopt_outer) = Promise::with_resolvers();
            let (middle, adopt_middle) = Promise::with_resolvers();
            let (inner, settle_inner) = Promise::with_resolvers();
            one.handle.call_soon(move || drop(adopt_outer.adopt(middle)));
            two.handle.call_soon(move || drop(adopt_middle.adopt(inner)));
            let token = tokens.make(7);
            let settling = spawn(move || match well {
                true => drop(settle_inner.resolve(token)),
                false => drop(settle_inner.reject("no".into())),
            });
            match event_loop.run(outer.map(|token| token)) {
                Ok(token) => assert!(well && token.number == 7),
                Err(reason) => assert!(!well && why(&reason) == Why::Own, "{reason:?}"),
            }
            settling.join().unwrap();
        });
        one.stop();
        two.stop();
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// The outer promise is cancelled while a loop makes it adopt an inner one that a third thread settles: what `cancel` says
/// is what the outer promise becomes, and the value is dropped once.
#[test]
fn s09_cancel_while_adopting() {
    explore(|| {
        let (tokens, reports) = (Tokens::default(), reports());
        let remote = Remote::start();
        let (outer, adopt) = Promise::with_resolvers();
        let (inner, settle) = Promise::with_resolvers();
        remote.handle.call_soon(move || drop(adopt.adopt(inner)));
        let token = tokens.make(7);
        let settling = spawn(move || drop(settle.resolve(token)));
        let handle = outer.clone();
        let cancelling = spawn(move || handle.cancel("enough"));
        let outcome = outer.wait();
        let cancelled = cancelling.join().unwrap() == CancelOutcome::Cancelled;
        match outcome {
            Ok(token) => assert!(!cancelled && token.number == 7),
            Err(reason) => assert!(cancelled && why(&reason) == Why::Cancelled, "{reason:?}"),
        }
        settling.join().unwrap();
        remote.stop();
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// The last resolver of the inner promise goes while a loop adopts it, and while another thread waits for it too: both hear
/// that it was abandoned.
#[test]
fn s10_the_inner_promise_is_abandoned_while_adopted() {
    explore(|| {
        let reports = reports();
        let remote = Remote::start();
        let (outer, adopt) = Promise::<()>::with_resolvers();
        let (inner, settle) = Promise::<()>::with_resolvers();
        let other = inner.clone();
        remote.handle.call_soon(move || drop(adopt.adopt(inner)));
        let dropping = spawn(move || drop(settle));
        let waiting = spawn(move || other.wait());
        assert_eq!(why(&outer.wait().unwrap_err()), Why::Abandoned);
        assert_eq!(why(&waiting.join().unwrap().unwrap_err()), Why::Abandoned);
        dropping.join().unwrap();
        remote.stop();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// A handler returns a promise that another thread settles, while a third polls the derived promise by waiting for a clone
/// of it and drops it, and the loop goes on to the next handler: each consumer gets the value.
#[test]
fn s11_a_handler_returns_a_promise() {
    explore(|| {
        let (tokens, reports) = (Tokens::default(), reports());
        with_loop(|event_loop| {
            let (inner, settle) = Promise::with_resolvers();
            let derived = Promise::resolve(()).then(move |()| inner);
            let other = derived.clone();
            let token = tokens.make(7);
            let settling = spawn(move || drop(settle.resolve(token)));
            let waiting = spawn(move || other.wait().unwrap().number);
            assert_eq!(event_loop.run(derived.map(|token| token.number + 1)).unwrap(), 8);
            assert_eq!(waiting.join().unwrap(), 7);
            settling.join().unwrap();
        });
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}
