//! Three callbacks in a ring: A calls B, B calls C and C calls A, each a second after its own work is done, until less
//! than a second of the minute is left.
//!
//! `cargo run --example ring` is over at once: the loop has a virtual clock, which jumps to the next timer when nothing
//! else is left to do. Delete `.virtual_clock()`, and the same program takes its minute.

use std::time::{Duration, Instant};

use thenable::{EventLoop, Fault, LoopHandle};

const SECOND: Duration = Duration::from_secs(1);

/// The seconds of work of the three tasks in the laps before they repeat.
const WORK: [[u32; 3]; 3] = [[0, 3, 10], [5, 4, 5], [2, 7, 6]];

struct Ring {
    event_loop: LoopHandle,
    start: Instant,
    calls: usize,
}

impl Ring {
    /// Runs the task whose turn it is.
    fn call(mut self) {
        let (lap, task) = (self.calls / 3, self.calls % 3);
        self.calls += 1;
        let work = WORK[lap % WORK.len()][task];
        println!("{:>3} s  task_{} called, {work} s of work", self.elapsed().as_secs(), ["A", "B", "C"][task]);
        self.event_loop.clone().call_later(work * SECOND, move || self.call_next());
    }

    /// Passes on to the next task, if there is time.
    fn call_next(self) {
        if self.elapsed() + SECOND < 60 * SECOND {
            self.event_loop.clone().call_later(SECOND, move || self.call());
        } else {
            println!("{:>3} s  the end", self.elapsed().as_secs());
            self.event_loop.stop();
        }
    }

    fn elapsed(&self) -> Duration {
        self.event_loop.now() - self.start
    }
}

fn main() -> Result<(), Fault> {
    let event_loop = EventLoop::builder().virtual_clock().build();
    let handle = event_loop.handle();
    let ring = Ring { event_loop: handle.clone(), start: handle.now(), calls: 0 };
    handle.call_soon(move || ring.call());
    event_loop.run_forever()
}
