//! Timers and the virtual clock: order and exact times.

mod left_behind;
mod stalled;
mod timeout;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use futures::StreamExt;
use thenable::{AbortSignal, EventLoop, LoopHandle, Promise, delay, interval};

use crate::common::Seen;
use crate::support::{LIMIT, Log, on_virtual_clock, scaled, watchdog};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const MILLION: usize = 1_000_000;

/// Runs until idle and returns how far the clock went: as far as the last timer that was not disarmed.
fn advance(event_loop: &EventLoop) -> Duration {
    let start = event_loop.handle().now();
    event_loop.run_until_idle().unwrap();
    event_loop.handle().now() - start
}

/// A promise that nothing settles, for as long as the program lasts.
fn never() -> Promise<u8> {
    let (promise, resolver) = Promise::with_resolvers();
    std::mem::forget(resolver);
    promise
}

// ---- order

/// As [`on_virtual_clock`], with patience: a million of anything takes seconds without optimization.
fn on_virtual_clock_for_long(f: impl FnOnce(&EventLoop)) {
    watchdog(6 * LIMIT, || {
        let event_loop = EventLoop::builder().virtual_clock().build();
        let _current = event_loop.enter();
        f(&event_loop);
    });
}

#[test]
fn a_million_timers_with_one_deadline_fire_in_order() {
    on_virtual_clock_for_long(|event_loop| {
        let handle = event_loop.handle();
        let (deadline, fired) = (handle.now() + HOUR, Arc::new(AtomicUsize::new(0)));
        let wrong = Seen::default();
        for number in 0..MILLION {
            let (fired, wrong) = (Arc::clone(&fired), wrong.clone());
            handle.call_at(deadline, move || {
                if fired.fetch_add(1, Ordering::Relaxed) != number {
                    wrong.add(number);
                }
            });
        }
        assert_eq!(advance(event_loop), HOUR);
        assert_eq!(fired.load(Ordering::Relaxed), MILLION);
        assert_eq!(wrong.take(), [], "timers that fired out of order");
    });
}

#[test]
fn a_million_delays_are_under_way_at_once() {
    on_virtual_clock_for_long(|event_loop| {
        let delays: Vec<_> = (0..MILLION).map(|number| Promise::delay(HOUR, number)).collect();
        assert_eq!(advance(event_loop), HOUR);
        for (number, delay) in delays.iter().enumerate() {
            assert_eq!(delay.peek().unwrap().unwrap(), &number);
        }
    });
}

#[test]
fn delays_with_one_deadline_fulfil_in_order() {
    on_virtual_clock(|event_loop| {
        let seen = Seen::default();
        for number in 0..1000 {
            // Two ways to the same deadline.
            let promise = if number % 2 == 0 { delay(HOUR) } else { Promise::delay(HOUR, ()) };
            promise.map(seen.noting(number));
        }
        assert_eq!(advance(event_loop), HOUR);
        assert_eq!(seen.take(), (0..1000).collect::<Vec<_>>());
    });
}

#[test]
fn timers_fire_by_deadline_then_by_sequence() {
    on_virtual_clock(|event_loop| {
        let (handle, seen) = (event_loop.handle(), Seen::default());
        let mut expected = Vec::new();
        let mut random = 12_345_u64;
        for sequence in 0..2_000 {
            // Numerical Recipes' generator; many deadlines are equal.
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let after = (random >> 33) % 100;
            let seen = seen.clone();
            let timer = handle.call_later(Duration::from_millis(after), move || seen.add((after, sequence)));
            if random >> 60 == 0 {
                assert!(timer.cancel());
            } else {
                expected.push((after, sequence));
            }
        }
        expected.sort_unstable();
        event_loop.run_until_idle().unwrap();
        assert_eq!(seen.take(), expected);
    });
}

#[test]
fn a_timer_that_a_timer_sets_takes_its_place_by_deadline() {
    on_virtual_clock(|event_loop| {
        let (log, handle) = (Log::default(), event_loop.handle());
        let deadline = handle.now() + SECOND;
        let set = [log.note("same deadline, set by the first"), log.note("past, set by the first")];
        let (again, first) = (handle.clone(), log.note("first"));
        handle.call_at(deadline, move || {
            let [same, past] = set;
            first();
            again.call_at(deadline, same);
            again.call_at(deadline - SECOND / 2, past);
        });
        handle.call_at(deadline, log.note("second"));
        handle.call_at(deadline + Duration::from_nanos(1), log.note("a nanosecond later"));
        event_loop.run_until_idle().unwrap();
        let expected =
            ["first", "past, set by the first", "second", "same deadline, set by the first", "a nanosecond later"];
        assert_eq!(log.take(), expected);
    });
}

#[test]
fn a_timers_jobs_run_before_the_next_timer() {
    on_virtual_clock(|event_loop| {
        let log = Log::default();
        for name in ["a", "b"] {
            let links = [1, 2, 3].map(|link| log.note(format!("{name}{link}")));
            let timer = log.note(format!("timer {name}"));
            event_loop.handle().call_later(SECOND, move || {
                let [one, two, three] = links;
                timer();
                Promise::resolve(()).map(|()| one()).map(|()| two()).map(|()| three());
            });
        }
        event_loop.run_until_idle().unwrap();
        assert_eq!(log.take(), ["timer a", "a1", "a2", "a3", "timer b", "b1", "b2", "b3"]);
    });
}

// ---- the clock

