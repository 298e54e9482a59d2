//! `Limiter`: FIFO, released by drop, shared.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use thenable::{AbortController, CancelOutcome, Fault, Limiter, Permit, Promise, Rejection, Result, delay};

use crate::common::Seen;
use crate::support::{LIMIT, on_loop, on_virtual_clock, quiet_bombs, watchdog};

const SEC: Duration = Duration::from_secs(1);

/// Fulfilled, with a permit in it.
#[track_caller]
fn holds(promise: &Promise<Permit>) -> bool {
    matches!(promise.peek(), Some(Ok(_)))
}

#[test]
fn so_many_at_a_time_in_the_order_of_the_calls() {
    on_virtual_clock(|event_loop| {
        let (limiter, seen) = (Limiter::new(3), Seen::default());
        let start = event_loop.handle().now();
        let all = (0..10).map(|n| {
            let (seen, handle) = (seen.clone(), event_loop.handle());
            // The one that started first takes longest: places are freed out of order.
            limiter.run(move || {
                seen.add((n, (handle.now() - start).as_secs()));
                Promise::delay((10 - n) as u32 * SEC, n)
            })
        });
        let all = Promise::all(all.collect::<Vec<_>>());
        assert!(seen.is_empty(), "not inside `run`");
        assert_eq!(event_loop.run(all).unwrap(), (0..10).collect::<Vec<u64>>());
        let order: Vec<u64> = seen.take().into_iter().map(|(n, _)| n).collect();
        assert_eq!(order, (0..10).collect::<Vec<_>>());
        assert_eq!((limiter.available(), limiter.waiting()), (3, 0));
    });
}

#[test]
fn never_more_than_the_limit_and_never_less_while_somebody_waits() {
    on_virtual_clock(|event_loop| {
        let (limiter, at_work) = (Limiter::new(4), Arc::new(AtomicUsize::new(0)));
        let start = event_loop.handle().now();
        let works = (0..40).map(|_| {
            let at_work = Arc::clone(&at_work);
            limiter.run(move || {
                assert!(at_work.fetch_add(1, SeqCst) < 4);
                delay(SEC).map(move |()| at_work.fetch_sub(1, SeqCst))
            })
        });
        let counts = event_loop.run(Promise::all(works.collect::<Vec<_>>())).unwrap();
        assert!(counts.iter().all(|count| (1..=4).contains(count)));
        assert_eq!(event_loop.handle().now() - start, 10 * SEC, "ten rounds of four");
    });
}

#[test]
fn a_permit_is_given_back_by_drop_wherever_it_is() {
    let limiter = Limiter::new(1);
    let first = limiter.acquire();
    assert!(holds(&first) && limiter.available() == 0);
    let second = limiter.acquire();
    let third = limiter.acquire();
    assert_eq!((second.is_pending(), limiter.waiting()), (true, 2));
    // Inside of a promise that nobody took it out of.
    drop(first);
    assert!(holds(&second) && third.is_pending());
    // Taken out, and dropped on another thread.
    let permit = second.wait().unwrap();
    thread::spawn(move || drop(permit)).join().unwrap();
    assert!(holds(&third));
    drop(third);
    assert_eq!((limiter.available(), limiter.waiting()), (1, 0));
}

#[test]
fn cancelling_leaves_the_line_at_once() {
    let limiter = Limiter::new(1);
    let permit = limiter.try_acquire().unwrap();
    let waiting: Vec<_> = (0..5).map(|_| limiter.acquire()).collect();
    assert_eq!(waiting[1].cancel("gave up"), CancelOutcome::Cancelled);
    assert_eq!(waiting[3].cancel("gave up"), CancelOutcome::Cancelled);
    assert_eq!(limiter.waiting(), 3);
    drop(permit);
    let states: Vec<_> = waiting.iter().map(holds).collect();
    assert_eq!(states, [true, false, false, false, false]);
    let mut waiting = waiting.into_iter();
    drop(waiting.next());
    drop(waiting.next());
    assert!(waiting.next().is_some_and(|third| holds(&third)), "the second had left");
    assert!(waiting.nth(1).is_some_and(|last| holds(&last)));
    assert_eq!((limiter.available(), limiter.waiting()), (1, 0));
}

