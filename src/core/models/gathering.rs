//! A combinator and its inputs.

use super::kit::{self, Log, Loop, Threads, Token, Why, check, spawn, then};
use crate::core::{Collect, gather};
use crate::promise::Promise;
use std::ops::ControlFlow;
use std::panic::Location;

/// `all`, as short as can be: the first reason, or the last value when `missing` have come.
struct All {
    missing: usize,
    outcome: Option<Result<Token, Why>>,
}

impl Collect<Token, Why> for All {
    type Value = Token;
    type Reason = Why;

    fn member(&mut self, _: usize, outcome: Result<Token, Why>) -> ControlFlow<()> {
        self.missing -= 1;
        let over = self.missing == 0 || outcome.is_err();
        self.outcome = Some(outcome);
        if over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn finish(self, _: &mut dyn Iterator<Item = (usize, Promise<Token, Why>)>) -> Result<Token, Why> {
        self.outcome.unwrap()
    }
}

#[test]
fn loom_m18_all_against_its_inputs() {
    check("m18 one rejects", Threads::Three, || {
        let home = Loop::new();
        let (first, resolver) = kit::pending();
        let (second, rejecter) = kit::pending();
        let inputs = vec![Promise::from_handle(first), Promise::from_handle(second)];
        let resolving = spawn(move || resolver.settle(Ok(Token::new(1))).unwrap());
        let rejecting = spawn(move || rejecter.settle(Err(Why::Said(Token::new(2)))).unwrap());
        let log = Log::default();
        let all = gather(inputs, All { missing: 2, outcome: None }, Location::caller()).into_handle();
        let derived = then(all, home.place(), &log);
        derived.mark_handled();
        drop(derived);
        home.drain();
        resolving.join();
        rejecting.join();
        home.drain();
        assert_eq!(log.entries(), [2]);
        home.end();
    });
    check("m18 the loop has closed", Threads::Two, || {
        let mut home = Loop::new();
        let (first, one) = kit::pending();
        let (second, other) = kit::pending();
        let (third, early) = kit::pending();
        let inputs = [first, second, third].map(Promise::from_handle).to_vec();
        early.settle(Ok(Token::new(3))).unwrap();
        let all = gather(inputs, All { missing: 3, outcome: None }, Location::caller()).into_handle();
        // What the third one left in the collector is dropped by either of the others, and the slab freed by one.
        home.drain();
        home.close();
        drop(home);
        let settling = spawn(move || drop(one.settle(Ok(Token::new(1)))));
        drop(other.settle(Ok(Token::new(2))));
        settling.join();
        all.mark_handled();
        assert_ne!(all.status(), crate::core::Status::Pending);
        drop(all);
    });
    check("m18 the loop closes", Threads::Two, || {
        let mut home = Loop::new();
        let (first, resolver) = kit::pending();
        let (second, late) = kit::pending();
        let inputs = vec![Promise::from_handle(first), Promise::from_handle(second)];
        let settling = spawn(move || drop(late.settle(Ok(Token::new(2)))));
        resolver.settle(Ok(Token::new(1))).unwrap();
        let all = gather(inputs, All { missing: 2, outcome: None }, Location::caller()).into_handle();
        // The first one has come; the second one finds a closed loop, or comes too.
        home.drain();
        home.close();
        drop(home);
        settling.join();
        all.mark_handled();
        assert_ne!(all.status(), crate::core::Status::Pending);
        drop(all);
    });
    check("m18 no loop at all", Threads::Two, || {
        let (first, one) = kit::pending();
        let (second, other) = kit::pending();
        let inputs = vec![Promise::from_handle(first), Promise::from_handle(second)];
        let settling = spawn(move || drop(one.settle(Ok(Token::new(1)))));
        // Its place is not found, and so its members are never linked.
        let all = gather(inputs, All { missing: 2, outcome: None }, Location::caller()).into_handle();
        assert_eq!(all.status(), crate::core::Status::Rejected);
        settling.join();
        assert!(!other.is_wanted());
        drop(other.settle(Ok(Token::new(2))));
        all.mark_handled();
        drop(all);
    });
}
