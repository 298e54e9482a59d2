//! Where the library departs from ECMAScript on purpose, all in one place.
//!
//! - *Cancelling*, which JavaScript does not have. A pending promise rejects at once and leaves what it waits for. That is
//!   cancelled too if it is pending and nobody else wants it, and so on. Nobody is told of a cancelled promise that goes away
//!   unhandled.
//! - *Abandoning.* When the last resolver goes away the promise rejects; in JavaScript it stays pending.
//! - *Cycles.* A promise that is resolved with itself rejects with a reason of the library's, in JavaScript with a `TypeError`.
//! - *Rings* of promises that wait for each other stay pending in JavaScript. The library may reject them, where it can tell.
//! - *Panics* reject with a reason of the library's; JavaScript does not tell them from what else is thrown.
//! - *Refusals.* A value, reason or promise that comes too late is given back; JavaScript says nothing.
//! - *`finally`* waits for a promise of `()`. Another one wants a conversion, which takes one tick.
//!
//! Log lines that JavaScript cannot have start with [`LIBRARY_ONLY`] and are left out where Node is compared. `node.js` says
//! "abandoned" and "cycle" as the library does; programs that cancel are not compared with Node. A program in which a ring
//! closes is compared in full with Node; with the library too, unless that rejects the ring: then only until it closes,
//! at `Record::ring_at`.

use super::interpreter::{Id, Job, Model, Reaction};
use super::planted::Planted;
use super::program::Outcome;

/// Lines of the log that JavaScript cannot say start with this.
pub(crate) const LIBRARY_ONLY: &str = "#";

pub(super) const CANCELLED: &str = "cancelled";

/// What a handler that panics rejects with.
pub(super) fn panicked() -> Outcome {
    Err("panicked".into())
}

impl Model {
    /// The resolver goes away.
    pub(super) fn abandon(&mut self, promise: Id) {
        if !self.promises[promise].decided && !self.has(Planted::AbandonedStaysPending) {
            self.settle(promise, Err("abandoned".into()));
        }
    }

    /// A promise was resolved with itself.
    pub(super) fn cycle(&mut self, promise: Id) {
        if !self.has(Planted::OwnPromiseStaysPending) {
            self.settle(promise, Err("cycle".into()));
        }
    }

    /// Whether a rejection that nobody handled is kept quiet. Only the dynamic reason still tells after a link what it is.
    pub(super) fn is_quiet(&self, promise: Id, reason: &str) -> bool {
        self.promises[promise].cancelled || (!self.counted && reason == CANCELLED)
    }

    // ----------------------------------------------------------------------------------------------------- cancelling

    /// False: it is settled already.
    pub(super) fn cancel(&mut self, promise: Id) -> bool {
        if self.promises[promise].outcome.is_some() {
            return false;
        }
        self.stop(promise);
        true
    }

    /// Rejects a pending promise and has it leave what it waits for, or is about to follow: a derived promise does so now, a
    /// combinator's and one that a resolver locked in do so in a job of their own.
    fn stop(&mut self, promise: Id) {
        self.promises[promise].cancelled = true;
        let waits = self.promises[promise].waits;
        self.settle(promise, Err(CANCELLED.into()));
        if let Some(gather) = self.promises[promise].gather {
            self.jobs.push_back(Job::LeaveInputs(gather));
        }
        match waits {
            Some(_) if self.promises[promise].is_derived => self.leave(promise),
            Some(_) => self.jobs.push_back(Job::Leave(promise)),
            None if self.promises[promise].is_derived => self.leave_early(promise),
            None => {}
        }
    }

    /// What a cancelled promise's handler returned, and a job that has not run yet was to follow, is stopped too if nobody
    /// else wants it. That job still has its handle.
    fn leave_early(&mut self, promise: Id) {
        let follows = self.jobs.iter().find_map(|job| match job {
            Job::Follow { outer, inner } if *outer == promise => Some(*inner),
            _ => None,
        });
        if let Some(inner) = follows {
            let this = &self.promises[inner];
            if this.outcome.is_none() && this.handles == 1 && this.reactions.is_empty() {
                self.stop(inner);
            }
        }
    }

    /// Takes a cancelled promise off what it waits for, which is stopped too if nobody else wants it.
    pub(super) fn leave(&mut self, promise: Id) {
        if let Some((source, registration)) = self.promises[promise].waits.take() {
            self.promises[source].reactions.retain(|(number, _)| *number != registration);
            self.stop_if_unwanted(source);
        }
    }

    pub(super) fn stop_if_unwanted(&mut self, promise: Id) {
        let this = &self.promises[promise];
        let unwanted = this.outcome.is_none() && this.handles == 0 && this.reactions.is_empty();
        if unwanted && !self.has(Planted::CancelStopsNothingElse) {
            self.stop(promise);
        }
    }

    /// The job in which a cancelled combinator leaves its inputs.
    pub(super) fn leave_inputs(&mut self, gather: usize) {
        self.gathers[gather].done = true;
        for index in 0..self.gathers[gather].inputs.len() {
            if let Some(input) = self.take_off(gather, index) {
                self.stop_if_unwanted(input);
            }
        }
    }

    /// Takes a member that has not run off its input, which is given if it was there.
    pub(super) fn take_off(&mut self, gather: usize, index: usize) -> Option<Id> {
        let input = self.gathers[gather].inputs[index];
        let reactions = &mut self.promises[input].reactions;
        let before = reactions.len();
        reactions.retain(|(_, reaction)| {
            !matches!(reaction, Reaction::Member { gather: of, index: at } if (*of, *at) == (gather, index))
        });
        (reactions.len() < before).then_some(input)
    }

    // ---------------------------------------------------------------------------------------------------------- rings

    /// `outer` is to wait for `inner`: notes when that first closes a ring.
    pub(super) fn note_ring(&mut self, outer: Id, inner: Id) {
        if self.ring_at.is_none() && self.depends_on(inner, outer) {
            self.ring_at = Some(self.log.len());
        }
    }

    fn depends_on(&self, from: Id, to: Id) -> bool {
        let mut seen = vec![false; self.promises.len()];
        let mut open = vec![from];
        while let Some(promise) = open.pop() {
            if promise == to {
                return true;
            }
            if self.promises[promise].outcome.is_none() && !std::mem::replace(&mut seen[promise], true) {
                open.extend(&self.promises[promise].depends);
            }
        }
        false
    }
}
