//! `series`: one after the other.

use crate::core::Site;
use crate::error::panic;
use crate::{Fault, IntoPromise, Promise};
use std::panic::Location;

/// What is left to do, and the values so far.
struct Series<I, F, T> {
    inputs: I,
    f: F,
    values: Vec<T>,
    site: Site,
}

impl<I, F, T> Series<I, F, T>
where
    I: Iterator + Send + 'static,
    T: Send + 'static,
{
    /// Starts the next input. The step after it is a job of its own, so the stack does not grow.
    fn step<E, R, Via>(mut self: Box<Self>) -> Promise<Vec<T>, E>
    where
        F: FnMut(I::Item) -> R + Send + 'static,
        R: IntoPromise<T, E, Via>,
        E: From<Fault> + Send + 'static,
    {
        let Some(input) = self.inputs.next() else {
            return Promise::fulfilled(self.values);
        };
        let site = self.site;
        (self.f)(input).into_promise().handle_at(site, move |outcome| match outcome {
            Ok(value) => {
                self.values.push(value);
                self.step()
            }
            Err(reason) => Promise::from(Err(reason)),
        })
    }
}

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    /// Calls `f` for each input, one after the other: the next one starts when the promise of the last has fulfilled.
    ///
    /// The values come in input order. The first rejection, or a panic of `f` or of the iterator, rejects the result
    /// and nothing more is started. `f` never runs inside this call; it runs as jobs of the loop that is current here.
    /// Cancelling the result cancels the promise that is being waited for and starts no other.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use thenable::{EventLoop, Promise};
    ///
    /// let event_loop = EventLoop::builder().virtual_clock().build();
    /// let doubled: Vec<u64> = event_loop.run(async {
    ///     Promise::series(1..=3, |n| Promise::delay(Duration::from_secs(n), n * 2)).await
    /// })?;
    /// assert_eq!(doubled, [2, 4, 6]);
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    #[track_caller]
    pub fn series<I, R, Via>(inputs: I, f: impl FnMut(I::Item) -> R + Send + 'static) -> Promise<Vec<T>, E>
    where
        I: IntoIterator<IntoIter: Send + 'static>,
        R: IntoPromise<T, E, Via>,
    {
        let site = Location::caller();
        let inputs = match panic::catch(Some(site), || inputs.into_iter()) {
            Ok(inputs) => inputs,
            Err(fault) => return Promise::rejected(fault.into()),
        };
        let series = Box::new(Series { inputs, f, values: Vec::new(), site });
        Promise::<(), E>::fulfilled(()).handle_at(site, move |_| series.step())
    }
}
