//! Local reactions (rule 10), whose source's word takes no read-modify-writes.

use super::kit::{self, Log, Loop, Threads, Token, Why, check, spawn, then};
use crate::core::Status;
use crate::error::Fault;

#[test]
fn loom_m22_local_reactions() {
    check("m22 the loop closes, the first source settles", Threads::Two, || {
        let mut home = Loop::new();
        let (promise, settler) = kit::pending();
        let log = Log::default();
        let first = then(promise, home.place(), &log);
        let settling = spawn(move || settler.settle(Ok(Token::new(7))).unwrap());
        // Two local reactions: one waits for the other. One handle is dropped here, too.
        let last = then(then(first, home.place(), &log), home.place(), &log);
        home.queue.run_next();
        home.close();
        drop(home);
        settling.join();
        match last.peek().unwrap() {
            Ok(_) => panic!("no more than one of three jobs has run"),
            Err(Why::Fault(Fault::LoopClosed)) => assert!(log.entries().len() <= 1),
            Err(other) => panic!("{other:?}"),
        }
    });
    check("m22 the loop closes, nobody waits for the last", Threads::Two, || {
        let mut home = Loop::new();
        let (promise, settler) = kit::pending();
        let log = Log::default();
        let link = then(promise, home.place(), &log);
        link.mark_handled();
        let settling = spawn(move || settler.settle(Ok(Token::new(7))).unwrap());
        drop(link);
        home.close();
        drop(home);
        settling.join();
    });
    check("m22 chained on another thread while it settles", Threads::Two, || {
        let home = Loop::new();
        let (place, log) = (home.place(), Log::default());
        let link = then(crate::core::settled(Ok(Token::new(7)), std::panic::Location::caller()), place, &log);
        let there = log.clone();
        let chaining = spawn(move || {
            let last = then(link, place, &there);
            assert_ne!(last.status(), Status::Rejected);
        });
        home.drain();
        chaining.join();
        home.drain();
        assert_eq!(log.entries(), [7, 7]);
        home.end();
    });
    check("m22 dropped on another thread while it settles", Threads::Two, || {
        let home = Loop::new();
        let (place, log) = (home.place(), Log::default());
        let link = then(crate::core::settled(Ok(Token::new(7)), std::panic::Location::caller()), place, &log);
        let dropping = spawn(move || drop(link));
        home.drain();
        dropping.join();
        home.end();
    });
}
