//! The next handler runs elsewhere.

use super::{Ending, Promise, Resolution, Resolver};
use crate::core::{self, Site, Step};
use crate::error::{Fault, panic};
use crate::pool::{Executor, Job, discard_reason};
use crate::primitive::sync::{Mutex, MutexGuard, PoisonError};
use std::fmt;
use std::sync::Arc;

/// A promise with the place for its next handler, made by [`Promise::on`].
#[must_use = "`on` only names a place: chain a handler to it"]
pub struct On<T, E> {
    promise: Promise<T, E>,
    executor: Box<dyn Executor>,
}

impl<T, E> fmt::Debug for On<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("On").field("state", &self.promise.state()).finish_non_exhaustive()
    }
}

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    /// Has the next handler run on `executor`: a pool, another loop, anything that takes a closure.
    ///
    /// Only the next one: what is chained after it runs on the loop again. `X: Clone`, because the place must outlive the
    /// promise's wait.
    ///
    /// # Errors
    ///
    /// An executor that refuses the job rejects the derived promise with its fault.
    ///
    /// # Threads
    ///
    /// The promise's own loop hands the handler to the executor, so that settling never runs an executor's code.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::{Promise, ThreadPool};
    /// let pool = ThreadPool::new(2);
    /// let sum = Promise::resolve(1000u64).on(&pool).map(|n| (0..n).sum::<u64>());
    /// assert_eq!(sum.wait().unwrap(), 499_500);
    /// ```
    pub fn on<X>(self, executor: &X) -> On<T, E>
    where
        X: Executor + Clone,
    {
        On { promise: self, executor: Box::new(executor.clone()) }
    }
}

impl<T, E> On<T, E>
where
    T: Send + 'static,
    E: Send + 'static,
{
    pub(super) fn link<U, E2, F>(self, site: Site, handler: F) -> Promise<U, E2>
    where
        U: Send + 'static,
        E2: From<Fault> + Send + 'static,
        F: FnOnce(Result<T, E>, Site) -> Step<U, E2> + Send + 'static,
    {
        let executor = self.executor;
        let (promise, resolver) = Promise::<U, E2>::pending_at(site);
        let last_word = Ending::new(resolver.clone());
        let cancelled = resolver.clone();
        let dispatch = move |outcome: Result<T, E>, site: Site| -> Step<(), Fault> {
            // The executor may refuse the work and drop it: it stays within reach, to be told why.
            let work = Work { handler, outcome, resolver };
            let sent = Arc::new(Mutex::new(Sent { work: Some(work), executing: true, thrown: None }));
            let there = Thrown(sent.clone());
            let job: Job = Box::new(move || {
                if let Some(work) = there.take() {
                    work.run(site);
                }
            });
            let refused = match panic::catch(Some(site), || executor.execute(job)) {
                Ok(Ok(())) => None,
                Ok(Err(rejected)) => Some(rejected.fault),
                Err(fault) => Some(fault),
            };
            let left = {
                let mut sent = lock(&sent);
                sent.executing = false;
                let thrown = sent.thrown.take();
                let reason = refused.map(Some).or(thrown);
                reason.and_then(|reason| Some((sent.work.take()?, reason)))
            };
            if let Some((work, reason)) = left {
                work.refuse(reason);
            }
            Resolution::Resolve(()).into()
        };
        let place = core::current_or_global();
        let dispatched = core::derive(self.promise.into_handle(), place, site, dispatch);
        // Before it is dispatched, a cancellation goes upstream as in any other link: in a job, for there may be an `on`
        // too, and so on.
        let upstream = dispatched.canceller();
        cancelled.on_cancel(move |reason| {
            let reason = reason.clone();
            core::post(place, move || {
                upstream.cancel(reason);
            });
        });
        // Why it could not even be dispatched, for instance because the outcome's clone panicked.
        let failed = move |dispatched: Result<(), Fault>, _| -> Step<(), Fault> {
            if let (Some(resolver), Err(fault)) = (last_word.release(), dispatched) {
                resolver.fault(fault);
            }
            Resolution::Resolve(()).into()
        };
        drop(core::derive(dispatched, place, site, failed));
        promise
    }
}

/// A handler on its way to where it runs.
struct Work<T, E, U, E2, F> {
    handler: F,
    outcome: Result<T, E>,
    resolver: Resolver<U, E2>,
}

impl<T, E, U, E2, F> Work<T, E, U, E2, F> {
    fn run(self, site: Site)
    where
        U: Send + 'static,
        E2: Send + 'static,
        F: FnOnce(Result<T, E>, Site) -> Step<U, E2>,
    {
        let Self { handler, outcome, resolver } = self;
        if resolver.is_settled() {
            // Cancelled on the way.
            panic::drop_quietly(handler);
            return panic::drop_quietly(outcome);
        }
        match panic::catch(Some(site), || handler(outcome, site)) {
            Ok(Step::Now(Resolution::Resolve(value))) => panic::drop_quietly(resolver.settle(Ok(value))),
            Ok(Step::Now(Resolution::Reject(reason))) => panic::drop_quietly(resolver.settle(Err(reason))),
            Ok(Step::Now(Resolution::Adopt(inner))) => panic::drop_quietly(resolver.adopt(inner)),
            Ok(Step::InTwoTicks(outcome)) => panic::drop_quietly(resolver.settle(outcome)),
            Err(fault) => {
                resolver.fault(fault);
            }
        }
    }

    /// It will not run. Without a fault the last resolver goes, and the promise rejects with `Abandoned`.
    fn refuse(self, fault: Option<Fault>) {
        panic::drop_quietly(self.handler);
        panic::drop_quietly(self.outcome);
        if let Some(fault) = fault {
            self.resolver.fault(fault);
        }
    }
}

/// Work that was handed to an executor.
struct Sent<W> {
    /// Gone once it runs, or was refused.
    work: Option<W>,
    /// The dispatcher has not heard from `execute` yet, and has the last word.
    executing: bool,
    /// Thrown away before that, and why if that is known.
    thrown: Option<Option<Fault>>,
}

type Shared<T, E, U, E2, F> = Arc<Mutex<Sent<Work<T, E, U, E2, F>>>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The job's end of the work. A job that is thrown away without having run takes the work with it.
struct Thrown<T, E, U, E2, F>(Shared<T, E, U, E2, F>);

impl<T, E, U, E2, F> Thrown<T, E, U, E2, F> {
    fn take(&self) -> Option<Work<T, E, U, E2, F>> {
        lock(&self.0).work.take()
    }
}

impl<T, E, U, E2, F> Drop for Thrown<T, E, U, E2, F> {
    fn drop(&mut self) {
        let mut sent = lock(&self.0);
        if sent.work.is_none() {
            return;
        }
        let reason = discard_reason();
        if sent.executing {
            sent.thrown = cfg!(not(thenable_plant = "s43_thrown_away_unheard")).then_some(reason);
            return;
        }
        let work = sent.work.take();
        drop(sent);
        if let Some(work) = work {
            work.refuse(reason);
        }
    }
}
