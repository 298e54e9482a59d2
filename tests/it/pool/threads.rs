//! Order, threads, and bad input.

use std::cell::RefCell;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread::{self, ThreadId};
use std::time::Duration;

use thenable::{Executor, ExecutorExt, Fault, Promise, Shutdown, ThreadPool};

use super::{Hold, Log, held_up, thread_name};
use crate::support::{LIMIT, eventually, quiet_bombs, scaled, watchdog};

// ---- order and threads

#[test]
fn jobs_start_in_the_order_of_submission() {
    watchdog(LIMIT, || {
        let (pool, hold) = held_up(usize::MAX);
        let log = Log::default();
        let jobs: Vec<_> = (0..200)
            .map(|n| {
                let log = log.clone();
                match n % 3 {
                    0 => pool.submit(move || log.write(n)),
                    1 => pool.try_submit(move || log.write(n)).unwrap(),
                    _ => pool.submit_wait(move || log.write(n)).flatten(),
                }
            })
            .collect();
        hold.release();
        Promise::all(jobs).wait().unwrap();
        assert_eq!(log.read(), (0..200).collect::<Vec<_>>());
    });
}

/// They do not wait until they have been idle for long.
#[test]
fn threads_end_with_the_last_handle() {
    struct Ends(Sender<()>);
    impl Drop for Ends {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    thread_local! {
        static ENDS: RefCell<Option<Ends>> = const { RefCell::new(None) };
    }
    watchdog(LIMIT, || {
        let pool = ThreadPool::builder().max_workers(2).idle_time(Duration::from_secs(3600)).build().unwrap();
        let (sender, receiver) = channel();
        let both = Arc::new(Barrier::new(2));
        let jobs = [(); 2].map(|()| {
            let (both, ends) = (both.clone(), Ends(sender.clone()));
            pool.submit(move || {
                ENDS.set(Some(ends));
                both.wait();
            })
        });
        Promise::all(jobs).wait().unwrap();
        let clone = pool.clone();
        drop(pool);
        assert_eq!(clone.submit(|| 1).wait().unwrap(), 1);
        assert!(receiver.try_recv().is_err(), "there is a handle left");
        drop(clone);
        for _ in 0..2 {
            receiver.recv_timeout(scaled(LIMIT)).expect("the threads end");
        }
    });
}

#[test]
fn threads_start_on_demand_and_have_names() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::builder().max_workers(3).thread_name("hash").build().unwrap();
        assert_eq!(pool.stats().workers, 0);
        assert_eq!(pool.submit(thread_name).wait().unwrap(), "hash-0");
        let holds = [Hold::new(&pool), Hold::new(&pool)];
        assert_eq!(pool.stats().workers, 2);
        assert_eq!(pool.submit(thread_name).wait().unwrap(), "hash-2");
        holds.into_iter().for_each(Hold::release);
        assert_eq!(ThreadPool::new(1).submit(thread_name).wait().unwrap(), "thenable-0");
    });
}

#[test]
fn sixty_short_jobs_on_four_workers_use_four_threads() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::new(4);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let jobs: Vec<_> = (0..60)
            .map(|_| {
                let (now, most) = (now.clone(), most.clone());
                pool.submit(move || {
                    most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                    thread::sleep(Duration::from_millis(2));
                    now.fetch_sub(1, SeqCst);
                    thread::current().id()
                })
            })
            .collect();
        let threads: Vec<ThreadId> = Promise::all(jobs).wait().unwrap();
        let different = threads.iter().enumerate().filter(|(n, id)| !threads[..*n].contains(id)).count();
        assert_eq!(different, 4);
        assert_eq!(pool.stats().workers, 4);
        assert!(most.load(SeqCst) <= 4, "{} ran together", most.load(SeqCst));
    });
}

#[test]
fn one_job_after_the_other_needs_one_thread() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::new(4);
        for n in 0..500 {
            assert_eq!(pool.submit(move || n).wait().unwrap(), n);
            let stats = pool.stats();
            assert_eq!((stats.workers, stats.idle, stats.running), (1, 1, 0), "after job {n}");
            assert_eq!(stats.completed, n + 1, "a job is counted before its promise settles");
        }
    });
}

