//! Runs programs on the library.

use super::departures::LIBRARY_ONLY;
use super::interpreter::{self, Record};
use super::program::{Body, Combinator, Drive, Handler, Link, Op, Outcome, Program, Return, Source};
use super::values::{self, Counted, Reason, Value};
use std::cell::RefCell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use thenable::{
    CancelOutcome, EventLoop, LoopHandle, Promise, Rejection, Resolution, Resolver, State, on_unhandled_rejection,
};

thread_local! {
    /// What was reported: the reasons of the dynamic type; of another type, that there was one.
    static UNHANDLED: RefCell<Vec<Option<String>>> = const { RefCell::new(Vec::new()) };
}

/// What the library did with a program.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) log: Vec<String>,
    /// The reasons where they are known, sorted.
    pub(crate) unhandled: Vec<Option<String>>,
    /// Values and reasons that nobody dropped.
    pub(crate) leaked: Vec<String>,
}

impl Ran {
    /// What is wrong with it; none if it did as the model says.
    pub(crate) fn differs_from(&self, model: &Record) -> Option<&'static str> {
        if self.tells_ring(model) {
            return None;
        }
        if self.log != model.log {
            return Some("the logs differ");
        }
        if !self.reports_as(model) {
            return Some("the unhandled rejections differ");
        }
        (!model.is_stuck && !self.leaked.is_empty()).then_some("something was not dropped")
    }

    /// Whether all is as the model says until a ring closes, and then not: the library may reject a ring.
    pub(crate) fn tells_ring(&self, model: &Record) -> bool {
        let Some(len) = model.ring_at else { return false };
        let same_before = self.log.len() >= len && self.log[..len] == model.log[..len];
        same_before && (self.log != model.log || !self.reports_as(model))
    }

    fn reports_as(&self, model: &Record) -> bool {
        // Of a type that is not the dynamic reason only the number is known.
        let same = |(reason, known): (&Option<String>, &String)| reason.as_ref().is_none_or(|reason| reason == known);
        self.unhandled.len() == model.unhandled.len() && self.unhandled.iter().zip(&model.unhandled).all(same)
    }
}

/// Has unhandled rejections collected, for this process.
pub(crate) fn collect_unhandled() {
    on_unhandled_rejection(|unhandled| {
        let reason = unhandled.reason().map(Reason::text);
        let _ = UNHANDLED.try_with(|collected| collected.borrow_mut().push(reason));
    });
}

pub(crate) fn run(program: &Program) -> Ran {
    let log = match program.counted {
        false => run_with::<i64, Rejection>(program),
        true => run_with::<Counted<i64>, Counted<String>>(program),
    };
    let mut unhandled = UNHANDLED.try_with(RefCell::take).expect("the thread lives");
    if program.counted {
        unhandled.fill(None);
    }
    unhandled.sort();
    Ran { log, unhandled, leaked: values::take_alive() }
}

fn run_with<T: Value, E: Reason>(program: &Program) -> Vec<String> {
    let builder = EventLoop::builder();
    let virtual_clock = program.drive == Drive::RunUntilIdle;
    let event_loop = if virtual_clock { builder.virtual_clock() } else { builder }.build();
    let entered = event_loop.enter();
    let empty = || (0..program.vars).map(|_| None).collect();
    let table = Table { promises: empty(), resolvers: (0..program.vars).map(|_| None).collect(), log: Vec::new() };
    let machine = Machine::<T, E>(Arc::new(Mutex::new(table)));
    let drain = || match program.drive {
        Drive::RunReady => while event_loop.run_ready(Duration::from_secs(1)) {},
        Drive::Tick => while event_loop.tick() {},
        Drive::RunUntilIdle => event_loop.run_until_idle().expect("nothing can fail"),
    };
    for ops in program.turns() {
        machine.ops(ops);
        drain();
    }
    loop {
        for var in 0..program.vars {
            drop(machine.take(Source { var, keep: false }));
        }
        drain();
        let resolvers: Vec<_> = (0..program.vars).filter_map(|var| machine.take_resolver(var)).collect();
        if resolvers.is_empty() {
            break;
        }
        resolvers.into_iter().for_each(drop);
        drain();
    }
    drop(entered);
    event_loop.close();
    std::mem::take(&mut machine.table().log)
}

struct Machine<T, E>(Arc<Mutex<Table<T, E>>>);

struct Table<T, E> {
    promises: Vec<Option<Promise<T, E>>>,
    resolvers: Vec<Option<Resolver<T, E>>>,
    log: Vec<String>,
}

