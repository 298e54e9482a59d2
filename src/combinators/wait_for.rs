//! `wait_for`: waiting without losing anything.

use crate::core::{Collect, gather, gather_with_handle};
use crate::event_loop::LoopHandle;
use crate::time::alarm::{self, Alarm};
use crate::{Promise, Rejection};
use std::ops::ControlFlow;
use std::panic::Location;
use std::time::Duration;

/// When [`wait_for`] is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitFor {
    /// When every promise has settled.
    All,
    /// When one has settled.
    FirstSettled,
    /// When one has rejected, or every one has settled.
    FirstRejected,
}

/// What [`wait_for`] found. The number is always the place in the input.
#[derive(Debug)]
pub struct Waited<T, E = Rejection> {
    /// The outcomes, in settling order.
    pub done: Vec<(usize, Result<T, E>)>,
    /// The promises that are still pending, in input order. They are as good as before.
    pub pending: Vec<(usize, Promise<T, E>)>,
}

/// Outcomes until the mode, or the alarm, says that it is enough.
struct Waiting<T, E> {
    mode: WaitFor,
    missing: usize,
    done: Vec<(usize, Result<T, E>)>,
    /// Disarmed when the wait is over.
    _alarm: Option<Alarm>,
}

impl<T, E> Waiting<T, E> {
    fn new(mode: WaitFor, missing: usize, alarm: Option<Alarm>) -> Self {
        Waiting { mode, missing, done: Vec::new(), _alarm: alarm }
    }
}

impl<T, E> Collect<T, E> for Waiting<T, E>
where
    T: Send + 'static,
    E: Send + 'static,
{
    type Value = Waited<T, E>;
    type Reason = Rejection;

    fn member(&mut self, index: usize, outcome: Result<T, E>) -> ControlFlow<()> {
        let enough = match self.mode {
            WaitFor::All => false,
            WaitFor::FirstSettled => true,
            WaitFor::FirstRejected => outcome.is_err(),
        };
        self.done.push((index, outcome));
        self.missing -= 1;
        if enough || self.missing == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn finish(mut self, rest: &mut dyn Iterator<Item = (usize, Promise<T, E>)>) -> Result<Waited<T, E>, Rejection> {
        let mut pending = Vec::new();
        for (index, promise) in rest {
            // A member may have settled while its job still waits in the queue.
            match super::take_settled(promise) {
                Ok(outcome) => self.done.push((index, outcome)),
                Err(promise) => pending.push((index, promise)),
            }
        }
        Ok(Waited { done: self.done, pending })
    }
}

/// Waits for promises without losing any: what has settled comes back as outcomes, what has not as promises.
///
/// Nothing is cancelled and no outcome of a member rejects the result; it rejects only if the iterator panics or the
/// loop goes away. No promises at all fulfil at once.
///
/// # Ordering
///
/// `done` is in settling order. Members that settle together with the one that ends the wait follow it in input order.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use thenable::{EventLoop, Promise, WaitFor, wait_for};
///
/// let event_loop = EventLoop::builder().virtual_clock().build();
/// event_loop.run(async {
///     let slow = Promise::delay(Duration::from_secs(2), "slow");
///     let fast = Promise::delay(Duration::from_secs(1), "fast");
///     let waited = wait_for([slow, fast], WaitFor::FirstSettled).await?;
///     assert_eq!(waited.done.len(), 1);
///     assert_eq!(waited.done[0].0, 1);
///     for (place, promise) in waited.pending {
///         assert_eq!((place, promise.await?), (0, "slow"));
///     }
///     thenable::Ok(())
/// })?;
/// # Ok::<(), thenable::Rejection>(())
/// ```
#[track_caller]
pub fn wait_for<T, E, I>(promises: I, mode: WaitFor) -> Promise<Waited<T, E>>
where
    I: IntoIterator<Item = Promise<T, E>>,
    T: Send + 'static,
    E: From<crate::Fault> + Send + 'static,
{
    let site = Location::caller();
    match super::members(promises, site) {
        Ok(members) if members.is_empty() => nothing(),
        Ok(members) => {
            let waiting = Waiting::new(mode, members.len(), None);
            gather(members, waiting, site)
        }
        Err(fault) => Promise::rejected(fault.into()),
    }
}

/// As [`wait_for`], but a deadline ends the wait too.
///
/// The deadline cancels nothing and rejects nothing: whatever is still pending then comes back as such. The clock
/// starts at the call.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use thenable::{EventLoop, Promise, WaitFor, wait_for_within};
///
/// let event_loop = EventLoop::builder().virtual_clock().build();
/// event_loop.run(async {
///     let promises = [1, 20].map(|secs| Promise::delay(Duration::from_secs(secs), secs));
///     let waited = wait_for_within(promises, WaitFor::All, Duration::from_secs(5)).await?;
///     assert_eq!(waited.done.len(), 1);
///     assert!(waited.pending[0].1.is_pending());
///     thenable::Ok(())
/// })?;
/// # Ok::<(), thenable::Rejection>(())
/// ```
#[track_caller]
pub fn wait_for_within<T, E, I>(promises: I, mode: WaitFor, limit: Duration) -> Promise<Waited<T, E>>
where
    I: IntoIterator<Item = Promise<T, E>>,
    T: Send + 'static,
    E: Send + 'static,
{
    let site = Location::caller();
    match super::members(promises, site) {
        Ok(members) if members.is_empty() => nothing(),
        Ok(members) => {
            let (alarm, setter) = alarm::pair();
            let waiting = Waiting::new(mode, members.len(), Some(alarm));
            let (promise, handle) = gather_with_handle(members, waiting, site);
            if let Some(handle) = handle {
                setter.set(alarm::end_after(&LoopHandle::current_or_global(), limit, handle));
            }
            promise
        }
        Err(fault) => Promise::rejected(fault.into()),
    }
}

fn nothing<T: 'static, E: 'static>() -> Promise<Waited<T, E>> {
    Promise::fulfilled(Waited { done: Vec::new(), pending: Vec::new() })
}
