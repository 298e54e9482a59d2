//! `timeout`: an outcome in time, or none.

use super::alarm::{self, Alarm};
use crate::cancel::cancel_if_unwatched;
use crate::core::{Collect, gather_with_handle};
use crate::event_loop::LoopHandle;
use crate::{Fault, Promise};
use std::ops::ControlFlow;
use std::panic::Location;
use std::time::Duration;

/// The outcome of the only member, unless the alarm was first.
struct Deadline<T, E> {
    after: Duration,
    outcome: Option<Result<T, E>>,
    /// Disarmed when the wait is over.
    _alarm: Alarm,
}

impl<T, E> Collect<T, E> for Deadline<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    type Value = T;
    type Reason = E;

    fn member(&mut self, _index: usize, outcome: Result<T, E>) -> ControlFlow<()> {
        self.outcome = Some(outcome);
        ControlFlow::Break(())
    }

    fn finish(self, rest: &mut dyn Iterator<Item = (usize, Promise<T, E>)>) -> Result<T, E> {
        if let Some(outcome) = self.outcome {
            return outcome;
        }
        for (_, promise) in rest {
            cancel_if_unwatched(promise, "timed out".into());
        }
        Err(Fault::TimedOut { after: self.after }.into())
    }
}

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    /// A promise for the same outcome that rejects with [`Fault::TimedOut`] if it takes longer than this.
    ///
    /// The clock starts at the call and is disarmed by every outcome. When the time is up, the promise behind is
    /// cancelled with the reason "timed out", unless somebody else waits for it too. A promise that has settled already
    /// is never too late.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use thenable::{EventLoop, Fault, Promise};
    ///
    /// let event_loop = EventLoop::builder().virtual_clock().build();
    /// event_loop.run(async {
    ///     let second = Duration::from_secs(1);
    ///     assert_eq!(Promise::delay(second, "in time").timeout(2 * second).await?, "in time");
    ///
    ///     let why = Promise::delay(3 * second, "late").timeout(2 * second).await.unwrap_err();
    ///     assert!(matches!(why.fault(), Some(Fault::TimedOut { after }) if *after == 2 * second));
    ///     thenable::Ok(())
    /// })?;
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    #[track_caller]
    pub fn timeout(self, after: Duration) -> Promise<T, E> {
        if self.is_settled() {
            return self;
        }
        let (alarm, setter) = alarm::pair();
        let deadline = Deadline { after, outcome: None, _alarm: alarm };
        let (promise, handle) = gather_with_handle(vec![self], deadline, Location::caller());
        if let Some(handle) = handle {
            setter.set(alarm::end_after(&LoopHandle::current_or_global(), after, handle));
        }
        promise
    }
}
