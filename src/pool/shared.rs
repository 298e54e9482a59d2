//! What the handles and the workers of a pool share.
//!
//! Rules of the books, all under the one lock:
//!
//! 1. A worker is *busy* from the moment it takes a job to the moment that the job concludes, which is before the job's
//!    promise settles. All others are free, also those that have been started and have not looked at the queue yet.
//! 2. While jobs are queued there is a worker: a thread starts under the lock, and a worker leaves only an empty queue.
//! 3. A thread starts only if there are more jobs in the queue than free workers.
//! 4. There is room while fewer jobs are queued than `queue_limit` plus the workers that are free or could be started:
//!    so many jobs can be in the pool, whether or not the threads have picked theirs up yet.
//! 5. Somebody waits for a place only while there is no room. So nobody is overtaken.
//! 6. While jobs are queued and workers are parked, one of those is on its way (`waking`): whoever puts a job in tells one,
//!    and a worker that takes a job and leaves others tells the next. Whichever worker wakes up for whatever reason clears
//!    the flag, for it looks at the queue.
//!
//! Jobs, announcements and resolvers are moved out and used when the lock is released.

use super::queue::{Announce, Queue, Taken, Waiter};
use super::thread_pool::PoolStats;
use super::{Job, Rejected, lock, task, worker};
use crate::error::panic;
use crate::primitive::clock;
use crate::primitive::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use crate::{AbortController, CancelReason, Fault, Resolver};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Thirty years.
const FOR_EVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

pub(super) struct Settings {
    /// At least one.
    pub(super) max_workers: usize,
    pub(super) queue_limit: usize,
    pub(super) thread_name: String,
    pub(super) initializer: Option<Initializer>,
    /// How long a worker waits for a job before its thread ends.
    pub(super) idle_time: Duration,
    /// Starts a thread of this name that is a worker.
    pub(super) start: Start,
}

/// What a worker calls before its first job. It is dropped under protection.
#[derive(Clone)]
pub(super) struct Initializer(Option<Arc<dyn Fn() + Send + Sync>>);

impl Initializer {
    pub(super) fn new(f: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(f)))
    }
}

impl Drop for Initializer {
    fn drop(&mut self) {
        panic::drop_quietly(self.0.take());
    }
}

pub(super) type Start = fn(String, Arc<Shared>) -> io::Result<()>;

pub(super) struct Shared {
    settings: Settings,
    state: Mutex<State>,
    /// A job was queued, or the pool closed.
    work: Condvar,
    /// The last worker left a closed pool.
    ended: Condvar,
    /// Aborted when queued jobs are thrown away.
    cancelled: AbortController,
}

#[derive(Default)]
struct State {
    queue: Queue,
    workers: usize,
    busy: usize,
    /// Workers that wait for `work`.
    parked: usize,
    /// One of them has been told to look for work and has not looked yet. It tells the next one if there is more.
    waking: bool,
    /// Jobs under way. A worker that helps while it waits has several.
    running: usize,
    completed: u64,
    closed: bool,
    /// Threads so far, for their names.
    threads: u64,
    on_end: Vec<Resolver<()>>,
}

impl State {
    /// Whoever waits for the end, if this is it.
    fn ended(&mut self) -> Vec<Resolver<()>> {
        if self.is_over() { std::mem::take(&mut self.on_end) } else { Vec::new() }
    }

