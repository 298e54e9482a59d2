//! A promise settles once; being resolved is not being settled; nobody's code runs inside a settle.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use thenable::{Fault, Promise, Rejection, Resolver, State};

use crate::common::{Seen, outcome, quiet};
use crate::support::{LIMIT, on_loop, watchdog};

#[test]
fn the_first_settle_wins_and_a_refused_one_gives_its_value_back() {
    on_loop(|event_loop| {
        let (promise, resolver) = Promise::<String, String>::pending();
        assert_eq!(resolver.resolve("first".into()), Ok(()));
        assert_eq!(resolver.resolve("second".into()), Err("second".into()));
        assert_eq!(resolver.reject("third".into()), Err("third".into()));
        assert_eq!(resolver.settle(Ok("fourth".into())), Err(Ok("fourth".into())));
        assert_eq!(resolver.settle(Err("fifth".into())), Err(Err("fifth".into())));
        let back = resolver.adopt(Promise::fulfilled("sixth".into())).unwrap_err();
        assert_eq!(event_loop.run(back), Ok("sixth".into()));
        assert_eq!(event_loop.run(promise), Ok("first".into()));

        let (promise, resolver) = Promise::<i32, String>::pending();
        assert_eq!(resolver.settle(Err("first".into())), Ok(()));
        assert_eq!(resolver.resolve(2), Err(2));
        assert_eq!(event_loop.run(promise), Err("first".into()));
    });
}

#[test]
fn the_callable_resolve_and_reject_ignore_what_comes_later() {
    on_loop(|event_loop| {
        let kept = Arc::new(Mutex::new(None));
        let keep = Arc::clone(&kept);
        let promise = Promise::new(move |resolve, reject| {
            resolve(1);
            resolve(2);
            reject("no".into());
            *keep.lock().unwrap() = Some((resolve.clone(), reject.clone()));
        });
        assert_eq!(promise.state(), State::Fulfilled);
        assert_eq!(event_loop.run(promise).unwrap(), 1);
        let (resolve, reject) = kept.lock().unwrap().take().unwrap();
        resolve(3);
        reject("the promise is gone".into());
    });
}

#[test]
fn of_many_threads_that_settle_one_wins() {
    watchdog(LIMIT, || {
        for round in 0..200 {
            let (promise, resolver) = Promise::<usize>::with_resolvers();
            let wins = AtomicUsize::new(usize::MAX);
            thread::scope(|scope| {
                for id in 0..4 {
                    let (resolver, wins) = (resolver.clone(), &wins);
                    scope.spawn(move || match resolver.resolve(id) {
                        Ok(()) => assert_eq!(wins.swap(id, Ordering::SeqCst), usize::MAX, "a second winner"),
                        Err(back) => assert_eq!(back, id),
                    });
                }
            });
            assert_eq!(promise.wait().unwrap(), wins.into_inner(), "round {round}");
        }
    });
}

#[test]
fn resolved_is_not_settled() {
    on_loop(|event_loop| {
        let (inner, inner_resolver) = Promise::<i32>::with_resolvers();
        let (outer, resolver) = Promise::with_resolvers();
        resolver.adopt(inner).unwrap();
        assert_eq!(outer.state(), State::Pending, "locked in");
        assert_eq!(resolver.resolve(2), Err(2));
        assert!(resolver.reject("no".into()).is_err());
        drop(resolver);
        event_loop.run_until_idle().unwrap();
        assert_eq!(outer.state(), State::Pending, "nor does the last resolver's end change it");
        inner_resolver.resolve(1).unwrap();
        assert_eq!(outer.state(), State::Pending, "its job has not run");
        event_loop.run_until_idle().unwrap();
        assert_eq!(outer.state(), State::Fulfilled);
        assert_eq!(event_loop.run(outer).unwrap(), 1);
    });
}

#[test]
fn adopting_itself_counts_as_accepted_and_rejects() {
    on_loop(|event_loop| {
        let (promise, resolver) = Promise::<i32>::with_resolvers();
        assert!(resolver.adopt(promise.clone()).is_ok());
        assert_eq!(resolver.resolve(1), Err(1));
        assert_fault!(event_loop.run(promise), Fault::Cycle);
    });
}

#[test]
fn a_handler_that_returns_its_own_promise_rejects() {
    on_loop(|event_loop| {
        let own = Arc::new(Mutex::new(None::<Promise<i32>>));
        let take = Arc::clone(&own);
        let promise = Promise::resolve(1).then(move |_| take.lock().unwrap().take().unwrap());
        *own.lock().unwrap() = Some(promise.clone());
        assert_fault!(event_loop.run(promise), Fault::Cycle);
    });
}

