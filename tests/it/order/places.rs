//! On which loop and thread a handler runs, and after what.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use thenable::{EventLoop, LoopHandle, Promise};

use crate::common::{MS, Seen, assert_log};
use crate::support::{LIMIT, on_loop, on_virtual_clock, watchdog};

#[test]
fn a_handler_never_runs_inside_the_call_that_registers_or_settles() {
    on_loop(|event_loop| {
        let ran = Seen::default();
        let settled = Promise::resolve(1);
        let chain = settled.map(ran.noting("map")).then_or(Ok, Err).finally({
            let note = ran.noting("finally");
            move || note(())
        });
        drop(chain.catch(Err).tap(|_| ()).tap_err(|_| ()).settled());
        let (promise, resolver) = Promise::with_resolvers();
        drop(promise.clone().map(ran.noting("pending")));
        let (outer, outer_resolver) = Promise::with_resolvers();
        drop(outer.map(ran.noting("adopted")));
        outer_resolver.adopt(promise).unwrap();
        resolver.resolve(1).unwrap();
        assert!(ran.is_empty(), "nothing runs before the loop does");
        event_loop.run_until_idle().unwrap();
        assert_eq!(ran.take(), ["map", "pending", "finally", "adopted"]);
    });
}

#[test]
fn many_handlers_of_one_promise_run_in_registration_order() {
    const COUNT: usize = 70_000;
    on_loop(|event_loop| {
        let ran = Seen::default();
        let (promise, resolver) = Promise::with_resolvers();
        for index in 0..COUNT / 2 {
            drop(promise.clone().map(ran.noting(index)).map(|()| ()));
        }
        resolver.resolve(()).unwrap();
        for index in COUNT / 2..COUNT {
            drop(promise.clone().map(ran.noting(index)));
        }
        event_loop.run_until_idle().unwrap();
        assert!(ran.take().into_iter().eq(0..COUNT), "before the settle and after it");
    });
}

#[test]
fn registration_order_holds_while_another_thread_settles() {
    const COUNT: usize = 50;
    on_loop(|event_loop| {
        for round in 0..100 {
            let ran = Seen::default();
            let (promise, resolver) = Promise::with_resolvers();
            let start = Arc::new(Barrier::new(2));
            let ready = Arc::clone(&start);
            let settler = thread::spawn(move || {
                ready.wait();
                resolver.resolve(()).unwrap();
            });
            start.wait();
            for index in 0..COUNT {
                drop(promise.clone().map(ran.noting(index)));
            }
            settler.join().unwrap();
            event_loop.run_until_idle().unwrap();
            assert!(ran.take().into_iter().eq(0..COUNT), "round {round}");
        }
    });
}

#[test]
fn a_handler_runs_on_the_loop_that_was_current_when_it_was_registered() {
    watchdog(LIMIT, || {
        let (promise, resolver) = Promise::with_resolvers();
        let (report, reports) = mpsc::channel();
        let registered = Arc::new(Barrier::new(3));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (promise, report, registered) = (promise.clone(), report.clone(), Arc::clone(&registered));
                thread::spawn(move || {
                    let event_loop = EventLoop::new();
                    let guard = event_loop.enter();
                    let chain = promise.map(|()| thread::current().id()).map(|first| (first, thread::current().id()));
                    drop(guard);
                    registered.wait();
                    let (first, second) = event_loop.run(chain).unwrap();
                    report.send([thread::current().id(), first, second]).unwrap();
                })
            })
            .collect();
        registered.wait();
        resolver.resolve(()).unwrap();
        for thread in threads {
            thread.join().unwrap();
        }
        drop(report);
        let reports: Vec<_> = reports.iter().collect();
        assert_eq!(reports.len(), 2);
        for [own, first, second] in reports {
            assert!(own == first && own == second, "both links ran on the thread of their loop");
        }
    });
}

#[test]
fn without_a_loop_handlers_run_on_the_global_one() {
    watchdog(LIMIT, || {
        assert!(LoopHandle::current().is_none());
        let first = Promise::resolve(()).map(|()| thread::current().id()).wait().unwrap();
        let (promise, resolver) = Promise::with_resolvers();
        let second = promise.map(|()| thread::current().id());
        resolver.resolve(()).unwrap();
        let second = second.wait().unwrap();
        assert!(first != thread::current().id() && first == second, "one background thread");
        let (report, reports) = mpsc::channel();
        drop(LoopHandle::global().call_soon(move || report.send(thread::current().id()).unwrap()));
        assert_eq!(reports.recv().unwrap(), first, "and that is the global loop's");
    });
}

#[test]
fn registered_outside_the_loop_stays_outside_it() {
    watchdog(LIMIT, || {
        let (promise, resolver) = Promise::with_resolvers();
        let outside = promise.clone().map(|()| thread::current().id());
        let event_loop = EventLoop::new();
        let guard = event_loop.enter();
        let inside = promise.map(|()| thread::current().id());
        drop(guard);
        resolver.resolve(()).unwrap();
        assert_eq!(event_loop.run(inside).unwrap(), thread::current().id());
        assert_ne!(outside.wait().unwrap(), thread::current().id());
    });
}

