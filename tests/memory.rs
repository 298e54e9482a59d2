//! What of its memory a process has when its promises are gone: in a process of its own, by what the system says.
//!
//! The allocator would say something else: a page that is still in use keeps the 2 MiB around it, of which the system may have
//! taken back all that is free.

#![cfg(all(target_os = "linux", not(thenable_no_reuse)))]

use std::time::Duration;
use thenable::{EventLoop, Promise};

/// What a thread keeps while it sleeps, the loop's own, and what the allocator does with all of it.
const KEPT_BYTES: usize = 6 << 20;
/// What busy threads keep beside that: 64 MiB, and for each of its pages up to 4 KiB of the allocator's.
const KEPT_AT_WORK_BYTES: usize = 72 << 20;

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: usize = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
    kib << 10
}

fn promises(count: usize) -> Vec<Promise<u64, u64>> {
    (0..count as u64).map(Promise::fulfilled).collect()
}

/// Drops them in an order that has nothing to do with where they lie.
fn drop_in_disorder(mut promises: Vec<Promise<u64, u64>>) {
    let count = promises.len();
    for n in 0..count {
        promises.swap(n, (n * 7919) % count);
    }
}

fn sleep(event_loop: &EventLoop) {
    event_loop.run(thenable::delay(Duration::from_millis(20))).unwrap();
}

/// The test again in a process of its own, whose allocator gives large vectors back at once.
fn again() {
    let test = std::env::current_exe().unwrap();
    let status = std::process::Command::new(test)
        .args(["--exact", "memory_is_given_back", "--nocapture"])
        .env(GLIBC, "glibc.malloc.mmap_threshold=131072:glibc.malloc.trim_threshold=131072")
        .status();
    assert!(status.unwrap().success());
}

const GLIBC: &str = "GLIBC_TUNABLES";

// One test: what others have at the same time would be counted too.
#[test]
fn memory_is_given_back() {
    if std::env::var_os(GLIBC).is_none() {
        return again();
    }
    let event_loop = EventLoop::new();
    sleep(&event_loop);
    let before = resident_bytes();
    let left = || resident_bytes().saturating_sub(before);
    let assert_left = |most: usize, what: &str| assert!(left() < most, "{} bytes are left of {what}", left());

    for count in [300_000, 3_000_000] {
        let all = promises(count);
        assert!(left() > count * 40, "{} bytes are {count} promises", left());
        drop_in_disorder(all);
        assert_left(KEPT_AT_WORK_BYTES + KEPT_BYTES, "many promises, on a busy thread");
    }
    sleep(&event_loop);
    assert_left(KEPT_BYTES, "many promises, on a loop that has slept");

    // One of each 32,749 stays, and with it a page of most segments; what is free around it is the system's all the same.
    let mut all = promises(3_000_000);
    let kept: Vec<_> = all.drain(..).enumerate().filter(|(n, _)| n % 32_749 == 0).map(|(_, promise)| promise).collect();
    drop(all);
    sleep(&event_loop);
    assert_left(kept.len() * (64 << 10) + KEPT_BYTES, "a few promises of many");
    drop(kept);
    sleep(&event_loop);
    assert_left(KEPT_BYTES, "a few promises that are gone");

    // A chain, what a chain of handlers leaves behind, and a long queue.
    {
        let _current = event_loop.enter();
        let sum = (0..1_000_000).fold(Promise::<u64>::resolve(0), |sum, _| sum.map(|n| n + 1));
        assert_eq!(event_loop.run(sum).ok(), Some(1_000_000));
        let (promise, resolver) = Promise::<u64>::with_resolvers();
        let all = Promise::all((0..1_000_000).map(|_| promise.clone().map(|n| n + 1)));
        assert!(resolver.resolve(1).is_ok());
        assert_eq!(event_loop.run(all).unwrap().len(), 1_000_000);
    }
    sleep(&event_loop);
    assert_left(KEPT_BYTES, "a chain and a long queue");

    // What others free comes back to the thread that made it.
    let mut all: Vec<_> = promises(1_000_000).into_iter().map(Some).collect();
    std::thread::scope(|scope| {
        for half in all.chunks_mut(500_000) {
            scope.spawn(|| half.iter_mut().for_each(|place| *place = None));
        }
    });
    drop(all);
    sleep(&event_loop);
    assert_left(KEPT_BYTES, "what two other threads have freed");

    // A little at a time, with a sleep after each.
    let mut all = promises(1_000_000);
    while !all.is_empty() {
        all.truncate(all.len() - 20_000);
        event_loop.run(thenable::delay(Duration::from_millis(1))).unwrap();
    }
    drop(all);
    assert_left(KEPT_BYTES, "what has gone little by little");

    // Threads that end: with all gone, with promises that others drop, and with some that go after the library's own locals.
    thread_local! {
        static LATE: std::cell::RefCell<Vec<Promise<u64, u64>>> = const { std::cell::RefCell::new(Vec::new()) };
    }
    std::thread::spawn(|| drop_in_disorder(promises(1_000_000))).join().unwrap();
    assert_left(KEPT_BYTES, "a thread that has ended");
    let late = || LATE.try_with(|late| late.replace(promises(1_000_000)).len());
    assert_eq!(std::thread::spawn(late).join().unwrap(), Ok(0));
    assert_left(KEPT_BYTES, "a thread that has ended late");
    drop(std::thread::spawn(|| promises(1_000_000)).join().unwrap());
    sleep(&event_loop);
    assert_left(KEPT_BYTES, "a thread that has ended, and promises that it has left");

    // A loop that has had a long queue and never slept.
    let busy = std::thread::spawn(|| {
        let event_loop = EventLoop::new();
        let current = event_loop.enter();
        let (promise, resolver) = Promise::<u64>::with_resolvers();
        (0..1_000_000).for_each(|_| drop(promise.clone().map(|n| n + 1)));
        assert!(resolver.resolve(1).is_ok());
        event_loop.run_until_idle().unwrap();
        drop(current);
        event_loop.handle()
    });
    let handle = busy.join().unwrap();
    assert_left(KEPT_BYTES, "a long queue of a loop that has ended");
    drop(handle);
}