#[test]
fn nobody_waits_behind_a_promise_that_was_dropped() {
    let limiter = Limiter::new(1);
    let permit = limiter.try_acquire();
    drop(limiter.acquire());
    drop(limiter.acquire());
    let third = limiter.acquire();
    drop(permit);
    assert!(holds(&third));
    assert_eq!(limiter.waiting(), 0);
}

#[test]
fn losers_of_a_race_do_not_pile_up() {
    on_loop(|event_loop| {
        let (limiter, free) = (Limiter::new(1), Limiter::new(1));
        let permit = limiter.try_acquire();
        for _ in 0..10_000 {
            drop(event_loop.run(Promise::race([limiter.acquire(), free.acquire()])).unwrap());
        }
        assert!(limiter.waiting() < 200, "{}", limiter.waiting());
        let next = limiter.acquire();
        drop(permit);
        assert!(holds(&next) && limiter.waiting() == 0);
    });
}

#[test]
fn try_acquire_does_not_overtake() {
    let limiter = Limiter::new(1);
    let permit = limiter.try_acquire();
    assert!(permit.is_some());
    assert!(limiter.try_acquire().is_none());
    let waits = limiter.acquire();
    limiter.set_permits(0);
    drop(permit);
    assert!(limiter.try_acquire().is_none(), "none free");
    limiter.set_permits(1);
    assert!(holds(&waits) && limiter.try_acquire().is_none());
}

#[test]
fn nobody_overtakes_while_permits_are_handed_out() {
    /// Asks for a permit in the moment in which another one gets his.
    struct Barging(Limiter, Seen<bool>);
    impl Wake for Barging {
        fn wake(self: Arc<Self>) {
            self.1.add(self.0.try_acquire().is_some());
        }
    }
    let (limiter, seen) = (Limiter::new(1), Seen::default());
    let _permit = limiter.try_acquire();
    let mut first = limiter.acquire();
    let second = limiter.acquire();
    let waker = Waker::from(Arc::new(Barging(limiter.clone(), seen.clone())));
    assert!(Pin::new(&mut first).poll(&mut Context::from_waker(&waker)).is_pending());
    limiter.set_permits(3);
    assert_eq!(seen.take(), [false], "the second one waits");
    assert!(holds(&first) && holds(&second));
}

#[test]
fn the_number_of_permits_changes_live() {
    let limiter = Limiter::new(2);
    let held: Vec<_> = (0..2).map(|_| limiter.try_acquire().unwrap()).collect();
    let waiting: Vec<_> = (0..5).map(|_| limiter.acquire()).collect();
    limiter.set_permits(4);
    assert_eq!(waiting.iter().filter(|promise| holds(promise)).count(), 2);
    assert!(holds(&waiting[0]) && holds(&waiting[1]));
    limiter.set_permits(1);
    assert_eq!((limiter.available(), limiter.permits()), (0, 1));
    drop(held);
    assert_eq!(waiting.iter().filter(|promise| holds(promise)).count(), 2, "two are still out");
    let mut waiting = waiting.into_iter();
    drop(waiting.next());
    assert_eq!(waiting.as_slice().iter().filter(|promise| holds(promise)).count(), 1);
    drop(waiting.next());
    assert_eq!(waiting.as_slice().iter().filter(|promise| holds(promise)).count(), 1, "one at a time now");
    limiter.set_permits(usize::MAX);
    assert!(waiting.all(|promise| holds(&promise)));
}

