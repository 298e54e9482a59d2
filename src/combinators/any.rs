//! `any`: the first value, or every reason.

use super::some::Some;
use crate::core::{Collect, gather};
use crate::{AggregateError, Fault, Promise};
use std::ops::ControlFlow;
use std::panic::Location;

/// One of many: `some` with a count of one, without its vector in the result.
struct Any<T, E>(Some<T, E>);

impl<T, E> Collect<T, E> for Any<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    type Value = T;
    type Reason = AggregateError<E>;

    fn member(&mut self, index: usize, outcome: Result<T, E>) -> ControlFlow<()> {
        self.0.put(index, outcome)
    }

    fn finish(self, _rest: &mut dyn Iterator<Item = (usize, Promise<T, E>)>) -> Result<T, AggregateError<E>> {
        let value = self.0.into_values()?.pop();
        value.ok_or(AggregateError { errors: Vec::new() })
    }
}

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    /// Waits for the first value; rejections count only when there is nothing else.
    ///
    /// If all members reject, the result rejects with an [`AggregateError`] that holds every reason in input order. No
    /// members at all reject at once, with no reasons. The members that lost are let go and go on.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    ///
    /// let mirror = Promise::any([Promise::reject("first is down"), Promise::resolve("second"), Promise::resolve("third")]);
    /// assert_eq!(mirror.wait().unwrap(), "second");
    ///
    /// let none = Promise::<()>::any([Promise::reject("a"), Promise::reject("b")]);
    /// let why = none.wait().unwrap_err();
    /// assert_eq!(why.errors.iter().map(|e| e.to_string()).collect::<Vec<_>>(), ["a", "b"]);
    /// ```
    #[track_caller]
    pub fn any<I>(promises: I) -> Promise<T, AggregateError<E>>
    where
        I: IntoIterator<Item = Promise<T, E>>,
    {
        let site = Location::caller();
        match super::members(promises, site) {
            Ok(members) if members.is_empty() => Promise::rejected(AggregateError { errors: Vec::new() }),
            Ok(members) => {
                let any = Any(Some::new(members.len(), 1));
                gather(members, any, site)
            }
            Err(fault) => Promise::rejected(fault.into()),
        }
    }
}
