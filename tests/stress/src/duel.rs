//! Two threads that do one round after the other against each other, in batches.
//!
//! The left thread makes a batch. Then both go through it side by side, each waiting for the other at the beginning of a
//! round, and now and then for a few rounds or not at all; small random delays move one against the other. (Where the machine
//! has no core for the other one, nobody waits.) Then both run their loops until nothing is left, and the left thread looks
//! at the counters.

use crate::cells::{Cells, must};
use crate::memory::Memory;
use crate::pairs::Pair;
use std::cell::Cell;
use std::hint;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};
use thenable::EventLoop;

/// What one side does in a round. Its result is the pair's own business, except for [`FIRST`].
pub(crate) type Act = Box<dyn FnOnce(&EventLoop) -> u32 + Send>;
pub(crate) type LocalAct = Box<dyn FnOnce(&EventLoop) -> u32>;

/// In the left side's result: it was there before the other one, as far as it could see.
pub(crate) const FIRST: u32 = 1 << 31;

pub(crate) struct Round {
    pub(crate) left: Act,
    pub(crate) right: Right,
    /// Is given both results.
    pub(crate) check: fn(&Cells, u32, u32),
}

pub(crate) enum Right {
    Now(Act),
    /// Has something to do on its thread before the batch begins.
    After(Box<dyn FnOnce() -> LocalAct + Send>),
}

pub(crate) const LARGEST_BATCH: usize = 1024;

/// Rounds of all duels: as long as it grows nothing hangs.
pub(crate) static PROGRESS: AtomicU64 = AtomicU64::new(0);

/// Of all duels there ever were.
static CELLS: Mutex<Vec<&[Cells]>> = Mutex::new(Vec::new());

thread_local! {
    static DOING: Cell<(&'static str, u64)> = const { Cell::new(("nothing", 0)) };
}
/// For threads that belong to no duel: what the last batch was.
static LAST: Mutex<(&str, u64)> = Mutex::new(("nothing", 0));

pub(crate) fn describe() -> String {
    let (pair, seed) = DOING.get();
    let (pair, seed) =
        if pair == "nothing" { *LAST.lock().unwrap_or_else(PoisonError::into_inner) } else { (pair, seed) };
    format!("pair {pair}, seed {seed}")
}

/// A generator of random numbers: xorshift.
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 32) as u32) % limit
    }
}

#[derive(Default)]
#[repr(align(128))]
struct Counter(AtomicU32);

impl Counter {
    /// Waits until it is at least this, or has just wrapped around. False: it did not come to that in so many tries.
    fn wait_for(&self, wanted: u32, order: Ordering, tries: u32) -> bool {
        for attempt in 0.. {
            if self.0.load(order).wrapping_sub(wanted) as i32 >= 0 {
                return true;
            }
            if attempt < 200 {
                hint::spin_loop();
            } else if attempt < tries {
                thread::yield_now();
            } else {
                return false;
            }
        }
        false
    }
}

/// What the two threads of a duel share.
#[derive(Default)]
struct Shared {
    left: Side,
    right: Side,
    ended: AtomicBool,
    batch: Mutex<Batch>,
}

#[derive(Default)]
struct Batch {
    rights: Vec<Right>,
    results: Vec<u32>,
    pair: Option<&'static Pair>,
    lead: u32,
    seed: u64,
}

#[derive(Default)]
struct Side {
    gate: Counter,
    cursor: Counter,
}

/// One thread's view of both sides.
struct View<'a> {
    mine: &'a Side,
    theirs: &'a Side,
    gates: u32,
    rounds: u32,
    /// The other thread does not run at the moment, so this one goes on until the next gate.
    alone: bool,
}

impl<'a> View<'a> {
    fn new(mine: &'a Side, theirs: &'a Side) -> Self {
        Self { mine, theirs, gates: 0, rounds: 0, alone: false }
    }

    /// Both have come here.
    fn gate(&mut self) {
        self.gates = self.gates.wrapping_add(1);
        self.mine.gate.0.store(self.gates, Ordering::Release);
        while !self.theirs.gate.wait_for(self.gates, Ordering::Acquire, 1000) {
            thread::sleep(Duration::from_micros(50));
        }
        self.alone = false;
    }

    /// The next round begins; the other one is behind by no more than `lead`. Relaxed: what orders the two is up to the
    /// library.
    fn round(&mut self, lead: u32, random: &mut Random) {
        self.rounds = self.rounds.wrapping_add(1);
        self.mine.cursor.0.store(self.rounds, Ordering::Relaxed);
        if !self.alone {
            let wanted = self.rounds.wrapping_sub(lead);
            self.alone = !self.theirs.cursor.wait_for(wanted, Ordering::Relaxed, 230);
        }
        for _ in 0..random.below(24) {
            hint::spin_loop();
        }
    }
}

/// The left thread of a duel.
pub(crate) struct Duel {
    shared: Arc<Shared>,
    right: Option<thread::JoinHandle<()>>,
    event_loop: EventLoop,
    cells: &'static [Cells],
    seed: u64,
    view_gates: u32,
    view_rounds: u32,
    lefts: Vec<Act>,
    checks: Vec<fn(&Cells, u32, u32)>,
    results: Vec<u32>,
}

/// What a duel did of one pair.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) rounds: u64,
    pub(crate) left_first: u64,
    pub(crate) time: Duration,
    /// Growth in the second half.
    pub(crate) growth: Memory,
}

