//! What once went wrong, named after what its user saw.
//!
//! Where the failure was a crash or a hang, the test runs in a child process, which can have both without taking the
//! other tests along.

mod cancelling;
mod combinators;
mod deep;
mod loops;
mod races;
mod reasons;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{hint, thread};

use crate::support::{LIMIT, assert_passed, is_child, run_child, watchdog};

/// Runs `work` under a watchdog in a child process, and fails unless that ends well. `test` is the calling test of this
/// module.
#[track_caller]
fn isolated(test: &str, work: impl FnOnce()) {
    let test = format!("regressions::{test}");
    if is_child(&test) {
        watchdog(LIMIT, work);
    } else {
        assert_passed(&run_child(&test, &[]));
    }
}

/// Waits for another thread, in the hope that it takes no longer than a few instructions.
fn spin_until(condition: impl Fn() -> bool) {
    let mut spins = 0;
    while !condition() {
        spins += 1;
        if spins < 1000 {
            hint::spin_loop();
        } else {
            // It does not even run, on a crowded machine.
            thread::yield_now();
        }
    }
}

/// A few instructions, so that two threads meet a little earlier or later.
fn dawdle(steps: usize) {
    for _ in 0..steps {
        hint::spin_loop();
    }
}

/// Two threads meet here again and again, and leave at about the same time.
#[derive(Default)]
struct Meeting(AtomicUsize);

impl Meeting {
    fn wait(&self) {
        let both_came = (self.0.fetch_add(1, Ordering::SeqCst) / 2 + 1) * 2;
        spin_until(|| self.0.load(Ordering::SeqCst) >= both_came);
    }
}

/// In each round, `here` and `there` start together on two threads, with what `make` made for them; then comes `check`.
fn side_by_side<A, B: Send, C>(
    rounds: usize,
    make: impl Fn() -> (A, B, C),
    here: impl Fn(usize, A),
    there: impl Fn(usize, B) + Sync,
    mut check: impl FnMut(C),
) {
    let (slot, meeting) = (Mutex::new(None), Meeting::default());
    let slot = || slot.lock().unwrap_or_else(PoisonError::into_inner);
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..rounds {
                meeting.wait();
                let theirs = slot().take().expect("put there before the meeting");
                meeting.wait();
                there(round, theirs);
                meeting.wait();
            }
        });
        for round in 0..rounds {
            let (ours, theirs, checked) = make();
            *slot() = Some(theirs);
            meeting.wait();
            meeting.wait();
            here(round, ours);
            meeting.wait();
            check(checked);
        }
    });
}
