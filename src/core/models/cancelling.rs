//! Rejections: by those who cancel, and those that nobody handles.

use super::kit::{self, FAULT, Log, Loop, Promise, Threads, Token, Why, check, reports, spawn, then};
use crate::core::{Collect, Companion, Working, gather, pending_with};
use crate::error::CancelReason;
use crate::primitive::UnsafeCell;
use std::ops::ControlFlow;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn loom_m13_cancel_against_settle_against_subscribe() {
    check("m13 one outcome", Threads::Three, || {
        let home = Loop::new();
        let (promise, settler) = kit::pending();
        let hooks = Arc::new(AtomicUsize::new(0));
        let (count, refused) = (hooks.clone(), Arc::new(AtomicUsize::new(0)));
        settler.on_cancel(Box::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        }));
        let canceller = promise.canceller();
        let cancelled = Arc::new(AtomicUsize::new(0));
        let (did_cancel, did_refuse) = (cancelled.clone(), refused.clone());
        let settling = spawn(move || {
            let refusal = settler.settle(Ok(Token::new(7))).is_err();
            did_refuse.store(refusal.into(), Ordering::Relaxed);
        });
        let cancelling = spawn(move || {
            let cancel = canceller.cancel(CancelReason::from("stop"));
            did_cancel.store(cancel.into(), Ordering::Relaxed);
        });
        let log = Log::default();
        let derived = then(promise, home.place(), &log);
        derived.mark_handled();
        drop(derived);
        settling.join();
        cancelling.join();
        home.drain();
        let cancelled = cancelled.load(Ordering::Relaxed);
        assert_eq!(log.entries(), [if cancelled == 1 { FAULT } else { 7 }]);
        assert_eq!(refused.load(Ordering::Relaxed), cancelled, "the settler is told");
        assert_eq!(hooks.load(Ordering::Relaxed), cancelled, "the hook runs once if it was cancelled");
        home.end();
    });
}

#[test]
fn loom_m13_cancel_against_the_handler() {
    let settled = || crate::core::settled(Ok(Token::new(7)), Location::caller());
    check("m13 a link that runs", Threads::Two, move || {
        let home = Loop::new();
        let log = Log::default();
        let derived = then(settled(), home.place(), &log);
        let cancelling = spawn(move || {
            derived.cancel(&CancelReason::from("stop"), Location::caller());
        });
        home.drain();
        cancelling.join();
        home.drain();
        assert!(matches!(log.entries()[..], [] | [7]));
        home.end();
    });
    check("m13 a link of a link that runs", Threads::Two, move || {
        let home = Loop::new();
        let log = Log::default();
        let derived = then(then(settled(), home.place(), &log), home.place(), &log);
        let cancelling = spawn(move || {
            derived.cancel(&CancelReason::from("stop"), Location::caller());
        });
        home.drain();
        cancelling.join();
        home.drain();
        assert!(matches!(log.entries()[..], [] | [7] | [7, 7]));
        home.end();
    });
}

/// Is told of a cancellation. It owns a token, which goes with the last resolver.
struct Worker {
    told: Arc<AtomicUsize>,
    owned: UnsafeCell<Option<Token>>,
}

// SAFETY: the model checker looks at each access.
unsafe impl Sync for Worker {}

impl Companion<Token, Why> for Worker {
    fn cancelled(this: &Working<Token, Why, Self>, _: &CancelReason) {
        let worker = this.companion();
        // SAFETY: the companion is alive, and nobody changes it before it is dropped.
        assert!(worker.owned.with(|owned| unsafe { (*owned).is_some() }));
        worker.told.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // SAFETY: exclusive.
        drop(self.owned.with_mut(|owned| unsafe { (*owned).take() }));
    }
}

/// A promise with a companion, and how often that was told.
fn with_worker() -> (Promise, Working<Token, Why, Worker>, Arc<AtomicUsize>) {
    let told = Arc::new(AtomicUsize::new(0));
    let worker = Worker { told: told.clone(), owned: UnsafeCell::new(Some(Token::new(0))) };
    let (promise, working) = pending_with(Location::caller(), worker);
    (promise, working, told)
}

#[test]
fn loom_m20_cancel_against_the_last_resolver() {
    check("m20 it goes", Threads::Two, || {
        let (promise, working, told) = with_worker();
        let going = spawn(move || drop(working));
        let cancelled = promise.cancel(&CancelReason::from("stop"), Location::caller());
        going.join();
        assert!(
            told.load(Ordering::Relaxed) <= usize::from(cancelled),
            "told once at most, and only if it was cancelled"
        );
        promise.mark_handled();
    });
    check("m20 it settles and goes", Threads::Two, || {
        let (promise, working, told) = with_worker();
        let settling = spawn(move || drop(working.settle(Ok(Token::new(7)))));
        let cancelled = promise.cancel(&CancelReason::from("stop"), Location::caller());
        settling.join();
        assert!(told.load(Ordering::Relaxed) <= usize::from(cancelled));
        promise.mark_handled();
    });
    check("m20 two of them go", Threads::Three, || {
        let (promise, working, told) = with_worker();
        let other = working.clone();
        let going = spawn(move || drop(working));
        let canceller = promise.canceller();
        let cancelling = spawn(move || {
            canceller.cancel(CancelReason::from("stop"));
        });
        drop(other);
        going.join();
        cancelling.join();
        assert!(told.load(Ordering::Relaxed) <= 1);
        promise.mark_handled();
    });
}

