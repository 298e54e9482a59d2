//! What the models are made of.

use crate::core::{self, Entered, Handle, JobQueue, PlaceId, Producer, Step};
use crate::error::Fault;
use crate::promise::Resolution;
use loom::model::Builder;
use loom::sync::{Condvar, Mutex};
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

pub(super) type Promise = Handle<Token, Why>;
pub(super) type Settler = Producer<Token, Why>;

/// How far a model is explored unless `LOOM_MAX_PREEMPTIONS` says otherwise.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Threads {
    /// Two threads: without bound.
    Two,
    /// Three threads: up to three preemptions.
    Three,
}

/// Runs a model in all its executions and prints how many they were.
///
/// Loom remembers only the last access of a cell, so it may overlook that a thread's load could have come later than what
/// another thread does after a load of its own. Hence two searches: one starts with the thread that spawns, and one with the
/// spawned ones.
pub(super) fn check(name: &str, threads: Threads, model: impl Fn() + Send + Sync + 'static) {
    let model = Arc::new(model);
    for first in [First::Spawner, First::Spawned] {
        let model = model.clone();
        search(name, threads, first, move || model());
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum First {
    Spawner,
    Spawned,
}

fn search(name: &str, threads: Threads, first: First, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.max_branches = 100_000;
    if builder.preemption_bound.is_none() && threads == Threads::Three {
        builder.preemption_bound = Some(3);
    }
    let executions = Arc::new(AtomicUsize::new(0));
    let counted = executions.clone();
    let started = std::time::Instant::now();
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        TOKENS.with_borrow_mut(Vec::clear);
        REPORTS.set(0);
        FIRST.set(first);
        model();
        TOKENS.with_borrow(|tokens| assert!(tokens.iter().all(|dropped| *dropped), "a token was not dropped"));
    });
    let executions = executions.load(Ordering::Relaxed);
    // Not `println!`: this must be seen of a test that passes.
    let _ =
        writeln!(std::io::stderr(), "{name}, {first:?} first: {executions} executions in {:.1?}", started.elapsed());
}

// All threads of a model run on one, which the model has for itself.
std::thread_local! {
    /// Of each token of this execution: whether it was dropped.
    static TOKENS: RefCell<Vec<bool>> = const { RefCell::new(Vec::new()) };
    /// How many unhandled rejections this execution has reported.
    static REPORTS: Cell<usize> = const { Cell::new(0) };
    static FIRST: Cell<First> = const { Cell::new(First::Spawner) };
}

pub(crate) fn count_report() {
    REPORTS.set(REPORTS.get() + 1);
}

pub(super) fn reports() -> usize {
    REPORTS.get()
}

/// Must be dropped exactly once. A clone is another token of the same kind.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) kind: u32,
    number: usize,
    _leak: loom::alloc::Track<()>,
}

impl Token {
    pub(super) fn new(kind: u32) -> Self {
        let number = TOKENS.with_borrow_mut(|tokens| {
            tokens.push(false);
            tokens.len() - 1
        });
        Self { kind, number, _leak: loom::alloc::Track::new(()) }
    }
}

impl Clone for Token {
    fn clone(&self) -> Self {
        Self::new(self.kind)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let before = TOKENS.with_borrow_mut(|tokens| std::mem::replace(&mut tokens[self.number], true));
        assert!(!before, "a token was dropped twice");
    }
}

/// A reason.
#[derive(Clone, Debug)]
pub(super) enum Why {
    Said(Token),
    Fault(Fault),
}

