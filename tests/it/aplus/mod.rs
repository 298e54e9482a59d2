//! A typed port of the Promises/A+ checklist. A test's name begins with the id of its row.
//!
//! S: a settled promise never changes. H: when a handler runs, how often, with what. C: handlers run on a clean stack.
//! O: several handlers of one promise. R: what `then` returns. X: resolving a promise with a promise.

mod adopt;
mod derived;
mod handlers;
mod order;
mod stack;
mod states;

use std::sync::Arc;

use thenable::{EventLoop, Fault, LoopHandle, Promise, Resolution, Resolver};

use crate::common::{Seen, by_timer};
use crate::support::on_virtual_clock;

type P = Promise<Mark, Cause>;
type R = Resolver<Mark, Cause>;

/// A value or a reason that is known by its identity.
#[derive(Clone, Debug)]
struct Mark(Arc<str>);

impl Mark {
    fn new(text: &'static str) -> Self {
        Self(Arc::from(text))
    }
}

impl PartialEq for Mark {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[derive(Clone, Debug)]
enum Cause {
    Mark(Mark),
    Fault(Fault),
}

impl From<Fault> for Cause {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What a handler was called with, or another event of the test.
#[derive(Clone, Debug, PartialEq)]
enum Event {
    Value(&'static str, Mark),
    Reason(&'static str, Mark),
    Fault(&'static str, String),
    Note(&'static str),
}

/// A later settle was refused, and gave back what it was to settle with.
const REFUSED: Event = Event::Note("refused");

/// The two ways to settle.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Colour {
    Fulfilled,
    Rejected,
}

use Colour::{Fulfilled, Rejected};

impl Colour {
    fn outcome(self, mark: &Mark) -> Result<Mark, Cause> {
        match self {
            Fulfilled => Ok(mark.clone()),
            Rejected => Err(Cause::Mark(mark.clone())),
        }
    }

    /// What the handler of that name logs.
    fn event(self, name: &'static str, mark: &Mark) -> Event {
        match self {
            Fulfilled => Event::Value(name, mark.clone()),
            Rejected => Event::Reason(name, mark.clone()),
        }
    }

    fn settled(self, mark: &Mark) -> P {
        Promise::from(self.outcome(mark))
    }

    /// Settles with a success that the test relies on.
    #[track_caller]
    fn settle(self, resolver: &R, mark: &Mark) {
        assert!(resolver.settle(self.outcome(mark)).is_ok(), "the first settle is accepted");
    }

    /// Settles once more, and logs whether that was refused and the same thing came back.
    fn settle_again(self, resolver: &R, mark: &Mark, log: &Seen<Event>) {
        let refused = match self {
            Fulfilled => resolver.resolve(mark.clone()).err(),
            Rejected => match resolver.reject(Cause::Mark(mark.clone())) {
                Err(Cause::Mark(refused)) => Some(refused),
                _ => None,
            },
        };
        log.add(if refused.as_ref() == Some(mark) { REFUSED } else { Event::Note("accepted, or lost") });
    }
}

/// When the promise settles, seen from the registration of the handler.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Timing {
    Already,
    AtOnce,
    ByJob,
    ByTimer,
}

const ALREADY: &[Timing] = &[Timing::Already];
const AT_ONCE: &[Timing] = &[Timing::AtOnce];
const LATER: &[Timing] = &[Timing::ByJob, Timing::ByTimer];
const TIMINGS: &[Timing] = &[Timing::Already, Timing::AtOnce, Timing::ByJob, Timing::ByTimer];

/// One run of a row: a loop that is current on this thread, and a log.
struct Bench<'a> {
    event_loop: &'a EventLoop,
    log: Seen<Event>,
    mark: Mark,
}

impl Bench<'_> {
    /// Registers both handlers under that name.
    fn watch(&self, name: &'static str, promise: &P) {
        watch(&self.log, name, promise);
    }

    /// Hands out a promise, and settles it at that time.
    fn settles<X>(&self, colour: Colour, timing: Timing, register: impl FnOnce(&P) -> X) -> X {
        if timing == Timing::Already {
            return register(&colour.settled(&self.mark));
        }
        let (promise, resolver) = Promise::pending();
        let result = register(&promise);
        let mark = self.mark.clone();
        let settle = move || colour.settle(&resolver, &mark);
        match timing {
            Timing::ByJob => drop(self.event_loop.handle().call_soon(settle)),
            Timing::ByTimer => by_timer(settle),
            Timing::Already | Timing::AtOnce => settle(),
        }
        result
    }

    /// Runs everything, and returns what was logged since the last time.
    fn finish(&self) -> Vec<Event> {
        self.event_loop.run_until_idle().unwrap();
        self.log.take()
    }
}

/// Registers both handlers under that name. Their own promise fulfils.
fn watch(log: &Seen<Event>, name: &'static str, promise: &P) {
    let (on_value, on_reason) = (log.clone(), log.clone());
    drop(
        promise.clone().then_or(
            move |mark| on_value.add(Event::Value(name, mark)),
            move |cause| on_reason.add(reason(name, cause)),
        ),
    );
}

fn reason(name: &'static str, cause: Cause) -> Event {
    match cause {
        Cause::Mark(mark) => Event::Reason(name, mark),
        Cause::Fault(fault) => Event::Fault(name, fault.to_string()),
    }
}

/// Both handlers of a link in one: logs, then decides.
fn handler(
    log: &Seen<Event>,
    name: &'static str,
    decide: impl FnOnce() -> Resolution<Mark, Cause> + Send + 'static,
) -> impl FnOnce(Result<Mark, Cause>) -> Resolution<Mark, Cause> + Send + 'static {
    let log = log.clone();
    move |outcome| {
        log.add(match outcome {
            Ok(mark) => Event::Value(name, mark),
            Err(cause) => reason(name, cause),
        });
        decide()
    }
}

/// Runs a row with a fresh loop.
fn row(test: impl FnOnce(&Bench<'_>)) {
    on_virtual_clock(|event_loop| test(&Bench { event_loop, log: Seen::default(), mark: Mark::new("it") }));
}

/// Runs a row for each timing; `test` gets the words for its messages.
fn rows(timings: &[Timing], test: impl Fn(&Bench<'_>, Timing, &str)) {
    for &timing in timings {
        row(|bench| test(bench, timing, &format!("{timing:?}")));
    }
}

type Call = Box<dyn FnOnce() + Send>;

/// The two ways to call something later: by a job, by a timer.
const LATER_CALLS: [fn(Call); 2] = [|f| drop(LoopHandle::current().unwrap().call_soon(f)), |f| by_timer(f)];