#[test]
fn loom_m20_a_canceller_goes() {
    check("m20 the canceller and the last handle go", Threads::Two, || {
        let (promise, settler) = kit::pending();
        let canceller = promise.canceller();
        settler.settle(Ok(Token::new(7))).unwrap();
        drop(settler);
        // One of the two frees the hub.
        let going = spawn(move || drop(canceller));
        drop(promise);
        going.join();
    });
    check("m20 a canceller cancels while the last handle goes", Threads::Two, || {
        let (promise, settler) = kit::pending();
        promise.mark_handled();
        let canceller = promise.canceller();
        let going = spawn(move || {
            let _ = canceller.cancel(CancelReason::from("stop"));
        });
        drop(promise);
        drop(settler);
        going.join();
    });
}

#[test]
fn loom_m20_a_hook_comes_while_it_is_cancelled() {
    check("m20 a hook and a cancellation", Threads::Two, || {
        let (promise, settler) = kit::pending();
        promise.mark_handled();
        let canceller = promise.canceller();
        let cancelling = spawn(move || assert!(canceller.cancel(CancelReason::from("stop"))));
        let ran = Arc::new(AtomicUsize::new(0));
        let count = ran.clone();
        settler.on_cancel(Box::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        }));
        cancelling.join();
        assert_eq!(ran.load(Ordering::Relaxed), 1, "kept and run, or run at once");
        drop((promise, settler));
    });
}

#[test]
fn loom_m20_cancel_against_a_member() {
    check("m20 a combinator and its input", Threads::Three, || {
        let home = Loop::new();
        let (input, settler) = kit::pending();
        let settling = spawn(move || drop(settler.settle(Ok(Token::new(1)))));
        let inputs = vec![crate::promise::Promise::from_handle(input)];
        let all = gather(inputs, First, Location::caller()).into_handle();
        let cancelled = all.cancel(&CancelReason::from("stop"), Location::caller());
        assert!(cancelled, "only this thread runs members");
        home.drain();
        settling.join();
        home.drain();
        all.mark_handled();
        drop(all);
        home.end();
    });
}

/// The first outcome.
struct First;

impl Collect<Token, Why> for First {
    type Value = Token;
    type Reason = Why;

    fn member(&mut self, _: usize, outcome: Result<Token, Why>) -> ControlFlow<()> {
        drop(outcome);
        ControlFlow::Break(())
    }

    fn finish(self, _: &mut dyn Iterator<Item = (usize, crate::promise::Promise<Token, Why>)>) -> Result<Token, Why> {
        Ok(Token::new(2))
    }
}

#[test]
fn loom_m19_unsubscribe_against_settle() {
    check("m19 removed or run", Threads::Two, || {
        let home = Loop::new();
        let (promise, settler) = kit::pending();
        let (log, token) = (Log::default(), Token::new(0));
        let seen = log.clone();
        let watch = promise.watch(home.place(), move || seen.push(token.kind)).unwrap();
        let removed = Arc::new(AtomicUsize::new(0));
        let did_remove = removed.clone();
        let removing = spawn(move || did_remove.store(watch.remove().into(), Ordering::Relaxed));
        settler.settle(Ok(Token::new(7))).unwrap();
        home.drain();
        removing.join();
        assert_eq!(log.entries().len() + removed.load(Ordering::Relaxed), 1);
        home.end();
    });
}

#[test]
fn loom_m16_unhandled_is_reported_once() {
    let reject = |settler: kit::Settler| spawn(move || drop(settler.settle(Err(Why::Said(Token::new(7))))));
    check("m16 nobody handles it", Threads::Three, move || {
        let (promise, settler) = kit::pending();
        let theirs = kit::clone(&promise);
        let rejecting = reject(settler);
        let dropping = spawn(move || drop::<Promise>(theirs));
        drop(promise);
        rejecting.join();
        dropping.join();
        assert_eq!(reports(), 1);
    });
    check("m16 it is marked", Threads::Three, move || {
        let (promise, settler) = kit::pending();
        let theirs = kit::clone(&promise);
        let rejecting = reject(settler);
        let dropping = spawn(move || drop::<Promise>(theirs));
        promise.mark_handled();
        drop(promise);
        rejecting.join();
        dropping.join();
        assert_eq!(reports(), 0);
    });
    check("m16 a late handler", Threads::Three, move || {
        let home = Loop::new();
        let (promise, settler) = kit::pending();
        let theirs = kit::clone(&promise);
        let rejecting = reject(settler);
        let dropping = spawn(move || drop::<Promise>(theirs));
        let log = Log::default();
        drop(then(promise, home.place(), &log));
        rejecting.join();
        dropping.join();
        home.drain();
        assert_eq!(log.entries(), [7]);
        assert_eq!(reports(), 1, "of the handler's promise, to which it went on");
        home.end();
    });
}
