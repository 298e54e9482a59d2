//! Both worlds: foreign futures, tasks, channels and threads become promises, and promises serve those who block or pump.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use thenable::{EventLoop, Fault, FutureExt, LoopHandle, Promise, Rejection, State};

use crate::support::{LIMIT, Ledger, eventually, on_loop, quiet_bombs, watchdog};

#[derive(Debug, PartialEq)]
enum Mine {
    Fault,
    Own,
}

impl From<Fault> for Mine {
    fn from(_: Fault) -> Self {
        Self::Fault
    }
}

// ---- from a foreign future to a promise

#[test]
fn from_future_keeps_the_error_type() {
    on_loop(|event_loop| {
        let fulfilled = Promise::<u8, Mine>::from_future(async { Ok(1) }).map(|n| n + 1);
        let rejected = Promise::<u8, Mine>::from_future(async { Err(Mine::Own) });
        assert_eq!(event_loop.run(fulfilled), Ok(2));
        assert_eq!(event_loop.run(rejected), Err(Mine::Own));
        let panicking = Promise::<u8, Mine>::from_future(async { if true { panic!("bomb: task") } else { Ok(1) } });
        quiet_bombs();
        assert_eq!(event_loop.run(panicking), Err(Mine::Fault));
    });
}

#[test]
fn spawn_starts_on_a_later_turn_without_being_awaited() {
    on_loop(|event_loop| {
        let started = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&started);
        let task = Promise::spawn(async move {
            count.fetch_add(1, Ordering::SeqCst);
            thenable::Ok(5)
        });
        drop(task.clone().map(|n| n + 1));
        assert_eq!(started.load(Ordering::SeqCst), 0);
        event_loop.run_until_idle().unwrap();
        assert_eq!(started.load(Ordering::SeqCst), 1);
        assert_eq!(task.peek().and_then(Result::ok), Some(&5));
    });
}

#[test]
fn spawn_without_a_loop_uses_the_global_one() {
    watchdog(LIMIT, || {
        assert!(LoopHandle::current().is_none());
        let here = thread::current().id();
        let there = Promise::spawn(async { Ok(thread::current().id()) }).wait().unwrap();
        assert_ne!(here, there);
        let handler = Promise::resolve(()).map(|()| thread::current().id()).wait().unwrap();
        assert_eq!(there, handler, "one background loop");
    });
}

#[test]
fn into_promise_makes_any_future_of_a_result_chain() {
    on_loop(|event_loop| {
        async fn parse(text: &'static str) -> Result<u8, Rejection> {
            let text = Promise::resolve(text).await?;
            Ok(text.parse()?)
        }
        assert_eq!(event_loop.run(parse("7").into_promise().map(|n| n * 2)).unwrap(), 14);
        assert!(event_loop.run(parse("x").into_promise()).unwrap_err().is::<std::num::ParseIntError>());
        let typed = async { Err::<u8, Mine>(Mine::Own) }.into_promise().catch(|_| Ok(3));
        assert_eq!(event_loop.run(typed), Ok(3));
    });
}

#[test]
fn a_oneshot_receiver_becomes_a_promise() {
    watchdog(LIMIT, || {
        let (sender, receiver) = oneshot::channel();
        let promise = Promise::from(receiver).map(|n: u8| n + 1);
        thread::spawn(move || sender.send(4));
        assert_eq!(promise.wait().unwrap(), 5);

        let (sender, receiver) = oneshot::channel::<u8>();
        drop(sender);
        let why = Promise::from(receiver).wait().unwrap_err();
        assert!(matches!(why.fault(), Some(Fault::Abandoned { .. })) || why.is::<oneshot::Canceled>(), "{why:?}");
    });
}

#[test]
fn an_async_executor_task_becomes_a_promise() {
    watchdog(LIMIT, || {
        let executor = async_executor::Executor::new();
        let fulfilled = Promise::from(executor.spawn(async { thenable::Ok(20) })).map(|n| n + 1);
        let rejected = Promise::<u8>::from(executor.spawn(async { Err("no".into()) }));
        let both = executor.run(async { (fulfilled.await, rejected.await.unwrap_err().to_string()) });
        let (fulfilled, rejected) = futures::executor::block_on(both);
        assert_eq!((fulfilled.unwrap(), rejected.as_str()), (21, "no"));
    });
}

