//! What the handles and the seats of a pool share. A seat is a task of the event loop with at most one process.
//!
//! Rules of the books, all under the one lock:
//!
//! 1. A seat is *busy* from the moment it takes a job to the moment that the job concludes, which is before the job's
//!    promise settles. All others are free.
//! 2. The queue is in the order of submission. A job whose worker died before the job arrived goes back to its old place.
//! 3. While jobs are queued there is a seat, and it looks at the queue before it sleeps.
//! 4. There is room while fewer jobs are queued than `queue_limit` plus the seats that are free or could be taken.
//!
//! Calls, wakers and resolvers are moved out and used when the lock is released.

use super::books::{Books, NotStarted, State};
use super::frame::Setup;
use super::seat::{self, Job, Seat};
use crate::error::panic;
use crate::named::Call;
use crate::pool::unwanted;
use crate::{CancelReason, Fault, LoopHandle, PoolStats, Rejected, Resolver};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

pub(super) struct Settings {
    /// At least one.
    pub(super) max_workers: usize,
    pub(super) queue_limit: usize,
    pub(super) queued_bytes: usize,
    pub(super) setup: Setup,
    pub(super) max_jobs: u64,
    pub(super) start_timeout: Duration,
    pub(super) event_loop: LoopHandle,
}

pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) command: Mutex<Command>,
    state: Mutex<State>,
}

/// What a seat is to do next.
pub(super) enum Work {
    Job,
    End,
}

/// Why a seat must let go of what it does.
pub(super) enum Stop {
    Cancelled,
    Killed(CancelReason),
}

/// How a job ended.
pub(super) enum End {
    /// With an answer.
    Answered,
    /// With the death of its worker.
    Died,
    /// Because it was stopped from here.
    Stopped,
    /// It did not begin, and is put back.
    NotBegun(Job),
}

pub(super) enum Closing {
    Drain,
    Cancel(CancelReason),
    Kill(CancelReason),
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(settings: Settings, command: Command) -> Arc<Self> {
        Arc::new(Self { settings, command: Mutex::new(command), state: Mutex::default() })
    }

    pub(super) fn stats(&self) -> PoolStats {
        let state = lock(&self.state);
        let busy = state.seats.values().filter(|seat| seat.busy.is_some()).count();
        let workers = state.seats.values().filter(|seat| seat.process.is_some()).count();
        PoolStats {
            workers,
            idle: state.seats.values().filter(|seat| seat.process.is_some() && seat.busy.is_none()).count(),
            running: busy,
            queued: state.queue.len(),
            completed: state.completed,
        }
    }

    pub(super) fn processes(&self) -> Vec<u32> {
        lock(&self.state).seats.values().filter_map(|seat| seat.process).collect()
    }

    // ---- in

    pub(super) fn enlist(self: &Arc<Self>, call: Call, timeout: Option<Duration>) -> Result<(), Rejected<Call>> {
        let bytes = call.arguments().len();
        let id = {
            let mut state = lock(&self.state);
            state.jobs += 1;
            state.jobs
        };
        let shared = Arc::downgrade(self);
        call.on_cancel(move |_| {
            if let Some(shared) = shared.upgrade() {
                shared.withdraw(id);
            }
        });
        let mut state = lock(&self.state);
        if let Err(fault) = self.check(&state, bytes) {
            drop(state);
            return Err(Rejected { job: call, fault });
        }
        state.insert(Job::new(id, call, timeout));
        self.call_seat(state);
        Ok(())
    }

    fn check(&self, state: &State, bytes: usize) -> Result<(), Fault> {
        if state.closed {
            return Err(Fault::PoolClosed);
        }
        if state.orphaned {
            return Err(Fault::LoopClosed);
        }
        if let Some(fault) = state.hopeless() {
            if state.not_before().is_some_and(|time| Instant::now() < time) {
                return Err(fault);
            }
        }
        let busy = state.seats.values().filter(|seat| seat.busy.is_some()).count();
        let free = self.settings.max_workers.saturating_sub(busy);
        if state.queue.len() >= self.settings.queue_limit.saturating_add(free) {
            return Err(Fault::Full);
        }
        // A job that has the queue for itself has room, whatever its size.
        let limit = self.settings.queued_bytes;
        let fits = state.queue.is_empty() || state.bytes.saturating_add(bytes) <= limit;
        if fits { Ok(()) } else { Err(Fault::TooManyBytes { limit }) }
    }

    /// Sees to it that somebody looks at the queue: a seat that sleeps, with a process if there is one, or a new one.
    fn call_seat(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let sleeping = state.seats.values_mut().filter(|seat| seat.sleeps && seat.waker.is_some());
        if let Some(seat) = sleeping.max_by_key(|seat| seat.process.is_some()) {
            let waker = seat.waker.take();
            drop(state);
            wake(waker);
            return;
        }
        let free = state.seats.values().filter(|seat| seat.busy.is_none()).count();
        if state.queue.len() > free && state.seats.len() < self.settings.max_workers {
            state.seats_so_far += 1;
            let id = state.seats_so_far;
            state.seats.insert(id, Books::default());
            drop(state);
            // A loop that is closed drops the seat, which then tells its jobs.
            self.settings.event_loop.spawn(seat::run(Seat::new(Arc::clone(self), id))).mark_handled();
        }
    }

    /// The promise of this job was cancelled.
    fn withdraw(&self, id: u64) {
        let mut state = lock(&self.state);
        let queued = state.queue.remove(&id);
        state.bytes -= queued.as_ref().map_or(0, Job::bytes);
        let mut waker = None;
        if let Some(seat) = state.seats.values_mut().find(|seat| seat.busy == Some(id)) {
            seat.cancelled = true;
            waker = seat.waker.take();
        }
        drop(state);
        wake(waker);
        if let Some(job) = queued {
            job.forget();
        }
    }

