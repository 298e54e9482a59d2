//! One promise, its settler, and one consumer.

use super::kit::{self, ABANDONED, FAULT, Log, Loop, Settler, Threads, Token, Why, check, spawn, then};
use crate::core::Status;
use crate::error::{CancelReason, Fault};
use loom::cell::UnsafeCell;
use std::panic::Location;
use std::sync::{Arc, Mutex};

/// What the settler wrote before it settled.
struct Before(UnsafeCell<u32>);
// SAFETY: loom checks that its accesses are ordered.
unsafe impl Sync for Before {}
// SAFETY: as above.
unsafe impl Send for Before {}

/// A reason by which the model checker sees whether it was made before somebody looks into it.
struct Content(UnsafeCell<Option<Fault>>);
// SAFETY: loom checks that its accesses are ordered.
unsafe impl Sync for Content {}
// SAFETY: as above.
unsafe impl Send for Content {}

impl From<Fault> for Content {
    fn from(fault: Fault) -> Self {
        let content = Self(UnsafeCell::new(None));
        // SAFETY: nobody else has it.
        content.0.with_mut(|content| unsafe { *content = Some(fault) });
        content
    }
}

impl Content {
    fn look(&self) {
        // SAFETY: not written any more.
        assert!(matches!(self.0.with(|content| unsafe { (*content).clone() }), Some(Fault::Abandoned { .. })));
    }
}

#[test]
fn loom_m01_settle_against_subscribe() {
    check("m01 one handler", Threads::Two, || {
        let home = Loop::new();
        let (promise, settler) = kit::pending();
        let written = Arc::new(Before(UnsafeCell::new(0)));
        let write = written.clone();
        let settling = spawn(move || {
            // SAFETY: loom checks it.
            write.0.with_mut(|cell| unsafe { *cell = 1 });
            settler.settle(Ok(Token::new(7))).unwrap();
        });
        let log = Log::default();
        let (seen, place) = (log.clone(), home.place());
        let derived = crate::core::derive(promise, place, Location::caller(), move |outcome, _| {
            // SAFETY: loom checks it.
            seen.push(written.0.with(|cell| unsafe { *cell }));
            seen.outcome(&outcome);
            crate::core::Step::Now(crate::promise::Resolution::from(outcome))
        });
        home.drain();
        settling.join();
        home.drain();
        assert_eq!(log.entries(), [1, 7]);
        assert_eq!(derived.status(), Status::Fulfilled);
        home.end();
    });
    check("m01 two handlers", Threads::Two, || {
        let home = Loop::new();
        let (promise, settler) = kit::pending();
        let second = kit::clone(&promise);
        let settling = spawn(move || settler.settle(Ok(Token::new(7))).unwrap());
        let log = Log::default();
        drop(then(promise, home.place(), &log));
        drop(then(second, home.place(), &log));
        settling.join();
        home.drain();
        assert_eq!(log.entries(), [7, 7]);
        home.end();
    });
}

#[test]
fn loom_m17_what_was_written_before_settling() {
    check("m17 seen by peek", Threads::Two, || {
        let (promise, settler) = kit::pending();
        let written = Arc::new(Before(UnsafeCell::new(0)));
        let write = written.clone();
        let settling = spawn(move || {
            // SAFETY: loom checks it.
            write.0.with_mut(|cell| unsafe { *cell = 1 });
            settler.settle(Ok(Token::new(7))).unwrap();
        });
        if let Some(outcome) = promise.peek() {
            assert_eq!(outcome.unwrap().kind, 7);
            // SAFETY: loom checks it.
            assert_eq!(written.0.with(|cell| unsafe { *cell }), 1);
        }
        settling.join();
    });
}

#[test]
fn loom_m03_resolve_against_reject() {
    let outcome_of = |refused: Vec<Result<Token, Why>>, seen: Vec<u32>| {
        let refused: Vec<_> = refused
            .iter()
            .map(|outcome| match outcome {
                Ok(token) | Err(Why::Said(token)) => token.kind,
                Err(Why::Fault(_)) => FAULT,
            })
            .collect();
        let all: Vec<u32> = seen.iter().chain(&refused).copied().collect();
        assert!(matches!(all[..], [1, 2] | [2, 1]), "one wins, the other gets its outcome back: {all:?}");
    };
    check("m03 two settlers", Threads::Two, move || {
        let home = Loop::new();
        let (promise, resolver) = kit::pending();
        let rejecter = resolver.clone();
        let log = Log::default();
        let derived = then(promise, home.place(), &log);
        let refused = Arc::new(Mutex::new(Vec::new()));
        let refusals = refused.clone();
        let rejecting = spawn(move || {
            if let Err(outcome) = rejecter.settle(Err(Why::Said(Token::new(2)))) {
                refusals.lock().unwrap().push(outcome);
            }
        });
        if let Err(outcome) = resolver.settle(Ok(Token::new(1))) {
            refused.lock().unwrap().push(outcome);
        }
        rejecting.join();
        home.drain();
        derived.mark_handled();
        outcome_of(std::mem::take(&mut refused.lock().unwrap()), log.entries());
        home.end();
    });
    check("m03 settler and cancel", Threads::Two, move || {
        let (promise, resolver) = kit::pending();
        let refused = Arc::new(Mutex::new(None));
        let refusal = refused.clone();
        let resolving = spawn(move || *refusal.lock().unwrap() = Some(resolver.settle(Ok(Token::new(1)))));
        let cancelled = promise.cancel(&CancelReason::from("stop"), Location::caller());
        resolving.join();
        let refused = refused.lock().unwrap().take();
        match refused {
            Some(Ok(())) => assert!(!cancelled),
            Some(Err(Ok(token))) => assert!(cancelled && token.kind == 1),
            other => panic!("{other:?}"),
        }
        let expected = if cancelled { Status::Rejected } else { Status::Fulfilled };
        assert_eq!(promise.status(), expected);
        assert_eq!(promise.peek().is_some_and(|outcome| outcome.is_err()), cancelled);
    });
}