#[test]
fn a_thread_becomes_a_promise() {
    quiet_bombs();
    watchdog(LIMIT, || {
        let promise = Promise::from(thread::spawn(|| 6)).map(|n| n + 1);
        assert_eq!(promise.wait().unwrap(), 7);
        let why = Promise::<u8>::from(thread::spawn(|| panic!("bomb: thread"))).wait().unwrap_err();
        match why.fault() {
            Some(Fault::Panicked { message, .. }) => assert_eq!(message, "bomb: thread"),
            other => panic!("expected a panic, got {other:?}"),
        }
        // A thread that never ends does not keep anybody else waiting.
        let (end, wait) = mpsc::channel::<()>();
        let pending = Promise::from(thread::spawn(move || wait.recv().is_ok()));
        assert_eq!(pending.state(), State::Pending);
        assert_eq!(Promise::from(thread::spawn(|| 1)).wait().unwrap(), 1);
        end.send(()).unwrap();
        assert!(pending.wait().unwrap());
    });
}

#[test]
fn results_become_settled_promises() {
    assert_eq!(Promise::from("5".parse::<u8>()).peek(), Some(Ok(&5)));
    assert_eq!(Promise::<u8, Mine>::from(Err(Mine::Own)).peek(), Some(Err(&Mine::Own)));
}

// ---- from a promise to those who block

#[test]
fn wait_blocks_until_another_thread_settles() {
    watchdog(LIMIT, || {
        let (promise, resolver) = Promise::<String>::with_resolvers();
        let settler = thread::spawn(move || {
            thread::sleep(Duration::from_millis(10));
            resolver.resolve("late".to_owned())
        });
        assert_eq!(promise.wait().unwrap(), "late");
        assert!(settler.join().unwrap().is_ok());
    });
}

#[test]
fn wait_timeout_with_zero_is_a_poll() {
    watchdog(LIMIT, || {
        let (promise, resolver) = Promise::<u8>::with_resolvers();
        let why = promise.clone().wait_timeout(Duration::ZERO).unwrap_err();
        assert!(matches!(why.fault(), Some(Fault::TimedOut { after }) if after.is_zero()), "{why:?}");
        assert_eq!(promise.state(), State::Pending, "a wait that ends early settles nothing");

        let start = Instant::now();
        assert_fault!(promise.clone().wait_timeout(Duration::from_millis(20)), Fault::TimedOut { .. });
        assert!(start.elapsed() >= Duration::from_millis(20), "never early");

        assert!(resolver.resolve(3).is_ok());
        assert_eq!(promise.clone().wait_timeout(Duration::ZERO).unwrap(), 3);
        assert_eq!(promise.wait_timeout(Duration::MAX).unwrap(), 3, "a limit beyond all clocks is no limit");
    });
}

#[test]
fn wait_on_the_loop_thread_would_deadlock() {
    watchdog(LIMIT, || {
        let event_loop = EventLoop::new();
        let (pending, _resolver) = Promise::<u8>::with_resolvers();
        let start = Instant::now();
        let in_task = event_loop.run(async {
            assert_fault!(pending.clone().wait_timeout(LIMIT), Fault::WouldDeadlock);
            pending.clone().wait()
        });
        assert_fault!(in_task, Fault::WouldDeadlock);
        let in_handler = event_loop.run(async {
            let pending = pending.clone();
            Promise::resolve(()).then(move |()| pending.wait()).await
        });
        assert_fault!(in_handler, Fault::WouldDeadlock);
        let on_global = Promise::resolve(()).on(&LoopHandle::global()).then(move |()| pending.wait());
        assert_fault!(on_global.wait(), Fault::WouldDeadlock);
        assert!(start.elapsed() < LIMIT / 4, "at once, not after a time limit");
    });
}

