//! The workloads on this crate, as a program of its own: `ours` in the list of programs, next to those in `peers/`.

use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use thenable::{EventLoop, Promise, Rejection, Resolver, delay};

type Outcome<T = u64> = Result<T, Rejection>;

/// Does a workload until its time is over and prints what each run took, in nanoseconds per operation (or bytes).
pub(crate) fn main(workload: &str, size: usize, warm_up: Duration, measure: Duration) {
    let event_loop = EventLoop::new();
    let run: &dyn Fn() -> f64 = match workload {
        "chains_of_10" => &|| wall(size, || event_loop.run(chains_of_10(size)), chains_of_10_sum(size)),
        "long_chain" => &|| wall(size, || event_loop.run(long_chain(size)), size as u64),
        "settle" => &|| wall(size, || event_loop.run(settle(size)), below(size)),
        "fan_out" => &|| wall(size, || event_loop.run(fan_out(size)), size as u64),
        "all" => &|| wall(size, || event_loop.run(all(size)), below(size)),
        "spawn" => &|| wall(size, || event_loop.run(spawn(size)), below(size)),
        "doxbee" => &|| wall(size, || event_loop.run(doxbee(size, SETTLED)), uploaded(size)),
        "doxbee_async" => &|| wall(size, || event_loop.run(doxbee_async(size)), uploaded(size)),
        "parallel" => &|| wall(size, || event_loop.run(parallel(size, SETTLED)), inserted(size)),
        "doxbee_timers" => &|| wall(size, || event_loop.run(doxbee(size, TIMER)), uploaded(size)),
        "parallel_timers" => &|| wall(size, || event_loop.run(parallel(size, TIMER)), inserted(size)),
        "timers" => &|| cpu(size, || event_loop.run(timers(size)), size as u64),
        "memory" => return println!("{}", memory(size, |_| Promise::<u64>::with_resolvers())),
        "memory_then" => return println!("{}", memory(size, |_| with_then())),
        other => panic!("no workload {other}"),
    };
    let start = Instant::now();
    while start.elapsed() < warm_up {
        run();
    }
    let start = Instant::now();
    while start.elapsed() < measure {
        println!("{}", run());
    }
}

fn wall(size: usize, work: impl FnOnce() -> Outcome, expected: u64) -> f64 {
    let start = Instant::now();
    let outcome = work();
    let took = start.elapsed();
    assert_eq!(outcome.expect("no rejection"), expected);
    took.as_nanos() as f64 / size as f64
}

fn cpu(size: usize, work: impl FnOnce() -> Outcome, expected: u64) -> f64 {
    let now = || {
        let now = clock_gettime(ClockId::ProcessCPUTime);
        now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
    };
    let start = now();
    let outcome = work();
    let took = now() - start;
    assert_eq!(outcome.expect("no rejection"), expected);
    took / size as f64
}

/// 0 + 1 + .. without `count` itself.
fn below(count: usize) -> u64 {
    let count = count as u64;
    count * count.saturating_sub(1) / 2
}

fn chains_of_10_sum(links: usize) -> u64 {
    below(links / 10) + (links / 10) as u64 * 45
}

async fn chains_of_10(links: usize) -> Outcome {
    let mut sum = 0;
    for start in 0..(links / 10) as u64 {
        let mut promise = Promise::resolve(start);
        for step in 0..10 {
            promise = promise.then(move |n| Ok(n + step));
        }
        sum += promise.await?;
    }
    Ok(sum)
}

async fn long_chain(links: usize) -> Outcome {
    let (mut promise, resolver) = Promise::with_resolvers();
    for _ in 0..links {
        promise = promise.then(|n| Ok(n + 1));
    }
    assert!(resolver.resolve(0).is_ok());
    promise.await
}

async fn settle(count: usize) -> Outcome {
    let mut sum = 0;
    for n in 0..count as u64 {
        let (promise, resolver) = Promise::with_resolvers();
        assert!(resolver.resolve(n).is_ok());
        sum += promise.await?;
    }
    Ok(sum)
}

async fn fan_out(count: usize) -> Outcome {
    static RUN: AtomicU64 = AtomicU64::new(0);
    // One thread, so reading and writing will do.
    let add = |n: u64| RUN.store(RUN.load(Ordering::Relaxed) + n, Ordering::Relaxed);
    RUN.store(0, Ordering::Relaxed);
    let (promise, resolver) = Promise::with_resolvers();
    for _ in 0..count {
        drop(promise.clone().map(add));
    }
    let last = promise.map(|_| RUN.load(Ordering::Relaxed));
    assert!(resolver.resolve(1).is_ok());
    last.await
}

