//! The programs on pools of the tutorials that `tests/it/seeds` ports, with processes: a pool that is smaller than its work,
//! pools behind a loop, and the comparison of counting loops.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use thenable::{EventLoop, ExecutorExt, JobPool, JobPoolExt, Promise, Shutdown, ThreadPool};

use crate::support::{evaluate, eventually, func1, pool, sleep, within};

/// What a program prints.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<String>>>);

impl Output {
    fn line(&self, text: impl ToString) {
        self.0.lock().unwrap().push(text.to_string());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

const PAUSE: u64 = 100;

#[test]
fn ten_jobs_on_five_processes() {
    within(|| {
        let (output, start) = (Output::default(), Instant::now());
        let pool = pool(5).build().unwrap();
        let futures: Vec<_> = (0..10)
            .map(|_| {
                let output = output.clone();
                pool.submit_job(sleep, PAUSE).map(move |_| {
                    output.line(1);
                    123
                })
            })
            .collect();
        for future in &futures {
            output.line(format_args!("{future:?}"));
        }
        eventually("five jobs run", || pool.stats().running == 5);
        assert_eq!(pool.stats().queued, 5);
        assert_eq!(Promise::all(futures).wait().unwrap(), [123; 10]);
        assert!(start.elapsed() >= Duration::from_millis(2 * PAUSE), "two rounds");
        assert_eq!(output.lines(), [["Promise { <pending> }"; 10], ["1"; 10]].concat());
        assert!(pool.stats().workers <= 5);
    });
}

#[test]
fn a_loop_awaits_jobs_of_three_pools() {
    within(|| {
        let (output, start) = (Output::default(), Instant::now());
        let main = async {
            let threads = ThreadPool::builder().build()?;
            let result = threads.submit(|| func1(PAUSE)).await?;
            output.line(format_args!("default thread pool {result}"));

            let threads = ThreadPool::builder().max_workers(3).thread_name("custom").build()?;
            let result = threads.submit_job(func1, PAUSE).await?;
            output.line(format_args!("custom thread pool {result}"));
            // The end of Python's `with`.
            threads.shutdown(Shutdown::Drain).await?;

            let processes = pool(3).build()?;
            let result = processes.submit_job(func1, PAUSE).await?;
            output.line(format_args!("custom process pool {result}"));
            processes.shutdown(Shutdown::Drain).await
        };
        EventLoop::new().run(main).unwrap();
        assert_eq!(output.lines(), ["default thread pool 结果", "custom thread pool 结果", "custom process pool 结果"]);
        assert!(start.elapsed() >= Duration::from_millis(3 * PAUSE), "one after the other");
    });
}

#[test]
fn counting_in_sequence_on_five_threads_and_in_five_processes() {
    const COUNT: u64 = 10_000;
    within(|| {
        let expected: Vec<_> = (1..=10).map(|item| format!("Item {item}, result {}", item * COUNT)).collect();
        let sequential: Vec<_> = (1..=10).map(|item| evaluate((COUNT, item))).collect();
        assert_eq!(sequential, expected, "in sequence");

        let pools: [&dyn JobPool; 2] = [&ThreadPool::new(5), &pool(5).build().unwrap()];
        for pool in pools {
            let output = Output::default();
            let items = (1..=10).map(|item| {
                let output = output.clone();
                pool.submit_job(evaluate, (COUNT, item)).map(move |line| output.line(line))
            });
            Promise::all(items).wait().unwrap();
            let mut lines = output.lines();
            lines.sort_by_key(|line| expected.iter().position(|item| item == line));
            assert_eq!(lines, expected, "whole lines, in whatever order they are done");
        }
    });
}
