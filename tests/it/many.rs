//! Work for many inputs, waiting for many promises, trying many times: the loops of the library and the ways to end them.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::time::Duration;

use futures::stream::{FusedStream, Stream, StreamExt};
use thenable::{
    AbortController, AbortSignal, CancelOutcome, EventLoop, Fault, Job, Promise, Rejection, Result, Retry, WaitFor,
    as_settled, delay, interval, wait_for, wait_for_within,
};

use crate::common::{Seen, quiet};
#[cfg(target_os = "linux")]
use crate::support::resident;
use crate::support::{LIMIT, Ledger, on_loop, on_virtual_clock, quiet_bombs, watchdog};

const SEC: Duration = Duration::from_secs(1);

fn text<T>(outcome: Result<T>) -> String {
    outcome.map_or_else(|why| why.to_string(), |_| "a value".into())
}

// ---- retry

#[test]
fn retry_if_stops_at_the_first_reason_that_is_not_accepted() {
    on_virtual_clock(|event_loop| {
        let (calls, asked) = (Seen::default(), Seen::default());
        let start = event_loop.handle().now();
        let predicate = {
            let asked = asked.clone();
            move |why: &io::Error| {
                asked.add(why.kind());
                why.kind() == ErrorKind::WouldBlock
            }
        };
        let retried = Promise::<(), io::Error>::retry_if(Retry::times(10).exponential(SEC), predicate, {
            let calls = calls.clone();
            move |attempt| {
                calls.add(attempt);
                Err(io::Error::from(if attempt < 4 { ErrorKind::WouldBlock } else { ErrorKind::NotFound }))
            }
        });
        assert_eq!(event_loop.run(retried).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(calls.take(), [1, 2, 3, 4]);
        assert_eq!(
            asked.take(),
            [ErrorKind::WouldBlock; 3].into_iter().chain([ErrorKind::NotFound]).collect::<Vec<_>>()
        );
        assert_eq!(event_loop.handle().now() - start, (1 + 2 + 4) * SEC, "no pause after the last attempt");
    });
}

#[test]
fn retry_if_gives_values_and_asks_nothing_about_the_last_attempt() {
    on_loop(|event_loop| {
        let value = Promise::retry_if(
            Retry::times(3),
            |_: &Rejection| true,
            |attempt| if attempt < 3 { Err("not yet".into()) } else { Ok(attempt) },
        );
        assert_eq!(event_loop.run(value).unwrap(), 3);
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let predicate = move |_: &Rejection| count.fetch_add(1, SeqCst) < 100;
        let gave_up = Promise::<()>::retry_if(Retry::times(3), predicate, |attempt| Err(attempt.to_string().into()));
        assert_eq!(text(event_loop.run(gave_up)), "3");
        assert_eq!(asked.load(SeqCst), 2);
    });
}

#[test]
fn a_panic_of_the_predicate_or_the_function_ends_the_retrying() {
    quiet_bombs();
    on_loop(|event_loop| {
        let predicate = |_: &Rejection| -> bool { panic!("bomb: predicate") };
        let retried = Promise::<()>::retry_if(Retry::times(9), predicate, |_| Err("no".into()));
        assert_fault!(event_loop.run(retried), Fault::Panicked { .. });
        let calls = Arc::new(AtomicUsize::new(0));
        let count = calls.clone();
        let retried = Promise::retry(Retry::times(9), move |_| -> Result<()> {
            count.fetch_add(1, SeqCst);
            panic!("bomb: attempt");
        });
        assert_fault!(event_loop.run(retried), Fault::Panicked { .. });
        assert_eq!(calls.load(SeqCst), 1);
    });
}

#[test]
fn a_retry_is_aborted_in_a_pause_and_in_an_attempt() {
    on_virtual_clock(|event_loop| {
        let start = event_loop.handle().now();
        let controller = AbortController::new();
        let policy = || Retry::times(100).delay(10 * SEC).abort_on(&controller.signal());
        let pausing = Promise::<()>::retry(policy(), |_| Promise::reject("no"));
        let seen = Seen::default();
        let heard = seen.clone();
        let trying = Promise::<i32>::retry(policy(), move |_| listening(&heard));
        event_loop.run(delay(15 * SEC)).unwrap();
        controller.abort("closing");
        assert_eq!(seen.take(), ["closing"]);
        assert_eq!(text(event_loop.run(pausing)), "cancelled: closing");
        assert_eq!(text(event_loop.run(trying)), "cancelled: closing");
        event_loop.run_until_idle().unwrap();
        assert_eq!(event_loop.handle().now() - start, 15 * SEC, "no timer is left");
        let never = Promise::<()>::retry(policy(), |_| -> Promise<()> { panic!("aborted already") });
        assert_eq!(text(event_loop.run(never)), "cancelled: closing");
    });
}

#[test]
fn a_million_attempts_need_no_more_stack_and_memory_than_one() {
    const MILLION: u32 = 1_000_000;
    let work = || {
        watchdog(6 * LIMIT, || {
            let event_loop = EventLoop::new();
            let _entered = event_loop.enter();
            let attempts = |count: u32| {
                let retried = Promise::retry(Retry::times(u32::MAX), move |attempt| {
                    if attempt < count { Err("no".into()) } else { Ok(attempt) }
                });
                assert_eq!(event_loop.run::<_, Rejection, _>(retried).unwrap(), count);
            };
            attempts(10_000);
            #[cfg(target_os = "linux")]
            let before = resident();
            attempts(MILLION);
            // Other tests run beside this one; a kilobyte per attempt would be a gigabyte.
            #[cfg(target_os = "linux")]
            assert!(resident() < before + 800_000, "{before} KiB before, {} after", resident());
        });
    };
    std::thread::Builder::new().stack_size(64 * 1024).spawn(work).unwrap().join().unwrap();
}

// ---- map_limit, series, reduce

#[test]
fn the_first_failure_stops_the_starting_and_leaves_the_rest_alone() {
    on_virtual_clock(|event_loop| {
        let (started, finished) = (Seen::default(), Seen::default());
        let (begin, end) = (started.clone(), finished.clone());
        let mapped = Promise::<Vec<_>>::from_future(async move {
            Promise::map_limit(0_u32.., 3, move |n| {
                begin.add(n);
                let end = end.clone();
                delay((n + 1) * SEC).then(move |()| {
                    end.add(n);
                    if n == 1 { Err("one".into()) } else { Ok(n) }
                })
            })
            .await
        });
        assert_eq!(text(event_loop.run(mapped)), "one");
        event_loop.run_until_idle().unwrap();
        // 0 ends after one second and starts 3; 1 fails after two.
        assert_eq!(started.take(), [0, 1, 2, 3]);
        assert_eq!(finished.take(), [0, 1, 2, 3], "what was under way goes on");
    });
}

#[test]
fn cancelling_a_map_stops_what_is_under_way_and_starts_no_more() {
    on_virtual_clock(|event_loop| {
        let (start, ledger) = (event_loop.handle().now(), Ledger::default());
        let (tokens, started) = (ledger.clone(), Arc::new(AtomicUsize::new(0)));
        let count = started.clone();
        let mapped: Promise<Vec<()>> = Promise::map_limit(0.., 3, move |_: u64| {
            count.fetch_add(1, SeqCst);
            let token = tokens.token();
            async move {
                delay(10 * SEC).await?;
                drop(token);
                Ok(())
            }
        });
        event_loop.run(delay(15 * SEC)).unwrap();
        assert_eq!(started.load(SeqCst), 6);
        mapped.cancel("enough");
        event_loop.run_until_idle().unwrap();
        assert_eq!((started.load(SeqCst), ledger.dropped()), (6, 6));
        assert_eq!(event_loop.handle().now() - start, 20 * SEC, "the timers of the futures are theirs");
        assert_fault!(mapped.wait(), Fault::Cancelled { .. });
    });
}

#[test]
fn cancelling_a_series_or_a_reduce_cancels_the_step() {
    on_virtual_clock(|event_loop| {
        let cancelled = Seen::default();
        let step = |seen: &Seen<u32>| {
            let seen = seen.clone();
            move |n: u32| {
                let (promise, resolver) = Promise::<u32>::with_resolvers();
                let (seen, held) = (seen.clone(), resolver.clone());
                resolver.on_cancel(move |_| {
                    drop(held);
                    seen.add(n);
                });
                if n < 3 { delay(SEC).map(move |()| n) } else { promise }
            }
        };
        let series: Promise<Vec<u32>> = Promise::series(1.., step(&cancelled));
        let step = step(&cancelled);
        let reduced: Promise<u32> = Promise::reduce(1.., 0, move |total, n| step(n).map(move |n| total + n));
        event_loop.run(delay(10 * SEC)).unwrap();
        assert!(series.is_pending() && reduced.is_pending() && cancelled.is_empty());
        series.cancel("series");
        reduced.cancel("reduce");
        assert_eq!(cancelled.take(), [3, 3]);
        event_loop.run_until_idle().unwrap();
    });
}

#[test]
fn long_loops_are_flat() {
    const MANY: u32 = 200_000;
    let work = || {
        watchdog(6 * LIMIT, || {
            let event_loop = EventLoop::new();
            let _entered = event_loop.enter();
            let series: Promise<Vec<u32>> = Promise::series(0..MANY, |n| Promise::resolve(n));
            assert!(event_loop.run(series).unwrap().into_iter().eq(0..MANY));
            let reduced: Promise<u64> = Promise::reduce(0..MANY, 0, |total, n| Promise::resolve(total + u64::from(n)));
            assert_eq!(event_loop.run(reduced).unwrap(), (0..u64::from(MANY)).sum());
            let mapped: Promise<Vec<u32>> = Promise::map_limit(0..MANY, 7, |n| Promise::resolve(n));
            assert!(event_loop.run(mapped).unwrap().into_iter().eq(0..MANY));
        });
    };
    std::thread::Builder::new().stack_size(64 * 1024).spawn(work).unwrap().join().unwrap();
}

// ---- wait_for, as_settled, interval

#[test]
fn wait_for_loses_nothing() {
    on_virtual_clock(|event_loop| {
        let promises = || {
            let late = |secs: u32, fails: bool| {
                delay(secs * SEC).then(move |()| if fails { Err("no".into()) } else { Ok(secs) })
            };
            [late(3, false), late(1, false), late(2, true), late(4, false)]
        };
        let places = |waited: &thenable::Waited<u32>| {
            let done: Vec<_> = waited.done.iter().map(|(place, outcome)| (*place, outcome.is_ok())).collect();
            let pending: Vec<_> = waited.pending.iter().map(|(place, _)| *place).collect();
            (done, pending)
        };
        let first = event_loop.run(wait_for(promises(), WaitFor::FirstSettled)).unwrap();
        assert_eq!(places(&first), (vec![(1, true)], vec![0, 2, 3]));
        first.pending.into_iter().for_each(|(_, promise)| quiet(promise));
        let rejected = event_loop.run(wait_for(promises(), WaitFor::FirstRejected)).unwrap();
        assert_eq!(places(&rejected), (vec![(1, true), (2, false)], vec![0, 3]));
        let all = event_loop.run(wait_for(promises(), WaitFor::All)).unwrap();
        assert_eq!(places(&all), (vec![(1, true), (2, false), (0, true), (3, true)], vec![]));
        let within = event_loop.run(wait_for_within(promises(), WaitFor::All, 5 * SEC / 2)).unwrap();
        assert_eq!(places(&within), (vec![(1, true), (2, false)], vec![0, 3]));
        let mut pending = within.pending.into_iter();
        let (_, third) = pending.next().unwrap();
        assert_eq!(event_loop.run(third).unwrap(), 3, "as good as before");
        let (_, fourth) = pending.next().unwrap();
        assert_eq!(fourth.cancel("and still cancellable"), CancelOutcome::Cancelled);

        let cancelled = wait_for(promises(), WaitFor::All);
        cancelled.cancel("enough");
        event_loop.run_until_idle().unwrap();
        assert_fault!(cancelled.wait(), Fault::Cancelled { .. });
    });
}

#[test]
fn to_wait_for_nothing_takes_no_time() {
    on_virtual_clock(|event_loop| {
        for mode in [WaitFor::All, WaitFor::FirstSettled, WaitFor::FirstRejected] {
            let nothing = || std::iter::empty::<Promise<u8>>();
            for waited in [wait_for(nothing(), mode), wait_for_within(nothing(), mode, SEC)] {
                assert!(waited.is_fulfilled(), "at once");
                let waited = event_loop.run(waited).unwrap();
                assert!(waited.done.is_empty() && waited.pending.is_empty());
            }
        }
    });
}

#[test]
fn a_wait_that_is_over_leaves_no_timer() {
    on_virtual_clock(|event_loop| {
        let start = event_loop.handle().now();
        let promises = [Promise::delay(SEC, 1), Promise::delay(2 * SEC, 2)];
        event_loop.run(wait_for_within(promises, WaitFor::All, 3600 * SEC)).unwrap();
        event_loop.run_until_idle().unwrap();
        assert_eq!(event_loop.handle().now() - start, 2 * SEC);
    });
}

#[test]
fn as_settled_knows_how_many_are_left() {
    let two = || as_settled([Promise::resolve(1), Promise::resolve(2)]);
    let mut settled = two();
    for left in [2, 1, 0] {
        assert_eq!(Stream::size_hint(&settled), (left, Some(left)));
        assert_eq!(settled.is_terminated(), left == 0);
        assert_eq!(futures::executor::block_on(settled.next()).is_some(), left > 0);
    }
    let mut blocking = two().into_blocking();
    assert_eq!(blocking.size_hint(), (2, Some(2)));
    assert_eq!(blocking.next().unwrap().unwrap(), 1);
    assert_eq!(blocking.size_hint(), (1, Some(1)));
}

#[test]
fn as_settled_blocks_a_plain_thread_and_refuses_a_loops() {
    watchdog(LIMIT, || {
        let promises = [30_u64, 1, 15].map(|ms| Promise::delay(Duration::from_millis(ms), ms));
        let outcomes: Result<Vec<_>> = as_settled(promises).into_blocking().collect();
        assert_eq!(outcomes.unwrap(), [1, 15, 30]);
        let event_loop = EventLoop::new();
        let _entered = event_loop.enter();
        let mut blocking = as_settled([Promise::resolve(1), Promise::delay(SEC, 2)]).into_blocking();
        assert_eq!(blocking.next().map(text), Some("a value".into()));
        assert_fault!(blocking.next().unwrap(), Fault::WouldDeadlock);
        assert!(blocking.next().is_none());
    });
}

#[test]
fn an_interval_does_not_drift_and_ends_with_its_stream() {
    on_virtual_clock(|event_loop| {
        let (start, handle) = (event_loop.handle().now(), event_loop.handle());
        let ticks: Result<Vec<_>> = event_loop.run(async move {
            let mut ticks = interval(SEC);
            let mut seen = Vec::new();
            while let Some(number) = ticks.next().await {
                seen.push((number, (handle.now() - start).as_millis()));
                if number == 1 {
                    // Comes late to the third, and misses the fourth and the fifth.
                    delay(7 * SEC / 2).await?;
                }
                if number >= 6 {
                    break;
                }
            }
            thenable::Ok(seen)
        });
        assert_eq!(ticks.unwrap(), [(0, 1000), (1, 2000), (4, 5500), (5, 6000), (6, 7000)]);
        event_loop.run_until_idle().unwrap();
        assert_eq!(event_loop.handle().now() - start, 7 * SEC, "the stream's timer went with it");
    });
}

// ---- signals, and cancelling upstream

#[test]
fn signals_of_time_and_of_several() {
    on_virtual_clock(|event_loop| {
        let start = event_loop.handle().now();
        let user = AbortController::new();
        let any = AbortSignal::any([user.signal(), AbortSignal::timeout(5 * SEC), AbortSignal::timeout(3 * SEC)]);
        let slept = delay(3600 * SEC).abort_on(&any);
        assert_eq!(text(event_loop.run(slept)), "cancelled: timed out");
        assert_eq!(event_loop.handle().now() - start, 3 * SEC);
        user.abort("too late");
        assert_eq!(any.reason().unwrap().to_string(), "timed out");
        drop(any);
        event_loop.run_until_idle().unwrap();
        assert_eq!(event_loop.handle().now() - start, 3 * SEC, "a signal that nobody has leaves no timer");
    });
}

/// A promise that nobody settles, and what it hears when it is cancelled.
fn listening(seen: &Seen<String>) -> Promise<i32> {
    let (promise, resolver) = Promise::with_resolvers();
    let (seen, held) = (seen.clone(), resolver.clone());
    resolver.on_cancel(move |reason| {
        drop(held);
        seen.add(reason.to_string());
    });
    promise
}

/// An executor that runs a job inside of the call.
const AT_ONCE: fn(Job) = |job| job();

fn adopted(promise: Promise<i32>) -> Promise<i32> {
    let (outer, resolver) = Promise::with_resolvers();
    assert!(resolver.adopt(promise).is_ok());
    outer
}

#[test]
fn a_cancel_goes_upstream_through_every_kind_of_link() {
    type Link = fn(Promise<i32>) -> Promise<i32>;
    let links: [(&str, Link); 13] = [
        ("map", |p| p.map(|n| n)),
        ("then", |p| p.then(Ok)),
        ("catch", |p| p.catch(|_| Ok(0))),
        ("finally", |p| p.finally(|| ())),
        ("returned by a handler", |p| Promise::resolve(0).then(|_| p)),
        ("returned twice", |p| Promise::resolve(0).then(|_| Promise::resolve(0).then(|_| p))),
        ("on another place", |p| p.on(&AT_ONCE).map(|n| n)),
        ("returned on another place", |p| Promise::resolve(0).on(&AT_ONCE).then(|_| p)),
        ("adopted", adopted),
        ("adopted twice", |p| adopted(adopted(p))),
        ("timeout", |p| p.timeout(3600 * SEC)),
        ("all", |p| Promise::all([p]).map(|mut all| all.remove(0))),
        ("join", |p| Promise::join((p, Promise::<i32>::with_resolvers().0.catch(|_| Ok(1)))).map(|(n, _)| n)),
    ];
    for (name, link) in links {
        on_virtual_clock(|event_loop| {
            let seen = Seen::default();
            let linked = link(listening(&seen));
            event_loop.run(delay(SEC)).unwrap();
            assert!(linked.is_pending() && seen.is_empty(), "{name}");
            linked.cancel("enough");
            event_loop.run_until_idle().unwrap();
            assert_eq!(seen.take(), ["enough"], "{name}");

            // A clone shields it.
            let kept = listening(&seen);
            let linked = link(kept.clone());
            event_loop.run(delay(SEC)).unwrap();
            linked.cancel("not the last consumer");
            event_loop.run(delay(SEC)).unwrap();
            assert!(seen.is_empty() && kept.is_pending(), "{name}");
            kept.cancel("the last one");
            assert_eq!(seen.take(), ["the last one"], "{name}");
        });
    }
}

#[test]
fn a_cancel_between_any_two_jobs_reaches_the_promise_that_a_handler_returned() {
    // So many jobs run before it is cancelled.
    for jobs in 0..8 {
        on_loop(|event_loop| {
            let (seen, handle) = (Seen::default(), event_loop.handle());
            let inner = listening(&seen);
            let outer = Promise::resolve(()).then(move |()| inner);
            fn after(handle: thenable::LoopHandle, jobs: u32, f: impl FnOnce() + Send + 'static) {
                let again = handle.clone();
                drop(handle.call_soon(move || if jobs == 0 { f() } else { after(again, jobs - 1, f) }));
            }
            let cancelled = outer.clone();
            after(handle, jobs, move || {
                cancelled.cancel("enough");
            });
            event_loop.run_until_idle().unwrap();
            assert_fault!(outer.wait(), Fault::Cancelled { .. });
            // Cancelled before the handler ran, the promise was dropped with it: nothing is left to be told.
            let told = seen.take();
            assert!(told == ["enough"] || (told.is_empty() && jobs == 0), "after {jobs} jobs: {told:?}");
        });
    }
}

#[test]
fn a_guard_cancels_when_it_is_dropped_and_only_then() {
    on_virtual_clock(|event_loop| {
        let seen = Seen::default();
        drop(listening(&seen).cancel_on_drop());
        assert_eq!(seen.take(), ["dropped"]);
        let kept = listening(&seen).cancel_on_drop().keep();
        assert!(seen.is_empty() && kept.is_pending());
        kept.cancel("by hand");
        seen.take();

        // The losers of a race end with it.
        let (tell, told) = channel();
        let first = event_loop.run(async {
            let racers = [3_u32, 1, 2].map(|secs| {
                let tell = tell.clone();
                let work = Promise::spawn(async move {
                    delay(secs * SEC).await?;
                    let _ = tell.send(secs);
                    thenable::Ok(secs)
                });
                work.cancel_on_drop()
            });
            let mut racers: futures::stream::FuturesUnordered<_> = racers.into_iter().collect();
            racers.next().await.unwrap()
        });
        assert_eq!(first.unwrap(), 1);
        event_loop.run_until_idle().unwrap();
        drop(tell);
        assert_eq!(told.iter().collect::<Vec<_>>(), [1]);
    });
}
