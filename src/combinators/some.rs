//! `some`: the first so many values, or the reasons why there are not enough.

use crate::core::{Collect, gather, large_vec};
use crate::{AggregateError, Fault, Promise};
use std::ops::ControlFlow;
use std::panic::Location;

/// Values in time order until there are enough of them; reasons by place until too few members are left.
pub(super) struct Some<T, E> {
    values: Vec<T>,
    wanted: usize,
    reasons: Vec<Option<E>>,
    /// How many more members may reject.
    spare: usize,
}

impl<T, E> Some<T, E> {
    /// `wanted` is at least one and at most `len`.
    pub(super) fn new(len: usize, wanted: usize) -> Self {
        Some { values: large_vec(wanted), wanted, reasons: super::places(len), spare: len - wanted }
    }

    pub(super) fn put(&mut self, index: usize, outcome: Result<T, E>) -> ControlFlow<()> {
        match outcome {
            Ok(value) => {
                self.values.push(value);
                if self.values.len() == self.wanted {
                    return ControlFlow::Break(());
                }
            }
            Err(reason) => {
                self.reasons[index] = Option::Some(reason);
                if self.spare == 0 {
                    return ControlFlow::Break(());
                }
                self.spare -= 1;
            }
        }
        ControlFlow::Continue(())
    }

    pub(super) fn into_values(self) -> Result<Vec<T>, AggregateError<E>> {
        if self.values.len() == self.wanted {
            Ok(self.values)
        } else {
            let mut errors = large_vec(self.reasons.len());
            errors.extend(self.reasons.into_iter().flatten());
            Err(AggregateError { errors })
        }
    }
}

impl<T, E> Collect<T, E> for Some<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    type Value = Vec<T>;
    type Reason = AggregateError<E>;

    fn member(&mut self, index: usize, outcome: Result<T, E>) -> ControlFlow<()> {
        self.put(index, outcome)
    }

    fn finish(self, _rest: &mut dyn Iterator<Item = (usize, Promise<T, E>)>) -> Result<Vec<T>, AggregateError<E>> {
        self.into_values()
    }
}

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    /// Waits for the first `count` values and gives them in the order in which they came.
    ///
    /// As soon as so many members have rejected that `count` values are out of reach, the result rejects with the
    /// reasons so far, in input order. If there are fewer than `count` members, that is at once. A `count` of zero
    /// fulfils at once with an empty vector. The members that are not needed any more are let go and go on.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    ///
    /// let two = Promise::some(2, [Promise::resolve("a"), Promise::reject("down"), Promise::resolve("c")]);
    /// assert_eq!(two.wait().unwrap(), ["a", "c"]);
    ///
    /// let too_many = Promise::some(2, [Promise::resolve("a"), Promise::reject("down")]);
    /// let why = too_many.wait().unwrap_err();
    /// assert_eq!(why.errors.len(), 1);
    /// ```
    #[track_caller]
    pub fn some<I>(count: usize, promises: I) -> Promise<Vec<T>, AggregateError<E>>
    where
        I: IntoIterator<Item = Promise<T, E>>,
    {
        let site = Location::caller();
        match super::members(promises, site) {
            Ok(members) if count == 0 => {
                super::release(members);
                Promise::fulfilled(Vec::new())
            }
            Ok(members) if members.len() < count => {
                super::release(members);
                Promise::rejected(AggregateError { errors: Vec::new() })
            }
            Ok(members) => {
                let some = Some::new(members.len(), count);
                gather(members, some, site)
            }
            Err(fault) => Promise::rejected(fault.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enough_values_end_it_in_time_order() {
        let mut some = Some::<_, &str>::new(4, 2);
        assert!(some.put(3, Ok("late in the list")).is_continue());
        assert!(some.put(0, Err("no")).is_continue());
        assert!(some.put(1, Ok("early in the list")).is_break());
        assert_eq!(some.into_values(), Ok(vec!["late in the list", "early in the list"]));
    }

    #[test]
    fn it_ends_with_the_reasons_in_input_order_once_too_few_are_left() {
        let mut some = Some::<(), _>::new(3, 2);
        assert!(some.put(2, Err("c")).is_continue());
        assert!(some.put(0, Err("a")).is_break());
        assert_eq!(some.into_values(), Err(AggregateError { errors: vec!["a", "c"] }));
    }
}
