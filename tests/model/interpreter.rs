//! ECMAScript's promises, one rule after the other, for programs of [`super::program`].
//!
//! Slow and plain on purpose: promises are entries of a vector, jobs stand in one queue, and nothing is ever freed or taken
//! short. What is not ECMAScript's stands in `departures.rs`, and the count of consumers is there for that alone.

use super::departures::LIBRARY_ONLY;
use super::planted::Planted;
use super::program::{Combinator, Link, Op, Outcome, Program, Source};
use std::collections::VecDeque;
use std::sync::Arc;

pub(super) type Id = usize;

/// What a program did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) log: Vec<String>,
    /// The reasons of the rejections that nobody handled, sorted.
    pub(crate) unhandled: Vec<String>,
    /// How much was logged when a promise first came to wait for itself by way of others. JavaScript leaves such promises
    /// pending; the library may reject them.
    pub(crate) ring_at: Option<usize>,
    /// Something waits for a promise that nothing can settle any more: one in a ring, `race` of nothing. It is never freed.
    pub(crate) is_stuck: bool,
}

pub(crate) fn text(outcome: &Outcome) -> String {
    match outcome {
        Ok(value) => value.to_string(),
        Err(reason) => format!("!{reason}"),
    }
}

pub(crate) fn fold(values: impl IntoIterator<Item = i64>) -> i64 {
    values.into_iter().fold(7, |sum, value| (sum * 31 + value) % 1_000_003)
}

fn fold_text(text: impl AsRef<str>) -> i64 {
    fold(text.as_ref().bytes().map(i64::from))
}

pub(crate) fn fold_settled(outcomes: impl IntoIterator<Item = Result<i64, impl AsRef<str>>>) -> i64 {
    fold(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(fold_text)))
}

pub(crate) fn aggregate(reasons: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    format!("any{}", fold(reasons.into_iter().map(fold_text)))
}

pub(crate) fn run(program: &Program) -> Record {
    run_planted(program, None)
}

/// As [`run`], with one rule changed.
pub(crate) fn run_planted(program: &Program, planted: Option<Planted>) -> Record {
    let mut model = Model {
        variables: vec![None; program.vars],
        resolvers: vec![None; program.vars],
        counted: program.counted,
        planted,
        ..Model::default()
    };
    for ops in program.turns() {
        model.ops(ops);
        model.drain();
    }
    loop {
        for var in 0..program.vars {
            model.drop_variable(var);
        }
        let rest: Vec<Id> = model.resolvers.iter_mut().filter_map(Option::take).collect();
        if rest.is_empty() {
            break;
        }
        for promise in rest {
            model.abandon(promise);
        }
        model.drain();
    }
    model.record()
}

#[derive(Default)]
pub(super) struct Model {
    pub(super) promises: Vec<Promise>,
    pub(super) gathers: Vec<Gather>,
    variables: Vec<Option<Id>>,
    resolvers: Vec<Option<Id>>,
    pub(super) jobs: VecDeque<Job>,
    pub(super) log: Vec<String>,
    pub(super) registrations: usize,
    pub(super) ring_at: Option<usize>,
    pub(super) counted: bool,
    planted: Option<Planted>,
}

#[derive(Default)]
pub(super) struct Promise {
    pub(super) outcome: Option<Outcome>,
    /// Settled, or locked in to another promise.
    pub(super) decided: bool,
    pub(super) handled: bool,
    /// By itself, not by what it followed.
    pub(super) cancelled: bool,
    pub(super) reactions: Vec<(usize, Reaction)>,
    /// Consumers that are no reactions.
    pub(super) handles: usize,
    /// Made by a link.
    pub(super) is_derived: bool,
    /// The promise that it waits for, and by which registration.
    pub(super) waits: Option<(Id, usize)>,
    /// What must settle before this can.
    pub(super) depends: Vec<Id>,
    pub(super) gather: Option<usize>,
}

#[derive(Clone)]
pub(super) enum Reaction {
    Link { child: Id, step: Step },
    Adopt { outer: Id },
    Member { gather: usize, index: usize },
}

/// What the job of a link does.
#[derive(Clone)]
pub(super) enum Step {
    Pass,
    AddOne,
    /// The second half of `finally`.
    Restore(Outcome),
    User(Link),
}

impl Step {
    /// There is no handler for this outcome.
    pub(super) fn passes_on(&self, outcome: &Outcome) -> bool {
        match self {
            Self::Pass => true,
            Self::User(Link::Then(_)) => outcome.is_err(),
            Self::User(Link::Catch(_)) => outcome.is_ok(),
            _ => false,
        }
    }
}

pub(super) enum Job {
    React(Reaction, Outcome),
    /// `NewPromiseResolveThenableJob`.
    Follow {
        outer: Id,
        inner: Id,
    },
    Soon(Arc<super::program::Body>),
    /// The promise was cancelled.
    Leave(Id),
    /// The combinator was cancelled.
    LeaveInputs(usize),
}

pub(super) struct Gather {
    pub(super) combinator: Combinator,
    pub(super) result: Id,
    pub(super) outcomes: Vec<Option<Outcome>>,
    pub(super) arrived: usize,
    pub(super) inputs: Vec<Id>,
    pub(super) done: bool,
}

