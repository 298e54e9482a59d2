//! The loop itself: how it is run, stopped, pumped and closed, its queue, its timers, and who is current.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use thenable::{EventLoop, Fault, LoopHandle, Promise, Rejection};

use crate::support::{LIMIT, Ledger, Log, on_loop, on_virtual_clock, quiet_bombs, scaled, watchdog};

const MINUTE: Duration = Duration::from_secs(60);

// ---- running

#[test]
fn run_returns_the_outcome_of_a_promise_or_a_future() {
    on_loop(|event_loop| {
        assert_eq!(event_loop.run(Promise::resolve(1)).unwrap(), 1);
        assert_eq!(event_loop.run(Promise::<u8>::reject("no")).unwrap_err().to_string(), "no");
        let mut borrowed = String::from("may borrow");
        let length = event_loop.run(async {
            borrowed.push('!');
            let here = std::rc::Rc::new(Promise::resolve(borrowed.len()).map(|n| n + 1).await?);
            thenable::Ok(*here)
        });
        assert_eq!(length.unwrap(), "may borrow!".len() + 1);
        assert_eq!(
            event_loop.run(async { Err::<u8, Fault>(Fault::Cycle) }).unwrap_err().to_string(),
            Fault::Cycle.to_string()
        );
    });
}

#[test]
fn nested_run_is_an_error() {
    on_loop(|event_loop| {
        let outcome = event_loop.run(async {
            let inner = event_loop.run(async { Ok::<u8, Fault>(1) });
            assert!(matches!(inner, Err(Fault::AlreadyRunning)), "{inner:?}");
            assert!(matches!(event_loop.run_until_idle(), Err(Fault::AlreadyRunning)));
            assert!(matches!(event_loop.run_forever(), Err(Fault::AlreadyRunning)));
            Promise::resolve(3).map(|n| n + 1).await
        });
        assert_eq!(outcome.unwrap(), 4, "the outer run is not disturbed");
        assert_eq!(event_loop.run(Promise::resolve(5)).unwrap(), 5, "and the loop can run again");
    });
}

#[test]
fn run_until_idle_leaves_nothing_undone() {
    on_virtual_clock(|event_loop| {
        let (log, handle) = (Log::default(), event_loop.handle());
        drop(handle.call_later(MINUTE, log.note("timer")));
        drop(handle.call_soon(log.note("job")));
        let end = log.note("task");
        drop(handle.spawn(async move {
            thenable::delay(2 * MINUTE).await?;
            Promise::resolve(()).map(|()| end()).await
        }));
        event_loop.run_until_idle().unwrap();
        assert_eq!(log.take(), ["job", "timer", "task"]);
        assert!(!event_loop.tick(), "idle");
    });
}

#[test]
fn run_forever_ends_with_stop() {
    watchdog(LIMIT, || {
        let event_loop = EventLoop::new();
        let handle = event_loop.handle();
        let stopper = handle.clone();
        drop(handle.call_soon(move || stopper.stop()));
        event_loop.run_forever().unwrap();

        let stopper = handle.clone();
        let other = thread::spawn(move || {
            thread::sleep(Duration::from_millis(10));
            stopper.stop();
        });
        event_loop.run_forever().unwrap();
        other.join().unwrap();

        let (pending, _resolver) = Promise::<u8>::with_resolvers();
        drop(handle.call_soon({
            let handle = handle.clone();
            move || handle.stop()
        }));
        assert_fault!(event_loop.run(pending), Fault::Stopped);
        assert_eq!(event_loop.run(Promise::resolve(1)).unwrap(), 1, "a stopped loop is not a closed one");
    });
}

#[test]
fn tick_is_one_turn_and_never_blocks() {
    on_loop(|event_loop| {
        let (log, handle) = (Log::default(), event_loop.handle());
        assert!(!event_loop.tick(), "nothing to do");
        drop(handle.call_later(MINUTE, log.note("not due")));
        let start = Instant::now();
        assert!(!event_loop.tick());
        assert!(start.elapsed() < scaled(MINUTE / 4));
        drop(handle.call_soon(log.note("first")));
        drop(handle.call_soon(log.note("second")));
        assert!(event_loop.tick());
        assert_eq!(log.take(), ["first", "second"]);
        assert!(!event_loop.tick());
    });
}

// ---- the queue

