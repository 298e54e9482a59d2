//! `all_settled`: every outcome.

use crate::core::{Collect, gather, large_vec};
use crate::{Fault, Promise};
use std::ops::ControlFlow;
use std::panic::Location;

/// Outcomes by place until none is missing.
struct AllSettled<T, E> {
    outcomes: Vec<Option<Result<T, E>>>,
    missing: usize,
}

impl<T, E> Collect<T, E> for AllSettled<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    type Value = Vec<Result<T, E>>;
    type Reason = E;
    const ANY_ORDER: bool = true;

    fn member(&mut self, index: usize, outcome: Result<T, E>) -> ControlFlow<()> {
        self.outcomes[index] = Some(outcome);
        self.missing -= 1;
        if self.missing > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn finish(self, _rest: &mut dyn Iterator<Item = (usize, Promise<T, E>)>) -> Result<Vec<Result<T, E>>, E> {
        let mut outcomes = large_vec(self.outcomes.len());
        outcomes.extend(self.outcomes.into_iter().flatten());
        Ok(outcomes)
    }
}

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    /// Waits until every promise has settled and gives the outcomes in input order.
    ///
    /// A rejected member does not reject the result. No members at all fulfil at once with an empty vector. A panic of
    /// the iterator rejects with [`Fault::Panicked`].
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    ///
    /// let outcomes = Promise::all_settled([Promise::resolve(1), Promise::reject("no"), Promise::resolve(3)]).wait()?;
    /// assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 2);
    /// assert!(outcomes[1].is_err());
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    #[track_caller]
    pub fn all_settled<I>(promises: I) -> Promise<Vec<Result<T, E>>, E>
    where
        I: IntoIterator<Item = Promise<T, E>>,
    {
        let site = Location::caller();
        match super::members(promises, site) {
            Ok(members) if members.is_empty() => Promise::fulfilled(Vec::new()),
            Ok(members) => {
                let missing = members.len();
                gather(members, AllSettled { outcomes: super::places(missing), missing }, site)
            }
            Err(fault) => Promise::rejected(fault.into()),
        }
    }
}
