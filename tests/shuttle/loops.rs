//! Event loops that are closed, stopped, pumped and woken while other threads give them work.

use crate::kit::{Log, Remote, Token, Tokens, Why, explore, flip, reports, spawn, why};
use shuttle::sync::mpsc;
use shuttle::thread::ThreadId;
use std::sync::Arc;
use std::time::Duration;
use thenable::{CancelOutcome, EventLoop, Promise, Resolver};

/// A loop closes while two threads spawn futures on it, one of which waits for a promise that the other settles: each
/// promise has the value or says that the loop was closed, and each future is dropped.
#[test]
fn s25_close_against_spawn() {
    explore(|| {
        let (tokens, reports) = (Tokens::default(), reports());
        let (send, receive) = mpsc::channel();
        let closing = spawn(move || {
            let event_loop = EventLoop::new();
            send.send(event_loop.handle()).unwrap();
            event_loop.run_until_idle().unwrap();
            event_loop.close();
        });
        let handle = receive.recv().unwrap();
        let (promise, resolver) = Promise::<Token>::with_resolvers();
        let (other, held) = (handle.clone(), tokens.make(1));
        let made = tokens.clone();
        let spawning = spawn(move || {
            let task = other.spawn(async move {
                drop(held);
                Ok(1)
            });
            let _ = resolver.resolve(made.make(2));
            task.wait()
        });
        let waiting = handle.spawn(async move { promise.await.map(|token| token.number) });
        for (outcome, value) in [(waiting.wait(), 2), (spawning.join().unwrap(), 1)] {
            match outcome {
                Ok(number) => assert_eq!(number, value),
                Err(reason) => assert_eq!(why(&reason), Why::LoopClosed),
            }
        }
        closing.join().unwrap();
        assert!(handle.is_closed());
        let late = handle.spawn(async { Ok(()) }).wait();
        assert_eq!(why(&late.unwrap_err()), Why::LoopClosed);
        drop(handle);
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// A loop closes while another thread settles a promise that has a handler there, and a third one calls `call_soon`: the
/// handler runs or its promise says that the loop was closed, and both closures are dropped.
#[test]
fn s26_close_against_settle_and_call_soon() {
    explore(|| {
        let (tokens, reports, log) = (Tokens::default(), reports(), Log::default());
        let (promise, resolver) = Promise::<Token>::with_resolvers();
        let (send, receive) = mpsc::channel();
        let (noted, held) = (log.clone(), tokens.make(0));
        let closing = spawn(move || {
            let event_loop = EventLoop::new();
            let derived = {
                let _entered = event_loop.enter();
                promise.map(move |token| {
                    noted.note(token.number);
                    held
                })
            };
            send.send((event_loop.handle(), derived)).unwrap();
            event_loop.run_until_idle().unwrap();
            event_loop.close();
        });
        let (handle, derived) = receive.recv().unwrap();
        let token = tokens.make(7);
        let settling = spawn(move || drop(resolver.resolve(token)));
        let (noted, token) = (log.clone(), tokens.make(8));
        let calling = spawn(move || drop(handle.call_soon(move || noted.note({ token }.number))));
        match derived.wait() {
            Ok(_) => assert!(log.notes().contains(&7)),
            Err(reason) => assert!(why(&reason) == Why::LoopClosed && !log.notes().contains(&7), "{reason:?}"),
        }
        [closing, settling, calling].into_iter().for_each(|thread| thread.join().unwrap());
        assert!(log.count() <= 2);
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// A loop that sleeps is woken by jobs, by a timer and by a task of three threads: all of them come to run, and `stop` ends
/// it.
#[test]
fn s27_a_sleeping_loop_misses_nothing() {
    explore(|| {
        let reports = reports();
        let remote = Remote::start();
        let (promises, resolvers): (Vec<_>, Vec<_>) = (0..3).map(|_| Promise::<usize>::with_resolvers()).unzip();
        let mut resolvers = resolvers.into_iter();
        let mut next = || resolvers.next().unwrap();
        let (handle, resolver) = (remote.handle.clone(), next());
        let calling = spawn(move || drop(handle.call_soon(move || drop(resolver.resolve(0)))));
        let (handle, resolver) = (remote.handle.clone(), next());
        let timing =
            spawn(move || drop(handle.call_later(Duration::from_millis(5), move || drop(resolver.resolve(1)))));
        let (handle, resolver) = (remote.handle.clone(), next());
        let spawning = spawn(move || {
            handle
                .spawn(async move {
                    drop(resolver.resolve(2));
                    Ok(())
                })
                .wait()
                .unwrap();
        });
        let values: Vec<_> = promises.into_iter().map(|promise| promise.wait().unwrap()).collect();
        assert_eq!(values, [0, 1, 2]);
        [calling, timing, spawning].into_iter().for_each(|thread| thread.join().unwrap());
        remote.stop();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// The future of a run waits for two threads and for a task that one of them spawns, which may come and go at any moment: it is
/// woken each time.
#[test]
fn s52_the_future_of_a_run_is_woken() {
    explore(|| {
        let reports = reports();
        let event_loop = EventLoop::new();
        let (promises, resolvers): (Vec<_>, Vec<_>) = (0..3).map(|_| Promise::<usize>::with_resolvers()).unzip();
        let [first, second, third]: [Resolver<usize>; 3] = resolvers.try_into().ok().unwrap();
        let settling = spawn(move || {
            drop(first.resolve(1));
            drop(third.resolve(3));
        });
        let handle = event_loop.handle();
        let spawning = spawn(move || {
            handle
                .spawn(async move {
                    drop(second.resolve(2));
                    Ok(())
                })
                .mark_handled();
        });
        let values = event_loop.run(async {
            let mut values = Vec::new();
            for promise in promises {
                values.push(promise.await?);
            }
            thenable::Ok(values)
        });
        assert_eq!(values.unwrap(), [1, 2, 3]);
        [settling, spawning].into_iter().for_each(|thread| thread.join().unwrap());
        drop(event_loop);
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// A loop is pumped by hand, by a thread that parks until `on_wake` says that there is something to do, while two others
/// settle and call: it never sleeps while there is work, and is not woken more often than it was given something.
#[test]
fn s28_a_pumped_loop_is_woken() {
    explore(|| {
        let (tokens, reports) = (Tokens::default(), reports());
        let wakes = Log::default();
        let (noted, pumper) = (wakes.clone(), shuttle::thread::current());
        let event_loop = EventLoop::builder()
            .on_wake(move || {
                noted.note(());
                pumper.unpark();
            })
            .build();
        let done = Log::default();
        let entered = event_loop.enter();
        let (promise, resolver) = Promise::<Token>::with_resolvers();
        let noted = done.clone();
        drop(promise.map(move |token| noted.note(token.number)));
        drop(entered);
        let token = tokens.make(1);
        let settling = spawn(move || drop(resolver.resolve(token)));
        let (handle, noted) = (event_loop.handle(), done.clone());
        let calling = spawn(move || {
            let again = noted.clone();
            handle.call_soon(move || noted.note(2));
            handle.call_soon(move || again.note(3));
        });
        while done.count() < 3 {
            while event_loop.run_ready(Duration::from_millis(5)) {}
            if done.count() < 3 {
                shuttle::thread::park();
            }
        }
        [settling, calling].into_iter().for_each(|thread| thread.join().unwrap());
        let mut order = done.notes();
        order.retain(|number| *number != 1);
        assert_eq!(order, [2, 3]);
        assert!(wakes.count() <= 3, "woken {} times for three jobs", wakes.count());
        event_loop.close();
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// A loop that is pumped by hand falls idle while another thread sets a timer: the pumper hears of the timer, or of its time.
#[test]
fn s53_a_pumped_loop_hears_of_timers() {
    explore(|| {
        let reports = reports();
        let pumper = shuttle::thread::current();
        let event_loop = EventLoop::builder().on_wake(move || pumper.unpark()).build();
        let (handle, done) = (event_loop.handle(), Log::default());
        let noted = done.clone();
        let timing = spawn(move || drop(handle.call_later(Duration::from_millis(5), move || noted.note(()))));
        while done.count() == 0 {
            while event_loop.run_ready(Duration::from_millis(5)) {}
            if done.count() == 0 {
                shuttle::thread::park();
            }
        }
        timing.join().unwrap();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// `call_soon` that is cancelled from another thread while the loop comes to it, and another one that is not: cancelled means
/// that it does not run, and its closure is gone either way.
#[test]
fn s29_call_soon_against_its_cancel() {
    explore(|| {
        let (tokens, log) = (Tokens::default(), Log::default());
        let remote = Remote::start();
        let (noted, token) = (log.clone(), tokens.make(1));
        let call = remote.handle.call_soon(move || noted.note({ token }.number));
        let cancelling = spawn(move || call.cancel());
        let (promise, resolver) = Promise::<()>::with_resolvers();
        remote.handle.call_soon(move || drop(resolver.resolve(())));
        promise.wait().unwrap();
        let cancelled = cancelling.join().unwrap();
        assert_eq!(log.count(), usize::from(!cancelled));
        remote.stop();
        tokens.assert_gone();
    });
}

/// A task that waits for a promise is cancelled on one thread while another settles that promise, or never does: it ends with
/// the value, or cancelled, and its future is dropped on its loop, while that still runs.
#[test]
fn s30_a_task_is_cancelled_while_it_is_woken() {
    explore(|| {
        let (tokens, reports, settles) = (Tokens::default(), reports(), flip());
        let remote = Remote::start();
        let (promise, resolver) = Promise::<Token>::with_resolvers();
        let (dropped, noting) = Promise::<ThreadId>::with_resolvers();
        // The task may be cancelled before it waits for it.
        promise.mark_handled();
        let guard = Dropped(noting);
        let task = remote.handle.spawn(async move {
            let _guard = guard;
            promise.await
        });
        let (token, other) = (tokens.make(7), resolver.clone());
        let settling = spawn(move || {
            if settles {
                let _ = other.resolve(token);
            }
        });
        let handle = task.clone();
        let cancelling = spawn(move || handle.cancel("enough") == CancelOutcome::Cancelled);
        let outcome = task.wait();
        let cancelled = cancelling.join().unwrap();
        match outcome {
            Ok(token) => assert!(!cancelled && settles && token.number == 7 && dropped.is_settled()),
            Err(reason) => assert!(cancelled && why(&reason) == Why::Cancelled, "{reason:?}"),
        }
        assert_eq!(dropped.wait().unwrap(), remote.id());
        settling.join().unwrap();
        remote.stop();
        drop(resolver);
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// Tells the thread on which it is dropped.
struct Dropped(Resolver<ThreadId>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.resolve(shuttle::thread::current().id());
    }
}

/// A promise with a name and a virtual clock, settled from another thread: a virtual loop waits for it, jumps over its own
/// timers meanwhile, and never calls itself stalled while the other thread may still settle.
#[test]
fn s31_a_virtual_loop_waits_for_threads() {
    explore(|| {
        let reports = reports();
        let event_loop = EventLoop::builder().virtual_clock().build();
        let start = event_loop.handle().now();
        let ticks = Arc::new(());
        let (promise, resolver) = Promise::<()>::with_resolvers();
        let promise = promise.named("from elsewhere");
        let held = ticks.clone();
        event_loop.handle().call_later(Duration::from_secs(3600), move || drop(held));
        let settling = spawn(move || drop(resolver.resolve(())));
        event_loop.run(promise).unwrap();
        settling.join().unwrap();
        event_loop.run_until_idle().unwrap();
        assert_eq!(event_loop.handle().now() - start, Duration::from_secs(3600));
        assert_eq!(Arc::strong_count(&ticks), 1);
        event_loop.close();
        assert_eq!(reports.notes(), [""; 0]);
    });
}
