//! How scenarios are run, and what they are made of.

use shuttle::scheduler::{
    PctScheduler, RandomScheduler, ReplayScheduler, Scheduler, UncontrolledNondeterminismCheckScheduler,
};
use shuttle::thread::{JoinHandle, ThreadId};
use shuttle::{Config, MaxSteps, Runner};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;
use thenable::{EventLoop, Fault, LoopHandle, Rejection};

pub(crate) use shuttle::thread::spawn;

/// How many schedules of each kind a scenario gets, unless `SHUTTLE_SCHEDULES` says otherwise.
const SCHEDULES: usize = 2_000;
/// The depth of PCT's schedules: it changes its mind once less.
const DEPTH: usize = 3;
/// A schedule with more steps never ends.
const MAX_STEPS: usize = 200_000;
/// A scenario that takes longer hangs outside of what shuttle sees: on a real lock, say.
const LIMIT: Duration = Duration::from_secs(3600);

/// So many of one kind, then so many of the other.
const ROUND: usize = 1_000;

/// Runs a scenario on random schedules and on those of PCT in turn, and on some twice to see that they can be replayed.
pub(crate) fn explore(scenario: fn()) {
    let name = std::thread::current().name().unwrap_or("scenario").to_owned();
    let (_alive, gone) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        if gone.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("{name} hangs");
            std::process::abort();
        }
    });
    if let Ok(replay) = std::env::var("SHUTTLE_REPLAY") {
        return match replay.parse() {
            Ok(seed) => run(RandomScheduler::new_from_seed(seed, 1), scenario),
            Err(_) => run(ReplayScheduler::new_from_encoded(&replay), scenario),
        };
    }
    let mut seed = setting("SHUTTLE_SEED", 1) as u64;
    let mut left = setting("SHUTTLE_SCHEDULES", SCHEDULES);
    let twice = RandomScheduler::new_from_seed(seed, (left / 100).clamp(1, 100));
    run(UncontrolledNondeterminismCheckScheduler::new(twice), scenario);
    while left > 0 {
        let count = left.min(ROUND);
        run(RandomScheduler::new_from_seed(seed, count), scenario);
        run(PctScheduler::new_from_seed(seed, DEPTH, count), scenario);
        left -= count;
        seed = seed.wrapping_add(1);
    }
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

fn run(scheduler: impl Scheduler + 'static, scenario: fn()) {
    let mut config = Config::new();
    config.stack_size = 256 * 1024;
    config.max_steps = MaxSteps::FailAfter(MAX_STEPS);
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(scenario);
}

/// A choice that belongs to the schedule.
pub(crate) fn flip() -> bool {
    use shuttle::rand::Rng;
    shuttle::rand::thread_rng().r#gen()
}

/// Runs `f` on a thread with a loop of its own, which is current there, and closes the loop.
pub(crate) fn with_loop<R>(f: impl FnOnce(&EventLoop) -> R) -> R {
    let event_loop = EventLoop::new();
    let result = {
        let _entered = event_loop.enter();
        f(&event_loop)
    };
    event_loop.close();
    result
}

/// A loop on another thread, which runs until it is stopped.
pub(crate) struct Remote {
    pub(crate) handle: LoopHandle,
    thread: JoinHandle<()>,
}

impl Remote {
    pub(crate) fn start() -> Remote {
        let (send, receive) = shuttle::sync::mpsc::channel();
        let thread = spawn(move || {
            let event_loop = EventLoop::new();
            send.send(event_loop.handle()).unwrap();
            event_loop.run_forever().unwrap();
        });
        Remote { handle: receive.recv().unwrap(), thread }
    }

    pub(crate) fn id(&self) -> ThreadId {
        self.thread.thread().id()
    }

    /// Stops the loop, which then goes.
    pub(crate) fn stop(self) {
        self.handle.stop();
        self.thread.join().unwrap();
    }
}

/// Values that are counted: all that were made, also as clones, must be gone at the end, and each only once.
#[derive(Clone, Default)]
pub(crate) struct Tokens(Arc<Counts>);

#[derive(Default)]
struct Counts {
    made: AtomicUsize,
    gone: AtomicUsize,
}

pub(crate) struct Token {
    pub(crate) number: usize,
    counts: Arc<Counts>,
    is_gone: bool,
}

impl Tokens {
    pub(crate) fn make(&self, number: usize) -> Token {
        self.0.made.fetch_add(1, SeqCst);
        Token { number, counts: self.0.clone(), is_gone: false }
    }

    pub(crate) fn alive(&self) -> usize {
        self.0.made.load(SeqCst) - self.0.gone.load(SeqCst)
    }

    /// When everything that could hold a token is gone.
    #[track_caller]
    pub(crate) fn assert_gone(&self) {
        assert_eq!(self.alive(), 0, "values that were never dropped");
    }
}

impl Clone for Token {
    fn clone(&self) -> Self {
        Tokens(self.counts.clone()).make(self.number)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        assert!(!std::mem::replace(&mut self.is_gone, true), "a value is dropped twice");
        self.counts.gone.fetch_add(1, SeqCst);
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "token {}", self.number)
    }
}

/// Notes from handlers and jobs, for the assertions. Writing one is no step.
#[derive(Debug)]
pub(crate) struct Log<N = usize>(Arc<Mutex<Vec<N>>>);

impl<N> Clone for Log<N> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<N> Default for Log<N> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<N: Clone> Log<N> {
    fn lock(&self) -> MutexGuard<'_, Vec<N>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, note: N) {
        self.lock().push(note);
    }

    pub(crate) fn notes(&self) -> Vec<N> {
        self.lock().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }
}

/// The rejections that are reported as unhandled in this execution.
pub(crate) fn reports() -> Log<String> {
    let log = Log::default();
    let noted = log.clone();
    thenable::on_unhandled_rejection(move |unhandled| noted.note(unhandled.to_string()));
    log
}

/// A rejection, told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Cancelled,
    Abandoned,
    LoopClosed,
    PoolClosed,
    Full,
    TimedOut,
    /// The scenario's own.
    Own,
}

/// # Panics
///
/// If it is a rejection that no scenario may see.
#[track_caller]
pub(crate) fn why(reason: &Rejection) -> Why {
    reason.fault().map_or(Why::Own, why_of)
}

#[track_caller]
pub(crate) fn why_of(fault: &Fault) -> Why {
    match fault {
        Fault::Cancelled { .. } => Why::Cancelled,
        Fault::Abandoned { .. } => Why::Abandoned,
        Fault::LoopClosed => Why::LoopClosed,
        Fault::PoolClosed => Why::PoolClosed,
        Fault::Full => Why::Full,
        Fault::TimedOut { .. } => Why::TimedOut,
        other => panic!("an unexpected fault: {other:?}"),
    }
}
