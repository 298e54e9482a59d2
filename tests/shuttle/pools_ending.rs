//! A thread pool that is shut down while jobs come in, wait and run.

use crate::kit::{Log, Tokens, Why, explore, flip, reports, spawn, why, with_loop};
use std::time::Duration;
use thenable::{ExecutorExt, Promise, Shutdown, ThreadPool};

fn pool(workers: usize) -> ThreadPool {
    ThreadPool::builder().max_workers(workers).build().unwrap()
}

/// Submit and shut down on two threads, in one of three ways. Returns what became of the jobs, and of the shutdown.
fn submit_against(how: Shutdown) -> (Vec<Result<(), Why>>, Result<(), Why>) {
    let (tokens, log) = (Tokens::default(), Log::default());
    let pool = pool(2);
    let (submits, made, noted) = (pool.clone(), tokens.clone(), log.clone());
    let submitting = spawn(move || {
        [0, 1, 2, 3].map(|number| {
            let (noted, token) = (noted.clone(), made.make(number));
            submits.submit(move || noted.note({ token }.number))
        })
    });
    let ends = pool.clone();
    let ending = spawn(move || ends.shutdown(how).wait());
    let outcomes: Vec<_> =
        submitting.join().unwrap().into_iter().map(|job| job.wait().map_err(|reason| why(&reason))).collect();
    let end = ending.join().unwrap().map_err(|reason| why(&reason));
    // By now it is over in any case.
    pool.shutdown(Shutdown::Cancel).wait().unwrap();
    let stats = pool.stats();
    assert_eq!((stats.workers, stats.running, stats.queued), (0, 0, 0), "{stats:?}");
    let ran = log.notes();
    for (number, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome.is_ok(), ran.contains(&number), "job {number}: {outcome:?}");
    }
    assert_eq!(ran.len(), outcomes.iter().filter(|outcome| outcome.is_ok()).count());
    tokens.assert_gone();
    (outcomes, end)
}