impl From<Fault> for Why {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Why {
    pub(super) fn is_abandoned(&self) -> bool {
        matches!(self, Self::Fault(Fault::Abandoned { .. }))
    }
}

pub(super) fn pending() -> (Promise, Settler) {
    core::pending(Location::caller())
}

/// A second handle.
pub(super) fn clone(promise: &Promise) -> Promise {
    promise.clone_with(Token::clone, Why::clone)
}

/// A thread that must be joined. (The standard interface's `join` prints under loom.)
pub(super) struct Running {
    ended: Arc<(Mutex<bool>, Condvar)>,
}

pub(super) fn spawn(f: impl FnOnce() + Send + 'static) -> Running {
    let ended = Arc::new((Mutex::new(false), Condvar::new()));
    let running = Running { ended: ended.clone() };
    loom::thread::spawn(move || {
        f();
        *lock(&ended.0) = true;
        ended.1.notify_one();
    });
    if FIRST.get() == First::Spawned {
        loom::thread::yield_now();
    }
    running
}

impl Running {
    pub(super) fn join(self) {
        let mut ended = lock(&self.ended.0);
        while !*ended {
            ended = self.ended.1.wait(ended).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> loom::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// An event loop on the model's first thread.
pub(super) struct Loop {
    pub(super) queue: Arc<JobQueue>,
    entered: Option<Entered>,
}

impl Loop {
    pub(super) fn new() -> Self {
        Self::with_wake(|| {})
    }

    pub(super) fn with_wake(wake: impl Fn() + Send + Sync + 'static) -> Self {
        let queue = core::register(false, wake);
        Self { entered: Some(Entered::new(queue.clone())), queue }
    }

    pub(super) fn place(&self) -> PlaceId {
        self.queue.id()
    }

    /// Runs jobs until there is none.
    pub(super) fn drain(&self) {
        while self.queue.run_next() {}
    }

    /// No job is left, and the loop ends.
    pub(super) fn end(mut self) {
        assert!(self.queue.is_empty(), "a job was not run");
        self.close();
    }

    /// The loop ends with what may be left to do.
    pub(super) fn close(&mut self) {
        drop(self.entered.take());
        self.queue.close();
        core::unregister(self.queue.id());
    }
}

/// What handlers saw, in order.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<std::sync::Mutex<Vec<u32>>>);

impl Log {
    pub(super) fn push(&self, entry: u32) {
        self.0.lock().unwrap().push(entry);
    }

    pub(super) fn entries(&self) -> Vec<u32> {
        self.0.lock().unwrap().clone()
    }

    /// The entry for an outcome: the value's kind, the reason's kind, 1000 for abandoned, 1001 for any other fault.
    pub(super) fn outcome(&self, outcome: &Result<Token, Why>) {
        self.push(match outcome {
            Ok(value) => value.kind,
            Err(Why::Said(reason)) => reason.kind,
            Err(why) if why.is_abandoned() => ABANDONED,
            Err(_) => FAULT,
        });
    }
}

pub(super) const ABANDONED: u32 = 1000;
pub(super) const FAULT: u32 = 1001;

/// A handler that logs the outcome and hands it on. It captures a token.
pub(super) fn then(promise: Promise, place: PlaceId, log: &Log) -> Promise {
    let (log, token) = (log.clone(), Token::new(0));
    core::derive(promise, place, Location::caller(), move |outcome: Result<Token, Why>, _| {
        let _captured = token;
        log.outcome(&outcome);
        Step::Now(Resolution::from(outcome))
    })
}

/// A waker's task: how often it was woken. It owns a token.
pub(super) struct Bell {
    rings: Mutex<usize>,
    rung: Condvar,
    _token: Token,
}

impl Bell {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { rings: Mutex::new(0), rung: Condvar::new(), _token: Token::new(0) })
    }

    pub(super) fn rings(&self) -> usize {
        *lock(&self.rings)
    }

    /// Blocks until it rings, and takes the rings away.
    pub(super) fn wait(&self) {
        let mut rings = lock(&self.rings);
        while *rings == 0 {
            rings = self.rung.wait(rings).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        *rings = 0;
    }

    pub(super) fn ring(&self) {
        *lock(&self.rings) += 1;
        self.rung.notify_one();
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

/// Polls once. The outcome if it is there.
pub(super) fn poll(promise: &mut Promise, bell: &Arc<Bell>) -> Option<Result<Token, Why>> {
    poll_with(promise, &Waker::from(bell.clone()))
}

pub(super) fn poll_with(promise: &mut Promise, waker: &Waker) -> Option<Result<Token, Why>> {
    match promise.poll(&mut Context::from_waker(waker)) {
        std::task::Poll::Ready(outcome) => Some(outcome.expect("the outcome was taken before")),
        std::task::Poll::Pending => None,
    }
}
