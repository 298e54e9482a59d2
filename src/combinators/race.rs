//! `race`: the first outcome of either kind.

use crate::core::{Collect, Site, gather};
use crate::{Fault, Promise};
use std::ops::ControlFlow;
use std::panic::Location;

/// The outcome of the member that settled first.
struct Race<T, E> {
    first: Option<Result<T, E>>,
    site: Site,
}

impl<T, E> Collect<T, E> for Race<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    type Value = T;
    type Reason = E;

    fn member(&mut self, _index: usize, outcome: Result<T, E>) -> ControlFlow<()> {
        self.first = Some(outcome);
        ControlFlow::Break(())
    }

    fn finish(self, _rest: &mut dyn Iterator<Item = (usize, Promise<T, E>)>) -> Result<T, E> {
        self.first.unwrap_or_else(|| Err(Fault::Abandoned { created_at: self.site }.into()))
    }
}

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    /// Settles as the first of the promises that settles, fulfilled or rejected.
    ///
    /// Members that settle together win in input order. The losers are let go at once and go on; racing short promises
    /// against one that never settles keeps memory flat. No members at all stay pending for ever, as in JavaScript;
    /// such a promise can still be cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use thenable::Promise;
    ///
    /// let first = Promise::race([Promise::delay(Duration::from_secs(60), "slow"), Promise::resolve("fast")]);
    /// assert_eq!(first.wait()?, "fast");
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    #[track_caller]
    pub fn race<I>(promises: I) -> Promise<T, E>
    where
        I: IntoIterator<Item = Promise<T, E>>,
    {
        let site = Location::caller();
        match super::members(promises, site) {
            Ok(members) if members.is_empty() => Promise::never_at(site),
            Ok(members) => gather(members, Race { first: None, site }, site),
            Err(fault) => Promise::rejected(fault.into()),
        }
    }
}