#[test]
fn peek_borrows_and_never_blocks() {
    let (promise, resolver) = Promise::<String>::with_resolvers();
    assert!(promise.peek().is_none() && promise.is_pending());
    assert!(resolver.resolve("here".to_owned()).is_ok());
    assert_eq!(promise.peek().and_then(Result::ok).map(String::as_str), Some("here"));
    assert!(promise.is_fulfilled() && promise.is_settled() && !promise.is_rejected());
    let local = Promise::<Rc<u8>, Rc<u8>>::rejected(Rc::new(1));
    assert_eq!(local.peek(), Some(Err(&Rc::new(1))), "no bounds");
}

#[test]
fn on_settled_is_told_once_and_can_be_removed() {
    on_loop(|event_loop| {
        let count = Arc::new(AtomicUsize::new(0));
        let told = |weight: usize| {
            let count = Arc::clone(&count);
            move || {
                count.fetch_add(weight, Ordering::SeqCst);
            }
        };
        let (promise, resolver) = Promise::<u8>::with_resolvers();
        drop(promise.on_settled(told(1)));
        let removed = promise.on_settled(told(10));
        let late = promise.on_settled(told(100));
        assert!(removed.remove());
        assert!(resolver.resolve(1).is_ok());
        event_loop.run_until_idle().unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 101, "a dropped subscription stays, a removed one goes");
        assert!(!late.remove(), "too late");
        drop(promise.on_settled(told(1000)));
        event_loop.run_until_idle().unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 1101, "on a settled promise as well");
        assert_eq!(event_loop.run(promise).unwrap(), 1, "it took nothing away");
    });
}

#[test]
fn a_removed_subscription_is_dropped_at_once() {
    let ledger = Ledger::default();
    let (promise, resolver) = Promise::<u8>::with_resolvers();
    for _ in 0..1000 {
        let token = ledger.token();
        assert!(promise.on_settled(move || drop(token)).remove());
    }
    ledger.assert_balanced("subscriptions of a promise that still is pending");
    assert!(resolver.resolve(1).is_ok());
    assert!(promise.is_fulfilled());
}

// ---- a loop inside somebody else's loop

#[test]
fn a_gui_pumps_the_loop_when_it_is_told() {
    watchdog(LIMIT, || {
        let wakes = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&wakes);
        let event_loop = EventLoop::builder()
            .on_wake(move || {
                count.fetch_add(1, Ordering::SeqCst);
            })
            .build();
        let _current = event_loop.enter();
        let wakes = || wakes.load(Ordering::SeqCst);
        let pump = || while event_loop.run_ready(Duration::from_millis(5)) {};
        pump();
        let before = wakes();

        let (promise, resolver) = Promise::<u8>::with_resolvers();
        let shown = Arc::new(AtomicUsize::new(0));
        let show = Arc::clone(&shown);
        let derived = promise.map(move |n| show.fetch_add(usize::from(n), Ordering::SeqCst)).map(|_| ());
        assert_eq!(wakes(), before, "nothing to do yet");

        thread::spawn(move || assert!(resolver.resolve(7).is_ok())).join().unwrap();
        assert_eq!(wakes(), before + 1, "idle to not idle");
        for _ in 0..10 {
            drop(event_loop.handle().call_soon(|| ()));
        }
        assert_eq!(wakes(), before + 1, "once per change, not once per job");
        assert_eq!(shown.load(Ordering::SeqCst), 0, "nothing runs but under the pump");
        pump();
        assert_eq!(shown.load(Ordering::SeqCst), 7);
        assert!(derived.is_fulfilled());
        assert_eq!(wakes(), before + 1, "the second link was queued from inside `run_ready`");

        drop(event_loop.handle().call_soon(|| ()));
        assert_eq!(wakes(), before + 2, "idle again in between");
        pump();
    });
}

#[test]
fn on_wake_holds_no_lock() {
    watchdog(LIMIT, || {
        let (sender, receiver) = mpsc::channel::<LoopHandle>();
        let receiver = std::sync::Mutex::new(receiver);
        let entered = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&entered);
        let event_loop = EventLoop::builder()
            .on_wake(move || {
                count.fetch_add(1, Ordering::SeqCst);
                let handle = receiver.lock().unwrap().try_recv();
                if let Ok(handle) = handle {
                    // Into the loop that is waking right now.
                    assert!(!handle.is_closed());
                    drop(handle.call_soon(|| ()));
                    drop(handle.spawn(async { Ok(()) }));
                }
            })
            .build();
        sender.send(event_loop.handle()).unwrap();
        drop(event_loop.handle().call_soon(|| ()));
        while event_loop.run_ready(Duration::from_millis(5)) {}
        assert!(entered.load(Ordering::SeqCst) >= 1);
    });
}

