//! A promise that follows another one.

use super::kit::{self, Log, Loop, Promise, Running, Threads, Token, Why, check, spawn, then};
use crate::core::{Step, derive};
use crate::error::CancelReason;
use crate::promise::{Promise as Public, Resolution};
use std::panic::Location;

/// A root that adopts a settled promise on this thread's loop, and is cancelled on another thread.
fn cancelled_elsewhere() -> Running {
    let (inner, settler) = kit::pending();
    let (outer, resolver) = kit::pending();
    assert!(resolver.adopt(inner).is_ok());
    drop(resolver);
    settler.settle(Ok(Token::new(7))).unwrap();
    spawn(move || {
        let _ = outer.cancel(&CancelReason::from("stop"), Location::caller());
    })
}

/// A link whose handler returns `inner`.
fn following(home: &Loop, inner: Promise) -> Promise {
    let start: Promise = crate::core::settled(Ok(Token::new(1)), Location::caller());
    derive(start, home.place(), Location::caller(), move |_: Result<Token, Why>, _| {
        Step::Now(Resolution::Adopt(Public::from_handle(inner)))
    })
}

#[test]
fn loom_m10_inner_settles_while_it_is_adopted() {
    check("m10 by a root", Threads::Two, || {
        let home = Loop::new();
        let (outer, resolver) = kit::pending();
        let (inner, settler) = kit::pending();
        let settling = spawn(move || settler.settle(Ok(Token::new(7))).unwrap());
        let log = Log::default();
        let derived = then(outer, home.place(), &log);
        assert!(resolver.adopt(inner).is_ok());
        drop(resolver);
        home.drain();
        settling.join();
        home.drain();
        assert_eq!(log.entries(), [7]);
        drop(derived);
        home.end();
    });
    check("m10 by a link", Threads::Two, || {
        let home = Loop::new();
        let (inner, settler) = kit::pending();
        let settling = spawn(move || settler.settle(Ok(Token::new(7))).unwrap());
        let log = Log::default();
        let derived = then(following(&home, inner), home.place(), &log);
        home.drain();
        settling.join();
        home.drain();
        assert_eq!(log.entries(), [7]);
        drop(derived);
        home.end();
    });
    check("m10 by a link that is followed", Threads::Two, || {
        let home = Loop::new();
        let (inner, settler) = kit::pending();
        let settling = spawn(move || settler.settle(Ok(Token::new(7))).unwrap());
        let log = Log::default();
        let middle = following(&home, inner);
        let derived = then(following(&home, middle), home.place(), &log);
        home.drain();
        settling.join();
        home.drain();
        assert_eq!(log.entries(), [7]);
        drop(derived);
        home.end();
    });
}

#[test]
fn loom_m11_outer_given_up_while_it_adopts() {
    check("m11 dropped", Threads::Two, || {
        let home = Loop::new();
        let (inner, settler) = kit::pending();
        let settling = spawn(move || settler.settle(Ok(Token::new(7))).unwrap());
        let (outer, resolver) = kit::pending();
        assert!(resolver.adopt(inner).is_ok());
        drop(resolver);
        home.queue.run_next();
        drop(outer);
        home.drain();
        settling.join();
        home.drain();
        home.end();
    });
    check("m11 a root is cancelled", Threads::Two, || {
        let home = Loop::new();
        let (inner, settler) = kit::pending();
        let settling = spawn(move || settler.settle(Ok(Token::new(7))).unwrap());
        let (outer, resolver) = kit::pending();
        assert!(resolver.adopt(inner).is_ok());
        drop(resolver);
        home.queue.run_next();
        assert!(outer.cancel(&CancelReason::from("stop"), Location::caller()));
        drop(outer);
        settling.join();
        home.drain();
        home.end();
    });
    check("m11 a root is cancelled elsewhere", Threads::Two, || {
        let home = Loop::new();
        let cancelling = cancelled_elsewhere();
        home.drain();
        cancelling.join();
        home.drain();
        home.end();
    });
    check("m11 a root is cancelled elsewhere, its loop closes", Threads::Two, || {
        let mut home = Loop::new();
        let cancelling = cancelled_elsewhere();
        home.close();
        drop(home);
        cancelling.join();
    });
    check("m11 a link is cancelled", Threads::Two, || {
        let home = Loop::new();
        let (inner, settler) = kit::pending();
        let outer = following(&home, inner);
        home.queue.run_next();
        home.queue.run_next();
        // On its way upstream this also cancels the inner one, unless that is settled.
        let settling = spawn(move || drop(settler.settle(Ok(Token::new(7)))));
        assert!(outer.cancel(&CancelReason::from("stop"), Location::caller()));
        drop(outer);
        settling.join();
        home.drain();
        home.end();
    });
}
