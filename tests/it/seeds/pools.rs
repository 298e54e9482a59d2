//! Jobs on threads: a pool that is smaller than its work, pools behind a loop, and a comparison of counting loops.
//!
//! Threads need real time: pauses are short, and nothing is asserted about speed.

use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use thenable::{EventLoop, ExecutorExt, Promise, Shutdown, ThreadPool};

use super::Output;
use crate::support::{LIMIT, eventually, watchdog};

const PAUSE: Duration = Duration::from_millis(20);

#[test]
fn ten_jobs_on_five_threads() {
    watchdog(LIMIT, || {
        let (output, start) = (Output::default(), Instant::now());
        let pool = ThreadPool::new(5);
        // Nobody passes before all are submitted.
        let gate = Arc::new(Mutex::new(()));
        let closed = gate.lock().unwrap();
        let mut futures = Vec::new();
        for _ in 0..10 {
            let (output, gate) = (output.clone(), Arc::clone(&gate));
            futures.push(pool.submit(move || {
                drop(gate.lock().unwrap());
                thread::sleep(PAUSE);
                output.line(1);
                123
            }));
        }
        for future in &futures {
            output.line(format_args!("{future:?}"));
        }
        eventually("five jobs run", || pool.stats().running == 5);
        assert_eq!(pool.stats().queued, 5);
        drop(closed);
        assert_eq!(Promise::all(futures).wait().unwrap(), [123; 10]);
        assert!(start.elapsed() >= 2 * PAUSE, "two rounds");
        assert_eq!(output.lines(), [["Promise { <pending> }"; 10], ["1"; 10]].concat());
        assert!(pool.stats().workers <= 5);
    });
}

#[test]
fn a_loop_awaits_jobs_of_pools() {
    fn func1() -> &'static str {
        thread::sleep(PAUSE);
        "结果"
    }
    watchdog(LIMIT, || {
        let (output, start) = (Output::default(), Instant::now());
        let main = async {
            let pool = ThreadPool::builder().build()?;
            let result = pool.submit(func1).await?;
            output.line(format_args!("default thread pool {result}"));

            let pool = ThreadPool::builder().max_workers(3).thread_name("custom").build()?;
            let result = pool.submit(func1).await?;
            output.line(format_args!("custom thread pool {result}"));
            // The end of Python's `with`.
            pool.shutdown(Shutdown::Drain).await
        };
        EventLoop::new().run(main).unwrap();
        assert_eq!(output.lines(), ["default thread pool 结果", "custom thread pool 结果"]);
        assert!(start.elapsed() >= 2 * PAUSE, "one after the other");
    });
}

#[test]
fn counting_in_sequence_and_on_five_threads() {
    const COUNT: u64 = 100_000;

    fn count(number: u64) -> u64 {
        let mut i = 0;
        for _ in 0..COUNT {
            i = black_box(i + 1);
        }
        i * number
    }
    fn evaluate(output: &Output, item: u64) {
        output.line(format_args!("Item {item}, result {}", count(item)));
    }
    watchdog(LIMIT, || {
        let expected: Vec<_> = (1..=10).map(|item| format!("Item {item}, result {}", item * COUNT)).collect();

        let output = Output::default();
        for item in 1..=10 {
            evaluate(&output, item);
        }
        assert_eq!(output.lines(), expected, "in sequence");

        let (output, pool) = (Output::default(), ThreadPool::new(5));
        // Kept, because a job whose promise is dropped need not run.
        let futures = (1..=10).map(|item| {
            let output = output.clone();
            pool.submit(move || evaluate(&output, item))
        });
        Promise::all(futures).wait().unwrap();
        let mut lines = output.lines();
        lines.sort_by_key(|line| expected.iter().position(|item| item == line));
        assert_eq!(lines, expected, "whole lines, in whatever order the threads finish");
    });
}
