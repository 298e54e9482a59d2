//! The event loop: one queue of jobs, tasks on async-executor, timers, and I/O by async-io underneath.

mod builder;
mod current;
mod driver;
mod handle;
mod shared;
mod task;
mod timers;
mod turn;
mod watchdog;

pub use builder::EventLoopBuilder;
pub use handle::{CallHandle, LoopHandle, TimerHandle};
pub use watchdog::Blocked;

pub(crate) use current::{global_place, report};

use crate::Promise;
use crate::core::Site;
use crate::error::Fault;
use crate::primitive::clock;
use crate::primitive::sync::atomic::{AtomicBool, Ordering};
use current::{Current, Here};
use driver::{Driver, Step, WhenIdle};
use shared::LoopShared;
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};
use turn::Turn;

/// What tells the pumper of a loop that a task or a timer is ready.
type Watching = Pin<Box<dyn Future<Output = ()>>>;

/// Spawns on the current loop, or else on the global one.
pub(crate) fn spawn<T, E>(future: impl Future<Output = Result<T, E>> + Send + 'static, site: Site) -> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    match current::here() {
        Some(here) => task::spawn_on(Some(&here.executor), future, site, &here.shared),
        None => current::global_handle().spawn_at(future, site),
    }
}

/// An event loop. It stays on the thread that made it.
///
/// Every method takes `&self`, so that a handler or a task that borrows it can ask it; a `run` inside a `run` of the same
/// loop is an error.
///
/// Dropping or closing it rejects what it still owns with [`Fault::LoopClosed`](crate::Fault::LoopClosed).
///
/// # Ordering
///
/// Jobs (handlers and `call_soon`) run first come first served, all of them before the next timer or task. Timers fire by
/// deadline, equal ones in the order in which they were set. Tasks run first come first served.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use thenable::{EventLoop, Promise, delay};
///
/// let event_loop = EventLoop::new();
/// let n: i32 = event_loop.run(async {
///     delay(Duration::from_millis(1)).await?;
///     Promise::resolve(1).map(|n| n + 1).await
/// })?;
/// assert_eq!(n, 2);
/// # Ok::<(), thenable::Rejection>(())
/// ```
pub struct EventLoop {
    shared: Arc<LoopShared>,
    /// None while it is dropped.
    here: Option<Rc<Here>>,
    /// While the loop is pumped by hand: what wakes the pumper when a task or a timer is ready.
    watch: RefCell<Option<Watching>>,
    on_its_thread: PhantomData<*const ()>,
}

impl Default for EventLoop {
    fn default() -> Self {
        Self::builder().build()
    }
}

impl EventLoop {
    /// A loop on the real clock.
    pub fn new() -> Self {
        Self::default()
    }

    /// Settings for a new loop.
    pub fn builder() -> EventLoopBuilder {
        EventLoopBuilder::default()
    }

    fn from_shared(shared: Arc<LoopShared>) -> Self {
        Self { here: Here::new(shared.clone()), shared, watch: RefCell::new(None), on_its_thread: PhantomData }
    }

    fn shared(&self) -> &Arc<LoopShared> {
        &self.shared
    }

