//! `retry`: again, until it works.

use crate::core::Site;
use crate::time::delay_at;
use crate::{AbortSignal, Fault, IntoPromise, Promise, Rejection, Resolution};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

/// How often and how fast [`Promise::retry`] tries again.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use thenable::Retry;
///
/// // 100 ms, 200 ms, 400 ms, then a second each time; ten calls in all.
/// let policy = Retry::times(10).exponential(Duration::from_millis(100)).max_delay(Duration::from_secs(1));
/// ```
#[derive(Clone)]
#[must_use = "a policy does nothing until it is given to `Promise::retry`"]
pub struct Retry {
    attempts: u32,
    pause: Pause,
    limit: Duration,
    jitter: Option<Arc<dyn Fn() -> f64 + Send + Sync>>,
    signal: Option<AbortSignal>,
}

#[derive(Clone, Copy, Debug)]
enum Pause {
    Fixed(Duration),
    Doubling(Duration),
}

impl Retry {
    /// At most `attempts` calls in all, without a pause.
    ///
    /// Zero attempts reject with [`Fault::InvalidConfig`]; `u32::MAX` is as good as for ever.
    pub fn times(attempts: u32) -> Self {
        Retry { attempts, pause: Pause::Fixed(Duration::ZERO), limit: Duration::MAX, jitter: None, signal: None }
    }

    /// The same pause after each failure.
    pub fn delay(mut self, pause: Duration) -> Self {
        self.pause = Pause::Fixed(pause);
        self
    }

    /// A pause of `first` after the first failure, then twice that, and so on.
    pub fn exponential(mut self, first: Duration) -> Self {
        self.pause = Pause::Doubling(first);
        self
    }