#[test]
fn no_permits_is_an_error_and_a_pause_is_not() {
    on_loop(|event_loop| {
        let limiter = Limiter::new(0);
        assert!(limiter.try_acquire().is_none());
        assert_fault!(event_loop.run(limiter.acquire()), Fault::InvalidConfig { .. });
        let ran: Result<i32> = event_loop.run(limiter.run(|| Ok(1)));
        assert_fault!(ran, Fault::InvalidConfig { .. });
        limiter.set_permits(1);
        assert_eq!(event_loop.run(limiter.run(|| thenable::Ok(1))).unwrap(), 1);
        limiter.set_permits(0);
        let paused = limiter.run(|| thenable::Ok(2));
        event_loop.run_until_idle().unwrap();
        assert!(paused.is_pending());
        limiter.set_permits(1);
        assert_eq!(event_loop.run(paused).unwrap(), 2);
    });
}

#[test]
fn a_limiter_that_nobody_can_use_ends_those_who_wait() {
    let limiter = Limiter::new(1);
    limiter.set_permits(0);
    let waits = limiter.acquire();
    drop(limiter.clone());
    assert!(waits.is_pending());
    drop(limiter);
    assert_fault!(waits.wait(), Fault::Abandoned { .. });

    let limiter = Limiter::new(1);
    let permit = limiter.try_acquire();
    let waits = limiter.acquire();
    drop(limiter);
    drop(permit);
    assert!(holds(&waits), "a permit keeps the line alive");
}

#[test]
fn every_outcome_of_run_gives_the_permit_back() {
    quiet_bombs();
    on_virtual_clock(|event_loop| {
        let limiter = Limiter::new(1);
        let value = limiter.run(|| thenable::Ok(1));
        let error = limiter.run(|| Err::<i32, Rejection>("no".into()));
        let panicked = limiter.run(|| -> Result<i32> { panic!("bomb: in `run`") });
        let later = limiter.run(async || {
            delay(SEC).await?;
            Err::<i32, Rejection>("later".into())
        });
        let last = limiter.run(|| thenable::Ok(5));
        assert_eq!(event_loop.run(last).unwrap(), 5);
        assert_eq!(value.wait().unwrap(), 1);
        assert_eq!(error.wait().unwrap_err().to_string(), "no");
        assert_fault!(panicked.wait(), Fault::Panicked { .. });
        assert_eq!(later.wait().unwrap_err().to_string(), "later");
        assert_eq!(limiter.available(), 1);
    });
}

#[test]
fn run_has_any_reason_type() {
    on_loop(|event_loop| {
        let limiter = Limiter::new(1);
        let run = limiter.run(|| Err::<i32, String>("text".into()));
        assert_eq!(event_loop.run(run), Err("text".to_string()));
        let run: Promise<i32, String> = Limiter::new(0).run(|| Ok(1));
        assert!(event_loop.run(run).unwrap_err().contains("no permits"));
    });
}

#[test]
fn cancelling_run_while_it_waits_drops_the_function() {
    on_virtual_clock(|event_loop| {
        let limiter = Limiter::new(1);
        let _permit = limiter.try_acquire();
        let token = Arc::new(());
        let inside = Arc::clone(&token);
        let run: Promise<()> = limiter.run(move || {
            drop(inside);
            panic!("was cancelled");
        });
        assert_eq!(limiter.waiting(), 1);
        run.cancel("enough");
        assert_eq!(limiter.waiting(), 0);
        assert_eq!(Arc::strong_count(&token), 1);
        event_loop.run_until_idle().unwrap();
        assert_fault!(run.wait(), Fault::Cancelled { .. });
    });
}