#[test]
fn stats_show_what_runs_and_what_waits() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::builder().max_workers(2).build().unwrap();
        let holds = [Hold::new(&pool), Hold::new(&pool)];
        let queued: Vec<_> = (0..3).map(|n| pool.submit(move || n)).collect();
        let stats = pool.stats();
        assert_eq!((stats.workers, stats.idle, stats.running, stats.queued, stats.completed), (2, 0, 2, 3, 0));
        assert!(format!("{pool:?}").contains("queued: 3"), "{pool:?}");
        holds.into_iter().for_each(Hold::release);
        assert_eq!(Promise::all(queued).wait().unwrap(), [0, 1, 2]);
        let stats = pool.stats();
        assert_eq!((stats.workers, stats.idle, stats.running, stats.queued, stats.completed), (2, 2, 0, 0, 5));
    });
}

// ---- bad input

#[test]
fn zero_workers_are_an_error_of_the_builder_and_one_for_new() {
    watchdog(LIMIT, || {
        let error = ThreadPool::builder().max_workers(0).build().unwrap_err();
        assert!(matches!(error, Fault::InvalidConfig { .. }), "{error}");
        let error = ThreadPool::builder().thread_name("a\0b").build().unwrap_err();
        assert!(matches!(error, Fault::InvalidConfig { .. }), "{error}");
        assert_eq!(ThreadPool::new(0).submit(|| 7).wait().unwrap(), 7);
        assert_eq!(ThreadPool::new(0).parallelism().map(usize::from), Some(1));
    });
}

// ---- the initializer and the idle time

#[test]
fn each_thread_is_initialized_once_before_its_first_job() {
    watchdog(LIMIT, || {
        thread_local!(static READY: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let initializer = move || {
            counted.fetch_add(1, SeqCst);
            READY.set(READY.get() + 1);
        };
        let pool = ThreadPool::builder().max_workers(3).initializer(initializer).build().unwrap();
        assert_eq!(calls.load(SeqCst), 0, "no thread, no call");
        let ready = pool.map(0..200, |_| READY.get()).wait().unwrap();
        assert!(ready.iter().all(|calls| *calls == 1));
        // The last thread to start may find nothing left to do.
        eventually("every thread has been readied", || calls.load(SeqCst) == pool.stats().workers);
        // What the initializer owns goes with the pool.
        pool.shutdown(Shutdown::Drain).wait().unwrap();
        drop(pool);
        eventually("the initializer is dropped", || Arc::strong_count(&calls) == 1);
    });
}

#[test]
fn an_initializer_that_panics_breaks_the_pool() {
    quiet_bombs();
    watchdog(LIMIT, || {
        let tries = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&tries);
        // The second thread cannot be readied.
        let initializer = move || {
            if counted.fetch_add(1, SeqCst) > 0 {
                resume_unwind(Box::new("no licence for a second thread"));
            }
        };
        let pool = ThreadPool::builder().max_workers(2).initializer(initializer).build().unwrap();
        let hold = Hold::new(&pool);
        let queued: Vec<_> = (0..3).map(|n| pool.submit(move || n)).collect();
        for job in queued {
            let why = job.wait().unwrap_err();
            assert!(
                matches!(why.fault(), Some(Fault::Panicked { .. } | Fault::PoolClosed)),
                "a job that came in time says why, a later one that it was too late: {why}"
            );
        }
        assert!(matches!(pool.submit(|| ()).wait().unwrap_err().fault(), Some(Fault::PoolClosed)));
        // The job that runs is not hurt.
        hold.release();
        pool.shutdown(Shutdown::Drain).wait().unwrap();
        assert_eq!((pool.stats().workers, tries.load(SeqCst)), (0, 2));
    });
}

#[test]
fn idle_threads_end_and_come_back() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::builder().max_workers(4).idle_time(Duration::from_millis(20)).build().unwrap();
        for _ in 0..2 {
            assert_eq!(pool.map(0..50, |n| n).wait().unwrap().len(), 50);
            eventually("all threads end", || pool.stats().workers == 0);
        }
        // The next thread has a name of its own.
        let names = [pool.submit(thread_name).wait().unwrap(), pool.submit(thread_name).wait().unwrap()];
        assert!(names.iter().all(|name| name != "thenable-0"), "{names:?}");
    });
}

#[test]
fn a_thread_may_wait_for_ever() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::builder().max_workers(1).idle_time(Duration::MAX).build().unwrap();
        for n in 0..3 {
            assert_eq!(pool.submit(move || n).wait().unwrap(), n);
            // It looks at the empty queue.
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(pool.stats().workers, 1);
        pool.shutdown(Shutdown::Drain).wait().unwrap();
    });
}