#[test]
fn loom_m04_last_resolver_dropped() {
    check("m04 against subscribe", Threads::Two, || {
        let home = Loop::new();
        let (promise, settler) = kit::pending();
        let dropping = spawn(move || drop(settler));
        let log = Log::default();
        let derived = then(promise, home.place(), &log);
        dropping.join();
        home.drain();
        assert_eq!(log.entries(), [ABANDONED]);
        derived.mark_handled();
        assert!(derived.peek().unwrap().unwrap_err().is_abandoned());
        drop(derived);
        home.end();
    });
    check("m04 against poll", Threads::Two, || {
        let (mut promise, settler) = kit::pending();
        let dropping = spawn(move || drop(settler));
        let bell = kit::Bell::new();
        let outcome = loop {
            match kit::poll(&mut promise, &bell) {
                Some(outcome) => break outcome,
                None => bell.wait(),
            }
        };
        assert!(outcome.unwrap_err().is_abandoned());
        dropping.join();
    });
    check("m04 two look at the fault", Threads::Two, || {
        let (promise, settler) = kit::pending();
        let theirs = kit::clone(&promise);
        drop(settler);
        let looking = spawn(move || assert!(theirs.peek().unwrap().unwrap_err().is_abandoned()));
        assert!(promise.peek().unwrap().unwrap_err().is_abandoned());
        drop(promise);
        looking.join();
    });
    check("m04 two look into the reason that it became", Threads::Two, || {
        let (promise, settler) = crate::core::pending::<Token, Content>(std::panic::Location::caller());
        let theirs = promise.clone_with(Token::clone, |_| unreachable!("nobody takes it"));
        drop(settler);
        let looking = spawn(move || theirs.peek().unwrap().unwrap_err().look());
        promise.peek().unwrap().unwrap_err().look();
        drop(promise);
        looking.join();
    });
    check("m04 two resolvers and no handle", Threads::Two, || {
        let (promise, first) = kit::pending();
        let second = first.clone();
        promise.mark_handled();
        drop(promise);
        let dropping = spawn(move || drop(first));
        drop(second);
        dropping.join();
    });
    check("m04 two resolvers", Threads::Two, || {
        let (promise, first) = kit::pending();
        let second = first.clone();
        let dropping = spawn(move || drop(first));
        drop(second);
        dropping.join();
        assert!(promise.peek().unwrap().unwrap_err().is_abandoned());
    });
    check("m04 one settles, one is dropped", Threads::Two, || {
        let (promise, first) = kit::pending();
        let second = first.clone();
        let settling = spawn(move || first.settle(Ok(Token::new(7))).unwrap());
        drop(second);
        settling.join();
        assert_eq!(promise.peek().unwrap().unwrap().kind, 7);
    });
    check("m04 two resolvers of a settled promise", Threads::Two, || {
        let (promise, first) = kit::pending();
        let second = first.clone();
        first.settle(Ok(Token::new(7))).unwrap();
        drop(promise);
        let dropping = spawn(move || drop(first));
        drop(second);
        dropping.join();
    });
}

#[test]
fn loom_m05_settle_against_last_handle_drop() {
    check("m05 settle", Threads::Two, || {
        let (promise, settler) = kit::pending();
        let settling = spawn(move || drop(settler.settle(Ok(Token::new(7)))));
        drop(promise);
        settling.join();
    });
    check("m05 settle, with a hub", Threads::Two, || {
        let (promise, settler) = kit::pending();
        drop(kit::clone(&promise));
        let settling = spawn(move || drop(settler.settle(Ok(Token::new(7)))));
        drop(promise);
        settling.join();
    });
    check("m05 a hub comes late", Threads::Two, || {
        let (mut promise, settler) = kit::pending();
        settler.settle(Ok(Token::new(7))).unwrap();
        let dropping = spawn(move || settler.on_cancel(Box::new(|_| panic!("it is settled"))));
        assert_eq!(kit::poll(&mut promise, &kit::Bell::new()).unwrap().unwrap().kind, 7);
        dropping.join();
    });
    check("m05 the resolver is dropped", Threads::Two, || {
        let (promise, settler) = kit::pending();
        let settling = spawn(move || drop::<Settler>(settler));
        promise.mark_handled();
        drop(promise);
        settling.join();
    });
}