#[test]
fn handlers_registered_in_a_handler_stay_on_its_loop() {
    on_loop(|event_loop| {
        let chain = Promise::resolve(()).then(|()| Promise::resolve(()).map(|()| thread::current().id()));
        assert_eq!(event_loop.run(chain).unwrap(), thread::current().id());
    });
}

#[test]
fn call_soon_shares_the_queue() {
    assert_log(["promise", "call", "promise again", "nested promise", "nested call"], |log| {
        let handle = LoopHandle::current().unwrap();
        drop(Promise::resolve(()).map(log.noting("promise")));
        let (nested, call, again) = (log.clone(), log.clone(), handle.clone());
        drop(handle.call_soon(move || {
            call.add("call");
            drop(Promise::resolve(()).map(nested.noting("nested promise")));
            drop(again.call_soon(move || nested.add("nested call")));
        }));
        drop(Promise::resolve(()).map(log.noting("promise again")));
    });
}

#[test]
fn jobs_go_before_timers_and_tasks() {
    on_virtual_clock(|event_loop| {
        let (log, handle) = (Seen::default(), event_loop.handle());
        let (timer, task) = (log.clone(), log.clone());
        drop(handle.call_later(MS, move || timer.add("timer")));
        drop(handle.spawn(async move {
            task.add("task");
            Ok(())
        }));
        let chain = (0..100).fold(Promise::resolve(()), |chain, _| chain.map(|()| ()));
        drop(chain.map(log.noting("a hundred jobs")));
        event_loop.run_until_idle().unwrap();
        assert_eq!(log.take(), ["a hundred jobs", "task", "timer"]);
    });
}

/// How fast the machine is must not show: the budget of the job queue is no matter of the real clock here.
#[test]
fn on_a_virtual_clock_a_slow_job_does_not_change_the_transcript() {
    on_virtual_clock(|event_loop| {
        let (log, handle) = (Seen::default(), event_loop.handle());
        let (timer, task) = (log.clone(), log.clone());
        drop(handle.call_later(MS, move || timer.add("timer")));
        drop(handle.spawn(async move {
            task.add("task");
            Ok(())
        }));
        let chain = (0..1000).fold(Promise::resolve(()), |chain, index| {
            chain.map(move |()| {
                if index == 200 {
                    thread::sleep(20 * MS);
                }
            })
        });
        drop(chain.map(log.noting("a thousand jobs")));
        event_loop.run_until_idle().unwrap();
        assert_eq!(log.take(), ["a thousand jobs", "task", "timer"]);
    });
}

#[test]
fn tasks_start_on_a_later_turn_in_spawn_order() {
    on_loop(|event_loop| {
        let log = Seen::default();
        let tasks = (0..100).map(|index| {
            let log = log.clone();
            event_loop.handle().spawn(async move {
                log.add(index);
                Ok(index)
            })
        });
        let all = Promise::all(tasks);
        assert!(log.is_empty(), "not inside `spawn`");
        assert_eq!(event_loop.run(all).unwrap(), Vec::from_iter(0..100));
        assert_eq!(log.take(), Vec::from_iter(0..100));
        let (outer, inner) = (log.clone(), log.clone());
        let nested = event_loop.run(Promise::spawn(async move {
            let task = Promise::spawn(async move {
                inner.add(2);
                Ok(())
            });
            outer.add(1);
            task.await
        }));
        nested.unwrap();
        assert_eq!(log.take(), [1, 2]);
    });
}

#[test]
fn a_handler_that_returns_a_ready_future_costs_no_task() {
    assert_log(["ten handlers", "task"], |log| {
        let task = log.clone();
        drop(Promise::spawn(async move {
            task.add("task");
            Ok(())
        }));
        let polls = Arc::new(AtomicUsize::new(0));
        let chain = (0..10).fold(Promise::resolve(0), |chain, _| {
            let polls = Arc::clone(&polls);
            chain.then(async move |n| {
                polls.fetch_add(1, Ordering::Relaxed);
                Ok(Promise::resolve(n).await? + 1)
            })
        });
        let log = log.clone();
        drop(chain.map(move |n| {
            log.add(if n == 10 && polls.load(Ordering::Relaxed) == 10 { "ten handlers" } else { "polled too often" });
        }));
    });
}

#[test]
fn dropping_a_handle_cancels_nothing() {
    on_loop(|event_loop| {
        let ran = Seen::default();
        let (promise, resolver) = Promise::with_resolvers();
        drop(promise.map(ran.noting("handler")));
        drop(event_loop.handle().spawn({
            let ran = ran.clone();
            async move {
                thenable::delay(MS).await?;
                ran.add("task");
                Ok(())
            }
        }));
        assert!(resolver.is_wanted(), "the handler wants it");
        resolver.resolve(()).unwrap();
        event_loop.run_until_idle().unwrap();
        assert_eq!(ran.take(), ["handler", "task"]);
    });
}
