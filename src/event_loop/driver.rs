//! How a loop takes its turns.
//!
//! One turn: the job queue until it is empty (or the slice is used up), then what goes away unhandled is reported, then one
//! timer that is due or one task, in turn; and so on until nothing is ready. So a job never waits for a timer or a task, and
//! a flood of jobs keeps timers, tasks and I/O waiting for a slice at most. The budget never changes the order of jobs.

use super::shared::LoopShared;
use super::turn::Turn;
use crate::core;
use crate::error::{Fault, Pending, Unhandled, panic};
use crate::primitive::clock;
use crate::primitive::sync::atomic::{AtomicBool, Ordering};
use async_executor::Executor;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How long jobs may run before timers, tasks and I/O get a chance.
const SLICE: Duration = Duration::from_millis(2);
/// How many jobs may run at a stretch on a virtual clock.
const VIRTUAL_SLICE_JOBS: u32 = 1 << 20;
/// Jobs between two looks at the clock.
const JOBS_PER_LOOK: u32 = 128;
/// Tasks, timers and times without work between two looks at I/O.
const STEPS_PER_LOOK: u32 = 128;

/// One `run` of a loop.
pub(super) struct Driver<'a> {
    shared: &'a Arc<LoopShared>,
    executor: Arc<Executor<'static>>,
    /// Whose turn it is when a timer and a task are both ready.
    task_next: bool,
    /// When the future of this run is polled, if it has one.
    pub(super) turn: Option<Arc<Turn>>,
    /// The first rejection that was reported in this run.
    pub(super) unhandled: Option<Arc<Unhandled>>,
}

/// What the loop does when nothing is ready.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WhenIdle {
    /// Sleeps until something comes.
    Sleep,
    /// Ends if no timer and no task is left.
    End,
}

/// What a step did.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing was ready.
    Nothing,
    /// A timer or a task ran.
    Ran,
    /// It is the turn of the run's future.
    Main,
}

impl Drop for Driver<'_> {
    fn drop(&mut self) {
        if let Some(turn) = &self.turn {
            turn.end();
        }
        panic::drop_quietly(self.unhandled.take());
    }
}

impl<'a> Driver<'a> {
    /// None: the loop is closed.
    pub(super) fn new(shared: &'a Arc<LoopShared>) -> Option<Self> {
        Some(Self { shared, executor: shared.executor()?, task_next: false, turn: None, unhandled: None })
    }

    /// Runs jobs until there are none or the time is up. True: there were none left.
    pub(super) fn run_jobs(&mut self, until: Option<Instant>) -> bool {
        let queue = &self.shared.queue;
        match &self.shared.watch {
            None => self.run_jobs_by(until, || queue.run_next()),
            Some(watch) => self.run_jobs_by(until, || {
                let mut step = None;
                queue.run_next_watched(|site| step = Some(watch.step(site)))
            }),
        }
    }

    fn run_jobs_by(&self, until: Option<Instant>, mut run_next: impl FnMut() -> bool) -> bool {
        let virtually = self.shared.clock.is_virtual();
        let (mut until, mut jobs) = match until {
            // A frame's budget is short beside a slow job.
            Some(until) => (Some(until), 1),
            // Time stands still, and so no timer waits; a slice by the real clock would make the order depend on the machine.
            None if virtually => (None, VIRTUAL_SLICE_JOBS),
            // Most queues are short: look at the clock only where it matters.
            None => (None, JOBS_PER_LOOK),
        };
        let jobs_per_look = jobs;
        while run_next() {
            jobs -= 1;
            if jobs == 0 {
                jobs = jobs_per_look;
                match until {
                    None if virtually => return self.shared.queue.is_empty(),
                    None => until = Some(clock::now() + SLICE),
                    Some(until) if clock::now() >= until => return self.shared.queue.is_empty(),
                    Some(_) => {}
                }
            }
        }
        true
    }