async fn all(count: usize) -> Outcome {
    let (promises, resolvers): (Vec<_>, Vec<_>) = (0..count).map(|_| Promise::<u64>::with_resolvers()).unzip();
    let all = Promise::all(promises);
    for (n, resolver) in resolvers.into_iter().enumerate() {
        assert!(resolver.resolve(n as u64).is_ok());
    }
    Ok(all.await?.into_iter().sum())
}

async fn trivial(n: u64) -> Outcome {
    Ok(n)
}

async fn spawn(count: usize) -> Outcome {
    let calls: Vec<_> = (0..count as u64).map(|n| Promise::spawn(trivial(n))).collect();
    let mut sum = 0;
    for call in calls {
        sum += call.await?;
    }
    Ok(sum)
}

const QUERIES: u64 = 25;
const MILLISECOND: Duration = Duration::from_millis(1);
const SETTLED: bool = false;
const TIMER: bool = true;

/// A database, a blob store: every operation answers with what it was given, at once or after a timer.
fn ask<T: Send + 'static>(timer: bool, answer: T) -> Promise<T> {
    if timer { Promise::delay(MILLISECOND, answer) } else { Promise::resolve(answer) }
}

/// put blob, get file, insert version, create query, execute it, insert file version, update file, commit.
fn upload(request: u64, timer: bool) -> Promise<u64> {
    ask(timer, request)
        .then(move |blob| ask(timer, (blob, None::<u64>)))
        .then(move |(blob, file)| ask(timer, (blob + 1, file)))
        .then(move |(version, file)| match file {
            Some(file) => Promise::resolve((file, version)),
            None => ask(timer, version + 1).then(move |query| ask(timer, query)).map(move |file| (file, version)),
        })
        .then(move |(file, version)| ask(timer, (file, version)))
        .then(move |(file, version)| ask(timer, file + version))
        .then(move |sum| ask(timer, sum))
        .catch(move |why| ask(timer, why).then(Err))
}

async fn upload_async(request: u64) -> Outcome {
    let blob = ask(SETTLED, request).await?;
    let (blob, file) = ask(SETTLED, (blob, None::<u64>)).await?;
    let (version, file) = ask(SETTLED, (blob + 1, file)).await?;
    let file = match file {
        Some(file) => file,
        None => {
            let query = ask(SETTLED, version + 1).await?;
            ask(SETTLED, query).await?
        }
    };
    let (file, version) = ask(SETTLED, (file, version)).await?;
    let sum = ask(SETTLED, file + version).await?;
    ask(SETTLED, sum).await
}

fn uploaded(requests: usize) -> u64 {
    2 * below(requests) + 3 * requests as u64
}

async fn doxbee(requests: usize, timer: bool) -> Outcome {
    let uploads: Vec<_> = (0..requests as u64).map(|request| upload(request, timer)).collect();
    Ok(Promise::all(uploads).await?.into_iter().sum())
}

async fn doxbee_async(requests: usize) -> Outcome {
    let uploads: Vec<_> = (0..requests as u64).map(|request| Promise::spawn(upload_async(request))).collect();
    Ok(Promise::all(uploads).await?.into_iter().sum())
}

fn insert(request: u64, timer: bool) -> Promise<u64> {
    let queries: Vec<_> = (0..QUERIES).map(|query| ask(timer, query + request)).collect();
    Promise::all(queries)
        .then(move |rows| ask(timer, rows.into_iter().sum()))
        .catch(move |why| ask(timer, why).then(Err))
}

fn inserted(requests: usize) -> u64 {
    QUERIES * below(requests) + requests as u64 * (QUERIES * (QUERIES - 1) / 2)
}

async fn parallel(requests: usize, timer: bool) -> Outcome {
    let inserts: Vec<_> = (0..requests as u64).map(|request| insert(request, timer)).collect();
    Ok(Promise::all(inserts).await?.into_iter().sum())
}

async fn timers(count: usize) -> Outcome {
    let delays: Vec<_> = (0..count as u64).map(|n| delay(Duration::from_millis(n * 1000 / count as u64))).collect();
    let mut fired = 0;
    for delay in delays {
        delay.await?;
        fired += 1;
    }
    Ok(fired)
}

fn with_then() -> (Promise<u64>, Resolver<u64>) {
    let (promise, resolver) = Promise::<u64>::with_resolvers();
    (promise.then(|n| Ok(n + 1)), resolver)
}

/// How much the resident memory grows per item, the array that holds it included.
fn memory<T>(count: usize, make: impl FnMut(usize) -> T) -> f64 {
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").expect("/proc/self/statm");
        let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
        (pages.expect("a number") * rustix::param::page_size()) as f64
    };
    // What a first one needs is not counted.
    drop(with_then());
    let before = resident();
    let mut kept = Vec::with_capacity(count);
    kept.extend((0..count).map(make));
    let grown = resident() - before;
    assert_eq!(kept.len(), count);
    std::mem::forget(kept);
    grown / count as f64
}