#[test]
fn run_ready_gives_up_at_its_budget() {
    on_loop(|event_loop| {
        let ran = Arc::new(AtomicUsize::new(0));
        for _ in 0..50 {
            let ran = Arc::clone(&ran);
            drop(event_loop.handle().call_soon(move || {
                thread::sleep(Duration::from_millis(1));
                ran.fetch_add(1, Ordering::SeqCst);
            }));
        }
        assert!(event_loop.run_ready(Duration::from_millis(5)), "more is ready");
        let first = ran.load(Ordering::SeqCst);
        assert!((1..50).contains(&first), "{first} jobs of a millisecond in 5 ms");
        while event_loop.run_ready(Duration::from_millis(5)) {}
        assert_eq!(ran.load(Ordering::SeqCst), 50);
        assert!(!event_loop.run_ready(Duration::ZERO), "idle");
    });
}

/// Pending once, and woken already.
async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

#[test]
fn an_outer_executor_drives_an_inner_loop() {
    watchdog(LIMIT, || {
        let event_loop = EventLoop::new();
        let promise = event_loop.handle().spawn(async { Promise::resolve(4).map(|n| n + 1).await });
        let outcome = futures::executor::block_on(async {
            while promise.is_pending() {
                event_loop.run_ready(Duration::from_millis(1));
                yield_once().await;
            }
            promise.await
        });
        assert_eq!(outcome.unwrap(), 5);
    });
}

#[test]
fn wakes_reach_a_pumping_thread_from_everywhere() {
    watchdog(LIMIT, || {
        let (wake, woken) = mpsc::channel();
        let event_loop = EventLoop::builder()
            .on_wake(move || {
                let _ = wake.send(());
            })
            .build();
        let done = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (handle, done) = (event_loop.handle(), Arc::clone(&done));
                thread::spawn(move || {
                    for _ in 0..250 {
                        let done = Arc::clone(&done);
                        drop(handle.call_soon(move || {
                            done.fetch_add(1, Ordering::SeqCst);
                        }));
                        thread::yield_now();
                    }
                })
            })
            .collect();
        // Pump only when told: a lost wake-up ends in the watchdog.
        while done.load(Ordering::SeqCst) < 1000 {
            woken.recv().unwrap();
            while event_loop.run_ready(Duration::from_millis(1)) {}
        }
        for thread in threads {
            thread.join().unwrap();
        }
        eventually("all calls ran", || done.load(Ordering::SeqCst) == 1000);
    });
}

#[test]
fn loops_come_and_go_while_others_settle() {
    watchdog(LIMIT * 3, || {
        let settled = Arc::new(AtomicUsize::new(0));
        for _ in 0..200 {
            let event_loop = EventLoop::new();
            let guard = event_loop.enter();
            let (promises, resolvers): (Vec<Promise<usize>>, Vec<_>) =
                (0..4).map(|_| Promise::with_resolvers()).unzip();
            let derived: Vec<_> = promises.into_iter().map(|promise| promise.map(|n| n)).collect();
            drop(guard);
            thread::scope(|scope| {
                for resolver in resolvers {
                    scope.spawn(move || assert!(resolver.resolve(1).is_ok()));
                }
                event_loop.run_ready(Duration::from_micros(50));
                drop(event_loop);
            });
            for promise in derived {
                match promise.wait_timeout(LIMIT) {
                    Ok(1) => settled.fetch_add(1, Ordering::SeqCst),
                    outcome => {
                        assert_fault!(outcome, Fault::LoopClosed);
                        settled.fetch_add(1, Ordering::SeqCst)
                    }
                };
            }
        }
        eventually("every promise is settled", || settled.load(Ordering::SeqCst) == 800);
    });
}
