//! Three callbacks in a ring: A calls B, B calls C, C calls A, a second after its own work, until the minute is over.
//!
//! The original blocks its thread for a random time. Here that time is given, and the work is a timer too.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use thenable::LoopHandle;

use super::{Output, SECOND, assert_program};

#[derive(Clone)]
struct Ring {
    output: Output,
    event_loop: LoopHandle,
    end_time: Instant,
    work: Arc<Mutex<VecDeque<u64>>>,
}

impl Ring {
    fn task_a(self) {
        self.output.line("task_A called");
        self.work_then(Ring::task_b);
    }

    fn task_b(self) {
        self.output.line("task_B called ");
        self.work_then(Ring::task_c);
    }

    fn task_c(self) {
        self.output.line("task_C called");
        self.work_then(Ring::task_a);
    }

    fn work_then(self, next: fn(Ring)) {
        let work = self.work.lock().unwrap().pop_front().expect("one time for each call");
        self.event_loop.clone().call_later(Duration::from_secs(work), move || self.call_later(next));
    }

    fn call_later(self, next: fn(Ring)) {
        if self.event_loop.now() + SECOND < self.end_time {
            self.event_loop.clone().call_later(SECOND, move || next(self));
        } else {
            self.event_loop.stop();
        }
    }
}

/// Runs the ring with these times of work, by lap, for all of which there is just time.
#[track_caller]
fn assert_ring<const N: usize>(took: Duration, lines: [&str; N], work: impl Iterator<Item = u64> + Clone) {
    assert_program(took, lines, |event_loop, output| {
        let handle = event_loop.handle();
        let ring = Ring {
            output: output.clone(),
            event_loop: handle.clone(),
            end_time: handle.now() + 60 * SECOND,
            work: Arc::new(Mutex::new(work.clone().collect())),
        };
        let rest = Arc::clone(&ring.work);
        handle.call_soon(move || ring.task_a());
        event_loop.run_forever().unwrap();
        event_loop.close();
        assert!(rest.lock().unwrap().is_empty(), "one call for each time");
    });
}

const LAP: [&str; 3] = ["task_A called", "task_B called ", "task_C called"];

#[test]
fn five_laps_end_when_less_than_a_second_is_left() {
    let lines: [&str; 15] = [LAP; 5].concat().try_into().unwrap();
    // 45 s of work and 14 pauses: at 59 s there is exactly one second left, which is not enough.
    assert_ring(59 * SECOND, lines, [1, 3, 5].into_iter().cycle().take(15));
}

#[test]
fn work_that_began_in_time_is_finished() {
    let lines: [&str; 8] = [LAP; 3].concat()[..8].to_vec().try_into().unwrap();
    assert_ring(63 * SECOND, lines, [5, 7, 10].into_iter().cycle().take(8));
}
