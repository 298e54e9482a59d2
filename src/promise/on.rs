//! The next handler runs elsewhere.

use super::{Ending, Promise, Resolution};
use crate::core::{self, Site, Step};
use crate::error::{Fault, panic};
use crate::pool::{Executor, Job};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

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
        // The executor may refuse the job and drop it: what is in it stays within reach to be told why.
        let dispatch = move |outcome: Result<T, E>, site: Site| -> Step<(), Fault> {
            if !resolver.is_wanted() && resolver.is_settled() {
                return Resolution::Resolve(()).into();
            }
            let work = Arc::new(Mutex::new(Some((handler, outcome, resolver))));
            let there = work.clone();
            let take = |work: &Mutex<Option<_>>| work.lock().unwrap_or_else(PoisonError::into_inner).take();
            let job: Job = Box::new(move || {
                let Some((handler, outcome, resolver)) = take(&there) else { return };
                match panic::catch(Some(site), || handler(outcome, site)) {
                    Ok(Step::Now(Resolution::Resolve(value))) => panic::drop_quietly(resolver.settle(Ok(value))),
                    Ok(Step::Now(Resolution::Reject(reason))) => panic::drop_quietly(resolver.settle(Err(reason))),
                    Ok(Step::Now(Resolution::Adopt(inner))) => panic::drop_quietly(resolver.adopt(inner)),
                    Ok(Step::InTwoTicks(outcome)) => panic::drop_quietly(resolver.settle(outcome)),
                    Err(fault) => {
                        resolver.fault(fault);
                    }
                }
            });
            let refused = match panic::catch(Some(site), || executor.execute(job)) {
                Ok(Ok(())) => return Resolution::Resolve(()).into(),
                Ok(Err(rejected)) => rejected.fault,
                Err(fault) => fault,
            };
            if let Some((handler, outcome, resolver)) = work.lock().unwrap_or_else(PoisonError::into_inner).take() {
                resolver.fault(refused);
                panic::drop_quietly(handler);
                panic::drop_quietly(outcome);
            }
            Resolution::Resolve(()).into()
        };
        let place = core::current_or_global();
        let dispatched = core::derive(self.promise.into_handle(), place, site, dispatch);
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
