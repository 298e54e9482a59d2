//! The cross product of how a promise settles, when, what its handler does, and what becomes of everybody's handles.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use thenable::{EventLoop, Fault, LoopHandle, Promise, Resolution, Resolver};

use super::values::detonate;
use super::{BombPayload, LIMIT, Ledger, Token, eventually, quiet_bombs};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Settle {
    Resolve,
    Reject,
    Abandon,
    AdoptPending,
    AdoptSettled,
}
const SETTLES: [Settle; 5] =
    [Settle::Resolve, Settle::Reject, Settle::Abandon, Settle::AdoptPending, Settle::AdoptSettled];

/// When it settles, seen from the registration of the handler.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Timing {
    Before,
    After,
    Concurrent,
}
const TIMINGS: [Timing; 3] = [Timing::Before, Timing::After, Timing::Concurrent];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Handler {
    Ok,
    Err,
    Panic,
    BombPayload,
    ReturnsPending,
    ReturnsItself,
    DropsItsPromise,
}
const HANDLERS: [Handler; 7] = [
    Handler::Ok,
    Handler::Err,
    Handler::Panic,
    Handler::BombPayload,
    Handler::ReturnsPending,
    Handler::ReturnsItself,
    Handler::DropsItsPromise,
];

/// What becomes of the handle of the derived promise.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Kept,
    DroppedBefore,
    DroppedInHandler,
    DroppedAfter,
}
const FATES: [Fate; 4] = [Fate::Kept, Fate::DroppedBefore, Fate::DroppedInHandler, Fate::DroppedAfter];

/// Where the handler is to run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    Local,
    Global,
    Closed,
}

/// Runs every case of one place and returns how many there were.
pub(crate) fn run_all(place: Place) -> usize {
    quiet_bombs();
    let event_loop = EventLoop::new();
    let guard = (place == Place::Local).then(|| event_loop.enter());
    let closed = {
        let closed = EventLoop::new();
        let handle = closed.handle();
        closed.close();
        handle
    };
    let mut cases = 0;
    for settle in SETTLES {
        for timing in TIMINGS {
            for handler in HANDLERS {
                for fate in FATES {
                    for bombs in 0..4 {
                        let (bomb_drop, bomb_clone) = (bombs & 1 != 0, bombs & 2 != 0);
                        let case = Case { settle, timing, handler, fate, bomb_drop, bomb_clone, place };
                        case.run(&event_loop, &closed);
                        cases += 1;
                    }
                }
            }
        }
    }
    drop(guard);
    cases
}

/// A value that is on record and may panic in `clone` and `drop`.
struct Cargo {
    token: Token,
    bomb_drop: bool,
    bomb_clone: bool,
}

impl Clone for Cargo {
    fn clone(&self) -> Self {
        if self.bomb_clone {
            detonate("bomb: clone");
        }
        Self { token: self.token.clone(), ..*self }
    }
}

impl Drop for Cargo {
    fn drop(&mut self) {
        if self.bomb_drop {
            detonate("bomb: drop");
        }
    }
}

#[derive(Clone)]
enum Reason {
    Fault(Fault),
    Cargo(Cargo),
}

impl From<Fault> for Reason {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// An outcome without what it carries.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Value,
    Reason,
    Abandoned,
    Panicked,
    Cycle,
    LoopClosed,
    OtherFault,
}

/// Names an outcome, and puts its value away without a bang.
fn kind_of(outcome: Result<Cargo, Reason>) -> Kind {
    match outcome {
        Ok(mut cargo) => {
            cargo.bomb_drop = false;
            Kind::Value
        }
        Err(Reason::Cargo(mut cargo)) => {
            cargo.bomb_drop = false;
            Kind::Reason
        }
        Err(Reason::Fault(Fault::Abandoned { .. })) => Kind::Abandoned,
        Err(Reason::Fault(Fault::Panicked { .. })) => Kind::Panicked,
        Err(Reason::Fault(Fault::Cycle)) => Kind::Cycle,
        Err(Reason::Fault(Fault::LoopClosed)) => Kind::LoopClosed,
        Err(Reason::Fault(_)) => Kind::OtherFault,
    }
}

type Slot<X> = Mutex<Option<X>>;

fn put<X>(slot: &Slot<X>, content: X) {
    *slot.lock().unwrap() = Some(content);
}

fn take<X>(slot: &Slot<X>) -> Option<X> {
    slot.lock().unwrap().take()
}

