//! Watching a loop from outside: a thread that notices while a step of the loop takes too long.
//!
//! The loop says what it does in two atomics (see [`CurrentStep`]); the watcher looks at them a few times per threshold,
//! and measures the time itself. While the loop sleeps, so does the watcher. A loop without a watchdog does none of this.

use super::shared::lock;
use crate::core::{CurrentStep, Site};
use crate::error::panic;
use crate::primitive::sync::{Condvar, Mutex, PoisonError};
use crate::primitive::{clock, thread};
use std::borrow::Cow;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A step of an event loop that takes too long: what the hook of
/// [`EventLoopBuilder::watchdog`](crate::EventLoopBuilder::watchdog) gets, while it is still going on.
///
/// It prints as a line for a log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Blocked {
    /// Where the handler that runs was registered (the `then`), or the task was spawned. Not known for timers, for
    /// `call_soon`, and for the future that was given to `run`.
    pub site: Option<&'static Location<'static>>,
    /// For how long, at least.
    pub since: Duration,
    /// The name of the loop, if it has one.
    pub event_loop: Option<Cow<'static, str>>,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event loop ")?;
        if let Some(name) = &self.event_loop {
            write!(f, "`{name}` ")?;
        }
        write!(f, "has been blocked for {:?} by ", self.since)?;
        match self.site {
            Some(site) => write!(f, "the handler or task from {site}"),
            None => f.write_str("a timer, a `call_soon` or the future of `run`"),
        }
    }
}

pub(super) type Hook = Box<dyn Fn(&Blocked) + Send + Sync>;

/// What the loop and its watcher share.
pub(crate) struct Watch {
    step: CurrentStep,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    activity: Activity,
    /// The watcher waits for the loop to wake up.
    watcher_sleeps: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Activity {
    /// The loop sleeps, or nobody runs it.
    Idle,
    Running,
    /// The loop is gone.
    Closed,
}

impl Watch {
    /// Starts a watcher. None: the system has no thread for it.
    pub(super) fn start(threshold: Duration, hook: Hook, name: Option<Cow<'static, str>>) -> Option<Arc<Watch>> {
        let watch = Arc::new(Watch {
            step: CurrentStep::default(),
            state: Mutex::new(State { activity: Activity::Idle, watcher_sleeps: false }),
            changed: Condvar::new(),
        });
        let watched = Arc::clone(&watch);
        let watcher = Watcher { watch, threshold, hook, name };
        thread::Builder::new().name("thenable-watchdog".into()).spawn(move || watcher.run()).ok()?;
        Some(watched)
    }

    /// A step begins, and ends when the guard goes.
    pub(super) fn step(&self, site: Option<Site>) -> Step<'_> {
        self.step.begin(site);
        Step(self)
    }

    /// The step that runs is this task's.
    pub(super) fn is_at(&self, site: Site) {
        self.step.set_site(Some(site));
    }

    pub(super) fn resume(&self) {
        self.set(Activity::Running);
    }

    pub(super) fn pause(&self) {
        self.set(Activity::Idle);
    }

    pub(super) fn close(&self) {
        self.set(Activity::Closed);
    }

    fn set(&self, now: Activity) {
        let wake = {
            let mut state = lock(&self.state);
            state.activity = now;
            match now {
                Activity::Running => std::mem::take(&mut state.watcher_sleeps),
                Activity::Closed => cfg!(not(thenable_plant = "s24_end_unannounced")),
                // The watcher finds out by itself.
                Activity::Idle => false,
            }
        };
        if wake {
            self.changed.notify_one();
        }
    }
}

/// A step that runs.
pub(super) struct Step<'a>(&'a Watch);

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.0.step.end();
    }
}

struct Watcher {
    watch: Arc<Watch>,
    threshold: Duration,
    hook: Hook,
    name: Option<Cow<'static, str>>,
}

impl Watcher {
    fn run(self) {
        let pause = (self.threshold / 4).max(Duration::from_millis(1));
        let mut seen: Option<Seen> = None;
        while self.wait(pause) {
            let Some((number, site)) = self.watch.step.read() else {
                seen = None;
                continue;
            };
            let step = seen.get_or_insert_with(|| Seen::now(number));
            if step.number != number {
                *step = Seen::now(number);
            }
            let since = clock::now().saturating_duration_since(step.first);
            if since >= self.threshold && !step.told {
                step.told = true;
                let blocked = Blocked { site, since, event_loop: self.name.clone() };
                // A panic of the hook has been printed.
                let _ = panic::catch(None, || (self.hook)(&blocked));
            }
        }
        panic::drop_quietly(self.hook);
    }

    /// Waits while the loop is idle, or else for the next look. False: the loop is gone.
    fn wait(&self, pause: Duration) -> bool {
        let (state, changed) = (lock(&self.watch.state), &self.watch.changed);
        let idle = |state: &mut State| {
            state.watcher_sleeps = state.activity == Activity::Idle;
            state.watcher_sleeps
        };
        let running = |state: &mut State| state.activity == Activity::Running;
        let state = changed.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        let (state, _) = changed.wait_timeout_while(state, pause, running).unwrap_or_else(PoisonError::into_inner);
        state.activity != Activity::Closed
    }
}

/// A step that the watcher has seen.
struct Seen {
    number: usize,
    first: Instant,
    told: bool,
}

impl Seen {
    fn now(number: usize) -> Seen {
        Seen { number, first: clock::now(), told: false }
    }
}
