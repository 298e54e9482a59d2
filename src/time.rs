//! Promises and streams for time.
//!
//! All time comes from the loop that is current at the call, or from the global one: on a virtual clock, a pause of an
//! hour takes no time at all. Timers run jobs on their loop; there is no timer thread of their own on which a handler
//! could run.

pub(crate) mod alarm;
mod interval;
mod timeout;

pub use interval::{Interval, interval};

use crate::core::{self, Companion, Site, Working};
use crate::error::{CancelReason, Rejection, panic};
use crate::event_loop::{LoopHandle, TimerHandle};
use crate::primitive::sync::OnceLock;
use crate::{Fault, Promise};
use std::panic::Location;
use std::time::{Duration, Instant};

/// A promise that fulfils after a while; never early.
///
/// Delays with the same deadline fulfil in the order in which they were made. Cancelling the promise disarms its timer;
/// if the loop goes away first, the promise rejects with [`Fault::LoopClosed`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use thenable::{EventLoop, delay};
///
/// let event_loop = EventLoop::builder().virtual_clock().build();
/// let start = event_loop.handle().now();
/// event_loop.run(async {
///     delay(Duration::from_secs(3600)).await?;
///     thenable::Ok(())
/// })?;
/// assert_eq!(event_loop.handle().now() - start, Duration::from_secs(3600));
/// # Ok::<(), thenable::Rejection>(())
/// ```
#[track_caller]
pub fn delay(after: Duration) -> Promise<()> {
    delay_at(after, (), Location::caller())
}

impl<T> Promise<T> {
    /// A promise that fulfils with `value` after a while; see [`delay`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use thenable::Promise;
    ///
    /// let late = Promise::delay(Duration::from_millis(5), "late").map(str::len);
    /// assert_eq!(late.wait()?, 4);
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    #[track_caller]
    pub fn delay(after: Duration, value: T) -> Self
    where
        T: Send + 'static,
    {
        delay_at(after, value, Location::caller())
    }
}

/// `Promise::delay` for a caller elsewhere.
pub(crate) fn delay_at<T: Send + 'static>(after: Duration, value: T, site: Site) -> Promise<T> {
    let event_loop = LoopHandle::current_or_global();
    timed(value, site, &event_loop, event_loop.deadline(after))
}

/// Fulfils at a point in the time of this loop.
fn sleep_until(event_loop: &LoopHandle, deadline: Instant, site: Site) -> Promise<()> {
    timed((), site, event_loop, deadline)
}

fn timed<T: Send + 'static>(value: T, site: Site, event_loop: &LoopHandle, deadline: Instant) -> Promise<T> {
    let (handle, working) = core::pending_with(site, Armed::default());
    let ring = Ring { working: working.clone(), value: Some(value) };
    let timer = event_loop.set_timer(deadline, Box::new(move || ring.fire()));
    let _ = working.companion().0.set(timer);
    if working.is_settled() {
        // Cancelled, or its loop has gone, before the timer could be found.
        Armed::disarm(&working);
    }
    Promise::from_handle(handle)
}

/// The timer of a delay, as soon as it is set.
#[derive(Default)]
struct Armed(OnceLock<TimerHandle>);

impl Armed {
    fn disarm<T>(working: &Working<T, Rejection, Self>) {
        if let Some(timer) = working.companion().0.get() {
            timer.cancel();
        }
    }
}

impl<T: 'static> Companion<T, Rejection> for Armed {
    fn cancelled(this: &Working<T, Rejection, Self>, _: &CancelReason) {
        Self::disarm(this);
    }
}

/// What a timer holds of its promise.
struct Ring<T> {
    working: Working<T, Rejection, Armed>,
    /// Gone once it fired.
    value: Option<T>,
}

impl<T> Ring<T> {
    fn fire(mut self) {
        if let Some(value) = self.value.take() {
            panic::drop_quietly(self.working.settle(Ok(value)));
        }
    }
}

impl<T> Drop for Ring<T> {
    /// A timer that goes without firing was cancelled, and its promise with it; or its loop is gone.
    fn drop(&mut self) {
        let Some(value) = self.value.take() else { return };
        panic::drop_quietly(value);
        if self.working.is_wanted() {
            self.working.fault(Fault::LoopClosed);
        }
    }
}
