//! A promise as a plain future: under hostile wakers, under other people's executors, and against real threads.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use thenable::{CancelOutcome, EventLoop, Fault, Promise, Rejection, Resolver};

use crate::support::{HostileWaker, LIMIT, Ledger, Token, quiet_bombs, watchdog};

fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// The smallest executor there is: poll, park, repeat.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

// ---- one thread, odd wakers

#[test]
fn the_waker_of_the_last_poll_is_woken() {
    let (mut promise, resolver) = Promise::<u8>::with_resolvers();
    let (first, last) = (HostileWaker::default(), HostileWaker::default());
    assert!(poll(&mut promise, &first.waker()).is_pending());
    assert!(poll(&mut promise, &last.waker()).is_pending());
    assert!(resolver.resolve(5).is_ok());
    assert!(last.wakes() >= 1);
    assert_eq!(poll(&mut promise, &last.waker()).map(Result::unwrap), Poll::Ready(5));
    drop(promise);
    assert_eq!(first.drops(), first.clones() + 1, "every waker is dropped once");
    assert_eq!(last.drops(), last.clones() + 2, "every waker is dropped once");
}

#[test]
fn a_waker_that_never_compares_equal_is_replaced_each_time() {
    let (mut promise, resolver) = Promise::<u8>::with_resolvers();
    let hostile = HostileWaker::default();
    let waker = hostile.waker();
    for _ in 0..100 {
        assert!(poll(&mut promise, &waker).is_pending());
    }
    assert!(hostile.clones() - hostile.drops() <= 1, "at most one waker is kept");
    assert_eq!(hostile.wakes(), 0);
    assert!(resolver.resolve(5).is_ok());
    assert_eq!(hostile.wakes(), 1);
    assert_eq!(poll(&mut promise, &waker).map(Result::unwrap), Poll::Ready(5));
}

#[test]
fn a_dropped_promise_lets_go_of_its_waker() {
    let (mut promise, resolver) = Promise::<u8>::with_resolvers();
    let hostile = HostileWaker::default();
    assert!(poll(&mut promise, &hostile.waker()).is_pending());
    drop(promise);
    let watcher = thread::spawn(move || resolver.resolve(1).map_err(drop));
    let _ = watchdog(LIMIT, || watcher.join().unwrap());
    assert_eq!(hostile.drops(), hostile.clones() + 1);
}

/// Which hook panics, and at which call.
fn bombs() -> impl Iterator<Item = (String, HostileWaker)> {
    (1..=3).flat_map(|k| {
        let bomb = move |number| {
            if number == k && !thread::panicking() {
                panic!("bomb: waker");
            }
        };
        [
            (format!("clone {k}"), HostileWaker::on_clone(bomb)),
            (format!("wake {k}"), HostileWaker::on_wake(bomb)),
            (format!("drop {k}"), HostileWaker::on_drop(bomb)),
        ]
    })
}

#[test]
fn a_waker_that_panics_costs_nobody_else_a_wake() {
    quiet_bombs();
    watchdog(LIMIT, || {
        for hostile_first in [true, false] {
            for (case, hostile) in bombs() {
                let (mut promise, resolver) = Promise::<u8>::with_resolvers();
                let mut other = promise.clone();
                let calm = HostileWaker::default();
                let calm_waker = calm.waker();
                if !hostile_first {
                    assert!(poll(&mut other, &calm_waker).is_pending());
                }
                for _ in 0..3 {
                    // The panic is the waker's own; it may come out of `poll`, and it may not break the promise.
                    let _ = catch_unwind(AssertUnwindSafe(|| {
                        let waker = hostile.waker();
                        assert!(poll(&mut promise, &waker).is_pending());
                    }));
                }
                if hostile_first {
                    assert!(poll(&mut other, &calm_waker).is_pending());
                }
                let _ = catch_unwind(AssertUnwindSafe(|| assert!(resolver.resolve(5).is_ok())));
                assert_eq!(calm.wakes(), 1, "{case}: the other waiter is woken");
                assert_eq!(poll(&mut other, &calm_waker).map(Result::unwrap), Poll::Ready(5), "{case}");
                assert_eq!(poll(&mut promise, &calm_waker).map(Result::unwrap), Poll::Ready(5), "{case}");
            }
        }
    });
}

