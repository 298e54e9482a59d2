//! Waiting inside a job.

use std::thread::{self};
use std::time::Duration;

use thenable::{ExecutorExt, Fault, Rejection, ThreadPool};

use crate::support::{LIMIT, watchdog};

#[test]
fn a_job_may_wait_for_jobs_of_its_pool() {
    watchdog(LIMIT, || {
        for workers in [1, 4] {
            let pool = ThreadPool::new(workers);
            let inner = pool.clone();
            let outer: Vec<_> = (0..20)
                .map(|n| {
                    let pool = inner.clone();
                    inner.submit(move || {
                        let parts: Vec<_> = (0..5).map(|m| pool.submit(move || n * m)).collect();
                        parts.into_iter().map(|part| part.wait().unwrap()).sum::<u32>()
                    })
                })
                .collect();
            for (n, sum) in (0..).zip(outer) {
                assert_eq!(sum.wait().unwrap(), n * 10, "{workers} workers");
            }
            let stats = pool.stats();
            assert_eq!((stats.completed, stats.running), (120, 0), "{workers} workers");
        }
    });
}

#[test]
fn jobs_nest_as_deep_as_their_tree_is_high() {
    fn fib(pool: &ThreadPool, n: u64) -> u64 {
        if n < 2 {
            return n;
        }
        let branch = |n: u64| {
            let inner = pool.clone();
            pool.submit(move || fib(&inner, n))
        };
        let (left, right) = (branch(n - 1), branch(n - 2));
        left.wait().unwrap() + right.wait().unwrap()
    }
    watchdog(LIMIT, || {
        for workers in [1, 4] {
            let pool = ThreadPool::new(workers);
            let inner = pool.clone();
            assert_eq!(pool.submit(move || fib(&inner, 13)).wait().unwrap(), 233, "{workers} workers");
        }
    });
}

#[test]
fn waiting_too_deep_is_an_error_and_no_overflow() {
    fn dig(pool: &ThreadPool, depth: u32) -> Result<u32, Rejection> {
        if depth == 1000 {
            return Ok(depth);
        }
        let inner = pool.clone();
        pool.attempt(move || dig(&inner, depth + 1)).wait()
    }
    watchdog(LIMIT, || {
        let pool = ThreadPool::new(1);
        let inner = pool.clone();
        assert_fault!(pool.attempt(move || dig(&inner, 0)).wait(), Fault::WouldDeadlock);
        assert_eq!(pool.submit(|| 1).wait().unwrap(), 1, "the pool goes on");
    });
}

#[test]
fn a_job_may_wait_for_what_comes_from_elsewhere() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::new(1);
        let other = ThreadPool::new(1);
        let late = other.submit(|| {
            thread::sleep(Duration::from_millis(20));
            5
        });
        let job = pool.submit(move || late.wait().unwrap() + 1);
        // It helps while it waits.
        assert_eq!(pool.submit(|| 1).wait().unwrap(), 1);
        assert_eq!(job.wait().unwrap(), 6);
    });
}
