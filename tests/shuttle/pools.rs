//! Jobs of the thread pool: how they get in, are taken back, and are waited for.

use crate::kit::{Log, Tokens, Why, explore, flip, reports, spawn, why, why_of};
use std::time::Duration;
use thenable::{CancelOutcome, ExecutorExt, Promise, Rejected, ThreadPool};

fn pool(workers: usize, limit: usize) -> ThreadPool {
    ThreadPool::builder().max_workers(workers).queue_limit(limit).build().unwrap()
}

/// After its jobs, a pool has nothing left on its books.
fn assert_at_rest(pool: &ThreadPool, completed: usize) {
    let stats = pool.stats();
    assert_eq!((stats.running, stats.queued), (0, 0), "{stats:?}");
    assert_eq!(stats.completed, completed as u64, "{stats:?}");
    assert_eq!(stats.workers, stats.idle, "{stats:?}");
}

/// Two threads submit to a pool whose worker ends whenever it has been idle for a moment: no job is left in the queue of a
/// pool without workers, and those of one thread run in their order.
#[test]
fn s32_submit_against_a_worker_that_retires() {
    explore(|| {
        let (log, reports) = (Log::default(), reports());
        let pool = ThreadPool::builder().max_workers(1).idle_time(Duration::from_millis(1)).build().unwrap();
        let submit = |first: usize| {
            let (pool, log) = (pool.clone(), log.clone());
            spawn(move || {
                for number in [first, first + 1] {
                    let noted = log.clone();
                    let job = pool.submit(move || noted.note(number));
                    job.wait().unwrap();
                }
                let noted = log.clone();
                let third = pool.submit(move || noted.note(first + 2));
                let noted = log.clone();
                let fourth = pool.submit(move || noted.note(first + 3));
                third.wait().unwrap();
                fourth.wait().unwrap();
            })
        };
        let threads = [submit(0), submit(10)];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let order = log.notes();
        let of = |first| order.iter().copied().filter(|n| (first..first + 10).contains(n)).collect::<Vec<_>>();
        assert_eq!((of(0), of(10)), (vec![0, 1, 2, 3], vec![10, 11, 12, 13]));
        assert_at_rest(&pool, 8);
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// Two threads and a pool of two workers that never retire: jobs overlap, and none is left while a worker is parked.
#[test]
fn s33_workers_wake_each_other() {
    explore(|| {
        let (log, reports) = (Log::default(), reports());
        let pool = ThreadPool::builder().max_workers(2).idle_time(Duration::MAX).build().unwrap();
        let submit = |first: usize| {
            let (pool, log) = (pool.clone(), log.clone());
            spawn(move || {
                let jobs: Vec<_> = (first..first + 3)
                    .map(|number| {
                        let noted = log.clone();
                        pool.submit(move || noted.note(number))
                    })
                    .collect();
                jobs.into_iter().for_each(|job| job.wait().unwrap());
            })
        };
        let threads = [submit(0), submit(10)];
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let mut ran = log.notes();
        ran.sort_unstable();
        assert_eq!(ran, [0, 1, 2, 10, 11, 12]);
        assert_at_rest(&pool, 6);
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// `try_submit` on a pool of one worker and no queue, from two threads: a job runs, or its closure comes back because there
/// is no room; and the first of all cannot be refused.
#[test]
fn s34_try_submit_against_itself() {
    explore(|| {
        let (tokens, log, reports) = (Tokens::default(), Log::default(), reports());
        let pool = pool(1, 0);
        let submit = |number: usize| {
            let (pool, noted, token) = (pool.clone(), log.clone(), tokens.make(number));
            spawn(move || {
                let job = move || noted.note({ token }.number);
                match pool.try_submit(job) {
                    Ok(promise) => promise.wait().is_ok(),
                    Err(Rejected { job, fault, .. }) => {
                        assert_eq!(why_of(&fault), Why::Full);
                        drop(job);
                        false
                    }
                }
            })
        };
        let accepted: Vec<_> = [submit(0), submit(1), submit(2)].into_iter().map(|t| t.join().unwrap()).collect();
        let mut ran = log.notes();
        ran.sort_unstable();
        let expected: Vec<_> = (0..3).filter(|number| accepted[*number]).collect();
        assert_eq!(ran, expected);
        assert!(!ran.is_empty());
        assert_at_rest(&pool, ran.len());
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// `submit_wait` of two threads on a pool with one worker and room for one, where one place is given up while it is waited
/// for: places are given in order, and what was given up does not run.
#[test]
fn s35_places_are_given_in_order() {
    explore(|| {
        let (tokens, log, reports) = (Tokens::default(), Log::default(), reports());
        let pool = pool(1, 1);
        let place = |number: usize| {
            let (noted, token) = (log.clone(), tokens.make(number));
            pool.submit_wait(move || noted.note({ token }.number))
        };
        let places = [0, 1, 2, 3].map(place);
        let handle = places[2].clone();
        let cancelling = spawn(move || handle.cancel("enough") == CancelOutcome::Cancelled);
        let outcomes = places.map(|place| place.wait().map(|job| job.wait()));
        let cancelled = cancelling.join().unwrap();
        for (number, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(Ok(())) => assert!(log.notes().contains(&number)),
                Ok(Err(reason)) | Err(reason) => {
                    assert!(number == 2 && cancelled && why(&reason) == Why::Cancelled, "{number}: {reason:?}");
                    assert!(!log.notes().contains(&2), "it was taken back and runs");
                }
            }
        }
        assert!(log.notes().is_sorted(), "{log:?}");
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// A job is cancelled by one thread while the worker may take it, behind another job: it has not run if it is refused, what
/// it owns is dropped once, and the other job is not held up.
#[test]
fn s36_cancel_against_start() {
    explore(|| {
        let (tokens, log, reports) = (Tokens::default(), Log::default(), reports());
        let pool = pool(1, 100);
        let first = pool.submit(|| 1);
        let (noted, token) = (log.clone(), tokens.make(7));
        let job = pool.submit(move || {
            noted.note(1);
            token
        });
        let last = pool.submit(|| 3);
        let handle = job.clone();
        let cancelling = spawn(move || handle.cancel("enough") == CancelOutcome::Cancelled);
        let outcome = job.wait();
        let cancelled = cancelling.join().unwrap();
        match outcome {
            Ok(token) => assert!(!cancelled && token.number == 7 && log.count() == 1),
            Err(reason) => assert!(cancelled && why(&reason) == Why::Cancelled && log.count() <= 1),
        }
        assert_eq!([first, last].map(|job| job.wait().unwrap()), [1, 3]);
        drop(pool);
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// Jobs that wait for jobs of the same pool of one worker, on two threads, one of whose inner jobs is cancelled: the worker
/// helps, and nothing waits for ever.
#[test]
fn s37_a_worker_helps_while_it_waits() {
    explore(|| {
        let reports = reports();
        let pool = pool(1, 100);
        let outer = |cancels: bool| {
            let inside = pool.clone();
            pool.submit(move || {
                let inner = inside.submit(|| 1);
                if cancels {
                    let handle = inner.clone();
                    spawn(move || handle.cancel("enough"));
                }
                inner.wait()
            })
        };
        let (plain, cancels) = (outer(false), outer(flip()));
        let waiting = spawn(move || plain.wait().unwrap().unwrap());
        match cancels.wait().unwrap() {
            Ok(number) => assert_eq!(number, 1),
            Err(reason) => assert_eq!(why(&reason), Why::Cancelled),
        }
        assert_eq!(waiting.join().unwrap(), 1);
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// `map` over four inputs on two workers while another thread cancels its promise: all results in order, or the cancellation,
/// after which no more is drawn than what was under way.
#[test]
fn s38_map_against_cancel() {
    explore(|| {
        let (tokens, log, reports) = (Tokens::default(), Log::default(), reports());
        let pool = pool(2, 100);
        let (made, noted) = (tokens.clone(), log.clone());
        let mapped: Promise<Vec<_>> = pool.map(0..4, move |number| {
            noted.note(number);
            made.make(number)
        });
        let handle = mapped.clone();
        let cancelling = spawn(move || handle.cancel("enough") == CancelOutcome::Cancelled);
        let outcome = mapped.wait();
        let cancelled = cancelling.join().unwrap();
        match outcome {
            Ok(values) => {
                assert!(!cancelled);
                assert_eq!(values.iter().map(|token| token.number).collect::<Vec<_>>(), [0, 1, 2, 3]);
            }
            Err(reason) => assert!(cancelled && why(&reason) == Why::Cancelled),
        }
        let done = pool.shutdown(thenable::Shutdown::Drain);
        done.wait().unwrap();
        assert!(log.count() <= 4);
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}