type Slot = Arc<Mutex<Option<Promise<u8>>>>;

/// Polls the promise in the slot without holding the lock: the waker may come for the slot as well.
fn poll_slot(slot: &Slot, waker: &Waker) -> Option<Poll<Result<u8, Rejection>>> {
    let mut promise = slot.lock().unwrap().take()?;
    let outcome = poll(&mut promise, waker);
    if outcome.is_pending() {
        *slot.lock().unwrap() = Some(promise);
    }
    Some(outcome)
}

#[test]
fn a_waker_may_reenter_the_promise() {
    type Meddle = fn(&Slot, &Resolver<u8>);
    let meddles: [(&str, Meddle); 5] = [
        ("drops the handle", |slot, _| {
            // Not under the slot's own lock.
            let promise = slot.lock().unwrap().take();
            drop(promise);
        }),
        ("settles", |_, resolver| {
            let _ = resolver.resolve(9);
        }),
        ("polls again", |slot, _| drop(poll_slot(slot, Waker::noop()))),
        ("chains", |slot, _| {
            let promise = slot.lock().unwrap().clone();
            drop(promise.map(|promise| promise.map(|n| n + 1)));
        }),
        ("clones and polls the clone", |slot, _| {
            let promise = slot.lock().unwrap().clone();
            drop(promise.map(|mut promise| poll(&mut promise, Waker::noop())));
        }),
    ];
    type Hooked = fn(Box<dyn Fn(usize) + Send + Sync>) -> HostileWaker;
    let hooks: [(&str, Hooked); 3] = [
        ("clone", |hook| HostileWaker::on_clone(hook)),
        ("wake", |hook| HostileWaker::on_wake(hook)),
        ("drop", |hook| HostileWaker::on_drop(hook)),
    ];
    watchdog(LIMIT, || {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        for (what, meddle) in meddles {
            for (when, hooked) in hooks {
                let (promise, resolver) = Promise::<u8>::with_resolvers();
                let observer = promise.clone();
                let slot: Slot = Arc::new(Mutex::new(Some(promise)));
                let (inner_slot, inner_resolver) = (Arc::clone(&slot), resolver.clone());
                let hostile = hooked(Box::new(move |number| {
                    // Bounded: a waker that answers every wake with a poll would go on for ever by itself.
                    if number <= 4 {
                        meddle(&inner_slot, &inner_resolver);
                    }
                }));
                for _ in 0..2 {
                    poll_slot(&slot, &hostile.waker());
                }
                let _ = resolver.resolve(5);
                let outcome = event_loop.run(observer).unwrap();
                assert!(outcome == 5 || (what == "settles" && outcome == 9), "{when} {what}: {outcome}");
                let promise = slot.lock().unwrap().take();
                drop(promise);
                event_loop.run_until_idle().unwrap();
                assert!(hostile.drops() >= 2, "{when} {what}: both wakers are gone");
            }
        }
    });
}

#[test]
fn polled_then_dropped_then_settled_elsewhere() {
    watchdog(LIMIT, || {
        let ledger = Ledger::default();
        for round in 0..500 {
            let (mut promise, resolver) = Promise::with_resolvers();
            let hostile = HostileWaker::default();
            assert!(poll(&mut promise, &hostile.waker()).is_pending());
            let token = ledger.token();
            let settler = thread::spawn(move || drop(resolver.resolve(token)));
            if round % 2 == 0 {
                thread::yield_now();
            }
            drop(promise);
            settler.join().unwrap();
            assert!(hostile.wakes() <= 1);
        }
        ledger.assert_balanced("values");
    });
}

// ---- other people's executors

