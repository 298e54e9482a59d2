//! The lives of values: where they are made, moved, cloned and dropped, as tables.

use std::cell::Cell;
use std::thread;

use thenable::{CancelOutcome, EventLoop, Promise, Resolver};

use super::{Align128, Big4K, LIMIT, Ledger, NotSync, ReentrantDrop, Token, on_loop, watchdog};

/// What a re-entrant drop does: settles one promise, chains on it, clones it, and drops the last handle of another.
fn meddle(ledger: &Ledger) -> (ReentrantDrop, Promise<u8>) {
    let (promise, resolver) = Promise::<u8>::with_resolvers();
    let last_handle = Promise::resolve(ledger.token());
    let clone = promise.clone();
    let value = ReentrantDrop::new(move || {
        let derived = clone.clone().map(|n| n + 1);
        assert!(resolver.resolve(6).is_ok());
        assert_eq!(clone.peek().and_then(Result::ok), Some(&6));
        drop((last_handle, derived, clone));
        drop(Promise::resolve(1).map(|n| n + 1));
    });
    (value, promise)
}

/// A value that meddles with promises while it is dropped, in every place where the library may drop one.
pub(crate) fn reentrant_drops() {
    on_loop(|event_loop| {
        let ledger = Ledger::default();
        type Way = fn(ReentrantDrop);
        let ways: [(&str, Way); 6] = [
            ("settled and unobserved", |value| drop(Promise::resolve(value))),
            ("dropped by a handler", |value| drop(Promise::resolve(value).map(drop))),
            ("captured", |value| drop(Promise::resolve(()).map(move |()| drop(value)))),
            ("captured, never called", |value| drop(Promise::resolve(()).catch(move |_| drop(value)))),
            ("captured, abandoned", |value| drop(Promise::<()>::new(|_, _| {}).map(move |()| drop(value)))),
            ("loser of a race", |value| {
                let winner = Promise::resolve(ReentrantDrop::new(|| ()));
                drop(Promise::race([winner, Promise::resolve(value)]));
            }),
        ];
        for (name, way) in ways {
            let (value, promise) = meddle(&ledger);
            way(value);
            event_loop.run_until_idle().unwrap();
            assert_eq!(event_loop.run(promise).unwrap(), 6, "{name}");
            ledger.assert_balanced(name);
        }
    });
}

fn round_trip<T: Send + 'static>(event_loop: &EventLoop, what: &str, make: impl Fn() -> T, check: fn(&T) -> bool) {
    let (promise, resolver) = Promise::<T>::with_resolvers();
    let derived = promise.tap(move |value| assert!(check(value))).then(Promise::resolve).map(move |value| {
        assert!(check(&value));
        value
    });
    assert!(resolver.resolve(make()).is_ok());
    let refused = resolver.resolve(make()).unwrap_err();
    assert!(check(&refused), "{what}: refused");
    assert!(check(&event_loop.run(derived).unwrap()), "{what}: through a chain");

    let promise = Promise::resolve(make());
    assert!(check(promise.peek().unwrap().unwrap()), "{what}: peeked");
    assert!(check(&event_loop.run(promise).unwrap()), "{what}: awaited");
    assert!(check(&watchdog(LIMIT, || {
        let (promise, resolver) = Promise::<T>::with_resolvers();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| promise.wait());
            assert!(resolver.resolve(make()).is_ok());
            waiting.join().unwrap().unwrap()
        })
    })));
}

/// Types of every size and alignment, through all that a promise does with a value.
pub(crate) fn odd_layouts() {
    on_loop(|event_loop| {
        round_trip(event_loop, "unit", || (), |()| true);
        round_trip(event_loop, "static", || "text", |text| *text == "text");
        round_trip(event_loop, "non-zero", || std::num::NonZeroU8::MAX, |n| n.get() == 255);
        round_trip(event_loop, "closure", || Box::new(|| 5) as Box<dyn Fn() -> i32 + Send>, |f| f() == 5);
        round_trip(event_loop, "not Sync", || NotSync(Cell::new(3)), |value| value.0.get() == 3);
        round_trip(event_loop, "page", || Big4K([7; 4096]), |page| page.0.iter().all(|byte| *byte == 7));
        round_trip(
            event_loop,
            "aligned",
            || Align128(9),
            |value| value.0 == 9 && std::ptr::from_ref(value).addr() % 128 == 0,
        );
    });
    let page = Promise::<(), Big4K>::rejected(Big4K([1; 4096]));
    assert_eq!(page.peek(), Some(Err(&Big4K([1; 4096]))), "as a reason");
}

/// Every way in which a value can end, and how many copies of it that makes.
pub(crate) fn every_end_of_a_value() {
    type Scenario = fn(&EventLoop, &Ledger, Promise<Token>, Resolver<Token>);
    let scenarios: [(&str, usize, Scenario); 9] = [
        ("settled and unobserved", 1, |_, ledger, promise, resolver| {
            assert!(resolver.resolve(ledger.token()).is_ok());
            drop((promise, resolver));
        }),
        ("settled after the last handle went", 1, |_, ledger, promise, resolver| {
            drop(promise);
            let _ = resolver.resolve(ledger.token());
        }),
        ("moved out", 1, |event_loop, ledger, promise, resolver| {
            assert!(resolver.resolve(ledger.token()).is_ok());
            drop(event_loop.run(promise));
        }),
        ("three consumers: two clones and the value", 3, |event_loop, ledger, promise, resolver| {
            assert!(resolver.resolve(ledger.token()).is_ok());
            drop(resolver);
            let (second, third) = (promise.clone(), promise.clone());
            drop((second.map(drop), event_loop.run(third), event_loop.run(promise)));
            event_loop.run_until_idle().unwrap();
        }),
        ("refused", 2, |_, ledger, promise, resolver| {
            assert!(resolver.resolve(ledger.token()).is_ok());
            assert!(resolver.settle(Ok(ledger.token())).is_err());
            drop(promise);
        }),
        ("cancelled", 1, |_, ledger, promise, resolver| {
            assert_eq!(promise.cancel("enough"), CancelOutcome::Cancelled);
            assert!(resolver.resolve(ledger.token()).is_err(), "a cancelled promise is settled");
            drop(promise);
        }),
        ("abandoned", 1, |event_loop, ledger, promise, resolver| {
            let held = ledger.token();
            drop(promise.map(move |token| drop((token, held))));
            drop(resolver);
            event_loop.run_until_idle().unwrap();
        }),
        ("all, then one rejects", 2, |event_loop, ledger, promise, resolver| {
            let inputs = [Promise::resolve(ledger.token()), promise, Promise::resolve(ledger.token())];
            let all = Promise::all(inputs);
            assert!(resolver.reject("no".into()).is_ok());
            assert!(event_loop.run(all).is_err());
            event_loop.run_until_idle().unwrap();
        }),
        ("adopted", 1, |event_loop, ledger, promise, resolver| {
            let (inner, settle_inner) = Promise::with_resolvers();
            assert!(resolver.adopt(inner).is_ok());
            assert!(settle_inner.resolve(ledger.token()).is_ok());
            drop(event_loop.run(promise));
        }),
    ];
    for (name, tokens, scenario) in scenarios {
        let ledger = Ledger::default();
        on_loop(|event_loop| {
            let (promise, resolver) = Promise::with_resolvers();
            scenario(event_loop, &ledger, promise, resolver);
        });
        assert_eq!(ledger.created(), tokens, "{name}");
        ledger.assert_balanced(name);
    }
}