#[test]
fn call_soon_shares_the_queue_with_the_promises() {
    on_loop(|event_loop| {
        let (log, handle) = (Log::default(), event_loop.handle());
        let nested = (log.note("added by the first"), handle.clone());
        drop(handle.call_soon(log.note("call 1")));
        drop(handle.call_soon(move || drop(nested.1.call_soon(nested.0))));
        let (a, b) = (log.note("promise"), log.note("promise, second link"));
        drop(Promise::resolve(()).map(|()| a()).map(|()| b()));
        drop(handle.call_soon(log.note("call 2")));
        assert_eq!(log.take(), [""; 0], "never inside the call");
        event_loop.run_until_idle().unwrap();
        assert_eq!(log.take(), ["call 1", "promise", "call 2", "added by the first", "promise, second link"]);
    });
}

#[test]
fn calls_can_be_cancelled() {
    on_loop(|event_loop| {
        let (log, ledger, handle) = (Log::default(), Ledger::default(), event_loop.handle());
        let (token, again) = (ledger.token(), ledger.token());
        let soon = handle.call_soon(move || drop(token));
        let later = handle.call_later(MINUTE, move || drop(again));
        let ran = handle.call_soon(log.note("ran"));
        assert!(soon.cancel() && later.cancel());
        assert!(!soon.cancel() && !later.cancel(), "once");
        event_loop.run_until_idle().unwrap();
        assert_eq!(log.take(), ["ran"]);
        assert!(!ran.cancel(), "too late");
        ledger.assert_balanced("closures of cancelled calls");
    });
}

#[test]
fn a_flood_of_jobs_does_not_starve_a_timer() {
    fn flood(handle: LoopHandle, stop: Arc<AtomicBool>, jobs: Arc<AtomicUsize>) {
        if !stop.load(Ordering::SeqCst) {
            jobs.fetch_add(1, Ordering::SeqCst);
            let next = handle.clone();
            drop(handle.call_soon(move || flood(next, stop, jobs)));
        }
    }
    watchdog(LIMIT, || {
        let event_loop = EventLoop::new();
        let (stop, jobs) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        // Nothing but the timer ends the flood.
        flood(event_loop.handle(), Arc::clone(&stop), Arc::clone(&jobs));
        let start = Instant::now();
        drop(event_loop.handle().call_later(Duration::from_millis(20), move || stop.store(true, Ordering::SeqCst)));
        event_loop.run_until_idle().unwrap();
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(20), "never early: {took:?}");
        assert!(took < scaled(Duration::from_secs(1)), "the timer fired after {took:?}");
        assert!(jobs.load(Ordering::SeqCst) > 100);
    });
}

#[test]
fn a_million_chained_jobs_keep_their_order_beside_a_timer() {
    on_loop(|event_loop| {
        let (mut tail, resolver) = Promise::<u32>::with_resolvers();
        for position in 0..1_000_000 {
            tail = tail.map(move |n| {
                assert_eq!(n, position);
                n + 1
            });
        }
        let log = Log::default();
        drop(event_loop.handle().call_later(Duration::from_millis(1), log.note("timer")));
        assert!(resolver.resolve(0).is_ok());
        assert_eq!(event_loop.run(tail).unwrap(), 1_000_000);
        event_loop.run_until_idle().unwrap();
        assert_eq!(log.take(), ["timer"]);
    });
}

// ---- timers

#[test]
fn timers_fire_by_deadline_and_equal_ones_in_order() {
    on_virtual_clock(|event_loop| {
        let (log, handle) = (Log::default(), event_loop.handle());
        let start = handle.now();
        for (after, name) in [(30, "c"), (10, "a"), (20, "b"), (30, "d"), (10, "a, too")] {
            drop(handle.call_later(Duration::from_millis(after), log.note(name)));
        }
        let at = start + Duration::from_millis(20);
        let timer = handle.call_at(at, log.note("b, by call_at"));
        assert_eq!(timer.when(), at);
        event_loop.run_until_idle().unwrap();
        assert_eq!(log.take(), ["a", "a, too", "b", "b, by call_at", "c", "d"]);
        assert_eq!(handle.now() - start, Duration::from_millis(30), "the clock stands at the last deadline");

        let deadline = handle.now() + MINUTE;
        let timers: Vec<_> = (0..1000).map(|n| handle.call_at(deadline, log.note(n.to_string()))).collect();
        for timer in timers.iter().skip(1).step_by(2) {
            assert!(timer.cancel());
        }
        event_loop.run_until_idle().unwrap();
        assert_eq!(log.take(), (0..1000).step_by(2).map(|n| n.to_string()).collect::<Vec<_>>());
    });
}

