//! `scope`: work that ends together.
//!
//! A scope counts what belongs to it: its body, and every child. Each of them has a ticket, held by all that is still to
//! come of it: the future (dropped after it), the job that follows the settling of its promise, and for the body the job
//! that takes its value. When the last ticket of the last child is gone, the scope settles its promise. Nothing else
//! settles it: the promise is one of those whose cancellation is only asked for.

use super::lock;
use crate::core::{Canceller, Site};
use crate::error::{panic, trace_through};
use crate::event_loop::{self, LoopHandle};
use crate::primitive::sync::Mutex;
use crate::primitive::sync::atomic::{AtomicBool, Ordering};
use crate::primitive::thread_local_value;
use crate::{AggregateError, CancelReason, Fault, Promise, Rejection, Resolver};
use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Runs work that starts more work, and settles when all of it is over: structured concurrency.
///
/// `body` is called at once with the [`Scope`], and returns a future (or a promise) of the value. Whoever has the scope
/// starts children in it, with [`Scope::spawn`] and [`Scope::run`]: the body, the children, whoever got a clone.
///
/// # What it guarantees
///
/// - **Nothing outlives the scope.** The promise settles only when the body and all children are over: their promises
///   are settled and their futures dropped. That holds for success, failure and cancellation.
/// - **The first failure ends it.** When a child or the body rejects or panics, the body and all other children are
///   cancelled, with a reason that says so. No child starts any more: a `spawn` then gives a promise that is cancelled.
/// - **No error is lost.** One error is the reason of the promise, as it is. Several, from children that failed before
///   they could be cancelled, are an [`AggregateError`] with the one that ended the scope first. The rejection that a
///   cancelled child gets is no error; and the scope sees to all of them, so none is reported as unhandled.
/// - **Cancelling waits.** [`cancel`](Promise::cancel) of the promise cancels the body and all children, and the promise
///   rejects with that reason as soon as they are over. [`Scope::cancel`] does the same from inside. If a child fails
///   for another reason meanwhile, that is the reason.
/// - **Scopes nest.** A scope that is made inside another one (in its body, in the future of a child, or in the function
///   given to `run`) is over before the outer one is, and is cancelled with it, even if nobody awaits it. Its errors go to whoever
///   awaits it, and no further.
///
/// A child whose own promise is cancelled is not a failure: cancelling it is a way to end that child alone.
///
/// The limits are those of cancelling a promise: of a child that is a promise, the scope waits for that promise, and asks
/// what is behind it to stop. A pool's job that is running sees its token, and ends when it looks. A scope made in a handler, of
/// `then` say, is nobody's child.
///
/// # Ordering
///
/// Children start in the order of the calls, on a later turn of the loop that is current there. They are cancelled in that
/// order too, by a job of the loop that was current where the scope was made. The handlers of a child's promise run before
/// those of the scope's.
///
/// # Errors
///
/// The errors of the body and of the children, and [`Fault::Cancelled`] and [`Fault::LoopClosed`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use thenable::{EventLoop, Promise, scope};
///
/// let event_loop = EventLoop::builder().virtual_clock().build();
/// let _entered = event_loop.enter();
/// let sum = event_loop.run(scope(async |s| {
///     let slow = s.spawn(Promise::delay(Duration::from_secs(2), 1));
///     let quick = s.spawn(async { Ok(2) });
///     s.spawn(async { Ok(println!("nobody waits for this one but the scope")) });
///     Ok(slow.await? + quick.await?)
/// }))?;
/// assert_eq!(sum, 3);
/// # Ok::<(), thenable::Rejection>(())
/// ```
///
/// The first failure ends the rest:
///
/// ```
/// # use std::time::Duration;
/// # use thenable::{EventLoop, Promise, scope};
/// # let event_loop = EventLoop::builder().virtual_clock().build();
/// # let _entered = event_loop.enter();
/// # let start = event_loop.handle().now();
/// let outcome = event_loop.run(scope(async |s| {
///     let hour = s.spawn(Promise::delay(Duration::from_secs(3600), "never"));
///     s.spawn(async {
///         thenable::delay(Duration::from_secs(1)).await?;
///         Err::<(), _>("disk full".into())
///     });
///     hour.await
/// }));
/// assert_eq!(outcome.unwrap_err().to_string(), "disk full");
/// assert_eq!(event_loop.handle().now() - start, Duration::from_secs(1));
/// ```
#[track_caller]
pub fn scope<T, F>(body: impl FnOnce(Scope) -> F) -> Promise<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Rejection>> + Send + 'static,
{
    let site = Location::caller();
    let outer = match current().map(|outer| Ticket::of(&outer)).transpose() {
        Ok(outer) => outer,
        Err(reason) => return Promise::faulted_at(Fault::Cancelled { reason }, site),
    };
    let (promise, resolver) = Promise::pending_at(site);
    resolver.defer_cancel();
    if let Some(outer) = &outer {
        outer.cancel_by(promise.canceller());
    }
    let value = Arc::new(Mutex::new(None));
    let result = Outcome { value: Arc::clone(&value), resolver: resolver.clone(), site, _outer: outer };
    let shared = Shared::new(move |end| result.settle(end));
    let weak = Arc::downgrade(&shared);
    resolver.on_cancel(move |reason| {
        if let Some(shared) = weak.upgrade() {
            shared.cancel(reason.clone());
        }
    });
    let (body, ticket) = start(&shared, || body(Scope { shared: Arc::clone(&shared) }), site);
    drop(body.handle_at(site, move |outcome: Result<T, Rejection>| {
        if let Ok(ready) = outcome {
            *lock(&value) = Some(ready);
        }
        // The scope may settle from here on.
        drop(ticket);
        Ok::<(), Rejection>(())
    }));
    promise
}

