//! Promises and jobs, as ECMAScript has them.

use super::departures;
use super::interpreter::{Id, Job, Model, Reaction, Returned, Step, text};
use super::planted::Planted;
use super::program::{Handler, Link, Outcome, Return};

impl Model {
    pub(super) fn settle(&mut self, promise: Id, outcome: Outcome) {
        let this = &mut self.promises[promise];
        if this.outcome.is_some() {
            // Cancelled while somebody was about to settle it.
            return;
        }
        this.decided = true;
        this.outcome = Some(outcome.clone());
        let mut reactions = std::mem::take(&mut this.reactions);
        if self.has(Planted::RunsLastHandlerFirst) {
            reactions.reverse();
        }
        for (_, reaction) in reactions {
            if let Reaction::Link { child: waiter, .. } | Reaction::Adopt { outer: waiter } = reaction {
                self.promises[waiter].waits = None;
            }
            self.react(reaction, outcome.clone());
        }
    }

    fn react(&mut self, reaction: Reaction, outcome: Outcome) {
        match reaction {
            Reaction::Link { child, step } if self.has(Planted::PassesOnAtOnce) && step.passes_on(&outcome) => {
                self.settle(child, outcome);
            }
            reaction => self.jobs.push_back(Job::React(reaction, outcome)),
        }
    }

    /// `resolve` called with a promise, of which the caller has a handle.
    pub(super) fn resolve_with(&mut self, outer: Id, inner: Id) {
        self.promises[outer].decided = true;
        if outer == inner {
            self.release(inner);
            return self.cycle(outer);
        }
        self.note_ring(outer, inner);
        self.promises[outer].depends = vec![inner];
        let adopts = Reaction::Adopt { outer };
        match self.promises[inner].outcome.clone() {
            Some(outcome) if self.has(Planted::AdoptsSettledAtOnce) => {
                self.promises[inner].handled = true;
                self.release(inner);
                self.settle(outer, outcome);
            }
            _ if self.has(Planted::AdoptsOneTickEarly) => self.subscribe(inner, adopts),
            _ => self.jobs.push_back(Job::Follow { outer, inner }),
        }
    }

    /// `PerformPromiseThen`; the caller's handle is used up.
    pub(super) fn subscribe(&mut self, source: Id, reaction: Reaction) {
        self.release(source);
        let this = &mut self.promises[source];
        this.handled = true;
        if let Some(outcome) = this.outcome.clone() {
            return match reaction {
                reaction if self.has(Planted::LateHandlerRunsAtOnce) => self.run_reaction(reaction, outcome),
                reaction if self.has(Planted::LateHandlerGoesFirst) => {
                    self.jobs.push_front(Job::React(reaction, outcome));
                }
                reaction => self.react(reaction, outcome),
            };
        }
        self.registrations += 1;
        let this = &mut self.promises[source];
        this.reactions.push((self.registrations, reaction.clone()));
        if let Reaction::Link { child: waiter, .. } | Reaction::Adopt { outer: waiter } = reaction {
            self.promises[waiter].waits = Some((source, self.registrations));
        }
    }

    pub(super) fn link(&mut self, source: Id, step: Step) -> Id {
        let child = self.promise();
        self.promises[child].is_derived = true;
        self.promises[child].decided = true;
        self.promises[child].depends = vec![source];
        if self.has(Planted::SiblingHandles) && self.promises[source].handled {
            self.promises[child].handled = true;
        }
        self.subscribe(source, Reaction::Link { child, step });
        child
    }

    pub(super) fn chain(&mut self, source: Id, link: &Link) -> Id {
        match link {
            Link::Map => self.link(source, Step::AddOne),
            Link::RoundTrip => {
                let wrapped = self.link(source, Step::Pass);
                self.link(wrapped, Step::Pass)
            }
            link => self.link(source, Step::User(link.clone())),
        }
    }

