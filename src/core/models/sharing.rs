//! Several consumers on several threads.

use super::kit::{self, Log, Loop, Threads, Token, check, spawn, then};

#[test]
fn loom_m08_two_subscribers_and_a_settler() {
    check("m08 order", Threads::Three, || {
        let home = Loop::new();
        let place = home.place();
        let (promise, settler) = kit::pending();
        let log = Log::default();
        let handles = [kit::clone(&promise), kit::clone(&promise)];
        let settling = spawn(move || settler.settle(Ok(Token::new(7))).unwrap());
        let theirs = log.clone();
        let subscribing = spawn(move || {
            for (entry, handle) in (10..).zip(handles) {
                subscribe(handle, place, &theirs, entry);
            }
        });
        subscribe(promise, place, &log, 20);
        settling.join();
        subscribing.join();
        home.drain();
        let entries = log.entries();
        assert_eq!(entries.len(), 3, "each runs once");
        let of = |entry: u32| entries.iter().position(|found| *found == entry).unwrap();
        assert!(of(10) < of(11), "in the order of one thread's registrations: {entries:?}");
        assert!(of(20) < 3);
        home.end();
    });
}

fn subscribe(promise: kit::Promise, place: crate::core::PlaceId, log: &Log, entry: u32) {
    let (log, site) = (log.clone(), std::panic::Location::caller());
    drop(crate::core::derive(promise, place, site, move |outcome: Result<Token, kit::Why>, _| {
        log.push(entry);
        crate::core::Step::Now(crate::promise::Resolution::from(outcome))
    }));
}

#[test]
fn loom_m09_clone_drop_settle() {
    check("m09 clone and drop", Threads::Three, || {
        let (promise, settler) = kit::pending();
        let theirs = kit::clone(&promise);
        let settling = spawn(move || settler.settle(Ok(Token::new(7))).unwrap());
        let cloning = spawn(move || {
            let again = kit::clone(&theirs);
            drop(theirs);
            drop(again);
        });
        drop(promise);
        settling.join();
        cloning.join();
    });
    check("m09 two take the value", Threads::Two, || {
        let home = Loop::new();
        let (mut promise, settler) = kit::pending();
        let mut theirs = kit::clone(&promise);
        settler.settle(Ok(Token::new(7))).unwrap();
        drop(settler);
        let taking = spawn(move || {
            let value = kit::poll(&mut theirs, &kit::Bell::new()).unwrap().unwrap();
            assert_eq!(value.kind, 7);
        });
        let log = Log::default();
        let value = kit::poll(&mut promise, &kit::Bell::new()).unwrap().unwrap();
        assert_eq!(value.kind, 7);
        drop(then(promise, home.place(), &log));
        taking.join();
        home.drain();
        home.end();
    });
    // Two threads, but with a bound: without one there are millions of executions.
    check("m09 two clone it first", Threads::Three, || {
        let promise = std::sync::Arc::new(crate::core::settled(Ok(Token::new(7)), std::panic::Location::caller()));
        let theirs = promise.clone();
        let cloning = spawn(move || {
            drop(kit::clone(&theirs));
            drop(theirs);
        });
        let mut clone = kit::clone(&promise);
        let outcome = kit::poll(&mut clone, &kit::Bell::new());
        assert!(matches!(outcome, Some(Ok(Token { kind: 7, .. }))));
        drop((clone, promise));
        cloning.join();
    });
    check("m09 the first clone", Threads::Two, || {
        let (promise, settler) = kit::pending();
        let settling = spawn(move || settler.settle(Ok(Token::new(7))).unwrap());
        let again = kit::clone(&promise);
        drop(promise);
        drop(again);
        settling.join();
    });
}