    // ---- what seats ask

    pub(super) fn poll_work(&self, seat: u64, context: &mut Context<'_>) -> Poll<Work> {
        let waker = context.waker().clone();
        let mut state = lock(&self.state);
        if state.kill.is_some() || (state.closed && state.queue.is_empty()) {
            return Poll::Ready(Work::End);
        }
        let waits = state.queue.is_empty();
        let books = state.seat(seat);
        books.sleeps = waits;
        if !waits {
            return Poll::Ready(Work::Job);
        }
        let before = books.waker.replace(waker);
        drop(state);
        drop(before);
        Poll::Pending
    }

    pub(super) fn poll_stop(&self, seat: u64, context: &mut Context<'_>) -> Poll<Stop> {
        let waker = context.waker().clone();
        let mut state = lock(&self.state);
        if let Some(reason) = &state.kill {
            return Poll::Ready(Stop::Killed(reason.clone()));
        }
        let books = state.seat(seat);
        if books.busy.is_some() && books.cancelled {
            return Poll::Ready(Stop::Cancelled);
        }
        books.sleeps = false;
        let before = books.waker.replace(waker);
        drop(state);
        drop(before);
        Poll::Pending
    }

    /// The oldest job that is still wanted.
    pub(super) fn take(&self, seat: u64) -> Option<Job> {
        loop {
            let mut state = lock(&self.state);
            let Some((id, job)) = state.queue.pop_first() else {
                state.seat(seat).busy = None;
                return None;
            };
            state.bytes -= job.bytes();
            let books = state.seat(seat);
            books.busy = Some(id);
            books.cancelled = false;
            books.sleeps = false;
            drop(state);
            if job.is_wanted() {
                return Some(job);
            }
            lock(&self.state).seat(seat).busy = None;
            job.reject(unwanted());
        }
    }

    /// A job is over, and `alive` says whether its worker goes on.
    pub(super) fn conclude(&self, seat: u64, end: End, alive: bool) {
        let mut state = lock(&self.state);
        let books = state.seat(seat);
        books.busy = None;
        if !alive {
            books.process = None;
        }
        state.completed += u64::from(!matches!(end, End::NotBegun(_)));
        match end {
            End::Answered => state.answered(),
            End::Died => state.died(),
            End::Stopped => {}
            End::NotBegun(job) => {
                state.died();
                match state.kill.clone() {
                    Some(reason) => {
                        drop(state);
                        job.reject(Fault::Cancelled { reason });
                    }
                    None => state.insert(job),
                }
            }
        }
    }

    /// A worker died that had no job.
    pub(super) fn lost(&self, seat: u64) {
        let mut state = lock(&self.state);
        state.seat(seat).process = None;
        state.died();
    }

    /// A worker ended as it should.
    pub(super) fn retired(&self, seat: u64) {
        lock(&self.state).seat(seat).process = None;
    }

    /// When the next process may start.
    pub(super) fn not_before(&self) -> Option<Instant> {
        lock(&self.state).not_before()
    }

    pub(super) fn has_queued(&self) -> bool {
        !lock(&self.state).queue.is_empty()
    }

    pub(super) fn started(&self, seat: u64, process: u32) {
        let mut state = lock(&self.state);
        state.seat(seat).process = Some(process);
        state.started();
    }

    /// There is no process. Where there is none at all, and has not been for some tries, nobody can wait for one.
    pub(super) fn not_started(&self, seat: u64, why: NotStarted) {
        let mut state = lock(&self.state);
        state.seat(seat).process = None;
        state.not_started(why);
        let Some(fault) = state.hopeless() else { return };
        let refused = state.take_queue();
        drop(state);
        reject(Some(refused), &fault);
    }

    // ---- the end

    /// Takes no more jobs.
    pub(super) fn close(&self, how: Closing, on_end: Option<Resolver<()>>) {
        let mut state = lock(&self.state);
        state.closed = true;
        state.on_end.extend(on_end);
        let all = matches!(how, Closing::Kill(_));
        let reason = match how {
            Closing::Drain => None,
            Closing::Cancel(reason) => Some(reason),
            Closing::Kill(reason) => Some(state.kill.get_or_insert(reason).clone()),
        };
        let refused = reason.is_some().then(|| state.take_queue());
        let concerned = state.seats.values_mut().filter(|seat| all || seat.sleeps);
        let wakers: Vec<_> = concerned.filter_map(|seat| seat.waker.take()).collect();
        let ended = state.ended();
        drop(state);
        wakers.into_iter().for_each(|waker| wake(Some(waker)));
        if let Some(reason) = reason {
            reject(refused, &Fault::Cancelled { reason });
        }
        tell(ended);
    }

    /// The seat is empty for good. `orphaned`: not by its own will, because its loop was closed.
    pub(super) fn leave(&self, seat: u64, orphaned: bool) {
        let mut state = lock(&self.state);
        let books = state.seats.remove(&seat);
        state.orphaned |= orphaned;
        let refused = orphaned.then(|| state.take_queue());
        let ended = state.ended();
        drop(state);
        // Its waker.
        drop(books);
        reject(refused, &Fault::LoopClosed);
        tell(ended);
    }
}

fn reject(jobs: Option<BTreeMap<u64, Job>>, fault: &Fault) {
    for job in jobs.into_iter().flat_map(BTreeMap::into_values) {
        job.reject(fault.clone());
    }
}

/// Settling may run the waker of a stranger.
fn tell(resolvers: Vec<Resolver<()>>) {
    for resolver in resolvers {
        let _ = panic::catch(None, || resolver.resolve(()));
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