    pub(super) fn report(&mut self) {
        if self.shared.may_have_unhandled() {
            let first = self.shared.report_unhandled();
            match self.unhandled {
                None => self.unhandled = first,
                Some(_) => panic::drop_quietly(first),
            }
        }
    }

    /// One timer, or one task, or the turn of the run's future, which takes part as a task does.
    pub(super) fn step(&mut self) -> Step {
        self.task_next = !self.task_next;
        let _step = self.shared.watch.as_ref().map(|watch| watch.step(None));
        if !self.task_next && self.fire_timer() {
            return Step::Ran;
        }
        let takes_turn = |turn: &Arc<Turn>| turn.take();
        if self.turn.as_ref().is_some_and(takes_turn) {
            return Step::Main;
        }
        if self.executor.try_tick() {
            // That may have been its stand-in.
            return if self.turn.as_ref().is_some_and(takes_turn) { Step::Main } else { Step::Ran };
        }
        if self.task_next && self.fire_timer() { Step::Ran } else { Step::Nothing }
    }

    fn fire_timer(&self) -> bool {
        if !self.shared.timers.may_be_waiting() {
            return false;
        }
        self.fire_timer_of(self.shared.clock.now())
    }

    /// Fires the next timer that is due at this time.
    fn fire_timer_of(&self, now: Instant) -> bool {
        let Some(callback) = self.shared.timers.pop_due(now) else { return false };
        // A panic has been printed; a timer has nobody to tell.
        let _ = panic::catch(None, callback);
        true
    }

    /// The jobs, and each timer and task that is ready now. True if there was anything.
    pub(super) fn turn(&mut self) -> bool {
        let mut ran = !self.shared.queue.is_empty();
        self.drain();
        let now = self.shared.clock.now();
        while self.fire_timer_of(now) {
            ran = true;
            self.drain();
        }
        // Tasks run first come first served: those before this one were ready when the turn began.
        let last = Arc::new(AtomicBool::new(false));
        let mark = last.clone();
        // ORDERING of both: Relaxed, the same thread.
        self.executor.spawn(async move { mark.store(true, Ordering::Relaxed) }).detach();
        while self.executor.try_tick() && !last.load(Ordering::Relaxed) {
            ran = true;
            self.drain();
        }
        ran
    }

    fn drain(&mut self) {
        while !self.run_jobs(None) {}
        self.report();
    }

    /// Takes turns until `poll_main`, which polls the run's future when its turn has come, says that this is done.
    ///
    /// # Errors
    ///
    /// `Stopped`, `Stalled` on a virtual clock, `Unhandled` on a strict loop.
    pub(super) async fn run(&mut self, when_idle: WhenIdle, mut poll_main: impl FnMut() -> bool) -> Result<(), Fault> {
        let mut steps = 0;
        loop {
            let drained = self.run_jobs(None);
            if drained {
                self.report();
                if let (true, Some(report)) = (self.shared.strict, &self.unhandled) {
                    return Err(Fault::Unhandled { report: report.clone() });
                }
            }
            if self.shared.take_stop() {
                return Err(Fault::Stopped);
            }
            let step = self.step();
            if step == Step::Main && poll_main() {
                return Ok(());
            }
            if drained && step == Step::Nothing {
                if let Some(end) = self.idle(when_idle).await {
                    return end;
                }
            }
            // Also after idling: whoever is fed without a pause does not sleep.
            steps += 1;
            if !drained || steps % STEPS_PER_LOOK == 0 {
                // I/O and other futures of this thread get their turn.
                yield_now().await;
            }
        }
    }

