//! `reduce`: one after the other, into one value.

use crate::core::Site;
use crate::error::panic;
use crate::{Fault, IntoPromise, Promise};
use std::panic::Location;

/// What is left to do.
struct Reduce<I, F> {
    inputs: I,
    f: F,
    site: Site,
}

impl<I, F> Reduce<I, F>
where
    I: Iterator + Send + 'static,
{
    /// Starts the next input. The step after it is a job of its own, so the stack does not grow.
    fn step<T, E, R, Via>(mut self: Box<Self>, total: T) -> Promise<T, E>
    where
        F: FnMut(T, I::Item) -> R + Send + 'static,
        R: IntoPromise<T, E, Via>,
        T: Send + 'static,
        E: From<Fault> + Send + 'static,
    {
        let Some(input) = self.inputs.next() else {
            return Promise::fulfilled(total);
        };
        let site = self.site;
        (self.f)(total, input).into_promise().handle_at(site, move |outcome| match outcome {
            Ok(total) => self.step(total),
            Err(reason) => Promise::from(Err(reason)),
        })
    }
}

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    /// Folds the inputs, one after the other: `f` gets the value so far and the next input, and returns a promise for
    /// the next value.
    ///
    /// No inputs give `init`. The first rejection, or a panic of `f` or of the iterator, rejects the result and nothing
    /// more is started. `f` never runs inside this call; it runs as jobs of the loop that is current here. Cancelling
    /// the result cancels the promise that is being waited for and starts no other.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    ///
    /// let sum = Promise::reduce(1..=4, 0, |sum, n| Promise::resolve(sum + n));
    /// assert_eq!(sum.wait()?, 10);
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    #[track_caller]
    pub fn reduce<I, R, Via>(inputs: I, init: T, f: impl FnMut(T, I::Item) -> R + Send + 'static) -> Promise<T, E>
    where
        I: IntoIterator<IntoIter: Send + 'static>,
        R: IntoPromise<T, E, Via>,
    {
        let site = Location::caller();
        let inputs = match panic::catch(Some(site), || inputs.into_iter()) {
            Ok(inputs) => inputs,
            Err(fault) => return Promise::rejected(fault.into()),
        };
        let reduce = Box::new(Reduce { inputs, f, site });
        Promise::<(), E>::fulfilled(()).handle_at(site, move |_| reduce.step(init))
    }
}