    /// Runs until `promise_or_future` is done, and returns its outcome.
    ///
    /// The future may borrow and need not be `Send`. It takes its turns among the loop's tasks.
    ///
    /// # Errors
    ///
    /// The future's error; or, as that type: [`Fault::AlreadyRunning`](crate::Fault::AlreadyRunning) inside of a run of this
    /// loop, [`Fault::Stopped`](crate::Fault::Stopped) after [`LoopHandle::stop`],
    /// [`Fault::Stalled`](crate::Fault::Stalled) on a virtual clock when nothing can make progress, and
    /// [`Fault::Unhandled`](crate::Fault::Unhandled) on a strict loop.
    ///
    /// # Panics
    ///
    /// If the future itself panics; the loop can be run again. So it can where the system has no descriptors or no thread left
    /// for async-io's reactor, which begins with the first `run` and the first timer of a process, and panics without them.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::{EventLoop, Promise};
    /// assert_eq!(EventLoop::new().run(Promise::resolve(1)).unwrap(), 1);
    /// ```
    pub fn run<T, E, F>(&self, promise_or_future: F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
        E: From<Fault>,
    {
        let (outcome, unhandled) = self.run_main(promise_or_future).map_err(E::from)?;
        match unhandled {
            Some(report) if self.shared.strict => Err(Fault::Unhandled { report }.into()),
            _ => outcome,
        }
    }

    /// Runs until no job, no timer and no task is left.
    ///
    /// # Errors
    ///
    /// As [`run`](EventLoop::run).
    ///
    /// # Panics
    ///
    /// As [`run`](EventLoop::run) where the system has no descriptors or no thread left.
    pub fn run_until_idle(&self) -> Result<(), Fault> {
        self.run_driver(WhenIdle::End)
    }

    /// Runs until [`LoopHandle::stop`] is called.
    ///
    /// # Errors
    ///
    /// As [`run`](EventLoop::run), except for `Stopped`.
    ///
    /// # Panics
    ///
    /// As [`run`](EventLoop::run) where the system has no descriptors or no thread left.
    pub fn run_forever(&self) -> Result<(), Fault> {
        self.run_driver(WhenIdle::Sleep)
    }

    fn run_driver(&self, when_idle: WhenIdle) -> Result<(), Fault> {
        let _running = Running::begin(self, false)?;
        let mut driver = Driver::new(&self.shared).ok_or(Fault::LoopClosed)?;
        let end = clock::block_on(driver.run(when_idle, || false));
        if let Err(fault @ (Fault::Unhandled { .. } | Fault::Stalled { .. })) = end {
            return Err(fault);
        }
        driver.report();
        match driver.unhandled.take() {
            Some(report) if self.shared.strict => Err(Fault::Unhandled { report }),
            _ => Ok(()),
        }
    }

    /// Runs the loop around one future of any output, with the first rejection that was reported meanwhile.
    fn run_main<F: Future>(&self, future: F) -> Result<(F::Output, Option<Arc<crate::Unhandled>>), Fault> {
        let _running = Running::begin(self, false)?;
        let mut driver = Driver::new(&self.shared).ok_or(Fault::LoopClosed)?;
        let turn = driver.turn.insert(Turn::new(&self.shared)).clone();
        let waker = Waker::from(turn);
        let mut future = pin!(future);
        let mut output = None;
        let end = clock::block_on(driver.run(WhenIdle::Sleep, || {
            let _step = self.shared.watch.as_ref().map(|watch| watch.step(None));
            if let Poll::Ready(ready) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                output = Some(ready);
            }
            output.is_some()
        }));
        let Some(output) = output else {
            return Err(end.err().unwrap_or(Fault::Stopped));
        };
        // What the outcome left in the queue still belongs to this run, and so do its reports.
        driver.run_jobs(None);
        driver.report();
        Ok((output, driver.unhandled.take()))
    }

    /// Runs what is ready, for at most about `budget`; never blocks. True while something is still ready: call again.
    ///
    /// For a GUI frame. Use [`enter`](EventLoop::enter) on that thread, so that handlers registered there run here, and
    /// [`on_wake`](EventLoopBuilder::on_wake) to learn when there is something to pump.
    ///
    /// Inside of a run of this loop it does nothing.
    ///
    /// # Panics
    ///
    /// As [`run`](EventLoop::run) with a timer waiting and where the system has no descriptors or no thread left.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use thenable::{EventLoop, Promise};
    ///
    /// let event_loop = EventLoop::builder().on_wake(|| { /* request a repaint */ }).build();
    /// let _entered = event_loop.enter();
    /// let n = Promise::resolve(1).map(|n| n + 1);
    /// while event_loop.run_ready(Duration::from_millis(4)) {}
    /// assert_eq!(n.peek().unwrap().unwrap(), &2);
    /// ```
    pub fn run_ready(&self, budget: Duration) -> bool {
        let until = clock::now().checked_add(budget);
        self.pump(|driver| {
            loop {
                let drained = driver.run_jobs(Some(until.unwrap_or_else(far_away)));
                if drained {
                    driver.report();
                }
                let stepped = driver.step() != Step::Nothing;
                if until.is_some_and(|until| clock::now() >= until) {
                    return stepped || !drained || driver.has_work();
                }
                if !stepped && drained {
                    return false;
                }
            }
        })
    }

    /// One turn: the job queue, the timers that are due, and the tasks that are ready now, each followed by the jobs that it
    /// queued. Never blocks. True if it ran anything.
    ///
    /// Inside of a run of this loop it does nothing.
    ///
    /// # Panics
    ///
    /// As [`run_ready`](EventLoop::run_ready).
    pub fn tick(&self) -> bool {
        let mut ran = false;
        self.pump(|driver| {
            ran = driver.turn();
            driver.has_work()
        });
        ran
    }

