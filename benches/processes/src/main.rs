//! What a job that does nothing costs on two workers of every pool: one after the other, and all in flight. Ours, Rust's
//! and Python's take turns; each figure is the median of the rounds.

use futures::executor::block_on;
use std::process::{Command, ExitCode};
use std::time::Instant;
use thenable::{EventLoop, ExecutorExt, JobPoolExt, ProcessPool, Promise, Registry, Rejection, ThreadPool};

thenable::job! {
    fn nothing(n: u64) -> u64 {
        n
    }
}

/// How many jobs, one after the other and in flight.
#[derive(Clone, Copy)]
struct Size {
    serial: u64,
    flight: u64,
}

/// Nanoseconds per job: one after the other, and in flight.
type Cost = Option<(f64, f64)>;

fn each(count: u64, f: impl FnOnce() -> u64) -> f64 {
    let start = Instant::now();
    let sum = f();
    let elapsed = start.elapsed();
    assert_eq!(sum, count * count.saturating_sub(1) / 2, "every job's result");
    elapsed.as_nanos() as f64 / count as f64
}

/// `submit` gives something to await.
fn awaited<F: Future<Output = u64>>(
    size: Size,
    run: impl Fn(&mut dyn FnMut() -> u64) -> u64,
    submit: impl Fn(u64) -> F,
) -> Cost {
    let wait_one = |n| block_on(submit(n));
    assert_eq!(wait_one(0), 0);
    let serial = each(size.serial, || run(&mut || (0..size.serial).map(wait_one).sum()));
    let flight = each(size.flight, || {
        run(&mut || {
            let jobs: Vec<F> = (0..size.flight).map(&submit).collect();
            jobs.into_iter().map(block_on).sum()
        })
    });
    Some((serial, flight))
}

/// Promises, awaited on an event loop.
fn promised(size: Size, submit: impl Fn(u64) -> Promise<u64>) -> Cost {
    let event_loop = EventLoop::new();
    let submit = &submit;
    let on_loop = |f: &dyn Fn() -> Vec<Promise<u64>>| -> Result<u64, Rejection> {
        event_loop.run(async {
            let mut sum = 0;
            for promise in f() {
                sum += promise.await?;
            }
            Ok(sum)
        })
    };
    on_loop(&|| vec![submit(0)]).ok()?;
    let serial = each(size.serial, || {
        let sum = event_loop.run(async {
            let mut sum = 0;
            for n in 0..size.serial {
                sum += submit(n).await?;
            }
            thenable::Ok(sum)
        });
        sum.unwrap_or_default()
    });
    let flight = each(size.flight, || on_loop(&|| (0..size.flight).map(submit).collect()).unwrap_or_default());
    Some((serial, flight))
}

fn python(kind: &str, size: Size) -> Cost {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/pools.py");
    let (serial, flight) = ((size.serial / 10).max(1).to_string(), (size.flight / 10).max(1).to_string());
    let output = Command::new("python3").args([script, kind, &serial, &flight]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut numbers = text.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn microseconds(nanoseconds: f64) -> String {
    let us = nanoseconds / 1000.0;
    if us < 10.0 { format!("{us:.2}") } else { format!("{us:.0}") }
}

fn main() -> ExitCode {
    thenable::process::run_worker_if_asked(&Registry::new().add(nothing));
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (rounds, size) =
        if quick { (1, Size { serial: 10, flight: 100 }) } else { (7, Size { serial: 3_000, flight: 30_000 }) };

    let threads = ThreadPool::new(2);
    let Ok(processes) = ProcessPool::builder().max_workers(2).build() else { return ExitCode::FAILURE };
    let Ok(rayon) = rayon::ThreadPoolBuilder::new().num_threads(2).build() else { return ExitCode::FAILURE };
    let Ok(tokio) = tokio::runtime::Builder::new_multi_thread().worker_threads(1).max_blocking_threads(2).build()
    else {
        return ExitCode::FAILURE;
    };
    let handle = tokio.handle();
    let plain = |f: &mut dyn FnMut() -> u64| f();

    type Measure<'a> = Box<dyn Fn() -> Cost + 'a>;
    let candidates: Vec<(&str, Measure<'_>)> = vec![
        ("**`ThreadPool`**, promise awaited on a loop", Box::new(|| promised(size, |n| threads.submit(move || n)))),
        ("**rayon pool**, promise awaited on a loop", Box::new(|| promised(size, |n| rayon.submit(move || n)))),
        ("**tokio runtime**, promise awaited on a loop", Box::new(|| promised(size, |n| handle.submit(move || n)))),
        (
            "rayon `spawn_fifo` with a oneshot",
            Box::new(|| {
                awaited(size, plain, |n| {
                    let (sender, receiver) = oneshot::async_channel();
                    rayon.spawn_fifo(move || drop(sender.send(n)));
                    async { receiver.await.unwrap_or_default() }
                })
            }),
        ),
        (
            "tokio `spawn_blocking`",
            Box::new(|| {
                awaited(size, plain, |n| {
                    let job = handle.spawn_blocking(move || n);
                    async { job.await.unwrap_or_default() }
                })
            }),
        ),
        (
            "`blocking::unblock`, as many threads as it likes",
            Box::new(|| awaited(size, plain, |n| blocking::unblock(move || n))),
        ),
        ("Python `ThreadPoolExecutor`", Box::new(|| python("threads", size))),
        (
            "**`ProcessPool`**, promise awaited on a loop",
            Box::new(|| promised(size, |n| processes.submit_job(nothing, n))),
        ),
        ("Python `ProcessPoolExecutor`", Box::new(|| python("processes", size))),
    ];
    let mut costs: Vec<(Vec<f64>, Vec<f64>)> = candidates.iter().map(|_| Default::default()).collect();
    for _ in 0..rounds {
        for ((_, measure), (serial, flight)) in candidates.iter().zip(&mut costs) {
            if let Some((one, many)) = measure() {
                serial.push(one);
                flight.push(many);
            }
        }
    }
    println!("| a job that does nothing, two workers | one after the other, µs | in flight, µs per job |");
    println!("|---|---:|---:|");
    for ((name, _), (serial, flight)) in candidates.iter().zip(costs) {
        if serial.is_empty() {
            println!("| {name} | absent | absent |");
        } else {
            println!("| {name} | {} | {} |", microseconds(median(serial)), microseconds(median(flight)));
        }
    }
    ExitCode::SUCCESS
}