#[test]
fn cancelling_run_while_it_works_stops_the_work_and_frees_the_permit() {
    on_virtual_clock(|event_loop| {
        let limiter = Limiter::new(1);
        let token = Arc::new(());
        let inside = Arc::clone(&token);
        let run: Promise<()> = limiter.run(async move || {
            delay(3600 * SEC).await?;
            drop(inside);
            Ok(())
        });
        event_loop.run(delay(SEC)).unwrap();
        assert_eq!((limiter.available(), Arc::strong_count(&token)), (0, 2));
        let controller = AbortController::new();
        let run = run.abort_on(&controller.signal());
        controller.abort("closing");
        assert_eq!(limiter.available(), 1);
        event_loop.run_until_idle().unwrap();
        assert_eq!(Arc::strong_count(&token), 1, "the future is dropped on its loop");
        assert_eq!(run.wait().unwrap_err().to_string(), "cancelled: closing");
    });
}

#[test]
fn a_timeout_leaves_the_line() {
    on_virtual_clock(|event_loop| {
        let limiter = Limiter::new(1);
        let _permit = limiter.try_acquire();
        let late = limiter.acquire().timeout(SEC);
        assert_fault!(event_loop.run(late), Fault::TimedOut { .. });
        assert_eq!(limiter.waiting(), 0);
    });
}

#[test]
fn a_million_wait() {
    const MILLION: usize = 1_000_000;
    watchdog(6 * LIMIT, || {
        let limiter = Limiter::new(1);
        let permit = limiter.try_acquire();
        let waiting: Vec<_> = (0..MILLION).map(|_| limiter.acquire()).collect();
        for promise in waiting.iter().skip(1).step_by(2) {
            promise.cancel("every other one");
        }
        assert_eq!(limiter.waiting(), MILLION / 2);
        drop(permit);
        assert!(holds(&waiting[0]));
        for (n, promise) in waiting.into_iter().enumerate() {
            assert_eq!(holds(&promise), n % 2 == 0);
            drop(promise);
        }
        assert_eq!((limiter.available(), limiter.waiting()), (1, 0));

        // All at once, given back from inside of the handing out.
        let permit = limiter.try_acquire();
        let dropped: Vec<_> = (0..MILLION).map(|_| limiter.acquire()).collect();
        drop(dropped);
        drop(permit);
        assert_eq!((limiter.available(), limiter.waiting()), (1, 0));
    });
}

#[test]
fn permits_that_go_from_one_to_the_next_do_not_recurse() {
    const MANY: usize = 100_000;
    let work = || {
        on_loop(|event_loop| {
            let limiter = Limiter::new(1);
            let permit = limiter.try_acquire();
            let waiting: Vec<_> = (0..MANY).map(|_| limiter.acquire().map(drop)).collect();
            drop(permit);
            event_loop.run(Promise::all(waiting)).unwrap();
            // Each of these promises is gone when its permit comes, but wanted until then.
            let permit = limiter.try_acquire();
            let kept: Vec<_> = (0..MANY).map(|_| limiter.acquire()).collect();
            limiter.set_permits(MANY + 1);
            drop((kept, permit));
            assert_eq!((limiter.available(), limiter.waiting()), (MANY + 1, 0));
        });
    };
    thread::Builder::new().stack_size(64 * 1024).spawn(work).unwrap().join().unwrap();
}

#[test]
fn threads_share_it() {
    watchdog(LIMIT, || {
        let (limiter, at_work) = (Limiter::new(2), AtomicUsize::new(0));
        let begin = Barrier::new(4);
        thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    begin.wait();
                    for n in 0..500 {
                        let promise = limiter.acquire();
                        if n % 7 == 0 {
                            promise.cancel("now and then");
                        }
                        if let Ok(_permit) = promise.wait() {
                            assert!(at_work.fetch_add(1, SeqCst) < 2);
                            thread::yield_now();
                            at_work.fetch_sub(1, SeqCst);
                        }
                    }
                });
            }
        });
        assert_eq!((limiter.available(), limiter.waiting()), (2, 0));
    });
}

#[test]
fn it_says_what_it_is() {
    let limiter = Limiter::new(2);
    let permit = limiter.try_acquire().unwrap();
    assert_eq!(format!("{limiter:?} {permit:?}"), "Limiter { permits: 2, available: 1, waiting: 0 } Permit");
}
