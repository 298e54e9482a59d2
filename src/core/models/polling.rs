//! A task that awaits, and the settler.

use super::kit::{self, Bell, Promise, Threads, Token, check, poll, poll_with, spawn};
use loom::sync::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

#[test]
fn loom_m02_settle_against_poll() {
    check("m02 polled twice", Threads::Two, || {
        let (mut promise, settler) = kit::pending();
        let settling = spawn(move || settler.settle(Ok(Token::new(7))).unwrap());
        let bell = Bell::new();
        let mut outcome = poll(&mut promise, &bell);
        if outcome.is_none() {
            outcome = poll(&mut promise, &bell);
        }
        settling.join();
        if outcome.is_none() {
            assert_eq!(bell.rings(), 1, "woken or ready");
            outcome = poll(&mut promise, &bell);
        }
        assert_eq!(outcome.unwrap().unwrap().kind, 7);
    });
    check("m02 two tasks", Threads::Two, || {
        let (mut promise, settler) = kit::pending();
        let mut second = kit::clone(&promise);
        let settling = spawn(move || settler.settle(Ok(Token::new(7))).unwrap());
        let (bell, second_bell) = (Bell::new(), Bell::new());
        let outcome = poll(&mut promise, &bell);
        let second_outcome = poll(&mut second, &second_bell);
        settling.join();
        assert_eq!(bell.rings(), usize::from(outcome.is_none()));
        assert_eq!(second_bell.rings(), usize::from(second_outcome.is_none()));
        let again = |promise: &mut Promise, first: Option<_>| first.or_else(|| poll(promise, &Bell::new()));
        assert_eq!(again(&mut promise, outcome).unwrap().unwrap().kind, 7);
        assert_eq!(again(&mut second, second_outcome).unwrap().unwrap().kind, 7);
    });
}

#[test]
fn loom_m06_poll_then_drop_against_settle() {
    let poll_then_drop = |mut promise: Promise| {
        let bell = Bell::new();
        if let Some(Ok(value)) = poll(&mut promise, &bell) {
            assert_eq!(value.kind, 7);
        }
        promise.mark_handled();
    };
    check("m06 settle", Threads::Two, move || {
        let (promise, settler) = kit::pending();
        let settling = spawn(move || settler.settle(Ok(Token::new(7))).unwrap());
        poll_then_drop(promise);
        settling.join();
    });
    check("m06 settle, with a hub", Threads::Two, move || {
        let (promise, settler) = kit::pending();
        drop(kit::clone(&promise));
        let settling = spawn(move || settler.settle(Ok(Token::new(7))).unwrap());
        poll_then_drop(promise);
        settling.join();
    });
    check("m06 the resolver is dropped", Threads::Two, move || {
        let (promise, settler) = kit::pending();
        let dropping = spawn(move || drop(settler));
        poll_then_drop(promise);
        dropping.join();
    });
}

/// A waker whose end uses the promise that it waits for: it must not happen under the promise's lock.
struct Reentrant {
    promise: Mutex<Option<Promise>>,
    rings: Arc<AtomicUsize>,
    _token: Token,
}

impl Wake for Reentrant {
    fn wake(self: Arc<Self>) {
        self.rings.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Reentrant {
    fn drop(&mut self) {
        let promise = self.promise.lock().unwrap().take().unwrap();
        promise.set_name("dropped".into());
    }
}

#[test]
fn loom_m07_two_wakers_against_settle() {
    check("m07 the last waker", Threads::Two, || {
        let (mut promise, settler) = kit::pending();
        let settling = spawn(move || settler.settle(Ok(Token::new(7))).unwrap());
        let (first, last) = (Bell::new(), Bell::new());
        let mut outcome = poll(&mut promise, &first);
        if outcome.is_none() {
            outcome = poll(&mut promise, &last);
            settling.join();
            if outcome.is_none() {
                assert_eq!(last.rings(), 1, "the last waker is woken");
                outcome = poll(&mut promise, &last);
            }
        } else {
            settling.join();
        }
        assert_eq!(outcome.unwrap().unwrap().kind, 7);
    });
    check("m07 the first waker uses the promise", Threads::Two, || {
        let (mut promise, settler) = kit::pending();
        let settling = spawn({
            let used = kit::clone(&promise);
            let rings = Arc::new(AtomicUsize::new(0));
            let reentrant = Reentrant { promise: Mutex::new(Some(used)), rings, _token: Token::new(0) };
            let first = Waker::from(Arc::new(reentrant));
            assert!(poll_with(&mut promise, &first).is_none());
            move || settler.settle(Ok(Token::new(7))).unwrap()
        });
        let last = Bell::new();
        let mut outcome = poll(&mut promise, &last);
        settling.join();
        if outcome.is_none() {
            assert_eq!(last.rings(), 1, "the last waker is woken");
            outcome = poll(&mut promise, &last);
        }
        assert_eq!(outcome.unwrap().unwrap().kind, 7);
    });
}

#[test]
fn loom_m12_blocking_wait_against_settle() {
    // `wait` without its clock and its pool: poll, sleep until woken, poll again. (When the time is up it drops the promise:
    // that is the model of poll and drop.)
    check("m12 wait", Threads::Two, || {
        let (mut promise, settler) = kit::pending();
        let settling = spawn(move || settler.settle(Ok(Token::new(7))).unwrap());
        let bell = Bell::new();
        // One return of the sleep for no reason.
        let mut spurious = true;
        let outcome = loop {
            match poll(&mut promise, &bell) {
                Some(outcome) => break outcome,
                None if std::mem::take(&mut spurious) => {}
                None => bell.wait(),
            }
        };
        assert_eq!(outcome.unwrap().kind, 7);
        assert!(promise.is_consumed());
        settling.join();
    });
}
