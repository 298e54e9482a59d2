//! A million members.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use thenable::{EventLoop, Promise, Resolver};

use crate::support::watchdog;

const MILLION: usize = 1_000_000;

fn with_loop(test: impl FnOnce(&EventLoop)) {
    watchdog(Duration::from_secs(120), || {
        let event_loop = EventLoop::new();
        let guard = event_loop.enter();
        test(&event_loop);
        drop(guard);
    });
}

fn settled() -> impl Iterator<Item = Promise<usize>> {
    (0..MILLION).map(Promise::resolve)
}

fn pending() -> (Vec<Promise<usize>>, Vec<Resolver<usize>>) {
    (0..MILLION).map(|_| Promise::with_resolvers()).unzip()
}

fn rejected() -> impl Iterator<Item = Promise<(), usize>> {
    // `usize` is no error type of the library, so these come by way of a result.
    (0..MILLION).map(|index| Promise::from(Err(index)))
}

#[test]
fn all_of_settled_promises() {
    with_loop(|event_loop| {
        let values = event_loop.run(Promise::all(settled())).unwrap();
        assert!(values.into_iter().eq(0..MILLION));
    });
}

#[test]
fn all_of_pending_promises_settled_backwards() {
    with_loop(|event_loop| {
        let (promises, resolvers) = pending();
        let all = Promise::all(promises);
        for (index, resolver) in resolvers.into_iter().enumerate().rev() {
            resolver.resolve(index).unwrap();
        }
        let values = event_loop.run(all).unwrap();
        assert!(values.into_iter().eq(0..MILLION));
    });
}

#[test]
fn all_with_one_rejection_lets_go_of_the_rest() {
    with_loop(|event_loop| {
        let (promises, resolvers) = pending();
        let all = Promise::all(promises);
        event_loop.run_until_idle().unwrap();
        resolvers[MILLION / 2].reject("the one".into()).unwrap();
        assert_eq!(event_loop.run(all).unwrap_err().to_string(), "the one");
        assert!(resolvers.iter().all(|resolver| !resolver.is_wanted()));
    });
}

#[test]
fn all_settled() {
    with_loop(|event_loop| {
        let members =
            (0..MILLION).map(|n| if n % 2 == 0 { Promise::fulfilled(n) } else { Promise::rejected(n.to_string()) });
        let outcomes = event_loop.run(Promise::all_settled(members)).unwrap();
        assert_eq!(outcomes.len(), MILLION);
        for (index, outcome) in outcomes.into_iter().enumerate() {
            assert_eq!(outcome, if index % 2 == 0 { Ok(index) } else { Err(index.to_string()) });
        }
    });
}

#[test]
fn any_of_which_all_reject() {
    with_loop(|event_loop| {
        let members = rejected().map(|member| member.map_err(|index| index.to_string()));
        let why = event_loop.run(Promise::any(members)).unwrap_err();
        assert!(why.errors.into_iter().eq((0..MILLION).map(|index| index.to_string())));
    });
}

#[test]
fn any_of_which_the_last_fulfils() {
    with_loop(|event_loop| {
        let (promises, resolvers) = pending();
        let any = Promise::any(promises);
        for resolver in &resolvers[..MILLION - 1] {
            resolver.reject("no".into()).unwrap();
        }
        resolvers[MILLION - 1].resolve(7).unwrap();
        assert_eq!(event_loop.run(any).unwrap(), 7);
    });
}

#[test]
fn race_of_settled_and_of_pending_promises() {
    with_loop(|event_loop| {
        assert_eq!(event_loop.run(Promise::race(settled())).unwrap(), 0);
        let (promises, resolvers) = pending();
        let race = Promise::race(promises);
        resolvers[MILLION - 1].resolve(7).unwrap();
        assert_eq!(event_loop.run(race).unwrap(), 7);
        assert!(resolvers.iter().all(|resolver| !resolver.is_wanted()));
    });
}

#[test]
fn some_half_of_them() {
    with_loop(|event_loop| {
        let values = event_loop.run(Promise::some(MILLION / 2, settled())).unwrap();
        assert!(values.into_iter().eq(0..MILLION / 2));
    });
}

#[test]
fn all_keyed() {
    with_loop(|event_loop| {
        let hashed: HashMap<usize, Promise<usize>> = settled().enumerate().collect();
        let values = event_loop.run(Promise::all_keyed(hashed)).unwrap();
        assert!(values.len() == MILLION && values.iter().all(|(key, value)| key == value));
        let sorted: BTreeMap<usize, Promise<usize>> = settled().enumerate().collect();
        let values = event_loop.run(Promise::all_keyed(sorted)).unwrap();
        assert!(values.into_iter().eq((0..MILLION).map(|n| (n, n))));
    });
}

#[test]
fn a_million_members_of_one_promise() {
    with_loop(|event_loop| {
        let (promise, resolver) = Promise::with_resolvers();
        let all = Promise::all((0..MILLION).map(|_| promise.clone()));
        drop(promise);
        resolver.resolve(1).unwrap();
        assert_eq!(event_loop.run(all).unwrap().into_iter().sum::<usize>(), MILLION);
    });
}