impl<T, E> Clone for Machine<T, E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Value, E: Reason> Machine<T, E> {
    fn table(&self) -> MutexGuard<'_, Table<T, E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self, line: String) {
        self.table().log.push(line);
    }

    fn take(&self, source: Source) -> Option<Promise<T, E>> {
        let place = &mut self.table().promises[source.var];
        if source.keep { place.clone() } else { place.take() }
    }

    fn put(&self, var: usize, promise: Promise<T, E>) {
        let old = self.table().promises[var].replace(promise);
        assert!(old.is_none(), "every variable is written once");
    }

    fn take_resolver(&self, var: usize) -> Option<Resolver<T, E>> {
        self.table().resolvers[var].take()
    }

    fn resolver(&self, var: usize) -> Option<Resolver<T, E>> {
        self.table().resolvers[var].clone()
    }

    fn ops(&self, ops: &[Op]) {
        for op in ops {
            self.op(op);
        }
    }

    fn op(&self, op: &Op) {
        match op {
            Op::Pending(var) => {
                let (promise, resolver) = Promise::pending();
                self.put(*var, promise);
                self.table().resolvers[*var] = Some(resolver);
            }
            Op::Settled(var, Ok(value)) => self.put(*var, Promise::fulfilled(T::new(*value))),
            Op::Settled(var, Err(reason)) => self.put(*var, Promise::rejected(E::new(reason))),
            Op::Resolve(var, value) => {
                let refused = self.resolver(*var).and_then(|resolver| resolver.resolve(T::new(*value)).err());
                self.refused(*var, refused.map(|value| Ok(value.number())));
            }
            Op::Reject(var, reason) => {
                let refused = self.resolver(*var).and_then(|resolver| resolver.reject(E::new(reason)).err());
                self.refused(*var, refused.map(|reason| Err(reason.text())));
            }
            Op::Adopt(var, source) => {
                let Some(resolver) = self.resolver(*var) else { return };
                let Some(promise) = self.take(*source) else { return };
                if let Err(promise) = resolver.adopt(promise) {
                    self.log(format!("{LIBRARY_ONLY}r{var} refuses p{}", source.var));
                    drop(promise);
                }
            }
            Op::Abandon(var) => drop(self.take_resolver(*var)),
            Op::Link(to, from, link) => {
                if let Some(promise) = self.take(*from) {
                    self.put(*to, self.link(promise, link));
                }
            }
            Op::Combine(to, combinator, from) => {
                let inputs: Vec<_> = from.iter().filter_map(|source| self.take(*source)).collect();
                self.put(*to, combine(*combinator, inputs));
            }
            Op::Copy(to, from) => {
                if let Some(promise) = self.take(Source { var: *from, keep: true }) {
                    self.put(*to, promise);
                }
            }
            Op::Drop(var) => drop(self.take(Source { var: *var, keep: false })),
            Op::State(var) => {
                let state = self.table().promises[*var].as_ref().map(Promise::state);
                match state {
                    None => {}
                    Some(State::Pending) => self.log(format!("p{var} pending")),
                    Some(State::Fulfilled) => self.log(format!("p{var} fulfilled")),
                    Some(State::Rejected) => self.log(format!("p{var} rejected")),
                }
            }
            Op::Soon(body) => {
                let (machine, body) = (self.clone(), body.clone());
                LoopHandle::current().expect("a loop is entered").call_soon(move || {
                    let Body { id, ops } = &*body;
                    machine.log(format!("s{id}"));
                    machine.ops(ops);
                });
            }
            Op::Cancel(var) => self.cancel(*var),
            Op::Attempt(var, handler) => {
                let promise = E::attempt(|| {
                    self.log(format!("a{}", handler.body.id));
                    self.ops(&handler.body.ops);
                    self.result(handler, || Ok(T::new(0)))
                });
                self.put(*var, promise);
            }
            Op::Turn => {}
        }
    }

    fn refused(&self, var: usize, outcome: Option<Outcome>) {
        if let Some(outcome) = outcome {
            self.log(format!("{LIBRARY_ONLY}r{var} refuses {}", interpreter::text(&outcome)));
        }
    }

    /// Not a handle more than the program has: the last consumer is treated in another way.
    fn cancel(&self, var: usize) {
        let Some(promise) = self.take(Source { var, keep: false }) else { return };
        let done = match promise.cancel("stop") {
            CancelOutcome::Cancelled => "cancelled",
            CancelOutcome::AlreadySettled => "too late",
        };
        self.log(format!("{LIBRARY_ONLY}p{var} {done}"));
        self.put(var, promise);
    }

    fn link(&self, promise: Promise<T, E>, link: &Link) -> Promise<T, E> {
        match link {
            Link::Map => promise.map(|value| T::new(value.number() + 1)),
            Link::RoundTrip => promise.settled().flatten(),
            Link::Then(handler) => self.then(promise, handler),
            Link::Catch(handler) => self.catch(promise, handler),
            Link::ThenOr(fulfilled, rejected) => {
                let (on_fulfilled, on_rejected) = (self.handler(fulfilled), self.handler(rejected));
                promise.then_or(move |value| on_fulfilled(Ok(value)), move |reason| on_rejected(Err(reason)))
            }
            Link::Handle(handler) => {
                let call = self.handler(handler);
                promise.handle(call)
            }
            Link::Finally(handler) => self.finally(promise, handler),
        }
    }

    fn then(&self, promise: Promise<T, E>, handler: &Arc<Handler>) -> Promise<T, E> {
        let (machine, handler) = (self.clone(), handler.clone());
        match handler.result {
            // The ways of an async closure, of a promise and of a `Resolution` are three.
            Return::Ready(value) => promise.then(move |received| {
                machine.enter(&handler, Ok(&received));
                async move { Ok(T::new(value)) }
            }),
            Return::Promise(source) if handler.body.id % 2 == 0 => promise.then(move |received| {
                machine.enter(&handler, Ok(&received));
                machine.returned(source)
            }),
            _ => promise.then(move |received| machine.call(&handler, Ok(received))),
        }
    }

    fn catch(&self, promise: Promise<T, E>, handler: &Arc<Handler>) -> Promise<T, E> {
        let (machine, handler) = (self.clone(), handler.clone());
        match handler.result {
            Return::Ready(value) => promise.catch(move |received| {
                machine.enter(&handler, Err(&received));
                async move { Ok(T::new(value)) }
            }),
            Return::Promise(source) if handler.body.id % 2 == 0 => promise.catch(move |received| {
                machine.enter(&handler, Err(&received));
                machine.returned(source)
            }),
            _ => promise.catch(move |received| machine.call(&handler, Err(received))),
        }
    }

    fn finally(&self, promise: Promise<T, E>, handler: &Arc<Handler>) -> Promise<T, E> {
        let (machine, handler) = (self.clone(), handler.clone());
        if matches!(handler.result, Return::Ready(_)) {
            return promise.finally(move || {
                machine.enter_finally(&handler);
                async { Ok(()) }
            });
        }
        promise.finally(move || {
            machine.enter_finally(&handler);
            match &handler.result {
                Return::Value(_) | Return::Same => Resolution::Resolve(()),
                Return::Throw(reason) => Resolution::Reject(E::new(reason)),
                Return::Panic => panic_quietly(),
                Return::Promise(source) => Resolution::Adopt(machine.returned(*source).map(drop)),
                Return::Ready(_) => unreachable!("see above"),
            }
        })
    }

    fn enter_finally(&self, handler: &Handler) {
        self.log(format!("h{}", handler.body.id));
        self.ops(&handler.body.ops);
    }

    fn handler(&self, handler: &Arc<Handler>) -> impl FnOnce(Result<T, E>) -> Resolution<T, E> + Send + 'static {
        let (machine, handler) = (self.clone(), handler.clone());
        move |received| machine.call(&handler, received)
    }

    /// Everything but the result.
    fn enter(&self, handler: &Handler, received: Result<&T, &E>) {
        let received = received.map(T::number).map_err(E::text);
        self.log(format!("h{} {}", handler.body.id, interpreter::text(&received)));
        self.ops(&handler.body.ops);
    }

    fn call(&self, handler: &Handler, received: Result<T, E>) -> Resolution<T, E> {
        self.enter(handler, received.as_ref());
        self.result(handler, || received)
    }

    fn result(&self, handler: &Handler, same: impl FnOnce() -> Result<T, E>) -> Resolution<T, E> {
        match &handler.result {
            Return::Value(value) => Resolution::Resolve(T::new(*value)),
            Return::Same => same().into(),
            Return::Throw(reason) => Resolution::Reject(E::new(reason)),
            Return::Panic => panic_quietly(),
            Return::Promise(source) => Resolution::Adopt(self.returned(*source)),
            Return::Ready(value) => Resolution::Adopt(Promise::fulfilled(T::new(*value))),
        }
    }

    fn returned(&self, source: Source) -> Promise<T, E> {
        self.take(source).unwrap_or_else(|| Promise::fulfilled(T::new(0)))
    }
}

fn combine<T: Value, E: Reason>(combinator: Combinator, inputs: Vec<Promise<T, E>>) -> Promise<T, E> {
    match combinator {
        Combinator::Race => Promise::race(inputs),
        Combinator::All => {
            Promise::all(inputs).map(|values| T::new(interpreter::fold(values.iter().map(Value::number))))
        }
        Combinator::Any => {
            Promise::any(inputs).map_err(|why| E::new(&interpreter::aggregate(why.errors.iter().map(Reason::text))))
        }
        Combinator::AllSettled => Promise::all_settled(inputs).map(|outcomes| {
            let outcomes = outcomes.iter().map(|outcome| outcome.as_ref().map(T::number).map_err(E::text));
            T::new(interpreter::fold_settled(outcomes))
        }),
    }
}

/// A panic that prints nothing.
fn panic_quietly() -> ! {
    std::panic::resume_unwind(Box::new("on purpose"))
}