/// Where children are started. Clones are the same scope.
///
/// Made by [`scope`].
#[derive(Clone)]
pub struct Scope {
    shared: Arc<Shared>,
}

impl Scope {
    /// Starts a child: a future becomes a task of the current loop (or of the global one), a promise is waited for.
    ///
    /// The promise that it returns is for those who want the value; the scope waits for the child and hears of its
    /// error in any case.
    ///
    /// If the scope is ending or over, the future is dropped and the promise is cancelled already.
    #[track_caller]
    pub fn spawn<T, F>(&self, future: F) -> Promise<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Rejection>> + Send + 'static,
    {
        start(&self.shared, || future, Location::caller()).0
    }

    /// Starts a child: calls `f` at once, and goes on as [`spawn`](Scope::spawn) does with the future or promise that
    /// it returns.
    ///
    /// If the scope is ending or over, `f` is not called. A panic of `f` is the failure of the child. A scope that `f`
    /// makes is nested in this one.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::{ExecutorExt, ThreadPool, scope};
    ///
    /// let pool = ThreadPool::new(2);
    /// let lines = scope(async move |s| {
    ///     let counts = ["Cargo.toml", "README.md"].map(|path| {
    ///         s.run(|| pool.attempt(move || thenable::Ok(std::fs::read_to_string(path)?.lines().count())))
    ///     });
    ///     let [a, b] = counts;
    ///     Ok(a.await? + b.await?)
    /// });
    /// assert!(lines.wait()? > 0);
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    #[track_caller]
    pub fn run<T, F>(&self, f: impl FnOnce() -> F) -> Promise<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Rejection>> + Send + 'static,
    {
        start(&self.shared, f, Location::caller()).0
    }

    /// Ends the scope: cancels the body and all children. Its promise rejects with this reason when they are over.
    ///
    /// Without effect on a scope that is ending or over.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use thenable::{Promise, scope};
    ///
    /// let outcome = scope(async |s| {
    ///     s.spawn(Promise::delay(Duration::from_secs(3600), ()));
    ///     s.cancel("found it");
    ///     Ok(())
    /// });
    /// assert_eq!(outcome.wait().unwrap_err().to_string(), "cancelled: found it");
    /// ```
    pub fn cancel(&self, reason: impl Into<CancelReason>) {
        self.shared.cancel(reason.into());
    }

    /// Whether no child can be started any more: a failure or a cancellation is ending the scope, or it is over.
    pub fn is_ending(&self) -> bool {
        let state = lock(&self.shared.state);
        state.ending.is_some() || state.finish.is_none()
    }

    /// How many parts of it are not over yet: children, nested scopes, and the body.
    pub fn running(&self) -> usize {
        lock(&self.shared.state).parts.len()
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (running, ending) = (self.running(), self.is_ending());
        f.debug_struct("Scope").field("running", &running).field("ending", &ending).finish()
    }
}

/// What the parts of a scope share.
struct Shared {
    state: Mutex<State>,
    event_loop: LoopHandle,
}

struct State {
    /// By number, from oldest to newest; each with what cancels it, once there is something to cancel.
    parts: BTreeMap<u64, Option<Canceller>>,
    next: u64,
    errors: Vec<Rejection>,
    /// Why everything was cancelled.
    ending: Option<CancelReason>,
    /// The ending was asked for, and is no failure.
    asked: bool,
    /// None: the scope is over.
    finish: Option<Box<dyn FnOnce(End) + Send>>,
}

/// How a scope ended.
struct End {
    errors: Vec<Rejection>,
    cancelled: Option<CancelReason>,
}

impl Shared {
    fn new(finish: impl FnOnce(End) + Send + 'static) -> Arc<Shared> {
        let state = State {
            parts: BTreeMap::new(),
            next: 0,
            errors: Vec::new(),
            ending: None,
            asked: false,
            finish: Some(Box::new(finish)),
        };
        Arc::new(Shared { state: Mutex::new(state), event_loop: LoopHandle::current_or_global() })
    }

