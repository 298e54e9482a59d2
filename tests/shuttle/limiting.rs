//! The limiter, `map_limit` and `retry` while they are cancelled.

use crate::kit::{Log, Remote, Tokens, Why, explore, flip, reports, spawn, why, with_loop};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use thenable::{CancelOutcome, Limiter, Permit, Promise, Retry};

/// How many are inside, and that they are never too many.
#[derive(Clone, Default)]
struct Inside(Arc<AtomicUsize>);

impl Inside {
    fn enter(&self, limit: usize) {
        assert!(self.0.fetch_add(1, SeqCst) < limit, "too many at a time");
    }

    fn leave(&self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Three threads acquire one permit, one of them asks and cancels: never two at a time, nobody waits for ever, and the permit
/// is back at the end.
#[test]
fn s45_a_permit_goes_round() {
    explore(|| {
        let reports = reports();
        let (limiter, inside) = (Limiter::new(1), Inside::default());
        let work = || {
            let (limiter, inside) = (limiter.clone(), inside.clone());
            spawn(move || {
                for _ in 0..2 {
                    let permit: Permit = limiter.acquire().wait().unwrap();
                    inside.enter(1);
                    shuttle::thread::yield_now();
                    inside.leave();
                    drop(permit);
                }
            })
        };
        let threads = [work(), work()];
        let asks = limiter.acquire();
        match asks.cancel("enough") {
            CancelOutcome::Cancelled => assert_eq!(why(&asks.wait().unwrap_err()), Why::Cancelled),
            CancelOutcome::AlreadySettled => drop(asks.wait().unwrap()),
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!((limiter.available(), limiter.waiting()), (1, 0));
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// `Limiter::run` on two loops, one of whose jobs is cancelled from a third thread, while the number of permits changes: all
/// promises settle, and all permits come back.
#[test]
fn s46_limited_runs_against_cancel() {
    explore(|| {
        let (tokens, reports) = (Tokens::default(), reports());
        let limiter = Limiter::new(1);
        let elsewhere = (limiter.clone(), tokens.make(5));
        let remote = spawn(move || {
            let (limiter, token) = elsewhere;
            with_loop(|event_loop| {
                event_loop.run(limiter.run(move || Promise::resolve(token).map(|token| token.number)))
            })
        });
        let changing = limiter.clone();
        let changing = spawn(move || changing.set_permits(2));
        with_loop(|event_loop| {
            let (gate, open) = Promise::<()>::with_resolvers();
            let token = tokens.make(1);
            let first: Promise<usize> = limiter.run(move || gate.map(move |()| token.number));
            let token = tokens.make(2);
            let second: Promise<usize> = limiter.run(move || Promise::resolve(token.number));
            let (handle, opening) = (first.clone(), spawn(move || drop(open.resolve(()))));
            let cancelling = spawn(move || handle.cancel("enough") == CancelOutcome::Cancelled);
            let outcome = event_loop.run(first);
            match outcome {
                Ok(number) => assert!(number == 1 && !cancelling.join().unwrap()),
                Err(reason) => assert!(why(&reason) == Why::Cancelled && cancelling.join().unwrap()),
            }
            assert_eq!(event_loop.run(second).unwrap(), 2);
            opening.join().unwrap();
        });
        assert_eq!(remote.join().unwrap().unwrap(), 5);
        changing.join().unwrap();
        assert_eq!((limiter.available(), limiter.waiting()), (2, 0));
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// `map_limit` over four inputs, two at a time, whose promises other threads settle, one of them perhaps badly, while its
/// result is cancelled: never more than two are pending, the outcome is what the calls say, and no more starts after it than
/// what stood in the loop's queue before the cancellation did.
#[test]
fn s47_map_limit_against_cancel() {
    explore(|| {
        let (tokens, reports, started) = (Tokens::default(), reports(), Log::default());
        let (inside, fails) = (Inside::default(), flip());
        with_loop(|event_loop| {
            let (noted, made, counted) = (started.clone(), tokens.clone(), inside.clone());
            let mapped: Promise<Vec<_>> = Promise::map_limit(0..4, 2, move |number| {
                noted.note(number);
                counted.enter(2);
                let (promise, resolver) = Promise::with_resolvers();
                let (token, left) = (made.make(number), counted.clone());
                spawn(move || {
                    left.leave();
                    match fails && number == 1 {
                        true => drop(resolver.reject("no".into())),
                        false => drop(resolver.resolve(token)),
                    }
                });
                promise
            });
            let handle = mapped.clone();
            let cancelling = spawn(move || handle.cancel("enough") == CancelOutcome::Cancelled);
            let outcome = event_loop.run(mapped);
            let by_then = started.count();
            let cancelled = cancelling.join().unwrap();
            match outcome {
                Ok(values) => {
                    assert!(!cancelled && !fails);
                    assert_eq!(values.iter().map(|token| token.number).collect::<Vec<_>>(), [0, 1, 2, 3]);
                }
                Err(reason) if why(&reason) == Why::Cancelled => assert!(cancelled),
                Err(reason) => assert!(fails && !cancelled && why(&reason) == Why::Own, "{reason:?}"),
            }
            event_loop.run_until_idle().unwrap();
            assert!(started.count() <= by_then + 2, "{} started, {by_then} before the end", started.count());
        });
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// `retry` whose attempts another loop settles, badly at first, while a third thread cancels it: it ends with the value or
/// cancelled, and no attempt is made twice.
#[test]
fn s48_retry_against_cancel() {
    explore(|| {
        let (reports, attempts) = (reports(), Log::default());
        let remote = Remote::start();
        with_loop(|event_loop| {
            let (noted, handle) = (attempts.clone(), remote.handle.clone());
            let tried: Promise<u32> = Promise::retry(Retry::times(3), move |attempt| {
                noted.note(attempt);
                let (promise, resolver) = Promise::with_resolvers();
                handle.call_soon(move || match attempt < 3 {
                    true => drop(resolver.reject("not yet".into())),
                    false => drop(resolver.resolve(attempt)),
                });
                promise
            });
            let handle = tried.clone();
            let cancelling = spawn(move || handle.cancel("enough") == CancelOutcome::Cancelled);
            let outcome = event_loop.run(tried);
            let cancelled = cancelling.join().unwrap();
            match outcome {
                Ok(attempt) => assert!(attempt == 3 && !cancelled),
                Err(reason) => assert!(cancelled && why(&reason) == Why::Cancelled, "{reason:?}"),
            }
            event_loop.run_until_idle().unwrap();
            assert!(attempts.notes().is_sorted_by(|a, b| a < b), "{attempts:?}");
        });
        remote.stop();
        assert_eq!(reports.notes(), [""; 0]);
    });
}
