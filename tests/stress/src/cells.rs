//! What each round has for itself: counters of what was made, dropped and run, and values that are on record there.

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use thenable::Fault;

/// A handler saw a value.
pub(crate) const VALUE: u32 = 1;
/// A handler saw a reason that was given to `reject`.
pub(crate) const REASON: u32 = 2;
/// A handler saw `Cancelled`.
pub(crate) const CANCELLED: u32 = 4;
/// A handler saw `Abandoned`.
pub(crate) const ABANDONED: u32 = 8;
/// A handler saw `LoopClosed`.
pub(crate) const CLOSED: u32 = 16;
/// A handler saw another fault.
pub(crate) const OTHER: u32 = 32;

/// One round's counters. The orderings are relaxed, so that the counters order nothing that the library should have.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Cells {
    made: AtomicU32,
    dropped: AtomicU32,
    runs: AtomicU32,
    seen: AtomicU32,
    /// For a pair's own use.
    pub(crate) extra: AtomicU32,
}

impl Cells {
    pub(crate) fn token(&'static self) -> Token {
        self.made.fetch_add(1, Ordering::Relaxed);
        Token { cells: self, canary: ALIVE }
    }

    /// A handler ran and saw this.
    pub(crate) fn saw(&self, outcome: &Result<Token, Why>) {
        self.ran(match outcome {
            Ok(token) => {
                token.look();
                VALUE
            }
            Err(Why::Said(token)) => {
                token.look();
                REASON
            }
            Err(Why::Fault(fault)) => bit_of(fault),
        });
    }

    pub(crate) fn ran(&self, seen: u32) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.seen.fetch_or(seen, Ordering::Relaxed);
    }

    pub(crate) fn runs(&self) -> u32 {
        self.runs.load(Ordering::Relaxed)
    }

    pub(crate) fn seen(&self) -> u32 {
        self.seen.load(Ordering::Relaxed)
    }

    /// Fails unless everything that was made was dropped once; then begins anew.
    pub(crate) fn check_and_reset(&self) {
        let (made, dropped) = (self.made.load(Ordering::Relaxed), self.dropped.load(Ordering::Relaxed));
        must(made == dropped, || format!("{made} tokens were made and {dropped} dropped"));
        for counter in [&self.made, &self.dropped, &self.runs, &self.seen, &self.extra] {
            counter.store(0, Ordering::Relaxed);
        }
    }

    /// Fails unless this many handlers ran, all of which saw this.
    #[track_caller]
    pub(crate) fn must_have_run(&self, runs: u32, seen: u32) {
        let found = (self.runs(), self.seen());
        must(found == (runs, if runs == 0 { 0 } else { seen }), || {
            format!("(handlers that ran, what they saw) is {found:?} instead of {:?}", (runs, seen))
        });
    }
}

fn bit_of(fault: &Fault) -> u32 {
    match fault {
        Fault::Cancelled { .. } => CANCELLED,
        Fault::Abandoned { .. } => ABANDONED,
        Fault::LoopClosed => CLOSED,
        _ => OTHER,
    }
}

/// Ends the process with a message unless this holds. Not a panic: the library would catch that in a handler.
#[track_caller]
pub(crate) fn must(holds: bool, message: impl FnOnce() -> String) {
    if !holds {
        let place = std::panic::Location::caller();
        eprintln!("FAILED: {} at {place}; {}", message(), crate::duel::describe());
        process::exit(1);
    }
}

const ALIVE: u64 = 0x7ea1_a11e_7ea1_a11e;
const DEAD: u64 = 0xdead_dead_dead_dead;

/// A value that must be dropped once.
pub(crate) struct Token {
    cells: &'static Cells,
    canary: u64,
}

impl Token {
    pub(crate) fn look(&self) {
        must(self.canary == ALIVE, || format!("a token is not alive: {:x}", self.canary));
    }
}

impl Clone for Token {
    fn clone(&self) -> Self {
        self.look();
        self.cells.token()
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.look();
        self.canary = DEAD;
        // The compiler must not leave the write out because nobody reads it again.
        std::hint::black_box(&mut self.canary);
        self.cells.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// A reason.
#[derive(Clone)]
pub(crate) enum Why {
    Said(Token),
    Fault(Fault),
}

impl From<Fault> for Why {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
