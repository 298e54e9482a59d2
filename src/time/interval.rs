//! `interval`: ticks, as a stream.

use crate::Promise;
use crate::core::Site;
use crate::event_loop::LoopHandle;
use futures_core::Stream;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// Ticks for ever, with the number of the tick, from 0. The first tick comes after one period.
///
/// Tick number `n` is due `n + 1` periods after the call, whatever the ticks before it did: ticks do not drift. A
/// consumer that comes late gets one tick at once; those that it missed altogether are skipped, which shows as a gap in
/// the numbers. A period of zero counts as one millisecond, as in Node.
///
/// The stream ends when its loop is closed. Dropping it disarms its timer.
///
/// # Examples
///
/// ```
/// use futures::StreamExt;
/// use std::time::Duration;
/// use thenable::{EventLoop, interval};
///
/// let event_loop = EventLoop::builder().virtual_clock().build();
/// let start = event_loop.handle().now();
/// let ticks: Vec<u64> = event_loop.run(async {
///     thenable::Ok(interval(Duration::from_secs(1)).take(3).collect().await)
/// })?;
/// assert_eq!(ticks, [0, 1, 2]);
/// assert_eq!(event_loop.handle().now() - start, Duration::from_secs(3));
/// # Ok::<(), thenable::Rejection>(())
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    let event_loop = LoopHandle::current_or_global();
    let start = event_loop.now();
    let period = if period.is_zero() { Duration::from_millis(1) } else { period };
    Interval { event_loop, start, period, next: 0, pause: None, site: Location::caller() }
}

/// The stream of [`interval`].
#[must_use = "streams do nothing unless polled"]
pub struct Interval {
    event_loop: LoopHandle,
    start: Instant,
    period: Duration,
    /// The number of the next tick.
    next: u64,
    /// Until the next tick, once somebody waits for it.
    pause: Option<Promise<()>>,
    site: Site,
}

impl Stream for Interval {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        if self.pause.is_none() {
            if self.event_loop.is_closed() {
                return Poll::Ready(None);
            }
            let due = due(self.period, self.next).and_then(|after| self.start.checked_add(after));
            let Some(deadline) = due else {
                // Further away than the clock can tell.
                return Poll::Pending;
            };
            if self.event_loop.now() >= deadline {
                return Poll::Ready(Some(self.tick()));
            }
            self.pause = Some(super::sleep_until(&self.event_loop, deadline, self.site));
        }
        if let Some(pause) = self.pause.as_mut() {
            let paused = ready!(Pin::new(pause).poll(cx));
            self.pause = None;
            if paused.is_err() {
                return Poll::Ready(None);
            }
        }
        Poll::Ready(Some(self.tick()))
    }
}

impl Interval {
    /// The number of the tick that is due now, which is the next one or one after it.
    fn tick(&mut self) -> u64 {
        let passed = self.event_loop.now().saturating_duration_since(self.start);
        let number = latest(self.period, passed).unwrap_or(0).max(self.next);
        self.next = number.saturating_add(1);
        number
    }
}

/// When a tick is due, counted from the start; `None` if that is out of range.
fn due(period: Duration, number: u64) -> Option<Duration> {
    let nanos = period.as_nanos().checked_mul(u128::from(number) + 1)?;
    let secs = u64::try_from(nanos / 1_000_000_000).ok()?;
    Some(Duration::new(secs, (nanos % 1_000_000_000) as u32))
}

/// The latest tick that is due after so much time, if there is one.
fn latest(period: Duration, passed: Duration) -> Option<u64> {
    let periods = passed.as_nanos().checked_div(period.as_nanos())?;
    u64::try_from(periods.checked_sub(1)?).ok()
}

impl Drop for Interval {
    fn drop(&mut self) {
        if let Some(pause) = self.pause.take() {
            pause.cancel("the interval was dropped");
        }
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interval").field("period", &self.period).field("next", &self.next).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEC: Duration = Duration::from_secs(1);

    #[test]
    fn ticks_are_due_on_a_grid() {
        assert_eq!(due(SEC, 0), Some(SEC));
        assert_eq!(due(SEC / 4, 9), Some(SEC * 5 / 2));
        assert_eq!(due(Duration::MAX, 0), Some(Duration::MAX));
        assert_eq!(due(Duration::MAX, 1), None);
    }

    #[test]
    fn the_latest_tick_is_the_last_one_on_the_grid() {
        assert_eq!(latest(SEC, SEC / 2), None);
        assert_eq!(latest(SEC, SEC), Some(0));
        assert_eq!(latest(SEC, 7 * SEC / 2), Some(2));
        assert_eq!(latest(Duration::from_nanos(1), Duration::MAX), None);
    }

    #[test]
    fn a_tick_is_due_exactly_when_the_grid_says_so() {
        for number in [0, 1, 2, 41, 1_000_000] {
            let period = Duration::from_micros(1_234_567);
            let deadline = due(period, number).unwrap();
            assert_eq!(latest(period, deadline), Some(number));
            assert_eq!(latest(period, deadline - Duration::from_nanos(1)), number.checked_sub(1));
        }
    }
}
