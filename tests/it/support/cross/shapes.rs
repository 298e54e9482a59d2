//! The same walk through a promise for values of odd sizes, alignments and auto traits, which need not be cloned.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use thenable::{CancelOutcome, EventLoop, Fault, LoopHandle, Promise, Resolver};

use super::{Fate, Place, SETTLES, Settle, TIMINGS, Timing};
use crate::support::{Align128, Big4K, LIMIT, NotSync, eventually, quiet_bombs};

/// What a value looks like. Each has a count of its own, because one without bytes cannot hold a pointer to one.
trait Shape: Send + 'static {
    const NAME: &str;
    type Bytes: Send + 'static;
    fn make() -> Self::Bytes;
    fn is_intact(bytes: &Self::Bytes) -> bool;
    fn live() -> &'static AtomicIsize;
}

macro_rules! shapes {
    ($($name:ident: $bytes:ty = $make:expr, $check:expr;)*) => {
        $(
            struct $name;
            impl Shape for $name {
                const NAME: &str = stringify!($name);
                type Bytes = $bytes;
                fn make() -> $bytes {
                    $make
                }
                fn is_intact(bytes: &$bytes) -> bool {
                    let check: fn(&$bytes) -> bool = $check;
                    check(bytes)
                }
                fn live() -> &'static AtomicIsize {
                    static LIVE: AtomicIsize = AtomicIsize::new(0);
                    &LIVE
                }
            }
        )*
        const ALL: &[fn(Place) -> usize] = &[$(run_shape::<$name>),*];
    };
}

shapes! {
    NoBytes: () = (), |()| true;
    NoBytesAligned: [Align128; 0] = [], |empty| empty.as_ptr().addr() % 128 == 0;
    OneByte: u8 = 0xa5, |byte| *byte == 0xa5;
    Aligned: Align128 = Align128(9), |value| value.0 == 9 && std::ptr::from_ref(value).addr() % 128 == 0;
    Page: Big4K = Big4K([7; 4096]), |page| page.0.iter().all(|byte| *byte == 7);
    Unshared: NotSync = NotSync(Cell::new(3)), |value| value.0.get() == 3;
    Boxed: Box<dyn Fn() -> u8 + Send> = Box::new(|| 5), |f| f() == 5;
}

/// A value that counts.
struct Item<S: Shape>(S::Bytes, PhantomData<fn() -> S>);

impl<S: Shape> Item<S> {
    fn new() -> Self {
        S::live().fetch_add(1, Ordering::SeqCst);
        Self(S::make(), PhantomData)
    }
}

impl<S: Shape> Drop for Item<S> {
    fn drop(&mut self) {
        // A panic might be caught; a count that is wrong for ever is noticed.
        let sound = if S::is_intact(&self.0) { 1 } else { 1_000 };
        S::live().fetch_sub(sound, Ordering::SeqCst);
    }
}

enum Why<S: Shape> {
    Item(Item<S>),
    Fault(Fault),
}

impl<S: Shape> From<Fault> for Why<S> {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// An outcome without what it carries, which must be whole.
fn name<S: Shape>(outcome: &Result<Item<S>, Why<S>>) -> &'static str {
    match outcome {
        Ok(item) | Err(Why::Item(item)) if !S::is_intact(&item.0) => "damaged",
        Ok(_) => "value",
        Err(Why::Item(_)) => "reason",
        Err(Why::Fault(Fault::Abandoned { .. })) => "abandoned",
        Err(Why::Fault(Fault::LoopClosed)) => "closed",
        Err(Why::Fault(Fault::Panicked { .. })) => "panicked",
        Err(Why::Fault(_)) => "other",
    }
}

/// Every case of one place, for every shape; returns how many there were.
pub(crate) fn run_shapes(place: Place) -> usize {
    quiet_bombs();
    ALL.iter().map(|run| run(place)).sum()
}

fn run_shape<S: Shape>(place: Place) -> usize {
    let event_loop = EventLoop::new();
    let closed = {
        let closed = EventLoop::new();
        let handle = closed.handle();
        closed.close();
        handle
    };
    let guard = (place == Place::Local).then(|| event_loop.enter());
    let mut cases = 0;
    for settle in SETTLES {
        for timing in TIMINGS {
            for fate in [Fate::Kept, Fate::DroppedBefore, Fate::DroppedAfter] {
                for panics in [false, true] {
                    let case = format!("{}: {settle:?}, {timing:?}, {fate:?}, {panics}, {place:?}", S::NAME);
                    run_case::<S>(&case, settle, timing, fate, panics, place, &closed, &event_loop);
                    // A double drop would make it negative.
                    eventually(&case, || S::live().load(Ordering::SeqCst) <= 0);
                    assert_eq!(S::live().load(Ordering::SeqCst), 0, "{case}: values left");
                    cases += 1;
                }
            }
        }
    }
    cancelled::<S>();
    drop(guard);
    cases
}