    /// A part failed. The first failure cancels the others.
    fn fail(self: &Arc<Self>, why: &Rejection) {
        let of_cancel = matches!(why.fault(), Some(Fault::Cancelled { .. }));
        let is_first = {
            let mut state = lock(&self.state);
            let is_first = state.ending.is_none();
            if is_first || !of_cancel {
                state.errors.push(why.clone());
            }
            is_first
        };
        if is_first {
            let reason = panic::catch(None, || format!("another part of the scope failed: {why}"));
            self.end(reason.map_or("another part of the scope failed".into(), CancelReason::from), false);
        }
    }

    fn cancel(self: &Arc<Self>, reason: CancelReason) {
        self.end(reason, true);
    }

    /// Cancels all parts, once: in a job behind those that are queued, so that a failure that is on its way comes first.
    fn end(self: &Arc<Self>, reason: CancelReason, asked: bool) {
        {
            let mut state = lock(&self.state);
            if state.ending.is_some() || state.finish.is_none() {
                return;
            }
            state.ending = Some(reason.clone());
            state.asked = asked;
        }
        let scope = Arc::clone(self);
        let cancel = Always::new(move || scope.cancel_parts(&reason));
        drop(self.event_loop.call_soon(move || drop(cancel)));
    }

    fn cancel_parts(&self, reason: &CancelReason) {
        let cancellers: Vec<_> = lock(&self.state).parts.values_mut().filter_map(Option::take).collect();
        for canceller in cancellers {
            canceller.cancel(reason.clone());
        }
    }

    /// A part is over.
    fn leave(&self, number: u64) {
        let (gone, last) = {
            let mut state = lock(&self.state);
            let gone = state.parts.remove(&number);
            let finish = if state.parts.is_empty() { state.finish.take() } else { None };
            let last = finish.map(|finish| {
                let was_cancelled = state.ending.is_some();
                let cancelled = state.ending.clone().filter(|_| state.asked);
                let end = End { errors: std::mem::take(&mut state.errors), cancelled };
                (was_cancelled, Always::new(move || finish(end)))
            });
            (gone, last)
        };
        drop(gone);
        let Some((was_cancelled, last)) = last else { return };
        if was_cancelled {
            // A task that was cancelled drops its future when its turn comes. Ours comes after those.
            let turn = self.event_loop.spawn(async move {
                drop(last);
                Ok(())
            });
            turn.mark_handled();
        } else {
            drop(last);
        }
    }
}

/// Something that is done when it is dropped: by the loop, whether that still runs or not.
struct Always(Option<Box<dyn FnOnce() + Send>>);

impl Always {
    fn new(call: impl FnOnce() + Send + 'static) -> Always {
        Always(Some(Box::new(call)))
    }
}

impl Drop for Always {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call();
        }
    }
}

/// Where the end of a scope goes.
struct Outcome<T> {
    value: Arc<Mutex<Option<T>>>,
    resolver: Resolver<T>,
    site: Site,
    /// The scope around this one is over later.
    _outer: Option<Ticket>,
}

impl<T> Outcome<T> {
    fn settle(self, end: End) {
        let value = lock(&self.value).take();
        let mut errors = end.errors;
        let error = match errors.len() {
            0 | 1 => errors.pop().map(|mut why| {
                trace_through(&mut why, self.site);
                why
            }),
            _ => Some(Rejection::made_at(AggregateError { errors }, self.site)),
        };
        match (error, end.cancelled, value) {
            (None, None, Some(value)) => panic::drop_quietly(self.resolver.resolve(value)),
            (Some(why), _, value) => {
                panic::drop_quietly(value);
                let _ = self.resolver.settle(Err(why));
            }
            (None, Some(reason), value) => {
                panic::drop_quietly(value);
                self.resolver.fault(Fault::Cancelled { reason });
            }
            // Without error and without value only where the loop was closed in between.
            (None, None, None) => {
                self.resolver.fault(Fault::LoopClosed);
            }
        }
    }
}

/// Stands for a part of a scope that is not over.
struct Ticket {
    scope: Arc<Shared>,
    number: u64,
    /// Where the part runs.
    event_loop: LoopHandle,
    /// Its outcome was seen.
    done: AtomicBool,
}

impl Ticket {
    /// A ticket for a new part; why there is none if there is none.
    fn of(scope: &Arc<Shared>) -> Result<Ticket, CancelReason> {
        let mut state = lock(&scope.state);
        if let Some(reason) = &state.ending {
            return Err(reason.clone());
        }
        if state.finish.is_none() {
            return Err("the scope is over".into());
        }
        let number = state.next;
        state.next += 1;
        state.parts.insert(number, None);
        drop(state);
        let event_loop = LoopHandle::current_or_global();
        Ok(Ticket { scope: Arc::clone(scope), number, event_loop, done: AtomicBool::new(false) })
    }