#[test]
fn the_virtual_clock_stands_while_anything_is_ready() {
    on_virtual_clock(|event_loop| {
        let (handle, seen) = (event_loop.handle(), Seen::default());
        let start = handle.now();
        let late = seen.clone();
        handle.call_later(Duration::from_nanos(1), move || late.add(("timer", Duration::from_nanos(1))));
        let mut chain = Promise::resolve(());
        for _ in 0..10_000 {
            chain = chain.map(|()| ());
        }
        let (there, clock) = (seen.clone(), handle.clone());
        chain.map(move |()| there.add(("chain", clock.now() - start)));
        let (there, clock) = (seen.clone(), handle.clone());
        Promise::spawn(async move {
            for _ in 0..1_000 {
                Promise::resolve(()).map(|()| ()).await?;
            }
            there.add(("task", clock.now() - start));
            Ok(())
        });
        event_loop.run_until_idle().unwrap();
        let expected = [("chain", Duration::ZERO), ("task", Duration::ZERO), ("timer", Duration::from_nanos(1))];
        assert_eq!(seen.take(), expected);
    });
}

#[test]
fn virtual_timers_fire_exactly_on_time() {
    on_virtual_clock(|event_loop| {
        let (handle, seen) = (event_loop.handle(), Seen::default());
        let start = handle.now();
        for nanos in [0, 1, 999_999_999, 1_000_000_000, 86_400_000_000_007] {
            let (after, clock, seen) = (Duration::from_nanos(nanos), handle.clone(), seen.clone());
            delay(after).map(move |()| seen.add((after, clock.now() - start)));
        }
        event_loop.run_until_idle().unwrap();
        for (after, at) in seen.take() {
            assert_eq!(at, after);
        }
    });
}

#[test]
fn a_program_of_a_minute_runs_in_milliseconds_and_the_same_each_time() {
    /// Two tasks that meet at some seconds, a ticker beside them, and a deadline that stops all of it.
    fn program() -> Vec<String> {
        let event_loop = EventLoop::builder().virtual_clock().build();
        let (clock, log) = (event_loop.handle(), Arc::new(Mutex::new(Vec::new())));
        let start = clock.now();
        let note = {
            let log = Arc::clone(&log);
            move |text: String| log.lock().unwrap().push(format!("{:?} {text}", clock.now() - start))
        };
        event_loop
            .run(async {
                for (name, period) in [("three", 3), ("five", 5)] {
                    let note = note.clone();
                    let endless = Promise::<()>::spawn(async move {
                        for lap in 0.. {
                            delay(period * SECOND).await?;
                            note(format!("{name} {lap}"));
                        }
                        Ok(())
                    });
                    // The end of the loop is its end.
                    endless.mark_handled();
                }
                let mut ticks = interval(10 * SECOND).take_until(delay(MINUTE));
                while let Some(tick) = ticks.next().await {
                    note(format!("tick {tick}"));
                }
                thenable::Ok(())
            })
            .unwrap();
        log.lock().unwrap().clone()
    }
    watchdog(LIMIT, || {
        let real = Instant::now();
        let first = program();
        assert!(real.elapsed() < scaled(SECOND), "a minute took {:?}", real.elapsed());
        assert!(first.contains(&"45s five 8".to_owned()) && first.contains(&"57s three 18".to_owned()), "{first:?}");
        assert!(first.len() >= 19 + 11 + 5, "{first:?}");
        for _ in 1..10 {
            assert_eq!(program(), first);
        }
    });
}

// ---- threads

#[test]
fn handlers_after_time_run_on_the_loops_thread() {
    // On both clocks: there is no timer thread.
    for builder in [EventLoop::builder(), EventLoop::builder().virtual_clock()] {
        watchdog(LIMIT, || {
            let event_loop = builder.build();
            let _current = event_loop.enter();
            let (here, strangers) = (thread::current().id(), Seen::default());
            let note = |name: &'static str| {
                let strangers = strangers.clone();
                move || {
                    if thread::current().id() != here {
                        strangers.add(name);
                    }
                }
            };
            let [a, b, c, d] = ["delay", "timeout", "call_later", "abort signal"].map(note);
            let pause = Duration::from_millis(2);
            delay(pause).map(move |()| a());
            never().timeout(pause).settled().map(move |_| b());
            event_loop.handle().call_later(pause, c);
            let signal = AbortSignal::timeout(pause);
            signal.on_abort(move |_| d());
            event_loop.run_until_idle().unwrap();
            assert!(signal.aborted());
            assert_eq!(strangers.take(), [""; 0]);
        });
    }
}

// ---- intervals

#[test]
fn an_interval_ticks_on_a_grid_and_skips_what_was_missed() {
    on_virtual_clock(|event_loop| {
        let start = event_loop.handle().now();
        let seen = event_loop.run(async {
            let clock = LoopHandle::current().unwrap();
            let (mut ticks, mut seen) = (interval(10 * SECOND), Vec::new());
            for busy in [0, 4, 0, 25, 0] {
                let tick = ticks.next().await.unwrap();
                seen.push((tick, (clock.now() - start).as_secs()));
                delay(Duration::from_secs(busy)).await?;
            }
            seen.push((ticks.next().await.unwrap(), (clock.now() - start).as_secs()));
            thenable::Ok(seen)
        });
        // The fourth tick's work lasts until 65 s: tick 4 is missed, tick 5 comes at once.
        assert_eq!(seen.unwrap(), [(0, 10), (1, 20), (2, 30), (3, 40), (5, 65), (6, 70)]);
    });
}
