//! `all`: every value, or the first reason.

use crate::core::{Collect, gather, large_vec};
use crate::{Fault, Promise};
use std::ops::ControlFlow;
use std::panic::Location;

/// Values by place until none is missing, or the first reason.
pub(super) struct All<T, E> {
    values: Vec<Option<T>>,
    missing: usize,
    failed: Option<E>,
}

impl<T, E> All<T, E> {
    pub(super) fn new(len: usize) -> Self {
        All { values: super::places(len), missing: len, failed: None }
    }

    pub(super) fn put(&mut self, index: usize, outcome: Result<T, E>) -> ControlFlow<()> {
        match outcome {
            Ok(value) => {
                self.values[index] = Some(value);
                self.missing -= 1;
                if self.missing > 0 {
                    return ControlFlow::Continue(());
                }
            }
            Err(reason) => self.failed = Some(reason),
        }
        ControlFlow::Break(())
    }

    pub(super) fn into_values(self) -> Result<Vec<T>, E> {
        match self.failed {
            Some(reason) => Err(reason),
            None => {
                let mut values = large_vec(self.values.len());
                values.extend(self.values.into_iter().flatten());
                Ok(values)
            }
        }
    }
}

impl<T, E> Collect<T, E> for All<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    type Value = Vec<T>;
    type Reason = E;
    const ANY_ORDER: bool = true;

    fn member(&mut self, index: usize, outcome: Result<T, E>) -> ControlFlow<()> {
        self.put(index, outcome)
    }

    fn finish(self, _rest: &mut dyn Iterator<Item = (usize, Promise<T, E>)>) -> Result<Vec<T>, E> {
        self.into_values()
    }
}

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    /// Waits for all promises and gives their values in input order.
    ///
    /// The first rejection *in time* rejects the result; the other members are let go, go on, and their own rejections
    /// count as handled. No members at all fulfil at once with an empty vector. A panic of the iterator rejects with
    /// [`Fault::Panicked`].
    ///
    /// # Ordering
    ///
    /// With settled members, a handler of the result runs on the second tick; with no members, on the first.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    ///
    /// let squares = Promise::all((1..=3).map(|n| Promise::resolve(n * n)));
    /// assert_eq!(squares.wait()?, [1, 4, 9]);
    ///
    /// let failed = Promise::all([Promise::resolve(1), Promise::reject("no second one")]);
    /// assert_eq!(failed.wait().unwrap_err().to_string(), "no second one");
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    #[track_caller]
    pub fn all<I>(promises: I) -> Promise<Vec<T>, E>
    where
        I: IntoIterator<Item = Promise<T, E>>,
    {
        let site = Location::caller();
        match super::members(promises, site) {
            Ok(members) if members.is_empty() => Promise::fulfilled(Vec::new()),
            Ok(members) => {
                let all = All::new(members.len());
                gather(members, all, site)
            }
            Err(fault) => Promise::rejected(fault.into()),
        }
    }
}