fn late(value: u32) -> Promise<u32> {
    let (promise, resolver) = Promise::with_resolvers();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(5));
        resolver.resolve(value)
    });
    promise
}

/// Pending and settled promises, chains, and two tasks that await clones of one promise.
async fn program() -> Result<u32, Rejection> {
    let pending = late(1);
    let (left, right) = futures::future::join(pending.clone(), pending.clone().map(|n| n + 1)).await;
    let chained = late(10).then(async |n| Ok(late(n).await? + 1)).await?;
    let settled = Promise::resolve(100).await?;
    let refused = Promise::<u32>::reject("no").await.is_err();
    Ok(left? + right? + chained + settled + pending.await? + u32::from(refused))
}
const PROGRAM: u32 = 1 + 2 + 11 + 100 + 1 + 1;

#[test]
fn awaited_under_futures_executor() {
    assert_eq!(watchdog(LIMIT, || futures::executor::block_on(program())).unwrap(), PROGRAM);
}

#[test]
fn awaited_under_a_hand_written_executor() {
    assert_eq!(watchdog(LIMIT, || block_on(program())).unwrap(), PROGRAM);
}

#[test]
fn awaited_under_smol() {
    assert_eq!(watchdog(LIMIT, || smol::block_on(async { smol::spawn(program()).await })).unwrap(), PROGRAM);
}

#[test]
fn awaited_under_tokio() {
    watchdog(LIMIT, || {
        let current = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert_eq!(current.block_on(async { tokio::spawn(program()).await.unwrap() }).unwrap(), PROGRAM);
        let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        assert_eq!(threads.block_on(async { tokio::spawn(program()).await.unwrap() }).unwrap(), PROGRAM);
        threads.block_on(async {
            let promise = late(3);
            let tasks: Vec<_> = (0..16).map(|_| tokio::spawn(promise.clone())).collect();
            for task in tasks {
                assert_eq!(task.await.unwrap().unwrap(), 3);
            }
        });
    });
}

#[test]
fn awaited_under_the_crates_own_loop_and_block_on() {
    watchdog(LIMIT, || {
        assert_eq!(EventLoop::new().run(program()).unwrap(), PROGRAM);
        assert_eq!(thenable::block_on(program()).unwrap(), PROGRAM);
    });
}

// ---- real threads: what the sender does against what the receiver does

type Sender = fn(Resolver<Token>, &Ledger);
const SENDERS: [(&str, Sender); 6] = [
    ("resolves", |resolver, ledger| drop(resolver.resolve(ledger.token()))),
    ("resolves twice", |resolver, ledger| {
        drop(resolver.resolve(ledger.token()));
        drop(resolver.resolve(ledger.token()));
    }),
    ("rejects", |resolver, _| drop(resolver.reject("no".into()))),
    ("goes away", |resolver, _| drop(resolver)),
    ("adopts settled", |resolver, ledger| drop(resolver.adopt(Promise::resolve(ledger.token())))),
    ("adopts, then settles", |resolver, ledger| {
        let (inner, settle) = Promise::with_resolvers();
        drop(resolver.adopt(inner));
        drop(settle.resolve(ledger.token()));
    }),
];