    /// No pause is longer than this.
    pub fn max_delay(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Each pause is a random part of what it would be: many clients that failed together do not come back together.
    pub fn jitter(self) -> Self {
        self.jitter_with(random)
    }

    /// As [`jitter`](Retry::jitter), with a source of numbers from 0 to 1 of one's own: for tests, and for generators
    /// with a seed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use thenable::{EventLoop, Promise, Retry};
    ///
    /// let event_loop = EventLoop::builder().virtual_clock().build();
    /// let start = event_loop.handle().now();
    /// let policy = Retry::times(2).delay(Duration::from_secs(8)).jitter_with(|| 0.25);
    /// let outcome = event_loop.run(async move { Promise::retry(policy, |_| Promise::<()>::reject("down")).await });
    /// assert!(outcome.is_err());
    /// assert_eq!(event_loop.handle().now() - start, Duration::from_secs(2));
    /// ```
    pub fn jitter_with(mut self, random: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.jitter = Some(Arc::new(random));
        self
    }

    /// When the signal aborts, the attempt or pause that is under way is cancelled and the result rejects with the
    /// signal's reason. If it is aborted already, nothing is tried.
    pub fn abort_on(mut self, signal: &AbortSignal) -> Self {
        self.signal = Some(signal.clone());
        self
    }

    /// The pause after so many failures, jitter included.
    fn pause_after(&self, failures: u32) -> Duration {
        let pause = match self.pause {
            Pause::Fixed(pause) => pause,
            Pause::Doubling(first) => doubled(first, failures.saturating_sub(1)),
        };
        let pause = pause.min(self.limit);
        match &self.jitter {
            Some(random) if !pause.is_zero() => part(pause, random()),
            _ => pause,
        }
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("attempts", &self.attempts)
            .field("pause", &self.pause)
            .field("max_delay", &self.limit)
            .field("jitter", &self.jitter.is_some())
            .field("signal", &self.signal)
            .finish()
    }
}

/// `first` times two to the power of `times`, and [`Duration::MAX`] where that is too long.
fn doubled(first: Duration, times: u32) -> Duration {
    let nanos = first.as_nanos();
    if nanos == 0 {
        return first;
    }
    if times >= nanos.leading_zeros() {
        return Duration::MAX;
    }
    let nanos = nanos << times;
    match u64::try_from(nanos / 1_000_000_000) {
        Ok(secs) => Duration::new(secs, (nanos % 1_000_000_000) as u32),
        Err(_) => Duration::MAX,
    }
}

/// A part of a duration; a factor that is no number from 0 to 1 is brought there.
fn part(whole: Duration, factor: f64) -> Duration {
    if factor >= 1.0 {
        return whole;
    }
    let factor = if factor > 0.0 { factor } else { 0.0 };
    Duration::try_from_secs_f64(whole.as_secs_f64() * factor).unwrap_or(whole).min(whole)
}

/// A number from 0 to 1, from the randomness that the standard library seeds its hash maps with.
fn random() -> f64 {
    let bits = RandomState::new().hash_one(());
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// The attempts so far, and what is needed for more.
struct Attempts<P, F> {
    policy: Retry,
    predicate: P,
    f: F,
    made: u32,
    site: Site,
}

impl<P, F> Attempts<P, F>
where
    P: Send + 'static,
    F: Send + 'static,
{
    /// Makes an attempt. What follows it is a job of its own, so the stack does not grow.
    fn attempt<T, E, R, Via>(mut self: Box<Self>) -> Promise<T, E>
    where
        P: FnMut(&E) -> bool,
        F: FnMut(u32) -> R,
        R: IntoPromise<T, E, Via>,
        T: Send + 'static,
        E: From<Fault> + Send + 'static,
    {
        let site = self.site;
        self.made += 1;
        (self.f)(self.made).into_promise().handle_at(site, move |outcome| match outcome {
            Ok(value) => Resolution::Resolve(value),
            Err(reason) if self.made >= self.policy.attempts => Resolution::Reject(reason),
            Err(reason) if !(self.predicate)(&reason) => Resolution::Reject(reason),
            Err(_) => Resolution::Adopt(self.again()),
        })
    }

    /// Pauses and makes another attempt.
    fn again<T, E, R, Via>(self: Box<Self>) -> Promise<T, E>
    where
        P: FnMut(&E) -> bool,
        F: FnMut(u32) -> R,
        R: IntoPromise<T, E, Via>,
        T: Send + 'static,
        E: From<Fault> + Send + 'static,
    {
        let site = self.site;
        let pause = self.policy.pause_after(self.made);
        if pause.is_zero() {
            return self.attempt();
        }
        delay_at(pause, (), site).handle_at(site, move |paused: Result<(), Rejection>| match paused {
            Ok(()) => Resolution::Adopt(self.attempt()),
            // A pause ends early only with its loop.
            Err(why) => Resolution::Reject(E::from(why.fault().cloned().unwrap_or(Fault::LoopClosed))),
        })
    }
}

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    /// Calls `f` until its promise fulfils, as often and as fast as the policy says.
    ///
    /// `f` gets the number of the attempt, from 1. The result is the first value, or the reason of the last attempt. A
    /// panic of `f` ends it with [`Fault::Panicked`]: it is a bug, and trying again would hide it. `f` never runs
    /// inside this call; it runs as jobs of the loop that is current here. Cancelling the result cancels the attempt or
    /// the pause that is under way.
    ///
    /// Any number of attempts needs the same stack and the same memory. To give up on some reasons at once, see
    /// [`retry_if`](Promise::retry_if).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use thenable::{EventLoop, Promise, Retry};
    ///
    /// let event_loop = EventLoop::builder().virtual_clock().build();
    /// let policy = Retry::times(5).exponential(Duration::from_secs(1));
    /// let text = event_loop.run(async move {
    ///     Promise::retry(policy, |attempt| {
    ///         if attempt < 3 { Promise::reject("not yet") } else { Promise::resolve(format!("attempt {attempt}")) }
    ///     })
    ///     .await
    /// })?;
    /// assert_eq!(text, "attempt 3");
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    #[track_caller]
    pub fn retry<R, Via>(policy: Retry, f: impl FnMut(u32) -> R + Send + 'static) -> Promise<T, E>
    where
        R: IntoPromise<T, E, Via>,
    {
        Promise::retry_if(policy, |_| true, f)
    }

    /// As [`retry`](Promise::retry), but only for reasons that `predicate` accepts: the first one that it does not
    /// accept is the result's.
    ///
    /// It is asked about every failure but the last one that the policy allows. Its panic ends the retrying as a panic
    /// of `f` does.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{self, ErrorKind};
    /// use thenable::{Promise, Retry};
    ///
    /// let try_later = |why: &io::Error| why.kind() == ErrorKind::WouldBlock;
    /// let read = Promise::<String, _>::retry_if(Retry::times(10), try_later, |attempt| match attempt {
    ///     1 | 2 => Err(io::Error::from(ErrorKind::WouldBlock)),
    ///     _ => Err(io::Error::from(ErrorKind::NotFound)),
    /// });
    /// assert_eq!(read.wait().unwrap_err().kind(), ErrorKind::NotFound);
    /// ```
    #[track_caller]
    pub fn retry_if<R, Via>(
        policy: Retry,
        predicate: impl FnMut(&E) -> bool + Send + 'static,
        f: impl FnMut(u32) -> R + Send + 'static,
    ) -> Promise<T, E>
    where
        R: IntoPromise<T, E, Via>,
    {
        let site = Location::caller();
        if policy.attempts == 0 {
            return Promise::rejected(Fault::InvalidConfig { what: "a retry of zero attempts".into() }.into());
        }
        let signal = policy.signal.clone();
        let attempts = Box::new(Attempts { policy, predicate, f, made: 0, site });
        let promise = Promise::<(), E>::fulfilled(()).handle_at(site, move |_| attempts.attempt());
        match signal {
            Some(signal) => promise.abort_on(&signal),
            None => promise,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEC: Duration = Duration::from_secs(1);

    #[test]
    fn exponential_doubles_up_to_the_limit() {
        let policy = Retry::times(9).exponential(SEC).max_delay(5 * SEC);
        let pauses: Vec<_> = (1..=5).map(|failures| policy.pause_after(failures)).collect();
        assert_eq!(pauses, [SEC, 2 * SEC, 4 * SEC, 5 * SEC, 5 * SEC]);
    }

    #[test]
    fn doubling_saturates_and_keeps_small_pauses_exact() {
        assert_eq!(doubled(Duration::from_nanos(1), 40), Duration::from_nanos(1 << 40));
        assert_eq!(doubled(Duration::from_nanos(3), 63), Duration::new(27_670_116_110, 564_327_424));
        assert_eq!(doubled(SEC, 200), Duration::MAX);
        assert_eq!(doubled(Duration::MAX, 1), Duration::MAX);
        assert_eq!(doubled(Duration::ZERO, u32::MAX), Duration::ZERO);
    }

    #[test]
    fn no_pause_unless_asked_for_and_the_last_setting_wins() {
        assert_eq!(Retry::times(3).pause_after(2), Duration::ZERO);
        assert_eq!(Retry::times(3).exponential(SEC).delay(3 * SEC).pause_after(7), 3 * SEC);
    }

    #[test]
    fn jitter_takes_a_part_and_never_more_than_the_pause() {
        let with = |factor: f64| Retry::times(2).delay(8 * SEC).jitter_with(move || factor).pause_after(1);
        assert_eq!(with(0.25), 2 * SEC);
        assert_eq!(with(0.0), Duration::ZERO);
        assert_eq!(with(7.0), 8 * SEC);
        assert_eq!(with(-1.0), Duration::ZERO);
        assert_eq!(with(f64::NAN), Duration::ZERO);
    }

    #[test]
    fn the_random_numbers_lie_between_zero_and_one_and_differ() {
        let numbers: Vec<_> = (0..100).map(|_| random()).collect();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        assert!(numbers.iter().any(|number| *number < 0.5) && numbers.iter().any(|number| *number >= 0.5));
    }
}