    pub(super) fn drain(&mut self) {
        while let Some(job) = self.jobs.pop_front() {
            match job {
                Job::Soon(body) => {
                    self.log.push(format!("s{}", body.id));
                    self.ops(&body.ops);
                }
                Job::Leave(promise) => self.leave(promise),
                Job::LeaveInputs(gather) => self.leave_inputs(gather),
                Job::Follow { outer, inner } if self.promises[outer].outcome.is_some() => {
                    // Cancelled in the meantime.
                    self.promises[inner].handled = true;
                    self.release(inner);
                    self.stop_if_unwanted(inner);
                }
                Job::Follow { outer, inner } => self.subscribe(inner, Reaction::Adopt { outer }),
                Job::React(reaction, outcome) => self.run_reaction(reaction, outcome),
            }
        }
    }

    fn run_reaction(&mut self, reaction: Reaction, outcome: Outcome) {
        match reaction {
            Reaction::Adopt { outer } => self.settle(outer, outcome),
            Reaction::Member { gather, index } => self.member(gather, index, outcome),
            Reaction::Link { child, step } => {
                if self.promises[child].outcome.is_none() {
                    self.step(child, step, outcome);
                }
            }
        }
    }

    fn step(&mut self, child: Id, step: Step, outcome: Outcome) {
        let link = match step {
            Step::User(link) => link,
            Step::Pass => return self.settle(child, outcome),
            Step::AddOne => return self.settle(child, outcome.map(|value| value + 1)),
            Step::Restore(before) if self.has(Planted::FinallyIgnoresRejection) => return self.settle(child, before),
            Step::Restore(before) => return self.settle(child, outcome.and(before)),
        };
        let handler = match (&link, &outcome) {
            (Link::Then(handler) | Link::ThenOr(handler, _), Ok(_)) => handler,
            (Link::Catch(handler) | Link::ThenOr(_, handler), Err(_)) => handler,
            (Link::Handle(handler), _) => handler,
            (Link::Finally(handler), _) => {
                self.log.push(format!("h{}", handler.body.id));
                let done = match self.call(handler, &Ok(0)) {
                    Returned::Outcome(Err(reason)) => return self.settle(child, Err(reason)),
                    Returned::Outcome(Ok(_)) if self.has(Planted::FinallyIsQuick) => {
                        return self.settle(child, outcome);
                    }
                    Returned::Outcome(Ok(_)) => self.settled(Ok(0)),
                    // The handler gives its promise's value away first; a future has none.
                    Returned::Promise(promise) if matches!(handler.result, Return::Ready(_)) => promise,
                    Returned::Promise(promise) => self.link(promise, Step::Pass),
                };
                let restored = self.link(done, Step::Restore(outcome));
                return self.resolve_with(child, restored);
            }
            _ => return self.settle(child, outcome),
        };
        self.log.push(format!("h{} {}", handler.body.id, text(&outcome)));
        match self.call(handler, &outcome) {
            Returned::Outcome(thrown @ Err(_)) if outcome.is_ok() && self.has(Planted::SecondHandlerGuardsFirst) => {
                match link {
                    Link::ThenOr(_, second) => self.step(child, Step::User(Link::Catch(second)), thrown),
                    _ => self.settle(child, thrown),
                }
            }
            Returned::Outcome(outcome) => self.settle(child, outcome),
            Returned::Promise(promise) => self.resolve_with(child, promise),
        }
    }

    pub(super) fn settled(&mut self, outcome: Outcome) -> Id {
        let promise = self.promise();
        self.settle(promise, outcome);
        promise
    }

    pub(super) fn call(&mut self, handler: &Handler, received: &Outcome) -> Returned {
        self.ops(&handler.body.ops);
        Returned::Outcome(match &handler.result {
            Return::Value(value) => Ok(*value),
            Return::Same => received.clone(),
            Return::Throw(reason) => Err(reason.clone()),
            Return::Panic => departures::panicked(),
            Return::Promise(source) => {
                return Returned::Promise(self.take(*source).unwrap_or_else(|| self.settled(Ok(0))));
            }
            Return::Ready(value) => return Returned::Promise(self.settled(Ok(*value))),
        })
    }
}
