//! Local reactions (rule 10), whose source's word takes no read-modify-writes.

use super::kit::{self, Log, Loop, Promise, Threads, Token, Why, check, spawn, then};
use crate::core::{Collect, Status, gather};
use crate::error::{CancelReason, Fault};
use std::ops::ControlFlow;
use std::panic::Location;
use std::sync::Arc;

/// What a collector keeps of the members that have not run.
#[derive(Clone, Default)]
struct Rest(Arc<std::sync::Mutex<Vec<Public>>>);

impl Rest {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Public>> {
        self.0.lock().unwrap()
    }
}

type Public = crate::promise::Promise<Token, Why>;

/// Ends with the first member, and keeps the others.
struct First(Rest);

impl Collect<Token, Why> for First {
    type Value = Token;
    type Reason = Why;

    fn member(&mut self, _: usize, _: Result<Token, Why>) -> ControlFlow<()> {
        ControlFlow::Break(())
    }

    fn finish(self, rest: &mut dyn Iterator<Item = (usize, Public)>) -> Result<Token, Why> {
        self.0.lock().extend(rest.map(|(_, promise)| promise));
        Ok(Token::new(1))
    }
}

fn first_of(inputs: Vec<Promise>, rest: &Rest) -> Promise {
    let inputs = inputs.into_iter().map(Public::from_handle).collect();
    gather(inputs, First(rest.clone()), Location::caller()).into_handle()
}

fn one() -> Promise {
    crate::core::settled(Ok(Token::new(7)), Location::caller())
}

#[test]
fn loom_m23_settled_while_the_last_handle_leaves_a_hub() {
    check("m23 a canceller is left", Threads::Two, || {
        let home = Loop::new();
        let link = then(one(), home.place(), &Log::default());
        link.mark_handled();
        let left = Arc::new(std::sync::Mutex::new(None));
        let leave = left.clone();
        let dropping = spawn(move || {
            let canceller = link.canceller();
            drop(link);
            *leave.lock().unwrap() = Some(canceller);
        });
        home.drain();
        dropping.join();
        let canceller = left.lock().unwrap().take().unwrap();
        assert!(!canceller.cancel(CancelReason::from("stop")), "it has settled");
        drop(canceller);
        home.end();
    });
}

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
    check("m22 taken off again, and the loop closes", Threads::Two, || {
        let mut home = Loop::new();
        let log = Log::default();
        let (promise, settler) = kit::pending();
        let first = then(promise, home.place(), &log);
        let last = then(first, home.place(), &log);
        let settling = spawn(move || drop(settler.settle(Ok(Token::new(7)))));
        // Takes the local reaction off, and goes upstream.
        last.cancel(&CancelReason::from("stop"), Location::caller());
        drop(last);
        home.close();
        drop(home);
        settling.join();
    });
    check("m22 given back by a combinator, and the loop closes", Threads::Two, || {
        let mut home = Loop::new();
        let log = Log::default();
        let (promise, settler) = kit::pending();
        let link = then(promise, home.place(), &log);
        link.mark_handled();
        let (inputs, rest) = (vec![one(), link], Rest::default());
        let settling = spawn(move || drop(settler.settle(Ok(Token::new(7)))));
        let first = first_of(inputs, &rest);
        first.mark_handled();
        drop(first);
        home.queue.run_next();
        home.close();
        drop(home);
        settling.join();
        rest.lock().clear();
    });
    check("m22 given back by another loop's combinator", Threads::Two, || {
        let home = Loop::new();
        let log = Log::default();
        let link = then(one(), home.place(), &log);
        link.mark_handled();
        let rest = Rest::default();
        let [linked, settled, given] = [(); 3].map(|()| kit::Bell::new());
        let (their_rest, theirs) = (rest.clone(), [linked.clone(), settled.clone(), given.clone()]);
        let there = spawn(move || {
            let [linked, settled, given] = theirs;
            let there = Loop::new();
            let first = first_of(vec![one(), link], &their_rest);
            first.mark_handled();
            drop(first);
            linked.ring();
            settled.wait();
            // The member of `link` is in the queue, with the producer's share, and leaves while the promise is dropped.
            there.queue.run_next();
            given.ring();
            there.drain();
            there.end();
        });
        linked.wait();
        home.drain();
        settled.ring();
        given.wait();
        rest.lock().clear();
        there.join();
        home.end();
    });
    check("m22 chained on another thread while it settles", Threads::Two, || {
        let home = Loop::new();
        let (place, log) = (home.place(), Log::default());
        let link = then(one(), place, &log);
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
        let link = then(one(), place, &log);
        let dropping = spawn(move || drop(link));
        home.drain();
        dropping.join();
        home.end();
    });
}
