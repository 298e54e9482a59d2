//! The programs of five tutorials on Python's asyncio, thread pools and promises, ported: what they print, in which order,
//! and how long they take.
//!
//! A program that sleeps runs on a virtual clock, so its time is exact. Where a tutorial shows output, it is the output
//! here; texts stay in the language that they were written in.

mod awaiting;
mod coroutines;
mod futures;
mod introduction;
mod pools;
mod ring;
mod state_machine;
mod tasks;

use std::fmt::Display;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use thenable::EventLoop;

use crate::support::{LIMIT, watchdog};

const RUNS: u32 = 10;
const SECOND: Duration = Duration::from_secs(1);

/// What a program prints.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<String>>>);

impl Output {
    fn line(&self, text: impl Display) {
        self.0.lock().unwrap().push(text.to_string());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Runs a program many times, each on a loop of its own with a virtual clock: each run prints these lines and takes so
/// long.
#[track_caller]
fn assert_program<const N: usize>(took: Duration, lines: [&str; N], program: impl Fn(EventLoop, &Output)) {
    watchdog(LIMIT, || {
        for run in 1..=RUNS {
            let event_loop = EventLoop::builder().virtual_clock().build();
            let clock = event_loop.handle();
            let (start, output) = (clock.now(), Output::default());
            program(event_loop, &output);
            assert_eq!(output.lines(), lines, "output of run {run}");
            assert_eq!(clock.now() - start, took, "time of run {run}");
        }
    });
}

/// As [`assert_program`], for programs that are one call: `asyncio.run(main())`.
#[track_caller]
fn assert_main<const N: usize, F>(took: Duration, lines: [&str; N], main: impl Fn(Output) -> F)
where
    F: Future<Output = thenable::Result<()>>,
{
    assert_program(took, lines, |event_loop, output| {
        let _current = event_loop.enter();
        event_loop.run(main(output.clone())).unwrap();
    });
}