    /// Runs `turns` in a loop that is pumped by hand; it says whether something is still ready.
    fn pump(&self, turns: impl FnOnce(&mut Driver<'_>) -> bool) -> bool {
        let Ok(_running) = Running::begin(self, true) else { return false };
        let Some(mut driver) = Driver::new(&self.shared) else { return false };
        if turns(&mut driver) {
            return true;
        }
        crate::core::tidy();
        // Nothing is ready: from now on the first new thing wakes the pumper, once.
        let deadline = self.shared.timers.next_deadline();
        let mut watch = driver.watch(deadline);
        let news = Arc::new(News { shared: self.shared.clone(), came: AtomicBool::new(false) });
        if watch.as_mut().poll(&mut Context::from_waker(&Waker::from(news.clone()))).is_ready() {
            return true;
        }
        if !self.shared.queue.arm() && cfg!(not(thenable_plant = "s28_armed_unlooked")) {
            return true;
        }
        // Looked at again after arming: what came before it did not wake anybody.
        let has_timer =
            self.shared.timers.next_deadline() != deadline && cfg!(not(thenable_plant = "s53_timer_unlooked"));
        if cfg!(not(thenable_plant = "s28_armed_unlooked")) && (news.has_come() || has_timer || driver.has_work()) {
            self.shared.queue.disarm();
            return true;
        }
        *self.watch.borrow_mut() = Some(watch);
        false
    }

    /// Makes this the current loop of its thread without running it: handlers registered meanwhile run here.
    pub fn enter(&self) -> EnterGuard<'_> {
        EnterGuard { _current: Current::new(self.here()), _loop: PhantomData }
    }

    fn here(&self) -> &Rc<Here> {
        self.here.as_ref().expect("nobody enters a loop that is being dropped")
    }

    /// A handle for other threads.
    pub fn handle(&self) -> LoopHandle {
        LoopHandle::new(self.shared.clone())
    }

    /// Rejects what the loop still owns with [`Fault::LoopClosed`](crate::Fault::LoopClosed). Dropping it does the same.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for EventLoop {
    fn drop(&mut self) {
        drop(self.watch.get_mut().take());
        current::forget(&self.shared);
        drop(self.here.take());
        self.shared.close();
    }
}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoop").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

fn far_away() -> Instant {
    clock::now() + Duration::from_secs(3600)
}

/// Wakes the pumper of a loop when a task or a timer is ready.
struct News {
    shared: Arc<LoopShared>,
    came: AtomicBool,
}

impl News {
    fn has_come(&self) -> bool {
        // ORDERING: Relaxed: ordered by `armed`, which both sides change by a read-modify-write in between.
        self.came.load(Ordering::Relaxed)
    }
}

impl Wake for News {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // ORDERING: Relaxed, see `has_come`.
        self.came.store(true, Ordering::Relaxed);
        if !task::puts_off_news() {
            self.shared.queue.notify();
        }
    }
}

/// A loop that runs: current on its thread, awake, and not run again inside.
struct Running<'a> {
    shared: &'a LoopShared,
    /// The pump says itself when the loop is idle.
    is_pump: bool,
    _current: Current,
}

impl<'a> Running<'a> {
    fn begin(event_loop: &'a EventLoop, is_pump: bool) -> Result<Self, Fault> {
        let shared = &*event_loop.shared;
        // ORDERING: Relaxed, only the loop's own thread looks.
        if shared.running.swap(true, Ordering::Relaxed) {
            return Err(Fault::AlreadyRunning);
        }
        shared.queue.disarm();
        if let Some(watchdog) = &shared.watch {
            watchdog.resume();
        }
        let watched = event_loop.watch.borrow_mut().take();
        drop(watched);
        Ok(Self { shared, is_pump, _current: Current::new(event_loop.here()) })
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.shared.signal.set_driver(None);
        if let Some(watchdog) = &self.shared.watch {
            watchdog.pause();
        }
        if !self.is_pump && !self.shared.queue.arm() {
            // Jobs are left over: whoever pumps this loop by hand has something to do.
            self.shared.signal.raise();
        }
        // ORDERING: Relaxed, see `begin`.
        self.shared.running.store(false, Ordering::Relaxed);
    }
}

/// The loop is current on its thread while this lives.
#[must_use = "the loop is current only while the guard lives"]
pub struct EnterGuard<'a> {
    _current: Current,
    _loop: PhantomData<(&'a EventLoop, *const ())>,
}

impl Drop for EnterGuard<'_> {
    fn drop(&mut self) {}
}

impl fmt::Debug for EnterGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnterGuard")
    }
}

/// Runs any future on a fresh loop on this thread.
///
/// # Panics
///
/// If the future panics; and as [`EventLoop::run`] where the system has no descriptors or no thread left.
///
/// # Examples
///
/// ```
/// use thenable::Promise;
/// let n = thenable::block_on(async { Promise::resolve(1).await.unwrap() + 1 });
/// assert_eq!(n, 2);
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    let event_loop = EventLoop::new();
    let mut future = pin!(future);
    loop {
        // On a real clock a fresh loop ends early only if somebody stops it.
        if let Ok((output, _)) = event_loop.run_main(future.as_mut()) {
            return output;
        }
    }
}
