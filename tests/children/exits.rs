//! A process that ends while there is work. The harness returns from `main` as soon as the test has, with all threads as they
//! are.

use std::mem::forget;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use thenable::{EventLoop, ExecutorExt, LoopHandle, Promise, Rejection, ThreadPool};

use crate::support::{assert_passed, child_or_output, eventually, in_child, scaled, time};

/// The global loop is up, and has seen what was given to it.
fn settle_in() {
    Promise::resolve(()).map(|()| ()).wait().unwrap();
}

#[test]
fn exit_with_a_thousand_pending_promises() {
    let run = |pending: &str| {
        let leave_pending = || {
            let count: usize = std::env::var("PENDING").unwrap().parse().unwrap();
            let global = LoopHandle::global();
            for _ in 0..count {
                let (promise, resolver) = Promise::<u8>::with_resolvers();
                forget((promise.map(|n| n), resolver));
                drop(global.call_later(Duration::from_secs(3600), || ()));
                forget(global.spawn(futures::future::pending::<Result<(), Rejection>>()));
                forget(thenable::delay(Duration::from_secs(3600)));
            }
            settle_in();
        };
        time(|| child_or_output(&[("PENDING", pending)], leave_pending).as_ref().map(assert_passed))
    };
    let (without, with) = (run("0"), run("1000"));
    assert!(with < without + scaled(Duration::from_secs(1)), "{without:?} without, {with:?} with");
}

#[test]
fn exit_with_jobs_that_run_and_jobs_that_wait() {
    in_child(|| {
        let pool = ThreadPool::new(2);
        let (running, runs) = mpsc::channel();
        for _ in 0..2 {
            let running = running.clone();
            forget(pool.submit(move || {
                running.send(()).unwrap();
                loop {
                    thread::park();
                }
            }));
        }
        for n in 0..1_000 {
            forget(pool.submit(move || n).map(|n| n + 1));
        }
        for _ in 0..2 {
            runs.recv().unwrap();
        }
        assert_eq!(pool.stats().queued, 1_000);
        forget(pool);
    });
}

#[test]
fn exit_while_the_last_handle_of_a_busy_pool_goes() {
    in_child(|| {
        let pool = ThreadPool::new(2);
        for n in 0..1_000 {
            forget(pool.submit(move || {
                thread::sleep(Duration::from_secs(if n < 2 { 3600 } else { 0 }));
                n
            }));
        }
        eventually(|| pool.stats().running == 2);
        drop(pool);
    });
}

#[test]
fn exit_while_the_global_loop_is_busy() {
    fn step() -> Promise<()> {
        Promise::resolve(()).then(|()| step())
    }
    in_child(|| {
        forget(step());
        forget(Promise::spawn(async {
            loop {
                Promise::resolve(()).await?;
                futures::pending!();
            }
            #[expect(unreachable_code, reason = "it says what the task would give")]
            Ok::<(), Rejection>(())
        }));
        let called = Arc::new(AtomicBool::new(false));
        let call = Arc::clone(&called);
        drop(LoopHandle::global().call_later(Duration::ZERO, move || call.store(true, Ordering::SeqCst)));
        eventually(|| called.load(Ordering::SeqCst));
    });
}

#[test]
fn exit_while_other_threads_run_loops_and_wait() {
    in_child(|| {
        let (up, ups) = mpsc::channel();
        for kind in 0..4 {
            let up = up.clone();
            thread::spawn(move || {
                let event_loop = EventLoop::new();
                let (never, _resolver) = Promise::<()>::with_resolvers();
                match kind {
                    0 => {
                        drop(event_loop.handle().call_soon(move || up.send(()).unwrap()));
                        event_loop.run_forever().unwrap();
                    }
                    1 => {
                        let task = async move {
                            up.send(()).unwrap();
                            never.await
                        };
                        event_loop.run(task).unwrap();
                    }
                    2 => {
                        up.send(()).unwrap();
                        never.wait().unwrap();
                    }
                    _ => {
                        let _current = event_loop.enter();
                        up.send(()).unwrap();
                        loop {
                            drop(Promise::resolve(1).map(|n| n + 1));
                            event_loop.run_ready(Duration::from_millis(1));
                        }
                    }
                }
            });
        }
        for _ in 0..4 {
            ups.recv().unwrap();
        }
        settle_in();
    });
}

/// A loop, a pool and promises in statics, which are never dropped.
#[test]
fn exit_with_everything_in_statics() {
    use std::sync::OnceLock;
    static POOL: OnceLock<ThreadPool> = OnceLock::new();
    static PROMISES: OnceLock<Vec<Promise<u8>>> = OnceLock::new();
    in_child(|| {
        let pool = POOL.get_or_init(|| ThreadPool::new(2));
        let promises = PROMISES.get_or_init(|| (0..100).map(|n| pool.submit(move || n).map(|n| n)).collect());
        assert_eq!(promises[7].clone().wait().unwrap(), 7);
    });
}
