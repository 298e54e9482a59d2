//! A loop that goes to sleep, and those who bring it jobs.

use super::kit::{self, Bell, Log, Loop, Threads, Token, check, spawn, then};
use crate::core::{Status, post};
use crate::error::Fault;
use loom::sync::atomic::AtomicBool;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs the loop until `jobs` of them have run, asleep in between.
fn run_until(home: &Loop, bell: &Bell, ran: &AtomicUsize, jobs: usize) {
    loop {
        home.drain();
        if ran.load(Ordering::Relaxed) == jobs {
            return;
        }
        if home.queue.arm() {
            // With a lost wake-up this is a deadlock, which loom reports.
            bell.wait();
            home.queue.disarm();
        }
    }
}

/// A loop whose wake-up rings the bell.
fn sleeper() -> (Loop, Arc<Bell>) {
    let bell = Bell::new();
    let ring = bell.clone();
    (Loop::with_wake(move || ring.ring()), bell)
}

fn job(ran: &Arc<AtomicUsize>) -> impl FnOnce() + Send + 'static {
    let ran = ran.clone();
    move || {
        ran.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn loom_m14_sleep_against_enqueue() {
    check("m14 one job", Threads::Two, || {
        let (home, bell) = sleeper();
        let place = home.place();
        let ran = Arc::new(AtomicUsize::new(0));
        let call = job(&ran);
        let posting = spawn(move || post(place, call));
        run_until(&home, &bell, &ran, 1);
        posting.join();
        home.end();
    });
    check("m14 two posters", Threads::Three, || {
        let (home, bell) = sleeper();
        let place = home.place();
        let ran = Arc::new(AtomicUsize::new(0));
        let calls = [job(&ran), job(&ran)];
        let posting = calls.map(|call| spawn(move || post(place, call)));
        run_until(&home, &bell, &ran, 2);
        posting.into_iter().for_each(|posting| posting.join());
        home.end();
    });
}

/// News that is no job, told by a flag without an order of its own.
fn news(home: &Loop) -> (Arc<AtomicBool>, impl FnOnce() + Send + 'static) {
    let (came, queue) = (Arc::new(AtomicBool::new(false)), home.queue.clone());
    let told = came.clone();
    (came, move || {
        told.store(true, Ordering::Relaxed);
        queue.notify();
    })
}

/// Sleeps until the news has come. A look at what comes too late for it is a deadlock.
fn sleep_until(home: &Loop, bell: &Bell, came: &AtomicBool) {
    while home.queue.arm() {
        // Looked at after arming: what comes later rings.
        let has_come = came.load(Ordering::Relaxed);
        if !has_come {
            bell.wait();
        }
        home.queue.disarm();
        if has_come {
            return;
        }
    }
}

#[test]
fn loom_m14_sleep_against_news() {
    check("m14 news", Threads::Two, || {
        let (home, bell) = sleeper();
        let (came, tell) = news(&home);
        let telling = spawn(tell);
        sleep_until(&home, &bell, &came);
        telling.join();
        home.end();
    });
    check("m14 news and a job", Threads::Three, || {
        let (home, bell) = sleeper();
        let place = home.place();
        let (came, tell) = news(&home);
        let ran = Arc::new(AtomicUsize::new(0));
        let call = job(&ran);
        let telling = spawn(tell);
        let posting = spawn(move || post(place, call));
        sleep_until(&home, &bell, &came);
        run_until(&home, &bell, &ran, 1);
        telling.join();
        posting.join();
        home.end();
    });
}

#[test]
fn loom_m15_shutdown_against_enqueue_and_settle() {
    check("m15 settle", Threads::Two, || {
        let token = Token::new(0);
        let mut home = Loop::with_wake(move || assert_eq!(token.kind, 0));
        let (promise, settler) = kit::pending();
        let log = Log::default();
        let derived = then(promise, home.place(), &log);
        let settling = spawn(move || settler.settle(Ok(Token::new(7))).unwrap());
        home.drain();
        home.close();
        drop(home);
        settling.join();
        match derived.peek().unwrap() {
            Ok(value) => assert_eq!((value.kind, &log.entries()[..]), (7, &[7][..])),
            Err(kit::Why::Fault(Fault::LoopClosed)) => assert!(log.entries().is_empty()),
            Err(other) => panic!("{other:?}"),
        }
    });
    check("m15 settle and enqueue", Threads::Three, || {
        let mut home = Loop::new();
        let place = home.place();
        let (promise, settler) = kit::pending();
        let log = Log::default();
        let derived = then(promise, place, &log);
        derived.mark_handled();
        let settling = spawn(move || settler.settle(Ok(Token::new(7))).unwrap());
        let token = Token::new(0);
        // Run or dropped: the token tells.
        let posting = spawn(move || post(place, move || drop(token)));
        home.queue.run_next();
        home.close();
        drop(home);
        settling.join();
        posting.join();
        assert_ne!(derived.status(), Status::Pending);
    });
}