/// What the test and the handler share.
struct Bench {
    case: Case,
    ledger: Ledger,
    /// The handler waits for this: on another thread it may be faster than the test.
    ready: AtomicBool,
    runs: AtomicUsize,
    saw_panic: AtomicBool,
    derived: Slot<Promise<Cargo, Reason>>,
    own: Slot<Promise<Cargo, Reason>>,
    inner: Slot<(Resolver<Cargo, Reason>, Cargo)>,
}

impl Bench {
    fn handle(&self, outcome: Result<Cargo, Reason>) -> Resolution<Cargo, Reason> {
        while !self.ready.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        self.runs.fetch_add(1, Ordering::SeqCst);
        let mut cargo = match outcome {
            Ok(cargo) | Err(Reason::Cargo(cargo)) => cargo,
            Err(Reason::Fault(fault)) => {
                self.saw_panic.store(matches!(fault, Fault::Panicked { .. }), Ordering::SeqCst);
                self.case.cargo(&self.ledger)
            }
        };
        if self.case.fate == Fate::DroppedInHandler && self.case.handler != Handler::ReturnsItself {
            drop(take(&self.derived));
        }
        match self.case.handler {
            Handler::Ok => Resolution::Resolve(cargo),
            Handler::Err => Resolution::Reject(Reason::Cargo(cargo)),
            Handler::Panic => panic!("bomb: handler"),
            Handler::BombPayload => panic_any(BombPayload),
            Handler::ReturnsPending => {
                let (promise, resolver) = Promise::pending();
                put(&self.inner, (resolver, cargo));
                Resolution::Adopt(promise)
            }
            Handler::ReturnsItself => {
                cargo.bomb_drop = false;
                take(&self.derived).map_or(Resolution::Reject(Reason::Fault(Fault::Cycle)), Resolution::Adopt)
            }
            Handler::DropsItsPromise => {
                drop(take(&self.own));
                Resolution::Resolve(cargo)
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Case {
    settle: Settle,
    timing: Timing,
    handler: Handler,
    fate: Fate,
    bomb_drop: bool,
    bomb_clone: bool,
    place: Place,
}

impl Case {
    fn cargo(&self, ledger: &Ledger) -> Cargo {
        Cargo { token: ledger.token(), bomb_drop: self.bomb_drop, bomb_clone: self.bomb_clone }
    }

    fn settle(&self, resolver: Resolver<Cargo, Reason>, ledger: &Ledger) {
        let accepted = match self.settle {
            Settle::Resolve => resolver.resolve(self.cargo(ledger)).is_ok(),
            Settle::Reject => resolver.reject(Reason::Cargo(self.cargo(ledger))).is_ok(),
            Settle::Abandon => {
                drop(resolver);
                true
            }
            Settle::AdoptPending => {
                let (inner, settle_inner) = Promise::pending();
                resolver.adopt(inner).is_ok() && settle_inner.resolve(self.cargo(ledger)).is_ok()
            }
            Settle::AdoptSettled => resolver.adopt(Promise::fulfilled(self.cargo(ledger))).is_ok(),
        };
        assert!(accepted, "{self:?}: the first settle wins");
    }

    fn register(
        &self,
        promise: Promise<Cargo, Reason>,
        bench: &Arc<Bench>,
        closed: &LoopHandle,
    ) -> Promise<Cargo, Reason> {
        let (on_value, on_reason) = (Arc::clone(bench), Arc::clone(bench));
        let on_value = move |cargo| on_value.handle(Ok(cargo));
        let on_reason = move |reason| on_reason.handle(Err(reason));
        match self.place {
            Place::Closed => promise.on(closed).then_or(on_value, on_reason),
            Place::Local | Place::Global => promise.then_or(on_value, on_reason),
        }
    }

    fn outcome(&self, promise: Promise<Cargo, Reason>, event_loop: &EventLoop) -> Kind {
        kind_of(match self.place {
            Place::Local => event_loop.run(promise),
            Place::Global | Place::Closed => promise.wait_timeout(LIMIT),
        })
    }

    fn pump(&self, event_loop: &EventLoop) {
        if self.place == Place::Local {
            event_loop.run_until_idle().unwrap();
        }
    }

    /// What the promise itself must come to.
    fn source_kind(&self) -> Kind {
        match self.settle {
            Settle::Resolve | Settle::AdoptPending | Settle::AdoptSettled => Kind::Value,
            Settle::Reject => Kind::Reason,
            Settle::Abandon => Kind::Abandoned,
        }
    }

    /// What the derived promise must come to.
    fn derived_kind(&self) -> Kind {
        if self.place == Place::Closed {
            return Kind::LoopClosed;
        }
        match self.handler {
            Handler::Ok | Handler::ReturnsPending | Handler::DropsItsPromise => Kind::Value,
            Handler::Err => Kind::Reason,
            Handler::Panic | Handler::BombPayload => Kind::Panicked,
            Handler::ReturnsItself => Kind::Cycle,
        }
    }

    fn run(self, event_loop: &EventLoop, closed: &LoopHandle) {
        let ledger = Ledger::default();
        let (promise, resolver) = Promise::pending();
        let sibling = promise.clone();
        let bench = Arc::new(Bench {
            case: self,
            ledger: ledger.clone(),
            ready: AtomicBool::new(false),
            runs: AtomicUsize::new(0),
            saw_panic: AtomicBool::new(false),
            derived: Mutex::default(),
            own: Mutex::new((self.handler == Handler::DropsItsPromise).then(|| promise.clone())),
            inner: Mutex::default(),
        });

        let derived = match self.timing {
            Timing::Before => {
                self.settle(resolver, &ledger);
                self.register(promise, &bench, closed)
            }
            Timing::After => {
                let derived = self.register(promise, &bench, closed);
                self.settle(resolver, &ledger);
                derived
            }
            Timing::Concurrent => thread::scope(|scope| {
                scope.spawn(|| self.settle(resolver, &ledger));
                self.register(promise, &bench, closed)
            }),
        };
        let mut kept = None;
        match self.fate {
            Fate::Kept | Fate::DroppedAfter => {
                if self.handler == Handler::ReturnsItself {
                    put(&bench.derived, derived.clone());
                }
                kept = Some(derived);
            }
            Fate::DroppedInHandler => put(&bench.derived, derived),
            Fate::DroppedBefore => drop(derived),
        }
        bench.ready.store(true, Ordering::SeqCst);

        self.pump(event_loop);
        // Both handlers are gone, run or not.
        eventually(&format!("{self:?}: the handlers are dropped"), || {
            // An adoption that began on a thread without a loop takes its jobs on the global one.
            self.pump(event_loop);
            Arc::strong_count(&bench) == 1
        });
        let inner = take(&bench.inner);
        if let Some((resolver, cargo)) = inner {
            assert!(resolver.resolve(cargo).is_ok(), "{self:?}: the promise that the handler returned");
            self.pump(event_loop);
        }
        drop(take(&bench.own));
        self.check(event_loop, &bench, sibling, kept);

        let leftover = take(&bench.derived);
        let _ = catch_unwind(AssertUnwindSafe(|| drop(leftover)));
        self.pump(event_loop);
        ledger.assert_balanced_soon(&format!("{self:?}"));
    }

    fn check(
        self,
        event_loop: &EventLoop,
        bench: &Bench,
        sibling: Promise<Cargo, Reason>,
        kept: Option<Promise<Cargo, Reason>>,
    ) {
        // A clone that panics may hurt the consumer that it was made for.
        let hurt = self.bomb_clone && self.settle != Settle::Abandon;
        let may_be = |kind, expected| kind == expected || (hurt && kind == Kind::Panicked);

        let runs = bench.runs.load(Ordering::SeqCst);
        let expected_runs = usize::from(self.place != Place::Closed);
        assert!(runs == expected_runs || (hurt && runs == 0), "{self:?}: the handler ran {runs} times");

        let kind = self.outcome(sibling, event_loop);
        assert!(may_be(kind, self.source_kind()), "{self:?}: another consumer got {kind:?}");
        if self.place == Place::Local {
            let unhurt = runs == 1 && !bench.saw_panic.load(Ordering::SeqCst);
            assert!(unhurt || kind == self.source_kind(), "{self:?}: one of two consumers needs no clone");
        }

        let Some(derived) = kept else { return };
        if self.fate == Fate::Kept {
            let kind = self.outcome(derived, event_loop);
            assert!(may_be(kind, self.derived_kind()), "{self:?}: the derived promise came to {kind:?}");
        } else {
            // The last handle drops the value here, on this thread: what that panics with is this thread's affair.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(derived)));
        }
    }
}
