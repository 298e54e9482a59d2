//! Consumers and their values, looking at promises, and a program that uses all of it.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use thenable::{ExecutorExt, Promise, Rejection, State, ThreadPool};

use crate::common::{Seen, quiet};
use crate::support::{LIMIT, on_loop, watchdog};

/// Knows how many generations of clones lie between it and the original.
#[derive(Debug)]
struct Copied {
    generation: usize,
    clones: Arc<AtomicUsize>,
}

impl Copied {
    fn original(clones: &Arc<AtomicUsize>) -> Self {
        Self { generation: 0, clones: Arc::clone(clones) }
    }
}

impl Clone for Copied {
    fn clone(&self) -> Self {
        self.clones.fetch_add(1, Ordering::SeqCst);
        Self { generation: self.generation + 1, clones: Arc::clone(&self.clones) }
    }
}

impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "copy {}", self.generation)
    }
}

impl std::error::Error for Copied {}

#[test]
fn one_consumer_gets_the_value_itself() {
    on_loop(|event_loop| {
        let clones = Arc::default();
        let value = Copied::original(&clones);
        let chain = Promise::fulfilled(value).map(|value| value).tap(|_| ()).finally(|| ());
        let followed = Promise::<()>::resolve(()).then(move |()| chain);
        assert_eq!(event_loop.run(Promise::all([followed])).unwrap()[0].generation, 0);
        assert_eq!(clones.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn each_consumer_gets_a_clone_and_the_last_one_the_value() {
    on_loop(|event_loop| {
        let clones = Arc::default();
        let (promise, resolver) = Promise::<Copied>::with_resolvers();
        let got = Seen::default();
        let note = |consumer: Promise<Copied>| {
            let got = got.clone();
            drop(consumer.map(move |value| got.add(value.generation)));
        };
        note(promise.clone());
        note(promise.clone());
        resolver.resolve(Copied::original(&clones)).unwrap();
        note(promise.clone());
        note(promise);
        assert_eq!(clones.load(Ordering::SeqCst), 0, "cloning the promise clones no value");
        event_loop.run_until_idle().unwrap();
        assert_eq!(got.take(), [1, 1, 1, 0]);
        assert_eq!(clones.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn a_clone_that_goes_unused_costs_nothing() {
    on_loop(|event_loop| {
        let clones = Arc::default();
        let promise = Promise::<Copied>::fulfilled(Copied::original(&clones));
        drop(promise.clone());
        assert_eq!(event_loop.run(promise).unwrap().generation, 0);
        assert_eq!(clones.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn awaiting_and_chaining_clones_twice_late_and_from_many_threads_works() {
    watchdog(LIMIT, || {
        let (promise, resolver) = Promise::<String>::with_resolvers();
        let waiting: Vec<_> = (0..8)
            .map(|index| {
                let promise = promise.clone();
                thread::spawn(move || match index % 2 {
                    0 => promise.wait().unwrap().len(),
                    _ => thenable::block_on(promise.clone().map(|text| text.len())).unwrap(),
                })
            })
            .collect();
        resolver.resolve("four".into()).unwrap();
        assert!(waiting.into_iter().all(|thread| thread.join().unwrap() == 4), "early");
        for _ in 0..2 {
            assert_eq!(promise.clone().wait().unwrap(), "four", "late");
            assert_eq!(promise.clone().map(|text| text.len()).wait().unwrap(), 4, "late, chained");
        }
        assert_eq!(promise.wait().unwrap(), "four", "the last one");
    });
}

#[test]
fn peek_borrows_and_state_names() {
    on_loop(|event_loop| {
        let (promise, resolver) = Promise::<Mutex<i32>>::with_resolvers();
        assert_eq!(promise.state(), State::Pending);
        assert!(promise.is_pending() && !promise.is_settled() && promise.peek().is_none());
        resolver.resolve(Mutex::new(1)).unwrap();
        assert_eq!(promise.state(), State::Fulfilled);
        assert!(promise.is_fulfilled() && promise.is_settled() && !promise.is_pending() && !promise.is_rejected());
        *promise.peek().unwrap().unwrap().lock().unwrap() += 1;
        assert_eq!(event_loop.run(promise).unwrap().into_inner().unwrap(), 2, "it was borrowed, not taken");

        let promise = Promise::<i32>::reject("no");
        assert_eq!(promise.state(), State::Rejected);
        assert!(promise.is_rejected() && promise.is_settled() && !promise.is_fulfilled());
        assert_eq!(promise.peek().unwrap().unwrap_err().to_string(), "no");
    });
}

#[test]
fn debug_prints_as_node_does() {
    on_loop(|_| {
        // js: console.log(Promise.resolve(42))
        assert_eq!(format!("{:?}", Promise::resolve(42)), "Promise { 42 }");
        let (pending, _resolver) = Promise::<i32>::with_resolvers();
        // js: console.log(new Promise(() => {}))
        assert_eq!(format!("{pending:?}"), "Promise { <pending> }");
        let rejected: Promise<i32, i32> = Promise::rejected(42);
        // js: console.log(Promise.reject(42))
        assert_eq!(format!("{rejected:?}"), "Promise { <rejected> 42 }");
        quiet(rejected);
        let reason = Promise::<i32>::reject("reason");
        let text = format!("{reason:?}");
        assert!(text.starts_with("Promise { <rejected> reason"), "{text}");
        quiet(reason);
        // js: console.log(Promise.resolve('text'))
        assert_eq!(format!("{:?}", Promise::resolve("text")), r#"Promise { "text" }"#);
        let (locked_in, resolver) = Promise::<i32>::with_resolvers();
        resolver.adopt(Promise::resolve(1)).unwrap();
        // js: console.log(new Promise(resolve => resolve(Promise.resolve(1))))
        assert_eq!(format!("{locked_in:?}"), "Promise { <pending> }");
    });
}

#[test]
fn the_first_look_program() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::new(4);
        let report = Promise::new(|resolve, reject| {
            thread::spawn(move || match std::fs::read_to_string("Cargo.toml") {
                Ok(text) => resolve(text),
                Err(e) => reject(e.into()),
            });
        })
        .map(|text| text.lines().count())
        .then(|lines| if lines > 0 { Ok(lines) } else { Err("empty".into()) })
        .then(async |lines| {
            let n: usize = "2".parse()?;
            Ok(lines * n)
        })
        .on(&pool)
        .map(|n| (0..n).sum::<usize>())
        .catch(|why| {
            eprintln!("{why:?}");
            Ok(0)
        })
        .finally(|| println!("done"));
        let total: Result<usize, Rejection> = report.wait();

        let lines = std::fs::read_to_string("Cargo.toml").unwrap().lines().count();
        assert_eq!(total.unwrap(), (0..lines * 2).sum::<usize>());
        assert_eq!(pool.submit(|| 1 + 1).map(|n| n * 2).wait().unwrap(), 4, "the pool goes on");
    });
}
