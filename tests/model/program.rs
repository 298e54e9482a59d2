//! What random programs consist of.
//!
//! A program works on numbered variables. A variable holds a promise from the operation that makes it until the operation
//! that moves it away; an operation whose variable is empty does nothing. So any part of a program can be left out and the
//! rest is a program still.

use std::sync::Arc;

/// A promise variable, and its resolver if it was made pending.
pub(crate) type Var = usize;
/// A value, or the text of a reason.
pub(crate) type Outcome = Result<i64, String>;

/// A promise to use: moved out of its variable, or a clone of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    pub(crate) var: Var,
    pub(crate) keep: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A pending promise and its resolver.
    Pending(Var),
    /// A promise that is settled from the start.
    Settled(Var, Outcome),
    Resolve(Var, i64),
    Reject(Var, String),
    Adopt(Var, Source),
    /// The resolver goes away.
    Abandon(Var),
    Link(Var, Source, Link),
    Combine(Var, Combinator, Vec<Source>),
    Copy(Var, Var),
    Drop(Var),
    /// Logs the state.
    State(Var),
    /// `call_soon`, which is `queueMicrotask`.
    Soon(Arc<Body>),
    /// JavaScript has nothing like it.
    Cancel(Var),
    /// `Promise::attempt`: the handler runs at once.
    Attempt(Var, Arc<Handler>),
    /// At the top only: what follows belongs to another turn of the loop, after all jobs.
    Turn,
}

#[derive(Clone, Debug)]
pub(crate) enum Link {
    Then(Arc<Handler>),
    Catch(Arc<Handler>),
    ThenOr(Arc<Handler>, Arc<Handler>),
    /// One handler for both outcomes.
    Handle(Arc<Handler>),
    Finally(Arc<Handler>),
    /// Adds one.
    Map,
    /// `settled().flatten()`: two links that change nothing.
    RoundTrip,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Combinator {
    All,
    AllSettled,
    Any,
    Race,
}

/// What runs as a job of its own.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    /// Stands in the log.
    pub(crate) id: usize,
    pub(crate) ops: Vec<Op>,
}

#[derive(Clone, Debug)]
pub(crate) struct Handler {
    pub(crate) body: Body,
    pub(crate) result: Return,
}

#[derive(Clone, Debug)]
pub(crate) enum Return {
    Value(i64),
    /// The value or the reason that it got.
    Same,
    Throw(String),
    Panic,
    /// A promise; a new one of 0 if the variable is empty.
    Promise(Source),
    /// A future that is ready, in JavaScript a new promise.
    Ready(i64),
}

#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) ops: Vec<Op>,
    pub(crate) vars: usize,
    /// Uses values and reasons that are counted, instead of a plain number and the dynamic reason.
    pub(crate) counted: bool,
    pub(crate) drive: Drive,
}

/// How the library's loop is made to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Drive {
    RunReady,
    Tick,
    /// `run_until_idle`, on a virtual clock.
    RunUntilIdle,
}

impl Program {
    pub(crate) fn cancels(&self) -> bool {
        fn any(ops: &[Op]) -> bool {
            ops.iter().any(|op| matches!(op, Op::Cancel(_)) || bodies(op).into_iter().any(|body| any(&body.ops)))
        }
        any(&self.ops)
    }

    /// The operations of each turn of the loop.
    pub(crate) fn turns(&self) -> impl Iterator<Item = &[Op]> {
        self.ops.split(|op| matches!(op, Op::Turn))
    }

    /// How many operations there are, those in handlers among them.
    pub(crate) fn size(&self) -> usize {
        fn size(ops: &[Op]) -> usize {
            let inner = ops.iter().flat_map(bodies).map(|body| size(&body.ops));
            ops.len() + inner.sum::<usize>()
        }
        size(&self.ops)
    }
}

fn handlers(link: &Link) -> Vec<&Arc<Handler>> {
    match link {
        Link::Then(handler) | Link::Catch(handler) | Link::Handle(handler) | Link::Finally(handler) => vec![handler],
        Link::ThenOr(fulfilled, rejected) => vec![fulfilled, rejected],
        Link::Map | Link::RoundTrip => Vec::new(),
    }
}

fn bodies(op: &Op) -> Vec<&Body> {
    match op {
        Op::Link(_, _, link) => handlers(link).into_iter().map(|handler| &handler.body).collect(),
        Op::Soon(body) => vec![body],
        Op::Attempt(_, handler) => vec![&handler.body],
        _ => Vec::new(),
    }
}