#[test]
fn timers_of_the_real_clock_are_never_early() {
    on_loop(|event_loop| {
        let handle = event_loop.handle();
        let early = Arc::new(AtomicUsize::new(0));
        for millis in (0..20).rev() {
            let (early, handle) = (Arc::clone(&early), handle.clone());
            let deadline = handle.now() + Duration::from_millis(millis);
            drop(handle.clone().call_at(deadline, move || {
                early.fetch_add(usize::from(handle.now() < deadline), Ordering::SeqCst);
            }));
        }
        event_loop.run_until_idle().unwrap();
        assert_eq!(early.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn a_minute_takes_milliseconds_on_a_virtual_clock() {
    on_virtual_clock(|event_loop| {
        let (real, handle) = (Instant::now(), event_loop.handle());
        let start = handle.now();
        let outcome = event_loop.run(async {
            thenable::delay(MINUTE).await?;
            let value = Promise::delay(MINUTE, 5).await?;
            let (pending, _resolver) = Promise::<u8>::with_resolvers();
            assert_fault!(pending.timeout(MINUTE).await, Fault::TimedOut { after: MINUTE });
            assert_eq!(Promise::delay(MINUTE, 1).timeout(2 * MINUTE).await?, 1, "in time");
            thenable::Ok(value)
        });
        assert_eq!(outcome.unwrap(), 5);
        assert_eq!(handle.now() - start, 4 * MINUTE);
        event_loop.run_until_idle().unwrap();
        assert_eq!(handle.now() - start, 4 * MINUTE, "a timeout that lost leaves no timer");
        assert!(real.elapsed() < scaled(MINUTE / 6));
    });
}

#[test]
fn a_deadline_in_the_past_is_due_at_once() {
    on_virtual_clock(|event_loop| {
        let (log, handle) = (Log::default(), event_loop.handle());
        event_loop.run(thenable::delay(MINUTE)).unwrap();
        let now = handle.now();
        drop(handle.call_at(now - MINUTE / 2, log.note("past")));
        drop(handle.call_later(Duration::ZERO, log.note("zero")));
        drop(handle.call_soon(log.note("job")));
        event_loop.run_until_idle().unwrap();
        assert_eq!(log.take(), ["job", "past", "zero"]);
        assert_eq!(handle.now(), now);
    });
}

// ---- the end

#[test]
fn a_closed_loop_says_so() {
    watchdog(LIMIT, || {
        quiet_bombs();
        let ledger = Ledger::default();
        let event_loop = EventLoop::new();
        let handle = event_loop.handle();
        assert!(!handle.is_closed());
        let pending = handle.spawn(futures::future::pending::<Result<u8, Rejection>>());
        let tokens = [ledger.token(), ledger.token(), ledger.token(), ledger.token()];
        let [queued, timed, late, late_timed] = tokens;
        drop(handle.call_soon(move || drop(queued)));
        drop(handle.call_later(MINUTE, move || drop(timed)));
        event_loop.close();

        assert!(handle.is_closed() && handle.clone().is_closed());
        assert_fault!(pending.wait(), Fault::LoopClosed);
        assert!(!handle.call_soon(move || drop(late)).cancel(), "there is nothing to cancel");
        assert!(!handle.call_later(MINUTE, move || drop(late_timed)).cancel());
        assert_fault!(handle.spawn(async { Ok(1) }).wait(), Fault::LoopClosed);
        handle.stop();
        assert!(handle.now() <= Instant::now() + MINUTE, "`now` still answers");
        ledger.assert_balanced("closures that never ran");
    });
}

#[test]
fn delays_of_a_closed_loop_reject() {
    watchdog(LIMIT, || {
        let event_loop = EventLoop::new();
        let guard = event_loop.enter();
        let delay = thenable::delay(MINUTE);
        let (source, _resolver) = Promise::<u8>::with_resolvers();
        let timeout = source.timeout(MINUTE);
        drop(guard);
        event_loop.close();
        assert_fault!(delay.wait(), Fault::LoopClosed);
        assert_fault!(timeout.wait(), Fault::LoopClosed);
    });
}

// ---- threads

#[test]
fn a_call_from_another_thread_wakes_a_parked_loop() {
    watchdog(LIMIT, || {
        let (ready, handles) = mpsc::channel();
        let runner = thread::spawn(move || {
            let event_loop = EventLoop::new();
            ready.send(event_loop.handle()).unwrap();
            // A far timer, so that the loop parks with a deadline.
            drop(event_loop.handle().call_later(60 * MINUTE, || ()));
            event_loop.run_forever().unwrap();
        });
        let handle = handles.recv().unwrap();
        let (reply, replies) = mpsc::channel();
        for round in 0..200 {
            if round % 50 == 0 {
                // Long enough to park.
                thread::sleep(Duration::from_millis(10));
            }
            let reply = reply.clone();
            match round % 3 {
                0 => drop(handle.call_soon(move || reply.send(round).unwrap())),
                1 => drop(handle.call_later(Duration::ZERO, move || reply.send(round).unwrap())),
                _ => drop(handle.spawn(async move { Ok(reply.send(round)?) })),
            }
            let answer = replies.recv_timeout(scaled(Duration::from_secs(2)));
            assert_eq!(answer, Ok(round), "the loop wakes at once");
        }
        handle.stop();
        runner.join().unwrap();
    });
}

#[test]
fn several_loops_run_in_several_threads() {
    watchdog(LIMIT, || {
        const ROUNDS: u32 = 500;
        // A ring: each loop settles a promise that the next one's handler waits for.
        let (promises, mut resolvers): (Vec<Promise<u32>>, Vec<_>) = (0..4).map(|_| Promise::with_resolvers()).unzip();
        resolvers.rotate_left(1);
        let first = resolvers[3].clone();
        let threads: Vec<_> = promises
            .into_iter()
            .zip(resolvers)
            .map(|(promise, resolver)| {
                thread::spawn(move || {
                    let here = thread::current().id();
                    let event_loop = EventLoop::new();
                    event_loop.run(async {
                        let mut sum = promise.await?;
                        for round in 0..ROUNDS {
                            sum += Promise::resolve(round)
                                .map(move |n| n + u32::from(thread::current().id() != here))
                                .await?;
                        }
                        let _ = resolver.resolve(sum);
                        thenable::Ok(sum)
                    })
                })
            })
            .collect();
        assert!(first.resolve(0).is_ok());
        let sums: Vec<u32> = threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect();
        let lap = ROUNDS * (ROUNDS - 1) / 2;
        assert_eq!(sums, [lap, 2 * lap, 3 * lap, 4 * lap]);
    });
}

#[test]
fn current_follows_enter_and_run() {
    watchdog(LIMIT, || {
        let log = Log::default();
        let note_on_current = |text: &str| drop(LoopHandle::current().unwrap().call_soon(log.note(text)));
        assert!(LoopHandle::current().is_none());
        let (outer, inner) = (EventLoop::new(), EventLoop::new());
        {
            let _outer = outer.enter();
            note_on_current("outer");
            {
                let _inner = inner.enter();
                note_on_current("inner");
            }
            note_on_current("outer again");
        }
        assert!(LoopHandle::current().is_none());
        inner.run_until_idle().unwrap();
        assert_eq!(log.take(), ["inner"]);
        outer.run_until_idle().unwrap();
        assert_eq!(log.take(), ["outer", "outer again"]);
        let inside = outer.run(async { thenable::Ok(LoopHandle::current().is_some()) });
        assert!(inside.unwrap());
        assert!(LoopHandle::current().is_none(), "a run that is over leaves nothing behind");

        let there = Promise::resolve(())
            .on(&LoopHandle::global())
            .map(|()| (thread::current().id(), LoopHandle::current().is_some()));
        let (thread, current) = there.wait().unwrap();
        assert!(thread != thread::current().id() && current);
        assert!(!LoopHandle::global().is_closed());
    });
}

// ---- unhandled rejections

#[test]
fn a_strict_loop_returns_the_unhandled_rejection() {
    watchdog(LIMIT, || {
        let event_loop = EventLoop::builder().strict().name("strict").build();
        let line = line!() + 2;
        let outcome: Result<(), Fault> = event_loop.run(async {
            drop(Promise::<u8>::reject("lost"));
            // Two turns later the queue has drained.
            let _ = Promise::resolve(()).map(|()| ()).await;
            let _ = futures::future::pending::<()>().await;
            Ok(())
        });
        match outcome {
            Err(Fault::Unhandled { report }) => {
                assert_eq!(report.reason().unwrap().to_string(), "lost");
                assert_eq!(report.created_at().line(), line);
            }
            other => panic!("expected Unhandled, got {other:?}"),
        }
        let guard = event_loop.enter();
        drop(Promise::resolve(1).map(|_| -> u8 { panic!("bomb: nobody looks") }));
        quiet_bombs();
        drop(guard);
        assert!(matches!(event_loop.run_until_idle(), Err(Fault::Unhandled { .. })));
        let handled = event_loop.run(async { Promise::<u8>::reject("handled").catch(|_| Ok(1)).await });
        assert_eq!(handled.unwrap(), 1, "strict about the unhandled only");
    });
}