pub(super) enum Returned {
    Outcome(Outcome),
    Promise(Id),
}

impl Model {
    fn record(self) -> Record {
        let is_stuck = self.promises.iter().any(|promise| promise.outcome.is_none() && !promise.depends.is_empty());
        let mut unhandled = Vec::new();
        for (id, promise) in self.promises.iter().enumerate() {
            match &promise.outcome {
                Some(Err(reason)) if !promise.handled && !self.is_quiet(id, reason) => unhandled.push(reason.clone()),
                _ => {}
            }
        }
        unhandled.sort();
        Record { log: self.log, unhandled, ring_at: self.ring_at, is_stuck }
    }

    pub(super) fn has(&self, planted: Planted) -> bool {
        self.planted == Some(planted)
    }

    // ------------------------------------------------------------------------------------------------- operations

    pub(super) fn ops(&mut self, ops: &[Op]) {
        for op in ops {
            self.op(op);
        }
    }

    fn op(&mut self, op: &Op) {
        match op {
            Op::Pending(var) => {
                let promise = self.promise();
                self.variables[*var] = Some(promise);
                self.resolvers[*var] = Some(promise);
            }
            Op::Settled(var, outcome) => {
                let promise = self.promise();
                self.promises[promise].outcome = Some(outcome.clone());
                self.variables[*var] = Some(promise);
            }
            Op::Resolve(var, value) => self.decide(*var, Ok(*value)),
            Op::Reject(var, reason) => self.decide(*var, Err(reason.clone())),
            Op::Adopt(var, source) => self.adopt(*var, *source),
            Op::Abandon(var) => {
                if let Some(promise) = self.resolvers[*var].take() {
                    self.abandon(promise);
                }
            }
            Op::Link(to, from, link) => {
                if let Some(source) = self.take(*from) {
                    self.variables[*to] = Some(self.chain(source, link));
                }
            }
            Op::Combine(to, combinator, from) => {
                let inputs = from.iter().filter_map(|source| self.take(*source)).collect();
                self.variables[*to] = Some(self.combine(*combinator, inputs));
            }
            Op::Copy(to, from) => self.variables[*to] = self.take(Source { var: *from, keep: true }),
            Op::Drop(var) => self.drop_variable(*var),
            Op::State(var) => {
                if let Some(promise) = self.variables[*var] {
                    let state = match self.promises[promise].outcome {
                        None => "pending",
                        Some(Ok(_)) => "fulfilled",
                        Some(Err(_)) => "rejected",
                    };
                    self.log.push(format!("p{var} {state}"));
                }
            }
            Op::Soon(body) => self.jobs.push_back(Job::Soon(body.clone())),
            Op::Cancel(var) => {
                if let Some(promise) = self.variables[*var] {
                    let done = if self.cancel(promise) { "cancelled" } else { "too late" };
                    self.log.push(format!("{LIBRARY_ONLY}p{var} {done}"));
                }
            }
            Op::Attempt(var, handler) => {
                self.log.push(format!("a{}", handler.body.id));
                let promise = match self.call(handler, &Ok(0)) {
                    Returned::Outcome(outcome) => self.settled(outcome),
                    Returned::Promise(inner) => {
                        let outer = self.promise();
                        self.resolve_with(outer, inner);
                        outer
                    }
                };
                self.variables[*var] = Some(promise);
            }
            Op::Turn => {}
        }
    }

    fn decide(&mut self, var: usize, outcome: Outcome) {
        let Some(promise) = self.resolvers[var] else { return };
        let refused = match self.has(Planted::LockedInMayBeResolved) {
            false => self.promises[promise].decided,
            true => self.promises[promise].outcome.is_some(),
        };
        if refused {
            self.log.push(format!("{LIBRARY_ONLY}r{var} refuses {}", text(&outcome)));
        } else {
            self.settle(promise, outcome);
        }
    }

    fn adopt(&mut self, var: usize, source: Source) {
        let Some(outer) = self.resolvers[var] else { return };
        let Some(inner) = self.take(source) else { return };
        if self.promises[outer].decided {
            self.log.push(format!("{LIBRARY_ONLY}r{var} refuses p{}", source.var));
            self.release(inner);
        } else {
            self.resolve_with(outer, inner);
        }
    }

    /// A counted handle of the promise in a variable.
    pub(super) fn take(&mut self, source: Source) -> Option<Id> {
        if !source.keep {
            return self.variables[source.var].take();
        }
        let promise = self.variables[source.var]?;
        self.promises[promise].handles += 1;
        Some(promise)
    }

    fn drop_variable(&mut self, var: usize) {
        if let Some(promise) = self.variables[var].take() {
            self.release(promise);
        }
    }

    pub(super) fn release(&mut self, promise: Id) {
        self.promises[promise].handles -= 1;
    }

    /// A pending promise with one handle.
    pub(super) fn promise(&mut self) -> Id {
        self.promises.push(Promise { handles: 1, ..Promise::default() });
        self.promises.len() - 1
    }
}
