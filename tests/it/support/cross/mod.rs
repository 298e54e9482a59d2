//! The cross product of how a promise settles, when, what its handler does, and what becomes of everybody's handles.

mod cargo;
mod shapes;

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use thenable::{EventLoop, Fault, LoopHandle, Promise, Resolution, Resolver};

use super::{BombPayload, LIMIT, Ledger, eventually, quiet_bombs};
use cargo::{Cargo, Kind, Maker, Reason, Whose, kind_of};
pub(crate) use shapes::run_shapes;

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
    /// A loop that was closed before it is named.
    Closed,
    /// A loop that is closed as soon as the handler is registered.
    Shut,
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
                        let case = Case { settle, timing, handler, fate, bomb_drop, bomb_clone, place, made_at: 0 };
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
    /// What the handler was given.
    saw: Slot<Kind>,
    /// The thread that it ran on.
    ran_on: Slot<thread::Thread>,
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
        put(&self.saw, Kind::of(&outcome));
        put(&self.ran_on, thread::current());
        let mut cargo = match outcome {
            Ok(cargo) | Err(Reason::Cargo(cargo)) => cargo,
            Err(Reason::Fault(_)) => self.case.cargo(&self.ledger, Maker::Handler),
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
    /// The line that made the promise.
    made_at: u32,
}

impl Case {
    fn cargo(&self, ledger: &Ledger, maker: Maker) -> Cargo {
        Cargo::new(ledger.token(), maker, self.bomb_drop, self.bomb_clone)
    }

    fn settle(&self, resolver: Resolver<Cargo, Reason>, ledger: &Ledger) {
        let cargo = || self.cargo(ledger, Maker::Settler);
        let late = resolver.clone();
        // The first settle wins, also while it waits for a promise that it adopted.
        let refused = || {
            let refused = late.resolve(self.cargo(ledger, Maker::TooLate)).map(|()| panic!("{self:?}: settled twice"));
            assert_eq!(kind_of(refused.map_err(Reason::Cargo)), Kind::Reason(Maker::TooLate), "{self:?}: handed back");
        };
        let accepted = match self.settle {
            Settle::Resolve => resolver.resolve(cargo()).is_ok(),
            Settle::Reject => resolver.reject(Reason::Cargo(cargo())).is_ok(),
            Settle::Abandon => {
                drop((resolver, late));
                return;
            }
            Settle::AdoptPending => {
                let (inner, settle_inner) = Promise::pending();
                let accepted = resolver.adopt(inner).is_ok();
                refused();
                accepted && settle_inner.resolve(cargo()).is_ok()
            }
            Settle::AdoptSettled => resolver.adopt(Promise::fulfilled(cargo())).is_ok(),
        };
        assert!(accepted, "{self:?}: the first settle wins");
        refused();
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
            Place::Shut => {
                let event_loop = EventLoop::new();
                let entered = event_loop.enter();
                let derived = promise.then_or(on_value, on_reason);
                drop(entered);
                event_loop.close();
                derived
            }
            Place::Local | Place::Global => promise.then_or(on_value, on_reason),
        }
    }

    fn outcome(&self, promise: Promise<Cargo, Reason>, event_loop: &EventLoop) -> Kind {
        kind_of(match self.place {
            Place::Local => event_loop.run(promise),
            Place::Global | Place::Closed | Place::Shut => promise.wait_timeout(LIMIT),
        })
    }

    fn pump(&self, event_loop: &EventLoop) {
        if self.place == Place::Local {
            event_loop.run_until_idle().unwrap();
        }
    }

    /// The value is cloned for the handler, because there is another consumer. A place that refuses what is handed to it
    /// (`on`) learns that too late; a loop that is shut asks for nothing.
    fn needs_clone(&self) -> bool {
        self.settle != Settle::Abandon && self.place != Place::Shut
    }

    /// That clone panics.
    fn is_hurt(&self) -> bool {
        self.bomb_clone && self.needs_clone()
    }

    fn runs(&self) -> bool {
        matches!(self.place, Place::Local | Place::Global) && !self.is_hurt()
    }

    /// What the promise itself must come to.
    fn source_kind(&self) -> Kind {
        match self.settle {
            Settle::Resolve | Settle::AdoptPending | Settle::AdoptSettled => Kind::Value(Maker::Settler),
            Settle::Reject => Kind::Reason(Maker::Settler),
            Settle::Abandon => Kind::Abandoned { line: self.made_at },
        }
    }

    /// What the derived promise must come to.
    fn derived_kind(&self) -> Kind {
        let maker = if self.settle == Settle::Abandon { Maker::Handler } else { Maker::Settler };
        match self.handler {
            _ if self.is_hurt() => Kind::Panicked(Whose::Clone),
            _ if !self.runs() => Kind::LoopClosed,
            Handler::Ok | Handler::ReturnsPending | Handler::DropsItsPromise => Kind::Value(maker),
            Handler::Err => Kind::Reason(maker),
            Handler::Panic => Kind::Panicked(Whose::Handler),
            Handler::BombPayload => Kind::Panicked(Whose::Unnamed),
            Handler::ReturnsItself => Kind::Cycle,
        }
    }

    fn run(mut self, event_loop: &EventLoop, closed: &LoopHandle) {
        let ledger = Ledger::default();
        self.made_at = line!() + 1;
        let (promise, resolver) = Promise::pending();
        let sibling = promise.clone();
        let bench = Arc::new(Bench {
            case: self,
            ledger: ledger.clone(),
            ready: AtomicBool::new(false),
            runs: AtomicUsize::new(0),
            saw: Mutex::default(),
            ran_on: Mutex::default(),
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
        let ran = self.runs();
        assert_eq!(bench.runs.load(Ordering::SeqCst), usize::from(ran), "{self:?}: runs of the handler");
        assert_eq!(take(&bench.saw), ran.then(|| self.source_kind()), "{self:?}: what the handler was given");
        match (self.place, take(&bench.ran_on)) {
            (Place::Local, Some(thread)) => assert_eq!(thread.id(), thread::current().id(), "{self:?}"),
            (_, Some(thread)) => assert_eq!(thread.name(), Some("thenable-loop"), "{self:?}"),
            (_, None) => {}
        }

        let kind = self.outcome(sibling, event_loop);
        // Another thread may still be about to let go, and then there are two consumers a moment longer.
        let elsewhere = self.place != Place::Local;
        let hurt_too = elsewhere && self.bomb_clone && kind == Kind::Panicked(Whose::Clone);
        assert!(kind == self.source_kind() || hurt_too, "{self:?}: another consumer got {kind:?}");
        if !self.bomb_clone {
            let settled = match self.settle {
                Settle::Abandon => 0,
                Settle::AdoptPending => 3, // refused before and after
                Settle::Resolve | Settle::Reject | Settle::AdoptSettled => 2,
            };
            let by_handler = usize::from(ran && self.settle == Settle::Abandon);
            let clones = bench.ledger.created() - settled - by_handler;
            let needed = usize::from(self.needs_clone());
            assert!(clones == needed || (elsewhere && clones == needed + 1), "{self:?}: {clones} clones");
        }

        let Some(derived) = kept else { return };
        if self.fate == Fate::Kept {
            assert_eq!(self.outcome(derived, event_loop), self.derived_kind(), "{self:?}: the derived promise");
        } else {
            // The last handle drops the value here, on this thread: what that panics with is this thread's affair.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(derived)));
        }
    }
}
