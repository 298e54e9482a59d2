//! What only a process of its own can show: small stacks, flat memory, exits, thread-local destructors.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use thenable::{EventLoop, Fault, LoopHandle, Promise, Rejection, Resolver};

#[cfg(target_os = "linux")]
use crate::support::resident;
use crate::support::{LIMIT, assert_passed, eventually, in_child, is_child, run_child, scaled, small_stack, watchdog};

const LINKS: u64 = 1_000_000;

/// A million links below one pending promise, on a loop that is current.
fn chain() -> (Promise<u64>, Resolver<u64>) {
    let (mut tail, resolver) = Promise::with_resolvers();
    for _ in 0..LINKS {
        tail = tail.map(|n: u64| n + 1);
    }
    (tail, resolver)
}

// ---- chains

#[test]
fn chain_resolved() {
    small_stack("chain_resolved", || {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let (tail, resolver) = chain();
        assert!(resolver.resolve(0).is_ok());
        assert_eq!(event_loop.run(tail).unwrap(), LINKS);
    });
}

#[test]
fn chain_rejected() {
    small_stack("chain_rejected", || {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let (tail, resolver) = chain();
        assert!(resolver.reject("no".into()).is_ok());
        assert_eq!(event_loop.run(tail).unwrap_err().to_string(), "no");
    });
}

#[test]
fn chain_abandoned() {
    small_stack("chain_abandoned", || {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let (tail, resolver) = chain();
        drop(resolver);
        assert_fault!(event_loop.run(tail), Fault::Abandoned { .. });
    });
}

#[test]
fn chain_dropped_pending() {
    small_stack("chain_dropped_pending", || {
        // The handle first, the resolver first, and with the loop gone before both.
        for order in 0..3 {
            let event_loop = EventLoop::new();
            let current = event_loop.enter();
            let (tail, resolver) = chain();
            match order {
                0 => {
                    drop(tail);
                    drop(resolver);
                }
                1 => {
                    drop(resolver);
                    drop(tail);
                }
                _ => {
                    drop(current);
                    drop(event_loop);
                    drop((tail, resolver));
                }
            }
        }
    });
}

#[test]
fn chain_dropped_settled() {
    small_stack("chain_dropped_settled", || {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let (tail, resolver) = chain();
        assert!(resolver.resolve(0).is_ok());
        event_loop.run_until_idle().unwrap();
        assert_eq!(tail.peek().and_then(Result::ok), Some(&LINKS));
        drop(tail);
    });
}

#[test]
fn chain_resolved_then_its_loop_dropped() {
    small_stack("chain_resolved_then_its_loop_dropped", || {
        for head_start in [Duration::ZERO, Duration::from_millis(1)] {
            let event_loop = EventLoop::new();
            let current = event_loop.enter();
            let (tail, resolver) = chain();
            assert!(resolver.resolve(0).is_ok());
            if !head_start.is_zero() {
                event_loop.run_ready(head_start);
            }
            drop(current);
            drop(event_loop);
            match tail.wait() {
                Ok(n) => assert!(!head_start.is_zero() && n == LINKS, "a fast machine may have run them all"),
                outcome => assert_fault!(outcome, Fault::LoopClosed),
            }
        }
    });
}

// ---- adoption

#[test]
fn adopted_by_handlers() {
    small_stack("adopted_by_handlers", || {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let mut nested = Promise::resolve(7_u64);
        for _ in 0..LINKS {
            nested = Promise::resolve(()).then(move |()| nested);
        }
        assert_eq!(event_loop.run(nested).unwrap(), 7);
    });
}

#[test]
fn adopted_by_handlers_that_never_run() {
    small_stack("adopted_by_handlers_that_never_run", || {
        let event_loop = EventLoop::new();
        let current = event_loop.enter();
        let (never, resolver) = Promise::<()>::with_resolvers();
        let mut nested = Promise::resolve(7_u64);
        for _ in 0..LINKS {
            nested = never.clone().then(move |()| nested);
        }
        drop(current);
        drop(event_loop);
        drop((never, nested));
        drop(resolver);
    });
}

#[test]
fn adopted_by_resolvers_outside_in() {
    small_stack("adopted_by_resolvers_outside_in", || {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let (outermost, mut resolver) = Promise::<u64>::with_resolvers();
        for _ in 0..LINKS {
            let (inner, next) = Promise::with_resolvers();
            assert!(resolver.adopt(inner).is_ok());
            resolver = next;
        }
        assert!(resolver.resolve(7).is_ok());
        assert_eq!(event_loop.run(outermost).unwrap(), 7);
    });
}

#[test]
fn adopted_by_resolvers_inside_out() {
    small_stack("adopted_by_resolvers_inside_out", || {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        for settle in [true, false] {
            let (mut outermost, innermost) = Promise::<u64>::with_resolvers();
            for _ in 0..LINKS {
                let (outer, resolver) = Promise::with_resolvers();
                assert!(resolver.adopt(outermost).is_ok());
                outermost = outer;
            }
            if settle {
                assert!(innermost.resolve(7).is_ok());
                assert_eq!(event_loop.run(outermost).unwrap(), 7);
            } else {
                drop(outermost);
                drop(innermost);
            }
        }
    });
}