type Receiver = fn(Promise<Token>, &EventLoop);
const RECEIVERS: [(&str, Receiver); 12] = [
    ("drops", |promise, _| {
        promise.mark_handled();
        drop(promise);
    }),
    ("awaits", |promise, _| drop(block_on(promise))),
    ("polls and drops", |mut promise, _| drop(poll(&mut promise, Waker::noop()))),
    ("polls with two wakers and awaits", |mut promise, _| {
        let (first, second) = (HostileWaker::default(), HostileWaker::default());
        let pending =
            poll(&mut promise, &first.waker()).is_pending() && poll(&mut promise, &second.waker()).is_pending();
        if pending {
            drop(block_on(promise));
        }
    }),
    ("chains on a loop", |promise, event_loop| drop(event_loop.run(promise.map(drop).settled()))),
    ("chains and drops", |promise, event_loop| {
        drop(promise.map(drop).catch(|_| ()));
        event_loop.run_ready(Duration::ZERO);
    }),
    ("clones, awaits both", |promise, _| {
        let clone = promise.clone();
        drop((block_on(promise), block_on(clone)));
    }),
    ("clones, drops one, chains the other", |promise, event_loop| {
        let clone = promise.clone();
        drop(promise);
        drop(event_loop.run(clone.map(drop).settled()));
    }),
    ("cancels", |promise, _| {
        let cancelled = promise.cancel("enough") == CancelOutcome::Cancelled;
        let outcome = block_on(promise);
        assert!(!cancelled || matches!(outcome, Err(why) if matches!(why.fault(), Some(Fault::Cancelled { .. }))));
    }),
    ("waits in vain", |promise, _| drop(promise.wait_timeout(Duration::ZERO))),
    ("waits", |promise, _| drop(promise.wait())),
    ("subscribes and unsubscribes", |promise, _| {
        let subscription = promise.on_settled(|| ());
        subscription.remove();
        promise.mark_handled();
    }),
];

fn rounds() -> usize {
    let asked = std::env::var("THENABLE_STRESS_ROUNDS").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(if cfg!(debug_assertions) { 1_000 } else { 10_000 })
}

/// Two threads enter each round together: `arrived` is twice the round's number when both are there.
fn meet(arrived: &AtomicUsize, round: usize) {
    arrived.fetch_add(1, Ordering::SeqCst);
    let mut spins = 0_u32;
    while arrived.load(Ordering::SeqCst) < 2 * (round + 1) {
        spins += 1;
        if spins % 64 == 0 {
            thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
    }
}

fn contend(sender: (&str, Sender), receiver: (&str, Receiver)) {
    let ledger = Ledger::default();
    let arrived = AtomicUsize::new(0);
    let (promises, resolvers): (Vec<_>, Vec<_>) = (0..rounds()).map(|_| Promise::with_resolvers()).unzip();
    thread::scope(|scope| {
        scope.spawn(|| {
            for (round, resolver) in resolvers.into_iter().enumerate() {
                meet(&arrived, round);
                // Shift the two against each other by a few instructions, a little differently each time.
                (0..round % 16).for_each(|_| std::hint::spin_loop());
                sender.1(resolver, &ledger);
            }
        });
        // `wait` needs a thread without a loop, so the loop is only current for those who chain.
        let event_loop = EventLoop::new();
        let _current = receiver.0.contains("chains").then(|| event_loop.enter());
        for (round, promise) in promises.into_iter().enumerate() {
            meet(&arrived, round);
            (0..round / 16 % 16).for_each(|_| std::hint::spin_loop());
            receiver.1(promise, &event_loop);
        }
        event_loop.run_until_idle().unwrap();
    });
    ledger.assert_balanced_soon(&format!("sender {}, receiver {}", sender.0, receiver.0));
}

/// One test a receiver, so that they can run side by side and the failing pair is named.
macro_rules! stress {
    ($($test:ident: $receiver:literal,)*) => {
        $(#[test]
        fn $test() {
            for sender in SENDERS {
                watchdog(LIMIT * 6, || contend(sender, RECEIVERS[$receiver]));
            }
        })*

        #[test]
        fn stress_covers_every_receiver() {
            let mut covered = vec![$($receiver),*];
            covered.sort_unstable();
            assert_eq!(covered, (0..RECEIVERS.len()).collect::<Vec<usize>>());
        }
    };
}

stress! {
    stress_drop: 0,
    stress_await: 1,
    stress_poll_and_drop: 2,
    stress_two_wakers: 3,
    stress_chain: 4,
    stress_chain_and_drop: 5,
    stress_two_clones: 6,
    stress_clone_and_drop: 7,
    stress_cancel: 8,
    stress_wait_in_vain: 9,
    stress_wait: 10,
    stress_subscription: 11,
}
