//! The books of a pool of processes, which are kept under its lock; the rules are in the module `shared`.

use super::seat::Job;
use crate::{CancelReason, Fault, Resolver};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::task::Waker;
use std::time::{Duration, Instant};

/// So many starts may fail in a row before jobs are refused.
const FAILED_STARTS: u32 = 3;
/// So many workers may die in a row before there is a pause.
const DEATHS: u32 = 8;
/// The first pause; each one is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(10);
/// The longest pause after a start that failed.
const LONG_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after a death. Each death takes a job with it, so this cannot go on for ever by itself.
const DEATH_PAUSE: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(super) struct State {
    pub(super) queue: BTreeMap<u64, Job>,
    /// Of the arguments in the queue.
    pub(super) bytes: usize,
    pub(super) jobs: u64,
    pub(super) seats: BTreeMap<u64, Books>,
    pub(super) seats_so_far: u64,
    pub(super) completed: u64,
    pub(super) closed: bool,
    /// Everything is to end now, and this is why.
    pub(super) kill: Option<CancelReason>,
    /// The event loop threw a seat away.
    pub(super) orphaned: bool,
    /// Processes in a row that died after their start.
    deaths: u32,
    /// Starts in a row that failed, and why the last one did.
    failures: u32,
    why: Option<NotStarted>,
    /// No process is started before.
    not_before: Option<Instant>,
    pub(super) on_end: Vec<Resolver<()>>,
}

/// Why there is no process.
#[derive(Clone, Debug)]
pub(super) enum NotStarted {
    /// It cannot be started, or cannot be a worker.
    Failed(Cow<'static, str>),
    /// It died before it was ready.
    Died(Cow<'static, str>),
}

/// A seat as the others see it.
#[derive(Default)]
pub(super) struct Books {
    pub(super) busy: Option<u64>,
    /// The running job was cancelled.
    pub(super) cancelled: bool,
    pub(super) sleeps: bool,
    pub(super) waker: Option<Waker>,
    pub(super) process: Option<u32>,
}

impl State {
    pub(super) fn seat(&mut self, id: u64) -> &mut Books {
        self.seats.entry(id).or_default()
    }

    /// A worker has answered.
    pub(super) fn answered(&mut self) {
        self.deaths = 0;
        self.not_before = None;
    }

    /// A worker died.
    pub(super) fn died(&mut self) {
        self.deaths = self.deaths.saturating_add(1);
        self.pause(self.deaths.saturating_sub(DEATHS), DEATH_PAUSE);
    }

    /// A worker is ready for jobs.
    pub(super) fn started(&mut self) {
        self.failures = 0;
        self.why = None;
    }

    /// There is no process.
    pub(super) fn not_started(&mut self, why: NotStarted) {
        self.failures = self.failures.saturating_add(1);
        self.why = Some(why);
        self.pause(self.failures, LONG_PAUSE);
    }

    fn pause(&mut self, doublings: u32, longest: Duration) {
        if doublings > 0 {
            let pause = PAUSE.saturating_mul(1 << (doublings - 1).min(16));
            self.not_before = Some(Instant::now() + pause.min(longest));
        }
    }

    /// When the next process may start.
    pub(super) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// What to tell those who wait for a process, where there is none at all and has not been for some tries.
    pub(super) fn hopeless(&self) -> Option<Fault> {
        let why = self.why.as_ref().filter(|_| self.failures >= FAILED_STARTS && !self.has_process())?;
        Some(match why.clone() {
            NotStarted::Failed(what) => Fault::NoWorker { what },
            NotStarted::Died(what) => Fault::CrashLoop { deaths: self.failures, what },
        })
    }

    pub(super) fn take_queue(&mut self) -> BTreeMap<u64, Job> {
        self.bytes = 0;
        std::mem::take(&mut self.queue)
    }

    pub(super) fn insert(&mut self, job: Job) {
        self.bytes += job.bytes();
        self.queue.insert(job.id, job);
    }

    /// Whoever waits for the end, if this is it.
    pub(super) fn ended(&mut self) -> Vec<Resolver<()>> {
        if self.closed && self.seats.is_empty() { std::mem::take(&mut self.on_end) } else { Vec::new() }
    }

    fn has_process(&self) -> bool {
        self.seats.values().any(|seat| seat.process.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(state: &State) -> Option<Duration> {
        state.not_before().map(|time| time.saturating_duration_since(Instant::now()))
    }

    #[track_caller]
    fn assert_about(state: &State, expected: Duration) {
        let left = left(state).expect("a pause");
        assert!(left <= expected && left > expected * 3 / 4, "{left:?} of {expected:?}");
    }

    #[test]
    fn deaths_in_a_row_lead_to_pauses_that_grow() {
        let mut state = State::default();
        for _ in 0..DEATHS {
            state.died();
            assert_eq!(left(&state), None);
        }
        for doublings in 0..4 {
            state.died();
            // On a crowded machine some of a short one is over when it is looked at.
            let pause = left(&state).expect("a pause");
            assert!(pause <= (PAUSE * (1 << doublings)).min(DEATH_PAUSE), "{pause:?}");
        }
        for _ in 0..100 {
            state.died();
        }
        assert_about(&state, DEATH_PAUSE);
        assert!(state.hopeless().is_none(), "it was ready each time");
        state.answered();
        assert_eq!(left(&state), None);
        state.died();
        assert_eq!(left(&state), None, "counted anew");
    }

    #[test]
    fn starts_that_fail_in_a_row_end_all_hope() {
        let failed = || NotStarted::Failed("no such file".into());
        let mut state = State::default();
        for failure in 1..=10 {
            assert_eq!(state.hopeless().is_some(), failure > FAILED_STARTS);
            state.not_started(failed());
        }
        assert_about(&state, LONG_PAUSE);
        assert!(matches!(state.hopeless(), Some(Fault::NoWorker { what }) if what == "no such file"));
        state.not_started(NotStarted::Died("killed".into()));
        assert!(matches!(state.hopeless(), Some(Fault::CrashLoop { deaths: 11, what }) if what == "killed"));
        state.seat(3).process = None;
        assert!(state.hopeless().is_some());
        state.seat(3).process = Some(77);
        assert!(state.hopeless().is_none(), "there is one that works");
        state.seat(3).process = None;
        state.started();
        assert!(state.hopeless().is_none());
        state.not_started(failed());
        assert!(state.hopeless().is_none(), "counted anew");
    }

    #[test]
    fn each_pause_is_twice_as_long_as_the_one_before() {
        for (failures, expected) in [(5, 160), (6, 320), (7, 640), (8, 1000), (40, 1000)] {
            let mut state = State::default();
            for _ in 0..failures {
                state.not_started(NotStarted::Failed("no".into()));
            }
            assert_about(&state, Duration::from_millis(expected));
        }
    }

    #[test]
    fn the_end_is_told_when_the_pool_is_closed_and_empty() {
        let mut state = State::default();
        let (end, resolver) = crate::Promise::with_resolvers();
        state.on_end.push(resolver);
        state.seat(1).sleeps = true;
        assert!(state.seat(1).sleeps, "a seat is kept");
        state.closed = true;
        assert!(state.ended().is_empty());
        state.seats.clear();
        state.closed = false;
        assert!(state.ended().is_empty());
        state.closed = true;
        assert_eq!(state.ended().len(), 1);
        assert!(state.ended().is_empty() && end.is_settled());
        end.mark_handled();
    }
}