    fn is_over(&self) -> bool {
        self.closed
            && if cfg!(thenable_plant = "s39_over_before_the_last") { self.busy == 0 } else { self.workers == 0 }
    }
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            settings,
            state: Mutex::default(),
            work: Condvar::new(),
            ended: Condvar::new(),
            cancelled: AbortController::new(),
        })
    }

    pub(super) fn max_workers(&self) -> usize {
        self.settings.max_workers
    }

    pub(super) fn thread_name(&self, which: impl std::fmt::Display) -> String {
        format!("{}-{which}", self.settings.thread_name)
    }

    /// Aborts with the pool's jobs, or by itself.
    pub(super) fn token(&self) -> AbortController {
        self.cancelled.signal().child()
    }

    pub(super) fn stats(&self) -> PoolStats {
        let state = lock(&self.state);
        PoolStats {
            workers: state.workers,
            idle: state.workers - state.busy,
            running: state.running,
            queued: state.queue.len(),
            completed: state.completed,
        }
    }

    // ---- in

    /// Puts a job into the queue and gives its number. `wrap` makes the job once its place is certain; it runs under
    /// the lock.
    pub(super) fn enlist<L>(self: &Arc<Self>, load: L, wrap: impl FnOnce(L) -> Job) -> Result<u64, Rejected<L>> {
        let mut state = lock(&self.state);
        if let Err(fault) = self.make_place(&mut state) {
            return Err(Rejected { job: load, fault });
        }
        let id = state.queue.push(wrap(load));
        self.wake(state);
        worker::submitted(self, id);
        Ok(id)
    }

    /// As `enlist`, but a job that finds no room waits for it. The announcement is given back if it did find room.
    /// `None`: it was refused, and has been told.
    pub(super) fn enlist_or_wait(self: &Arc<Self>, waiter: Waiter) -> Option<(u64, Option<Announce>)> {
        let mut state = lock(&self.state);
        let (id, announce) = match self.make_place(&mut state) {
            Ok(()) => (state.queue.push(waiter.job), Some(waiter.announce)),
            Err(Fault::Full) if state.workers > 0 => (state.queue.push_waiter(waiter), None),
            Err(fault) => {
                drop(state);
                refuse(Taken::Waiter(waiter), &fault);
                return None;
            }
        };
        self.wake(state);
        worker::submitted(self, id);
        Some((id, announce))
    }

    /// Sees to it that there is room for one more job, and a worker to run it.
    fn make_place(self: &Arc<Self>, state: &mut State) -> Result<(), Fault> {
        if state.closed {
            return Err(Fault::PoolClosed);
        }
        if !self.has_room(state) {
            return Err(Fault::Full);
        }
        self.add_worker_for(state, state.queue.len() + 1);
        // Not a single thread could be started. What would wait here would wait for ever.
        if state.workers == 0 { Err(Fault::Full) } else { Ok(()) }
    }

    fn has_room(&self, state: &State) -> bool {
        state.queue.len() < self.settings.queue_limit.saturating_add(self.max_workers() - state.busy)
    }

    /// Starts a thread if these are more jobs than the free workers can take. The lock is held, so that a failure can
    /// still be told to whoever submits.
    fn add_worker_for(self: &Arc<Self>, state: &mut State, jobs: usize) {
        if jobs <= state.workers - state.busy || state.workers >= self.max_workers() {
            return;
        }
        let name = self.thread_name(state.threads);
        if (self.settings.start)(name, Arc::clone(self)).is_ok() {
            state.threads += 1;
            state.workers += 1;
        }
    }

    /// Has a parked worker look for work, if there is some and none is about to. (Outside the lock: it would wait for it.)
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let due = state.parked > 0 && !state.waking && !state.queue.is_empty();
        state.waking |= due;
        drop(state);
        if due {
            self.work.notify_one();
        }
    }

    // ---- out

    /// Readies a worker. False: it is off the books and must end, and the pool with it.
    pub(super) fn initialize(&self) -> bool {
        let Some(Initializer(Some(initializer))) = &self.settings.initializer else { return true };
        let Err(fault) = panic::catch(None, || initializer()) else { return true };
        let mut state = lock(&self.state);
        state.closed = true;
        state.workers -= 1;
        let discarded = state.queue.take_all();
        self.work.notify_all();
        self.tell_end(state);
        discarded.for_each(|taken| refuse(taken, &fault));
        false
    }

    /// The next job of a worker, which sleeps until there is one. `None`: the worker is off the books and must end.
    pub(super) fn next(&self) -> Option<Job> {
        let mut state = lock(&self.state);
        let mut deadline = None;
        loop {
            if let Some(job) = state.queue.pop() {
                state.busy += 1;
                state.running += 1;
                self.wake(state);
                return Some(job);
            }
            let now = clock::now();
            // A time that cannot be told counts as for ever.
            let idle_until = || now.checked_add(self.settings.idle_time).unwrap_or(now + FOR_EVER);
            let left = deadline.get_or_insert_with(idle_until).saturating_duration_since(now);
            if state.closed || left.is_zero() {
                break;
            }
            state.parked += 1;
            let (woken, _limit) = self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.parked -= 1;
            #[cfg(not(thenable_plant = "s33_stays_on_its_way"))]
            {
                state.waking = false;
            }
            #[cfg(thenable_plant = "s32_leaves_unlooked")]
            if _limit.timed_out() {
                break;
            }
        }
        state.workers -= 1;
        self.tell_end(state);
        None
    }

    /// A job for a worker that waits inside another one: this, if it is still queued, or else the oldest.
    pub(super) fn next_inside(self: &Arc<Self>, id: Option<u64>) -> Option<Job> {
        let mut state = lock(&self.state);
        let job = match id {
            Some(id) => state.queue.remove_job(id),
            None => state.queue.pop(),
        }?;
        state.running += 1;
        self.admit(state);
        Some(job)
    }

    pub(super) fn has_queued(&self) -> bool {
        !lock(&self.state).queue.is_empty()
    }

    /// A job is over. `outermost`: the worker is free again. `ran`: it was not skipped.
    pub(super) fn conclude(self: &Arc<Self>, outermost: bool, ran: bool) {
        let mut state = lock(&self.state);
        state.running -= 1;
        state.completed += u64::from(ran);
        if outermost {
            state.busy -= 1;
        }
        #[cfg(not(thenable_plant = "s35_room_unannounced"))]
        self.admit(state);
    }

    /// Takes back a job that has not started, because its promise was cancelled.
    pub(super) fn withdraw(self: &Arc<Self>, id: u64, reason: &CancelReason) {
        let mut state = lock(&self.state);
        let taken = state.queue.remove(id);
        self.admit(state);
        if let Some(taken) = taken {
            refuse(taken, &Fault::Cancelled { reason: reason.clone() });
        }
    }

    /// Gives the room that there is to those who wait for it.
    fn admit(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let mut admitted = Vec::new();
        while state.queue.has_waiters() && self.has_room(&state) {
            let wanted = state.queue.len() + 1;
            self.add_worker_for(&mut state, wanted);
            admitted.extend(state.queue.admit());
        }
        self.wake(state);
        for announce in admitted {
            tell(announce, Ok(()));
        }
    }

    // ---- the end

    /// Takes no more jobs. With `cancel`, throws away those that have not started and aborts the tokens of the others.
    pub(super) fn close(&self, cancel: bool, on_end: Option<Resolver<()>>) {
        let mut state = lock(&self.state);
        state.closed = true;
        state.on_end.extend(on_end);
        let discarded = cancel.then(|| state.queue.take_all());
        self.work.notify_all();
        self.tell_end(state);
        if let Some(discarded) = discarded {
            let reason = CancelReason::from("the pool was shut down");
            self.cancelled.abort(reason.clone());
            let fault = Fault::Cancelled { reason };
            discarded.for_each(|taken| refuse(taken, &fault));
        }
    }

    fn tell_end(&self, mut state: MutexGuard<'_, State>) {
        if state.is_over() {
            self.ended.notify_all();
        }
        let resolvers = state.ended();
        drop(state);
        for resolver in resolvers {
            // Refused where the deadline was first.
            let _ = panic::catch(None, || resolver.resolve(()));
        }
    }

    /// Waits for the end. False: that takes longer.
    pub(super) fn wait_for_end(&self, limit: Duration) -> bool {
        let state = lock(&self.state);
        let (state, _) = self
            .ended
            .wait_timeout_while(state, limit, |state| !state.is_over())
            .unwrap_or_else(PoisonError::into_inner);
        state.is_over()
    }
}

fn refuse(taken: Taken, fault: &Fault) {
    match taken {
        Taken::Job(job) => task::discard(job, fault.clone()),
        Taken::Waiter(Waiter { job, announce }) => {
            tell(announce, Err(fault.clone()));
            task::discard(job, fault.clone());
        }
    }
}

/// It settles a promise, and so may run a waker.
pub(super) fn tell(announce: Announce, outcome: Result<(), Fault>) {
    let _ = panic::catch(None, || announce(outcome));
}
