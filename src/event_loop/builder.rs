//! Making a loop.

use super::EventLoop;
use super::shared::{LoopShared, Settings};
use super::watchdog::Blocked;
use std::fmt;
use std::time::Duration;

/// The settings of a new [`EventLoop`].
///
/// # Examples
///
/// ```
/// use thenable::EventLoop;
/// let event_loop = EventLoop::builder().name("tests").virtual_clock().strict().build();
/// ```
#[derive(Default)]
pub struct EventLoopBuilder {
    settings: Settings,
}

impl EventLoopBuilder {
    /// Time stands still until nothing is ready, and then jumps to the next timer: a program of a minute tests in
    /// milliseconds, and its whole transcript is the same every time.
    ///
    /// A `run` that can make no progress ends with [`Fault::Stalled`](crate::Fault::Stalled). Work on other threads is not
    /// seen by the clock: a loop that has nothing left waits 100 ms of real time for them before it gives up.
    pub fn virtual_clock(mut self) -> Self {
        self.settings.virtual_clock = true;
        self
    }

    /// A `run` in which a rejection went unhandled returns [`Fault::Unhandled`](crate::Fault::Unhandled) instead of its
    /// outcome.
    pub fn strict(mut self) -> Self {
        self.settings.strict = true;
        self
    }

    /// A name for reports.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = Some(name.into().into());
        self
    }

    /// Calls `f` when work arrives on an idle loop that nobody runs, so that it can be pumped from a GUI frame or from another
    /// loop: once per change from idle to not idle, until [`run_ready`](EventLoop::run_ready) or
    /// [`tick`](EventLoop::tick) has found nothing ready any more.
    ///
    /// # Threads
    ///
    /// Called on whatever thread gives the loop work, possibly inside a call of `then` or `resolve`, never inside
    /// `run_ready`. No lock is held.
    pub fn on_wake(mut self, f: impl Fn() + Send + Sync + 'static) -> Self {
        self.settings.on_wake = Some(Box::new(f));
        self
    }

    /// Calls `hook` while a handler, a task or a timer blocks the loop for longer than `threshold`: once per step that is
    /// too long, and while it still runs, so that a handler that never returns is named too.
    ///
    /// The time is real time, on a virtual clock too. The loop looks at no clock for it; a watched loop takes some more
    /// nanoseconds per job, any other loop takes none. A threshold of 100 ms is a good beginning. If no thread can be
    /// started, the loop goes unwatched.
    ///
    /// # Threads
    ///
    /// The hook runs on a thread of its own, which sleeps while the loop does. No lock is held, and its panic ends with it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    /// use thenable::{EventLoop, Promise};
    ///
    /// let (tell, told) = mpsc::channel();
    /// let watched = EventLoop::builder().name("main").watchdog(Duration::from_millis(20), move |blocked| {
    ///     let _ = tell.send(blocked.clone());
    /// });
    /// let event_loop = watched.build();
    /// let _entered = event_loop.enter();
    /// // This handler blocks until it has been noticed.
    /// let line = line!() + 1;
    /// let blocked = Promise::resolve(()).then(move |()| Ok(told.recv()?));
    /// let blocked = event_loop.run(blocked)?;
    /// assert_eq!(blocked.site.unwrap().line(), line);
    /// assert_eq!(blocked.event_loop.as_deref(), Some("main"));
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    pub fn watchdog(mut self, threshold: Duration, hook: impl Fn(&Blocked) + Send + Sync + 'static) -> Self {
        self.settings.watchdog = Some((threshold, Box::new(hook)));
        self
    }

    /// Makes the loop, which stays on this thread.
    pub fn build(self) -> EventLoop {
        EventLoop::from_shared(LoopShared::new(self.settings))
    }
}

impl fmt::Debug for EventLoopBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoopBuilder")
            .field("name", &self.settings.name)
            .field("virtual_clock", &self.settings.virtual_clock)
            .field("strict", &self.settings.strict)
            .field("on_wake", &self.settings.on_wake.is_some())
            .field("watchdog", &self.settings.watchdog.as_ref().map(|(threshold, _)| threshold))
            .finish()
    }
}