    /// Nothing is ready: jump, end or sleep. Some: the run ends.
    async fn idle(&mut self, when_idle: WhenIdle) -> Option<Result<(), Fault>> {
        let shared = self.shared;
        let deadline = shared.timers.next_deadline();
        if let (true, Some(deadline)) = (shared.clock.is_virtual(), deadline) {
            shared.clock.advance_to(deadline);
            return None;
        }
        if when_idle == WhenIdle::End && deadline.is_none() && self.executor.is_empty() {
            return Some(Ok(()));
        }
        let limit = match shared.clock.is_virtual() {
            true => clock::STALL_GRACE.map(|grace| clock::now() + grace),
            false => deadline,
        };
        self.sleep(limit).await;
        let stalled = shared.clock.is_virtual() && limit.is_some_and(|limit| clock::now() >= limit);
        let has_turn = self.turn.as_ref().is_some_and(|turn| turn.is_under_way());
        let none_left = stalled && shared.queue.is_empty() && shared.timers.is_empty() && !has_turn;
        if none_left && !self.executor.try_tick() {
            let pending = core::pending_on(shared.place());
            let pending = pending.into_iter().map(|(name, created_at)| Pending { name, created_at }).collect();
            return Some(Err(Fault::Stalled { pending }));
        }
        None
    }

    /// Sleeps until there is a job, a task that is ready, a timer that is due, a report or a stop.
    async fn sleep(&self, until: Option<Instant>) {
        let shared = self.shared;
        let executor = &self.executor;
        core::tidy();
        let mut task = pin!(executor.tick());
        let mut timer = pin!(until.map(clock::Timer::at));
        std::future::poll_fn(|context| {
            shared.signal.set_driver(Some(context.waker()));
            if let Some(watch) = &shared.watch {
                watch.resume();
            }
            let step = shared.watch.as_ref().map(|watch| watch.step(None));
            // The run's future is first, if I/O on this thread has woken it. Then a task runs if one is ready, and otherwise the next
            // one wakes us.
            let ready = self.turn.as_ref().is_some_and(|turn| turn.has_come())
                || task.as_mut().poll(context).is_ready()
                || timer.as_mut().as_pin_mut().is_some_and(|timer| timer.poll(context).is_ready())
                || self.has_news(until);
            if !ready && shared.queue.arm() {
                // Looked at again after arming: what came before it did not wake us.
                if !self.has_news(until) {
                    drop(step);
                    if let Some(watch) = &shared.watch {
                        watch.pause();
                    }
                    return Poll::Pending;
                }
                shared.queue.disarm();
            }
            Poll::Ready(())
        })
        .await;
        shared.queue.disarm();
    }

    /// What a `notify` may be about, beside jobs.
    fn has_news(&self, until: Option<Instant>) -> bool {
        let shared = self.shared;
        shared.is_stopping()
            || shared.has_unhandled()
            || match (shared.timers.next_deadline(), until) {
                // A timer that is due before the one that we wait for.
                (Some(next), Some(until)) => next < until && !shared.clock.is_virtual(),
                (Some(_), None) => true,
                (None, _) => false,
            }
    }

    /// A future that wakes the loop's pumper by the loop's own waker when there is a task, or at this time; to be polled once and
    /// kept until the next pump.
    pub(super) fn watch(&self, deadline: Option<Instant>) -> Pin<Box<dyn Future<Output = ()>>> {
        let executor = self.executor.clone();
        let deadline = deadline.filter(|_| !self.shared.clock.is_virtual());
        let mut timer = deadline.map(clock::Timer::at);
        Box::pin(async move {
            let mut task = pin!(executor.tick());
            std::future::poll_fn(|context: &mut Context<'_>| {
                let due = timer.as_mut().is_some_and(|timer| Pin::new(timer).poll(context).is_ready());
                match due || task.as_mut().poll(context).is_ready() {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })
            .await;
        })
    }

    /// Whether anything could run now.
    pub(super) fn has_work(&self) -> bool {
        let shared = self.shared;
        !shared.queue.is_empty()
            || shared.has_unhandled()
            || shared.timers.next_deadline().is_some_and(|next| next <= shared.clock.now())
    }
}

async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