fn settle_with<S: Shape>(case: &str, settle: Settle, resolver: Resolver<Item<S>, Why<S>>) {
    let late = resolver.clone();
    let accepted = match settle {
        Settle::Resolve => resolver.resolve(Item::new()).is_ok(),
        Settle::Reject => resolver.reject(Why::Item(Item::new())).is_ok(),
        Settle::Abandon => return drop((resolver, late)),
        Settle::AdoptPending => {
            let (inner, settle_inner) = Promise::pending();
            resolver.adopt(inner).is_ok() && settle_inner.resolve(Item::new()).is_ok()
        }
        Settle::AdoptSettled => resolver.adopt(Promise::fulfilled(Item::new())).is_ok(),
    };
    assert!(accepted, "{case}: the first settle wins");
    let refused = late.resolve(Item::new()).map(|()| panic!("{case}: settled twice")).map_err(Why::Item);
    assert_eq!(name(&refused), "reason", "{case}: handed back");
}

#[expect(clippy::too_many_arguments, reason = "the axes of a table")]
fn run_case<S: Shape>(
    case: &str,
    settle: Settle,
    timing: Timing,
    fate: Fate,
    panics: bool,
    place: Place,
    closed: &LoopHandle,
    event_loop: &EventLoop,
) {
    let settled = match settle {
        Settle::Resolve | Settle::AdoptPending | Settle::AdoptSettled => "value",
        Settle::Reject => "reason",
        Settle::Abandon => "abandoned",
    };
    let seen = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let handler = move |outcome: Result<Item<S>, Why<S>>| {
        notes.lock().unwrap().push(name(&outcome));
        if panics {
            panic!("bomb: handler");
        }
        outcome
    };
    let (promise, resolver) = Promise::<Item<S>, Why<S>>::pending();
    let register = move || match place {
        Place::Closed => promise.on(closed).handle(handler),
        Place::Local | Place::Global => promise.handle(handler),
        Place::Shut => {
            let event_loop = EventLoop::new();
            let entered = event_loop.enter();
            let derived = promise.handle(handler);
            drop(entered);
            event_loop.close();
            derived
        }
    };
    let derived = match timing {
        Timing::Before => {
            settle_with(case, settle, resolver);
            register()
        }
        Timing::After => {
            let derived = register();
            settle_with(case, settle, resolver);
            derived
        }
        Timing::Concurrent => thread::scope(|scope| {
            scope.spawn(|| settle_with(case, settle, resolver));
            register()
        }),
    };
    let kept = if fate == Fate::DroppedBefore {
        drop(derived);
        None
    } else {
        Some(derived)
    };
    eventually(&format!("{case}: the handler is gone"), || {
        if place == Place::Local {
            event_loop.run_until_idle().unwrap();
        }
        Arc::strong_count(&seen) == 1
    });
    let expected: &[_] = if matches!(place, Place::Closed | Place::Shut) { &[] } else { &[settled] };
    assert_eq!(*seen.lock().unwrap(), expected, "{case}: what the handler was given");
    let Some(derived) = kept else { return };
    if fate == Fate::DroppedAfter {
        return drop(derived);
    }
    let expected = match place {
        Place::Closed | Place::Shut => "closed",
        _ if panics => "panicked",
        _ => settled,
    };
    let outcome = match place {
        Place::Local => event_loop.run(derived),
        Place::Global | Place::Closed | Place::Shut => derived.wait_timeout(LIMIT),
    };
    assert_eq!(name(&outcome), expected, "{case}: the derived promise");
}

/// A value that comes too late for a promise that was cancelled, and one that a cancel comes too late for.
fn cancelled<S: Shape>() {
    let (promise, resolver) = Promise::<Item<S>, Why<S>>::pending();
    assert_eq!(promise.cancel("not wanted"), CancelOutcome::Cancelled, "{}", S::NAME);
    assert!(resolver.resolve(Item::new()).is_err(), "{}", S::NAME);
    drop((promise, resolver));
    let promise = Promise::<Item<S>, Why<S>>::fulfilled(Item::new());
    assert_eq!(promise.cancel("too late"), CancelOutcome::AlreadySettled, "{}", S::NAME);
    assert!(matches!(promise.wait_timeout(Duration::ZERO), Ok(item) if S::is_intact(&item.0)), "{}", S::NAME);
    assert_eq!(S::live().load(Ordering::SeqCst), 0, "{}: values left after a cancel", S::NAME);
}
