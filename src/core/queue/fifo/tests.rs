//! What goes in comes out, across all borders of chunks.

use super::super::Entry;
use super::*;
use crate::core::node::{Head, Kind, VTable};
use crate::core::reaction::{Mode, Reaction};
use crate::core::state::Word;
use crate::error::Fault;
use std::collections::VecDeque;

unsafe fn never_run(_: *mut Reaction) {
    unreachable!("no job of these runs");
}

unsafe fn never_discarded(_: *mut Reaction, _: Fault) {
    unreachable!("no job of these is discarded");
}

static TABLE: VTable = VTable::reaction(Kind::Job, never_run, never_discarded);

/// Reactions, as many as need be to tell neighbours apart.
struct Jobs(Vec<Reaction>);

impl Jobs {
    fn new() -> Self {
        let reaction = || Reaction::new(Head::new(&TABLE, Word::PENDING, 0, Reaction::aux(2)));
        Self(std::iter::repeat_with(reaction).take(61).collect())
    }

    fn entry(&self, number: usize) -> Entry {
        Entry::new((&raw const self.0[number % self.0.len()]).cast_mut())
    }
}

/// A queue, and what must be in it.
struct Checked<'a> {
    jobs: &'a Jobs,
    fifo: Fifo,
    expected: VecDeque<usize>,
    pushed: usize,
}

impl<'a> Checked<'a> {
    fn new(jobs: &'a Jobs) -> Self {
        Self { jobs, fifo: Fifo::new(), expected: VecDeque::new(), pushed: 0 }
    }

    fn push(&mut self, count: usize) {
        for _ in 0..count {
            self.fifo.push(self.jobs.entry(self.pushed));
            self.expected.push_back(self.pushed);
            self.pushed += 1;
        }
    }

    fn pop(&mut self, count: usize) {
        for _ in 0..count {
            assert_eq!(self.fifo.is_empty(), self.expected.is_empty());
            let got = self.fifo.pop().map(Entry::reaction);
            let expected = self.expected.pop_front().map(|number| self.jobs.entry(number).reaction());
            assert_eq!(got, expected, "of {} that were pushed", self.pushed);
        }
    }

    /// Takes all, and once more.
    fn drain(&mut self) {
        self.pop(self.expected.len() + 1);
    }
}

/// One is in front of the chunks.
const BURSTS: [usize; 11] = [
    0,
    1,
    2,
    3,
    PER_CHUNK - 1,
    PER_CHUNK,
    PER_CHUNK + 1,
    PER_CHUNK + 2,
    2 * PER_CHUNK,
    2 * PER_CHUNK + 1,
    3 * PER_CHUNK + 7,
];

#[test]
fn bursts_of_all_sizes_come_out_in_order() {
    let jobs = Jobs::new();
    for first in BURSTS {
        for second in BURSTS {
            for rewinds in [false, true] {
                let mut checked = Checked::new(&jobs);
                for burst in [first, second, first] {
                    checked.push(burst);
                    checked.drain();
                    if rewinds {
                        checked.fifo.rewind();
                    }
                }
            }
        }
    }
}

#[test]
fn a_queue_that_is_never_empty_goes_from_chunk_to_chunk() {
    let jobs = Jobs::new();
    for waiting in BURSTS {
        let mut checked = Checked::new(&jobs);
        checked.push(waiting);
        for _ in 0..2 * PER_CHUNK + 9 {
            checked.push(1);
            checked.pop(1);
        }
        // Does nothing while there are jobs in chunks.
        checked.fifo.rewind();
        checked.drain();
    }
}

#[test]
fn a_queue_that_swells_and_shrinks() {
    let jobs = Jobs::new();
    let mut checked = Checked::new(&jobs);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..64 {
        let mut next = |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random as usize % below
        };
        checked.push(next(PER_CHUNK));
        checked.pop(next(PER_CHUNK + 1));
        if round % 16 == 15 {
            checked.drain();
            checked.fifo.rewind();
        }
    }
}

#[test]
fn one_empty_chunk_is_kept() {
    let jobs = Jobs::new();
    let mut checked = Checked::new(&jobs);
    checked.push(1);
    assert!(checked.fifo.first_chunk.is_null(), "one job needs no chunk");
    checked.push(5 * PER_CHUNK);
    assert!(checked.fifo.spare.is_null());
    checked.drain();
    assert_eq!(checked.fifo.first_chunk, checked.fifo.last_chunk);
    let spare = checked.fifo.spare;
    assert!(!spare.is_null());
    checked.push(2 * PER_CHUNK);
    assert_eq!(checked.fifo.last_chunk, spare, "it is used again");
    // Dropped with jobs in two chunks, and both go: Miri would know of a leak.
    checked.pop(3);
}

#[test]
fn what_an_entry_says_is_written_when_its_turn_comes() {
    let jobs = Jobs::new();
    let reaction = jobs.entry(0).reaction();
    let written = |entry: Entry| {
        assert_eq!(entry.reaction(), reaction);
        // SAFETY: ours.
        unsafe {
            assert_eq!(entry.written(), reaction);
            ((*reaction).mode(), (*reaction).owns_producer())
        }
    };
    // SAFETY: ours.
    let set = |mode| unsafe { (*reaction).set_mode(mode) };
    assert!(Entry::NONE.is_none() && !Entry::new(reaction).is_none());
    for mode in [Mode::Handler, Mode::Start, Mode::Finish, Mode::HoldValue1, Mode::HoldReason2] {
        set(mode);
        assert_eq!(written(Entry::new(reaction)), (mode, false));
        assert_eq!(written(Entry::with_producer(reaction)), (mode, true));
    }
    for (mode, later) in [(Mode::HoldValue1, Mode::HoldValue2), (Mode::HoldReason1, Mode::HoldReason2)] {
        set(mode);
        assert_eq!(written(Entry::held(reaction)), (later, false));
    }
    let are_held = [Entry::new, Entry::with_producer, Entry::held].map(|make| make(reaction).is_held());
    assert_eq!(are_held, [false, false, true]);
}