/// Submit against `Shutdown::Drain`: what was accepted runs, what comes later is refused, in this order, and the shutdown's
/// promise is there when all threads are done.
#[test]
fn s39_submit_against_drain() {
    explore(|| {
        let reports = reports();
        let (outcomes, end) = submit_against(Shutdown::Drain);
        assert_eq!(end, Ok(()));
        let accepted = outcomes.iter().take_while(|outcome| outcome.is_ok()).count();
        assert!(outcomes[accepted..].iter().all(|outcome| *outcome == Err(Why::PoolClosed)), "{outcomes:?}");
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// Submit against `Shutdown::Cancel`: a job has run, or was cancelled because it had not started, or was refused.
#[test]
fn s40_submit_against_cancel() {
    explore(|| {
        let reports = reports();
        let (outcomes, end) = submit_against(Shutdown::Cancel);
        assert_eq!(end, Ok(()));
        let refused = outcomes.iter().position(|outcome| *outcome == Err(Why::PoolClosed)).unwrap_or(outcomes.len());
        for (number, outcome) in outcomes.iter().enumerate() {
            let fits = match outcome {
                Ok(()) | Err(Why::Cancelled) => number < refused,
                Err(reason) => number >= refused && *reason == Why::PoolClosed,
            };
            assert!(fits, "{outcomes:?}");
        }
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// Submit against `Shutdown::Deadline`: in time everything that was accepted has run; if not, the promise says so, and what
/// had not started by then is cancelled.
#[test]
fn s41_submit_against_a_deadline() {
    explore(|| {
        let reports = reports();
        let (outcomes, end) = submit_against(Shutdown::Deadline(Duration::from_millis(1)));
        assert!(matches!(end, Ok(()) | Err(Why::TimedOut)), "{end:?}");
        let cancelled = outcomes.iter().any(|outcome| *outcome == Err(Why::Cancelled));
        assert!(!cancelled || end == Err(Why::TimedOut), "{outcomes:?}, {end:?}");
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// `submit_wait` and `try_submit` against shutdowns of two strictnesses on two threads: each place and each job settles, and
/// a job has run exactly if its promise says so.
#[test]
fn s42_places_against_two_shutdowns() {
    explore(|| {
        let (tokens, log, reports) = (Tokens::default(), Log::default(), reports());
        let pool = ThreadPool::builder().max_workers(1).queue_limit(0).build().unwrap();
        let place = |number: usize| {
            let (noted, token) = (log.clone(), tokens.make(number));
            pool.submit_wait(move || noted.note({ token }.number))
        };
        let places = [0, 1, 2].map(place);
        let shut = |how| {
            let pool = pool.clone();
            spawn(move || pool.shutdown(how).wait().unwrap())
        };
        let strict = if flip() { Shutdown::Cancel } else { Shutdown::Drain };
        let ending = [shut(Shutdown::Drain), shut(strict)];
        let (noted, tried) = (log.clone(), pool.clone());
        let trying = spawn(move || match tried.try_submit(move || noted.note(9)) {
            Ok(job) => job.wait().is_ok(),
            Err(_) => false,
        });
        let ran: Vec<_> = places
            .into_iter()
            .map(|place| match place.wait().and_then(|job| job.wait()) {
                Ok(()) => true,
                Err(reason) => {
                    assert!(matches!(why(&reason), Why::Cancelled | Why::PoolClosed), "{reason:?}");
                    assert!(matches!(strict, Shutdown::Cancel), "drained, and yet: {reason:?}");
                    false
                }
            })
            .collect();
        let tried = trying.join().unwrap();
        ending.into_iter().for_each(|thread| thread.join().unwrap());
        let expected = ran.into_iter().enumerate().filter_map(|(number, ran)| ran.then_some(number));
        let expected: Vec<_> = expected.chain(tried.then_some(9)).collect();
        let mut notes = log.notes();
        notes.sort_unstable();
        assert_eq!(notes, expected);
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// A handler that is sent to a pool (`on`) while the pool is shut down: it runs there, or its promise says that the pool was
/// closed or has cancelled it. It is never merely abandoned.
#[test]
fn s43_on_against_shutdown() {
    explore(|| {
        let (tokens, log, reports) = (Tokens::default(), Log::default(), reports());
        let pool = pool(1);
        let busy = pool.submit(shuttle::thread::yield_now);
        let ends = pool.clone();
        let ending = spawn(move || ends.shutdown(Shutdown::Cancel).wait().unwrap());
        with_loop(|event_loop| {
            let (noted, token) = (log.clone(), tokens.make(7));
            let there = Promise::resolve(token).on(&pool).map(move |token| {
                noted.note(token.number);
                token
            });
            match event_loop.run(there) {
                Ok(token) => assert!(token.number == 7 && log.count() == 1),
                Err(reason) => {
                    assert!(matches!(why(&reason), Why::PoolClosed | Why::Cancelled), "{reason:?}");
                    assert_eq!(log.count(), 0);
                }
            }
        });
        ending.join().unwrap();
        assert!(busy.wait().map_err(|reason| why(&reason)).is_ok_and(|()| true) || log.count() == 0);
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// `map` on a pool that another thread shuts down, in either way: drained it finishes; cancelled it finishes or says so.
#[test]
fn s44_map_against_shutdown() {
    explore(|| {
        let (tokens, reports, drains) = (Tokens::default(), reports(), flip());
        let pool = pool(2);
        let made = tokens.clone();
        let mapped = pool.map(0..3, move |number| made.make(number));
        let ends = pool.clone();
        let how = if drains { Shutdown::Drain } else { Shutdown::Cancel };
        let ending = spawn(move || ends.shutdown(how).wait().unwrap());
        match mapped.wait() {
            Ok(values) => assert_eq!(values.iter().map(|token| token.number).collect::<Vec<_>>(), [0, 1, 2]),
            Err(reason) => assert!(!drains && matches!(why(&reason), Why::Cancelled | Why::PoolClosed), "{reason:?}"),
        }
        ending.join().unwrap();
        drop(pool);
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}