#[test]
fn values_that_hold_promises_that_hold_values() {
    struct Nest {
        _inner: Option<Promise<Nest>>,
    }
    small_stack("values_that_hold_promises_that_hold_values", || {
        let mut nest = Promise::resolve(Nest { _inner: None });
        for _ in 0..LINKS {
            nest = Promise::resolve(Nest { _inner: Some(nest) });
        }
        drop(nest);
    });
}

// ---- memory

/// One node per round that stays behind would be a hundred times this.
#[cfg(target_os = "linux")]
const FLAT: usize = 2 * 1024;

#[cfg(target_os = "linux")]
#[test]
fn a_recursive_loop_is_flat() {
    fn step(left: u64) -> Promise<usize> {
        Promise::resolve(left).then(|left| if left == 0 { Promise::resolve(resident()) } else { step(left - 1) })
    }
    small_stack("a_recursive_loop_is_flat", || {
        let steps = if cfg!(debug_assertions) { 1_000_000 } else { 10_000_000 };
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let before = event_loop.run(step(10_000)).unwrap();
        let after = event_loop.run(step(steps)).unwrap();
        assert!(after < before + FLAT, "{before} KiB after 10^4 steps, {after} KiB after {steps} more");
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_recursive_loop_of_async_handlers_is_flat() {
    fn step(left: u64) -> Promise<usize> {
        Promise::resolve(left)
            .then(async |left| {
                Promise::resolve(()).await?;
                Ok(left)
            })
            .then(|left| if left == 0 { Promise::resolve(resident()) } else { step(left - 1) })
    }
    small_stack("a_recursive_loop_of_async_handlers_is_flat", || {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let before = event_loop.run(step(10_000)).unwrap();
        let after = event_loop.run(step(200_000)).unwrap();
        assert!(after < before + FLAT, "{before} KiB, then {after} KiB");
    });
}

#[cfg(target_os = "linux")]
#[test]
fn racing_against_a_promise_that_never_settles_is_flat() {
    small_stack("racing_against_a_promise_that_never_settles_is_flat", || {
        let rounds = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
        let event_loop = EventLoop::new();
        let outcome = event_loop.run(async {
            let (never, _resolver) = Promise::<usize>::with_resolvers();
            let mut before = 0;
            for round in 0..rounds {
                if round == 10_000 {
                    before = resident();
                }
                // Settled already, and settled while the race is on.
                let (short, resolver) = Promise::with_resolvers();
                let race = Promise::race([never.clone(), short]);
                assert!(resolver.resolve(round).is_ok());
                assert_eq!(race.await?, round);
                assert_eq!(Promise::race([Promise::resolve(round), never.clone()]).await?, round);
            }
            let after = resident();
            assert!(after < before + FLAT, "{before} KiB after 10^4 rounds, {after} KiB after {rounds}");
            thenable::Ok(())
        });
        outcome.unwrap();
    });
}

// ---- the ends of threads and processes

#[test]
fn exit_with_a_thousand_pending_promises() {
    const NAME: &str = "children::exit_with_a_thousand_pending_promises";
    if is_child(NAME) {
        let count: usize = std::env::var("PENDING").unwrap().parse().unwrap();
        let global = LoopHandle::global();
        for _ in 0..count {
            let (promise, resolver) = Promise::<u8>::with_resolvers();
            std::mem::forget((promise.map(|n| n), resolver));
            drop(global.call_later(Duration::from_secs(3600), || ()));
            std::mem::forget(global.spawn(futures::future::pending::<Result<(), Rejection>>()));
            std::mem::forget(thenable::delay(Duration::from_secs(3600)));
        }
        // The global loop is up, and has seen what was given to it.
        watchdog(LIMIT, || Promise::resolve(()).map(|()| ()).wait()).unwrap();
        return;
    }
    let time = |pending| {
        let start = Instant::now();
        assert_passed(&run_child(NAME, &[("PENDING", pending)]));
        start.elapsed()
    };
    let (without, with) = (time("0"), time("1000"));
    assert!(with < without + scaled(Duration::from_secs(1)), "{without:?} without, {with:?} with");
}

/// Lives in a thread-local and does everything at once when the thread ends.
struct LastWords {
    resolver: Resolver<u8>,
    promise: Promise<u8>,
    handle: LoopHandle,
    done: Arc<AtomicUsize>,
}

impl Drop for LastWords {
    fn drop(&mut self) {
        let count = |done: &Arc<AtomicUsize>| {
            let done = Arc::clone(done);
            move || {
                done.fetch_add(1, Ordering::SeqCst);
            }
        };
        assert!(self.resolver.resolve(1).is_ok());
        let (chained, fresh, called) = (count(&self.done), count(&self.done), count(&self.done));
        drop(self.promise.clone().map(move |_| chained()));
        drop(self.promise.on_settled(count(&self.done)));
        drop(Promise::resolve(1).map(move |_| fresh()));
        drop(self.handle.call_soon(called));
        let spawned = count(&self.done);
        drop(Promise::spawn(async move {
            spawned();
            Ok(())
        }));
        assert_eq!(self.promise.clone().wait().unwrap(), 1);
        drop(Promise::all([Promise::resolve(1), self.promise.clone()]));
        let _ = LoopHandle::current();
    }
}

#[test]
fn thread_local_destructors_may_use_everything() {
    thread_local! {
        static WORDS: RefCell<Option<LastWords>> = const { RefCell::new(None) };
        static OWN_LOOP: RefCell<Option<EventLoop>> = const { RefCell::new(None) };
    }
    in_child("thread_local_destructors_may_use_everything", || {
        // Destructors run in an order that depends on who was first: ours or the library's.
        for library_first in [true, false] {
            let done = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&done);
            let thread = thread::spawn(move || {
                let warm_up = || {
                    let event_loop = EventLoop::new();
                    let outcome = event_loop.run(async { Promise::resolve(1).map(|n| n + 1).await });
                    assert_eq!(outcome.unwrap(), 2);
                    event_loop
                };
                if library_first {
                    drop(warm_up());
                }
                let (promise, resolver) = Promise::with_resolvers();
                let words = LastWords { resolver, promise, handle: LoopHandle::global(), done: counter };
                WORDS.set(Some(words));
                let event_loop = warm_up();
                drop(event_loop.handle().call_soon(|| unreachable!("nobody runs this loop any more")));
                OWN_LOOP.set(Some(event_loop));
            });
            thread.join().unwrap();
            eventually("everything that the destructor started", || done.load(Ordering::SeqCst) == 5);
        }
    });
}

#[test]
fn a_panic_in_a_handler_never_aborts() {
    in_child("a_panic_in_a_handler_never_aborts", || {
        for round in 0..100 {
            let why = Promise::resolve(round).map(|n: i32| -> i32 { panic!("round {n}") }).wait().unwrap_err();
            assert!(matches!(why.fault(), Some(Fault::Panicked { .. })), "{why:?}");
            drop(LoopHandle::global().call_soon(|| panic!("called")));
            assert_fault!(Promise::<()>::spawn(async { panic!("task") }).wait(), Fault::Panicked { .. });
        }
        assert_eq!(Promise::resolve(1).map(|n| n + 1).wait().unwrap(), 2, "the global loop goes on");
    });
}

/// In a child, because the hook belongs to the whole process.
#[test]
fn unhandled_rejections_are_reported_once() {
    in_child("unhandled_rejections_are_reported_once", || {
        type Reports = Arc<Mutex<Vec<(String, u32)>>>;
        let reports: Reports = Arc::default();
        let sink = Arc::clone(&reports);
        thenable::on_unhandled_rejection(move |unhandled| {
            let text = unhandled.reason().map_or_else(String::new, ToString::to_string);
            sink.lock().unwrap().push((text, unhandled.created_at().line()));
        });
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();

        let line = line!() + 1;
        drop(Promise::<u8>::reject("lost"));
        assert!(reports.lock().unwrap().is_empty(), "not before the job queue has drained");
        event_loop.run_until_idle().unwrap();
        event_loop.run_until_idle().unwrap();
        assert_eq!(*reports.lock().unwrap(), [("lost".to_owned(), line)]);
        reports.lock().unwrap().clear();

        // One branch is caught, its sibling is not.
        let source = Promise::<u8>::reject("branch");
        drop(source.clone().catch(|_| Ok(0)));
        drop(source.map(|n| n + 1));
        event_loop.run_until_idle().unwrap();
        assert_eq!(reports.lock().unwrap().len(), 1);
        assert_eq!(reports.lock().unwrap()[0].0, "branch");
        reports.lock().unwrap().clear();

        // Each of these is somebody's business.
        let marked = Promise::<u8>::reject("marked");
        marked.mark_handled();
        drop(marked);
        let peeked = Promise::<u8>::reject("peeked");
        assert!(peeked.peek().is_some());
        drop(peeked);
        assert!(event_loop.run(Promise::<u8>::reject("awaited")).is_err());
        drop(Promise::<u8>::reject("caught").catch(|_| Ok(0)));
        let (cancelled, resolver) = Promise::<u8>::with_resolvers();
        cancelled.cancel("not wanted");
        drop((cancelled, resolver));
        drop(Promise::all([Promise::<u8>::reject("member"), Promise::reject("other member")]).catch(|_| Ok(vec![])));
        let held = Promise::<u8>::reject("held");
        event_loop.run_until_idle().unwrap();
        assert_eq!(*reports.lock().unwrap(), []);
        drop(held);
        event_loop.run_until_idle().unwrap();
        assert_eq!(reports.lock().unwrap().len(), 1, "reported when the last handle goes");
    });
}