    /// What is to be cancelled if the scope ends early; now, if it is ending.
    fn cancel_by(&self, canceller: Canceller) {
        let reason = {
            let mut state = lock(&self.scope.state);
            match (state.ending.clone(), state.parts.get_mut(&self.number)) {
                (None, Some(place)) => {
                    *place = Some(canceller);
                    return;
                }
                (reason, _) => reason,
            }
        };
        if let Some(reason) = reason {
            canceller.cancel(reason);
        }
    }

    /// Notes the outcome of the part.
    fn done<T>(&self, outcome: &Result<T, Rejection>) {
        // ORDERING: Relaxed: read when the ticket is dropped, which the count of its `Arc` orders.
        self.done.store(true, Ordering::Relaxed);
        if let Err(why) = outcome {
            self.scope.fail(why);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.done.load(Ordering::Relaxed) && self.event_loop.is_closed() {
            // Not cancelled: its loop threw it away.
            self.scope.fail(&Rejection::from(Fault::LoopClosed));
        }
        self.scope.leave(self.number);
    }
}

/// Starts a part, and gives its promise and its ticket. No ticket: it was not started.
fn start<T, F>(scope: &Arc<Shared>, make: impl FnOnce() -> F, site: Site) -> (Promise<T>, Option<Arc<Ticket>>)
where
    T: Send + 'static,
    F: Future<Output = Result<T, Rejection>> + Send + 'static,
{
    let ticket = match Ticket::of(scope) {
        Ok(ticket) => Arc::new(ticket),
        Err(reason) => {
            panic::drop_quietly(make);
            return (Promise::faulted_at(Fault::Cancelled { reason }, site), None);
        }
    };
    let made = panic::catch(Some(site), || {
        let _inside = Inside::enter(scope);
        make()
    });
    let promise = match made.map(as_promise) {
        Ok(Ok(promise)) => {
            let ticket = Arc::clone(&ticket);
            promise.handle_at(site, move |outcome| {
                ticket.done(&outcome);
                outcome
            })
        }
        Ok(Err(future)) => {
            let part = Part { future: Some(Box::pin(future)), ticket: Arc::clone(&ticket), site };
            event_loop::spawn(part, site)
        }
        Err(fault) => {
            let outcome = Err(Rejection::from_fault(fault, site));
            ticket.done(&outcome);
            Promise::from(outcome)
        }
    };
    // The scope sees to it.
    promise.mark_handled();
    let settled = Arc::clone(&ticket);
    promise.on_settled(move || drop(settled));
    ticket.cancel_by(promise.canceller());
    (promise, Some(ticket))
}

/// The future itself if it is a promise.
fn as_promise<T: 'static, F: 'static>(future: F) -> Result<Promise<T>, F> {
    let mut future = Some(future);
    let promise = (&mut future as &mut dyn Any).downcast_mut::<Option<Promise<T>>>().and_then(Option::take);
    match (promise, future) {
        (Some(promise), _) => Ok(promise),
        (None, Some(future)) => Err(future),
        (None, None) => unreachable!("only a promise is taken out"),
    }
}

/// The future of a part. Its ticket goes after it.
struct Part<F> {
    future: Option<Pin<Box<F>>>,
    ticket: Arc<Ticket>,
    site: Site,
}

impl<T, F> Future for Part<F>
where
    F: Future<Output = Result<T, Rejection>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        let Some(future) = this.future.as_mut() else { return Poll::Pending };
        let _inside = Inside::enter(&this.ticket.scope);
        let outcome = match panic::catch(Some(this.site), || future.as_mut().poll(context)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(outcome)) => outcome,
            Err(fault) => Err(Rejection::from_fault(fault, this.site)),
        };
        panic::drop_quietly(this.future.take());
        this.ticket.done(&outcome);
        Poll::Ready(outcome)
    }
}

thread_local_value! {
    /// The scope whose part runs on this thread.
    static CURRENT: RefCell<Option<Arc<Shared>>> = RefCell::new(None);
}

fn current() -> Option<Arc<Shared>> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// While it lives, scopes that are made on this thread are nested in this one.
struct Inside {
    before: Option<Arc<Shared>>,
}

impl Inside {
    fn enter(scope: &Arc<Shared>) -> Inside {
        Inside { before: Inside::replace(Some(Arc::clone(scope))) }
    }

    fn replace(scope: Option<Arc<Shared>>) -> Option<Arc<Shared>> {
        CURRENT.try_with(|current| std::mem::replace(&mut *current.borrow_mut(), scope)).ok().flatten()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let ended = Inside::replace(self.before.take());
        drop(ended);
    }
}
