//! One promise, several threads: who settles it, who waits for it, who hears that nobody did.

use crate::kit::{Log, Token, Tokens, Why, explore, flip, reports, spawn, why, with_loop};
use std::time::Duration;
use thenable::{CancelOutcome, Promise};

/// Resolve, reject and cancel on three threads: one wins, and the others know it and have their value back.
#[test]
fn s12_one_settle_wins() {
    explore(|| {
        let (tokens, reports) = (Tokens::default(), reports());
        let (promise, resolver) = Promise::with_resolvers();
        let (other, handle) = (resolver.clone(), promise.clone());
        let token = tokens.make(7);
        let resolving = spawn(move || resolver.resolve(token).map_err(|refused| assert_eq!(refused.number, 7)).is_ok());
        let rejecting = spawn(move || other.reject("no".into()).is_ok());
        let cancelling = spawn(move || handle.cancel("enough") == CancelOutcome::Cancelled);
        let outcome = promise.wait();
        let winners = [resolving, rejecting, cancelling].map(|thread| thread.join().unwrap());
        let seen = match outcome {
            Ok(token) => [token.number == 7, false, false],
            Err(reason) if why(&reason) == Why::Own => [false, true, false],
            Err(reason) => [false, false, why(&reason) == Why::Cancelled],
        };
        assert_eq!(winners, seen);
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// Cancel against two resolvers that go, one of which may settle first: abandoned only if nobody else was first.
#[test]
fn s13_cancel_against_the_last_resolver() {
    explore(|| {
        let (tokens, reports, settles) = (Tokens::default(), reports(), flip());
        let (promise, resolver) = Promise::with_resolvers();
        let (other, handle) = (resolver.clone(), promise.clone());
        let token = tokens.make(7);
        let one = spawn(move || settles && resolver.resolve(token).is_ok());
        let two = spawn(move || drop(other));
        let cancelling = spawn(move || handle.cancel("enough") == CancelOutcome::Cancelled);
        let outcome = promise.wait();
        let (resolved, cancelled) = (one.join().unwrap(), cancelling.join().unwrap());
        two.join().unwrap();
        match outcome {
            Ok(token) => assert!(resolved && !cancelled && token.number == 7),
            Err(reason) if why(&reason) == Why::Cancelled => assert!(cancelled && !resolved),
            Err(reason) => assert!(why(&reason) == Why::Abandoned && !settles && !cancelled, "{reason:?}"),
        }
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// Handlers registered on two loops while a third thread settles: each runs once, in registration order on its loop.
#[test]
fn s14_handlers_run_in_registration_order() {
    explore(|| {
        let (tokens, reports) = (Tokens::default(), reports());
        let (promise, resolver) = Promise::with_resolvers();
        let token = tokens.make(7);
        let settling = spawn(move || drop(resolver.resolve(token)));
        let register = |promise: Promise<Token>| {
            move || {
                let log = Log::default();
                with_loop(|event_loop| {
                    let handlers = [0, 1, 2].map(|n| {
                        let noted = log.clone();
                        promise.clone().map(move |_| noted.note(n))
                    });
                    event_loop.run(Promise::all(handlers)).unwrap();
                });
                drop(promise);
                log.notes()
            }
        };
        let elsewhere = spawn(register(promise.clone()));
        assert_eq!(register(promise)(), [0, 1, 2]);
        assert_eq!(elsewhere.join().unwrap(), [0, 1, 2]);
        settling.join().unwrap();
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// Many consumers: one waits, one chains on a loop of its own, one polls on a loop, one only looks, one goes; a thread
/// settles. Everybody who stays gets the value.
#[test]
fn s15_many_consumers() {
    explore(|| {
        let (tokens, reports) = (Tokens::default(), reports());
        let (promise, resolver) = Promise::<Token>::with_resolvers();
        let token = tokens.make(7);
        let settling = spawn(move || drop(resolver.resolve(token)));
        let (waits, chains, looks, goes) = (promise.clone(), promise.clone(), promise.clone(), promise.clone());
        let waiting = spawn(move || waits.wait().unwrap().number);
        let chaining = spawn(move || with_loop(|event_loop| event_loop.run(chains.map(|token| token.number)).unwrap()));
        let looking = spawn(move || looks.peek().is_none_or(|outcome| outcome.unwrap().number == 7));
        let going = spawn(move || drop(goes));
        assert_eq!(with_loop(|event_loop| event_loop.run(promise)).unwrap().number, 7);
        assert_eq!([waiting, chaining].map(|thread| thread.join().unwrap()), [7, 7]);
        assert!(looking.join().unwrap());
        [settling, going].into_iter().for_each(|thread| thread.join().unwrap());
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// `wait` and `wait_timeout` against a settle: the first never misses it, the second either has it or says that it is late.
#[test]
fn s16_waits_against_settle() {
    explore(|| {
        let (tokens, reports) = (Tokens::default(), reports());
        let (promise, resolver) = Promise::<Token>::with_resolvers();
        let token = tokens.make(7);
        let (patient, hasty) = (promise.clone(), promise);
        let patient = spawn(move || patient.wait().unwrap().number);
        let hasty = spawn(move || hasty.wait_timeout(Duration::from_millis(1)));
        let settling = spawn(move || resolver.resolve(token).is_ok());
        assert_eq!(patient.join().unwrap(), 7);
        match hasty.join().unwrap() {
            Ok(token) => assert_eq!(token.number, 7),
            Err(reason) => assert_eq!(why(&reason), Why::TimedOut),
        }
        assert!(settling.join().unwrap());
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// A rejection whose two handles go on two threads, while a third rejects: reported, and only once.
#[test]
fn s17_a_rejection_that_nobody_handles() {
    explore(|| {
        let reports = reports();
        let (promise, resolver) = Promise::<()>::with_resolvers();
        let other = promise.clone();
        let threads = [
            spawn(move || drop(promise)),
            spawn(move || drop(other)),
            spawn(move || drop(resolver.reject("nobody's".into()))),
        ];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(reports.count(), 1, "{reports:?}");
    });
}

/// A rejection that one thread handles on its loop, late or early, while another drops its handle, and a third rejects: the
/// handler gets it, and nothing is reported.
#[test]
fn s18_a_rejection_that_is_handled_late() {
    explore(|| {
        let reports = reports();
        let (promise, resolver) = Promise::<()>::with_resolvers();
        let other = promise.clone();
        let dropping = spawn(move || drop(other));
        let rejecting = spawn(move || drop(resolver.reject("somebody's".into())));
        let caught = Log::default();
        with_loop(|event_loop| {
            let noted = caught.clone();
            event_loop.run(promise.catch(move |_| noted.note(1))).unwrap();
        });
        assert_eq!(caught.count(), 1);
        dropping.join().unwrap();
        rejecting.join().unwrap();
        assert_eq!(reports.notes(), [""; 0]);
    });
}
