//! Combinators while their members settle, and are cancelled, on other threads.

use crate::kit::{Log, Token, Tokens, Why, explore, flip, reports, spawn, why, with_loop};
use thenable::{AggregateError, CancelOutcome, Promise, Resolver, as_settled};

fn pairs<const N: usize>() -> ([Promise<Token>; N], [Resolver<Token>; N]) {
    let mut resolvers = Vec::new();
    let promises = std::array::from_fn(|_| {
        let (promise, resolver) = Promise::with_resolvers();
        resolvers.push(resolver);
        promise
    });
    (promises, resolvers.try_into().unwrap())
}

/// Settles well or badly.
fn settle(resolver: &Resolver<Token>, well: bool, token: Token) {
    match well {
        true => drop(resolver.resolve(token)),
        false => drop(resolver.reject("no".into())),
    }
}

fn numbers(values: &[Token]) -> Vec<usize> {
    values.iter().map(|token| token.number).collect()
}

/// `all` of three promises that two threads settle, the last one perhaps badly: it gives all values in input order, or that
/// reason, and nothing is lost or reported.
#[test]
fn s01_all_while_members_settle() {
    explore(|| {
        let (tokens, reports, well) = (Tokens::default(), reports(), flip());
        with_loop(|event_loop| {
            let (promises, [a, b, c]) = pairs();
            let all = Promise::all(promises);
            let made = tokens.clone();
            let one = spawn(move || {
                a.resolve(made.make(0)).unwrap();
                drop(b.resolve(made.make(1)));
            });
            let made = tokens.clone();
            let two = spawn(move || settle(&c, well, made.make(2)));
            match event_loop.run(all) {
                Ok(values) => assert!(well && numbers(&values) == [0, 1, 2], "{values:?}"),
                Err(reason) => assert!(!well && why(&reason) == Why::Own, "{reason:?}"),
            }
            one.join().unwrap();
            two.join().unwrap();
        });
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// A member of `all` is cancelled on one thread while another settles it: the combinator says what became of the member, and
/// the one that was refused knows it.
#[test]
fn s02_all_while_a_member_is_cancelled() {
    explore(|| {
        let (tokens, reports) = (Tokens::default(), reports());
        with_loop(|event_loop| {
            let ([a, b], [resolve_a, resolve_b]) = pairs();
            let handle = a.clone();
            let all = Promise::all([a, b]);
            let cancelling = spawn(move || handle.cancel("enough"));
            let made = tokens.clone();
            let settling = spawn(move || {
                let _ = resolve_b.resolve(made.make(1));
                resolve_a.resolve(made.make(0)).is_ok()
            });
            let outcome = event_loop.run(all);
            let (cancelled, resolved) = (cancelling.join().unwrap(), settling.join().unwrap());
            assert_eq!(resolved, cancelled == CancelOutcome::AlreadySettled);
            match outcome {
                Ok(values) => assert!(resolved && numbers(&values) == [0, 1], "{values:?}"),
                Err(reason) => assert!(!resolved && why(&reason) == Why::Cancelled, "{reason:?}"),
            }
        });
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// `any` of two promises that two threads settle, while a third cancels the result: the first value, all reasons in input
/// order, or the cancellation, whichever the calls say was first.
#[test]
fn s03_any_is_cancelled_while_members_settle() {
    explore(|| {
        let (tokens, reports) = (Tokens::default(), reports());
        let well = [flip(), flip()];
        with_loop(|event_loop| {
            let (promises, resolvers) = pairs::<2>();
            let any = Promise::any(promises);
            let handle = any.clone();
            let cancelling = spawn(move || handle.cancel("enough"));
            let settling: Vec<_> = resolvers
                .into_iter()
                .enumerate()
                .map(|(number, resolver)| {
                    let token = tokens.make(number);
                    spawn(move || settle(&resolver, well[number], token))
                })
                .collect();
            let outcome = event_loop.run(any);
            let cancelled = cancelling.join().unwrap() == CancelOutcome::Cancelled;
            match outcome {
                Ok(token) => assert!(!cancelled && well[token.number]),
                Err(AggregateError { errors }) if cancelled => {
                    assert!(errors.len() == 1 && why(&errors[0]) == Why::Cancelled, "{errors:?}");
                }
                Err(AggregateError { errors }) => {
                    assert!(errors.len() == 2 && well == [false, false], "{errors:?}");
                }
            }
            settling.into_iter().for_each(|thread| thread.join().unwrap());
        });
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// `race` of three promises of three threads, one of which only lets go of its resolver: the winner's outcome, and nobody
/// wants the losers' any more.
#[test]
fn s04_race_lets_go_of_its_losers() {
    explore(|| {
        let (tokens, reports) = (Tokens::default(), reports());
        with_loop(|event_loop| {
            let (promises, [a, b, c]) = pairs();
            let (kept, never) = Promise::<Token>::with_resolvers();
            let race = Promise::race(promises.into_iter().chain([kept]));
            let threads = [(a, tokens.make(0)), (b, tokens.make(1))].map(|(resolver, token)| {
                spawn(move || {
                    let _ = resolver.resolve(token);
                })
            });
            let dropping = spawn(move || drop(c));
            match event_loop.run(race) {
                Ok(token) => assert!(token.number < 2),
                Err(reason) => assert_eq!(why(&reason), Why::Abandoned),
            }
            assert!(!never.is_wanted(), "a loser is kept");
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            dropping.join().unwrap();
        });
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// `some(2)` of three members of two threads, of which up to three reject: two values in the order in which they came, or
/// the reasons as soon as two values are out of reach.
#[test]
fn s05_some_while_members_settle() {
    explore(|| {
        let (tokens, reports) = (Tokens::default(), reports());
        let well = [flip(), flip(), flip()];
        with_loop(|event_loop| {
            let (promises, [a, b, c]) = pairs();
            let some = Promise::some(2, promises);
            let made = tokens.clone();
            let one = spawn(move || {
                settle(&a, well[0], made.make(0));
                settle(&b, well[1], made.make(1));
            });
            let made = tokens.clone();
            let two = spawn(move || settle(&c, well[2], made.make(2)));
            match event_loop.run(some) {
                Ok(values) => {
                    let order = numbers(&values);
                    assert!(order.len() == 2 && order.iter().all(|number| well[*number]), "{order:?}");
                    assert_ne!(order, [1, 0], "one thread settled these in the other order");
                }
                Err(AggregateError { errors }) => {
                    assert!(errors.len() == 2 && well.iter().filter(|well| !**well).count() >= 2, "{errors:?}");
                }
            }
            one.join().unwrap();
            two.join().unwrap();
        });
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// A plain thread goes through `as_settled` while two threads settle and one lets go: each member comes once, and dropping the
/// stream halfway loses nothing.
#[test]
fn s06_as_settled_while_members_settle() {
    explore(|| {
        let (tokens, reports, halfway) = (Tokens::default(), reports(), flip());
        let (promises, [a, b, c, d]) = pairs();
        let made = tokens.clone();
        let one = spawn(move || {
            let _ = a.resolve(made.make(0));
            let _ = b.resolve(made.make(1));
        });
        let made = tokens.clone();
        let two = spawn(move || drop(c.resolve(made.make(2))));
        let three = spawn(move || drop(d));
        let mut stream = as_settled(promises).into_blocking();
        let mut order = Vec::new();
        for outcome in stream.by_ref().take(if halfway { 2 } else { 4 }) {
            order.push(
                outcome.map_or_else(|reason| 10 + usize::from(why(&reason) == Why::Abandoned), |token| token.number),
            );
        }
        if !halfway {
            assert!(stream.next().is_none());
            let mut all = order.clone();
            all.sort_unstable();
            assert_eq!(all, [0, 1, 2, 11]);
        }
        drop(stream);
        [one, two, three].into_iter().for_each(|thread| thread.join().unwrap());
        tokens.assert_gone();
        assert!(reports.count() <= usize::from(halfway), "{reports:?}");
    });
}

/// `join` of three types, whose members settle on three threads: all three, or the one reason, and the values that were
/// there already are dropped.
#[test]
fn s07_join_while_members_settle() {
    explore(|| {
        let (tokens, reports, well) = (Tokens::default(), reports(), flip());
        let log = Log::default();
        with_loop(|event_loop| {
            let (a, resolve_a) = Promise::<Token>::with_resolvers();
            let (b, resolve_b) = Promise::<(u8, Token)>::with_resolvers();
            let (c, resolve_c) = Promise::<()>::with_resolvers();
            let joined = Promise::join((a, b, c));
            let (first, second) = (tokens.make(0), tokens.make(1));
            let threads = [
                spawn(move || drop(resolve_a.resolve(first))),
                spawn(move || drop(resolve_b.resolve((1, second)))),
                spawn(move || match well {
                    true => drop(resolve_c.resolve(())),
                    false => drop(resolve_c.reject("no".into())),
                }),
            ];
            let noted = log.clone();
            let joined = joined.tap(move |(a, (n, b), ())| noted.note(a.number + b.number + usize::from(*n)));
            match event_loop.run(joined) {
                Ok(_) => assert!(well && log.notes() == [2]),
                Err(reason) => assert!(!well && why(&reason) == Why::Own && log.count() == 0),
            }
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}