impl Duel {
    pub(crate) fn new(seed: u64) -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let right = thread::Builder::new().name("right".into()).spawn(move || right_side(&theirs)).unwrap();
        let cells: Vec<Cells> = (0..LARGEST_BATCH).map(|_| Cells::default()).collect();
        let cells: &'static [Cells] = Vec::leak(cells);
        // A leak detector finds them here.
        CELLS.lock().unwrap().push(cells);
        Self {
            shared,
            right: Some(right),
            event_loop: EventLoop::new(),
            cells,
            seed,
            view_gates: 0,
            view_rounds: 0,
            lefts: Vec::new(),
            checks: Vec::new(),
            results: Vec::new(),
        }
    }

    /// So many rounds of a pair, or as many as there is time for. Between two batches it waits if `pause` is held.
    pub(crate) fn run(&mut self, pair: &'static Pair, rounds: u64, until: Instant, pause: &RwLock<()>) -> Tally {
        let start = Instant::now();
        let mut tally = Tally::default();
        let mut half = None;
        let time = until.saturating_duration_since(start);
        while tally.rounds < rounds && (tally.rounds == 0 || Instant::now() < until) {
            let batch = (rounds - tally.rounds).min(pair.batch as u64) as usize;
            {
                let _running = pause.read().unwrap_or_else(PoisonError::into_inner);
                self.batch(pair, batch, &mut tally);
            }
            if half.is_none() && (tally.rounds >= rounds / 2 || start.elapsed() >= time / 2) {
                half = Some(Memory::now());
            }
        }
        if let Some(half) = half {
            tally.growth = Memory::now().since(half);
        }
        tally.time = start.elapsed();
        tally
    }

    fn batch(&mut self, pair: &'static Pair, size: usize, tally: &mut Tally) {
        let seed = self.seed;
        self.seed = seed.wrapping_add(1);
        DOING.set((pair.name, seed));
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = (pair.name, seed);
        let shared = self.shared.clone();
        let mut view = View::new(&shared.left, &shared.right);
        (view.gates, view.rounds) = (self.view_gates, self.view_rounds);
        let mut random = Random::new(seed);
        let lead = [0, 0, 0, 4, LARGEST_BATCH as u32][random.below(5) as usize];
        let entered = pair.entered.then(|| self.event_loop.enter());
        {
            let mut batch = shared.batch.lock().unwrap();
            (batch.pair, batch.lead, batch.seed) = (Some(pair), lead, seed);
            for cells in &self.cells[..size] {
                let round = (pair.make)(random.below(u32::MAX), cells);
                self.lefts.push(round.left);
                batch.rights.push(round.right);
                self.checks.push(round.check);
            }
        }
        view.gate(); // the other one takes its batch
        view.gate(); // and is ready
        for act in self.lefts.drain(..) {
            view.round(lead, &mut random);
            self.results.push(act(&self.event_loop));
        }
        view.gate();
        settle_loops(&mut view, &self.event_loop, true);
        let mut batch = shared.batch.lock().unwrap();
        let results = self.results.drain(..).zip(batch.results.drain(..));
        for ((cells, check), (left, right)) in self.cells.iter().zip(self.checks.drain(..)).zip(results) {
            check(cells, left & !FIRST, right);
            cells.check_and_reset();
            tally.left_first += u64::from(left & FIRST != 0);
        }
        drop(batch);
        drop(entered);
        tally.rounds += size as u64;
        PROGRESS.fetch_add(size as u64, Ordering::Relaxed);
        (self.view_gates, self.view_rounds) = (view.gates, view.rounds);
    }
}

impl Drop for Duel {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        let mut view = View::new(&self.shared.left, &self.shared.right);
        view.gates = self.view_gates;
        view.gate();
        if let Some(right) = self.right.take() {
            must(right.join().is_ok(), || "the right thread panicked".into());
        }
    }
}

fn right_side(shared: &Shared) {
    let event_loop = EventLoop::new();
    let mut view = View::new(&shared.right, &shared.left);
    let mut acts: Vec<LocalAct> = Vec::new();
    let mut rights = Vec::new();
    loop {
        view.gate();
        if shared.ended.load(Ordering::Relaxed) {
            return;
        }
        let (pair, lead, seed) = {
            let mut batch = shared.batch.lock().unwrap();
            rights.append(&mut batch.rights);
            (batch.pair.expect("a batch has its pair"), batch.lead, batch.seed)
        };
        DOING.set((pair.name, seed));
        let entered = pair.entered.then(|| event_loop.enter());
        acts.extend(rights.drain(..).map(|right| match right {
            Right::Now(act) => act,
            Right::After(prepare) => prepare(),
        }));
        let mut random = Random::new(!seed);
        view.gate();
        let mut results = Vec::with_capacity(acts.len());
        for act in acts.drain(..) {
            view.round(lead, &mut random);
            results.push(act(&event_loop));
        }
        shared.batch.lock().unwrap().results = results;
        view.gate();
        settle_loops(&mut view, &event_loop, false);
        drop(entered);
    }
}

/// Each side runs what is left on its loop; what that sends to the other one follows.
fn settle_loops(view: &mut View<'_>, event_loop: &EventLoop, first: bool) {
    for turn in 0..4 {
        if (turn % 2 == 0) == first {
            must(event_loop.run_until_idle().is_ok(), || "a loop does not end".into());
        }
        view.gate();
    }
}