#[test]
fn a_ring_of_two_never_spins() {
    on_loop(|event_loop| {
        let (p, p_resolver) = Promise::<i32>::with_resolvers();
        let (q, q_resolver) = Promise::<i32>::with_resolvers();
        p_resolver.adopt(q.clone()).unwrap();
        q_resolver.adopt(p.clone()).unwrap();
        let ran = Seen::default();
        drop(p.clone().then_or(|_| (), |_| ()).map(ran.noting("p has settled")));
        event_loop.run_until_idle().unwrap();
        assert!(!event_loop.tick(), "nothing is left to run");
        for (name, promise) in [("p", &p), ("q", &q)] {
            match promise.peek() {
                None => {}
                Some(Err(why)) => assert!(matches!(why.fault(), Some(Fault::Cycle)), "{name}: {why:?}"),
                Some(Ok(_)) => panic!("{name} is fulfilled by nobody"),
            }
        }
        assert_eq!(p_resolver.resolve(1), Err(1), "locked in, or settled");
        assert_eq!(ran.take().is_empty(), p.is_pending());
        quiet(p);
        quiet(q);
    });
}

#[test]
fn a_finally_that_waits_for_its_own_result_never_spins() {
    on_loop(|event_loop| {
        let own = Arc::new(Mutex::new(None::<Promise<()>>));
        let take = Arc::clone(&own);
        let promise = Promise::resolve(()).finally(move || take.lock().unwrap().take().unwrap());
        *own.lock().unwrap() = Some(promise.clone());
        event_loop.run_until_idle().unwrap();
        assert!(!event_loop.tick(), "nothing is left to run");
        assert!(!promise.is_fulfilled());
        quiet(promise);
    });
}

#[test]
fn what_was_written_before_the_settle_is_visible_to_handlers_and_awaiters() {
    on_loop(|event_loop| {
        for round in 1..200 {
            let written = Arc::new(AtomicUsize::new(0));
            let (promise, resolver) = Promise::<()>::with_resolvers();
            let (read, read_too, write) = (Arc::clone(&written), Arc::clone(&written), written);
            let by_handler = promise.clone().map(move |()| read.load(Ordering::Relaxed));
            let thread = thread::spawn(move || {
                write.store(round, Ordering::Relaxed);
                resolver.resolve(()).unwrap();
            });
            let by_awaiter = event_loop.run(async {
                promise.await?;
                thenable::Ok(read_too.load(Ordering::Relaxed))
            });
            assert_eq!((by_awaiter.unwrap(), event_loop.run(by_handler).unwrap()), (round, round));
            thread.join().unwrap();
        }
    });
}

/// Notes the thread that clones it.
struct Copied(Seen<ThreadId>);

impl Clone for Copied {
    fn clone(&self) -> Self {
        self.0.add(thread::current().id());
        Self(self.0.clone())
    }
}

#[test]
fn a_settle_clones_nothing() {
    on_loop(|event_loop| {
        let clones = Seen::default();
        let (promise, resolver) = Promise::<Copied>::with_resolvers();
        let both = Promise::all([promise.clone().map(drop), promise.map(drop)]);
        let value = Copied(clones.clone());
        thread::spawn(move || resolver.resolve(value).is_ok()).join().unwrap();
        assert_eq!(clones.len(), 0, "settling has not cloned");
        event_loop.run(both).unwrap();
        assert_eq!(clones.take(), [thread::current().id()], "one consumer got a clone, in its own job");
    });
}

/// Notes the thread that converts the fault.
#[derive(Clone, Debug)]
struct Converted(ThreadId);

impl From<Fault> for Converted {
    fn from(_: Fault) -> Self {
        Self(thread::current().id())
    }
}

#[test]
fn a_fault_is_converted_where_it_is_delivered() {
    on_loop(|event_loop| {
        let (promise, resolver) = Promise::<i32, Converted>::pending();
        let caught = Seen::default();
        let (log, handled) = (caught.clone(), promise.clone());
        let handled = handled.catch(move |Converted(thread)| {
            log.add(thread);
            Ok(0)
        });
        thread::spawn(move || drop(resolver)).join().unwrap();
        assert_eq!(event_loop.run(handled).unwrap(), 0);
        assert_eq!(caught.take(), [thread::current().id()], "in the job of the handler");
        let Converted(awaiter) = event_loop.run(promise).unwrap_err();
        assert_eq!(awaiter, thread::current().id(), "in the poll of the awaiter");
    });
}

#[test]
fn a_settle_from_another_thread_wakes_the_loop() {
    on_loop(|event_loop| {
        for settle in [
            (|resolver| resolver.resolve(1).is_ok()) as fn(Resolver<i32>) -> bool,
            |resolver| resolver.reject("no".into()).is_ok(),
            |resolver| resolver.adopt(Promise::resolve(2)).is_ok(),
        ] {
            let (promise, resolver) = Promise::with_resolvers();
            let chain = promise.map(|n| n + 1).map_err(|why: Rejection| format!("{why}!"));
            let thread = thread::spawn(move || {
                thread::sleep(Duration::from_millis(10));
                settle(resolver)
            });
            let text = outcome(event_loop, chain);
            assert!(thread.join().unwrap());
            assert!(["Ok(2)", "Ok(3)", "Err(no!)"].contains(&text.as_str()), "{text}");
        }
    });
}
