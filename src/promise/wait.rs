//! Waiting on a plain thread.

use super::Promise;
use crate::core::{self, Site};
use crate::error::Fault;
use crate::pool::{Helped, help_while};
use crate::primitive::clock;
use crate::primitive::thread::{self, Thread};
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    /// Blocks this thread until the promise is settled.
    ///
    /// # Errors
    ///
    /// The promise's reason. On the thread of an event loop, where waiting would stop the very loop that it waits for, a
    /// pending promise gives [`Fault::WouldDeadlock`](crate::Fault::WouldDeadlock) at once.
    ///
    /// # Threads
    ///
    /// On a worker of a [`ThreadPool`](crate::ThreadPool) the wait runs queued jobs of that pool meanwhile.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    /// assert_eq!(Promise::resolve(1).wait().unwrap(), 1);
    /// ```
    #[track_caller]
    pub fn wait(self) -> Result<T, E> {
        self.wait_until(None, Location::caller())
    }

    /// Blocks this thread until the promise is settled or the time is up.
    ///
    /// # Errors
    ///
    /// As [`wait`](Promise::wait), and [`Fault::TimedOut`](crate::Fault::TimedOut). A zero limit is a poll. The promise
    /// itself goes on: keep a clone to come back to it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use thenable::{Fault, Promise};
    ///
    /// let (promise, _resolver) = Promise::<()>::with_resolvers();
    /// let why = promise.wait_timeout(Duration::from_millis(1)).unwrap_err();
    /// assert!(matches!(why.fault(), Some(Fault::TimedOut { .. })));
    /// ```
    #[track_caller]
    pub fn wait_timeout(self, limit: Duration) -> Result<T, E> {
        self.wait_until(Some(limit), Location::caller())
    }

    fn wait_until(mut self, limit: Option<Duration>, site: Site) -> Result<T, E> {
        let started = clock::now();
        let elapsed = || clock::now().saturating_duration_since(started);
        let parker = Parker::waker();
        let mut context = Context::from_waker(&parker);
        loop {
            match self.handle.poll(&mut context) {
                Poll::Ready(Some(outcome)) => return outcome,
                Poll::Ready(None) => return Err(Fault::AlreadyTaken.into_reason(site)),
                Poll::Pending => {}
            }
            // A limit too far away to be told as a time is none.
            let left = limit.map(|limit| limit.saturating_sub(elapsed()));
            if let (Some(Duration::ZERO), Some(after)) = (left, limit) {
                return Err(Fault::TimedOut { after }.into_reason(site));
            }
            if core::current().is_some() {
                return Err(Fault::WouldDeadlock.into_reason(site));
            }
            let is_over =
                || self.handle.status() != core::Status::Pending || limit.is_some_and(|limit| elapsed() >= limit);
            let pause = match help_while(&is_over) {
                Helped::Settled => continue,
                Helped::TooDeep => return Err(Fault::WouldDeadlock.into_reason(site)),
                // Another worker may queue what this one could run.
                Helped::NothingToRun => Some(HELP_AGAIN_AFTER),
                Helped::NotAWorker => None,
            };
            match (pause, left) {
                (None, None) => thread::park(),
                (Some(pause), None) => thread::park_timeout(pause),
                (None, Some(left)) => thread::park_timeout(left),
                (Some(pause), Some(left)) => thread::park_timeout(pause.min(left)),
            }
        }
    }
}

/// How long a waiting worker sleeps before it looks for queued jobs again.
const HELP_AGAIN_AFTER: Duration = Duration::from_millis(2);

/// Wakes a parked thread.
struct Parker(Thread);

impl Parker {
    fn waker() -> Waker {
        Waker::from(Arc::new(Self(thread::current())))
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}
