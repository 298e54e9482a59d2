//! Callbacks that reschedule themselves, coroutines on one thread, and generators.

use std::iter;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use thenable::{LoopHandle, Promise, WaitFor, delay, wait_for};

use super::{Output, SECOND, assert_main, assert_program};

// ---- call_later

#[test]
fn a_callback_calls_itself_until_less_than_a_second_is_left() {
    fn display_time(output: Output, start: Instant, end_time: Instant, event_loop: LoopHandle) {
        if event_loop.now() + SECOND < end_time {
            event_loop.clone().call_later(SECOND, move || display_time(output, start, end_time, event_loop));
        } else {
            output.line(format_args!("{:?}", event_loop.now() - start));
            event_loop.stop();
        }
    }
    // The tutorial says five seconds.
    assert_program(4 * SECOND, ["4s"], |event_loop, output| {
        let (handle, output) = (event_loop.handle(), output.clone());
        let start = handle.now();
        let end_time = start + 5 * SECOND;
        handle.clone().call_soon(move || display_time(output, start, end_time, handle));
        event_loop.run_forever().unwrap();
        event_loop.close();
    });
}

// ---- coroutines

#[test]
fn two_coroutines_share_a_thread() {
    async fn f(output: Output, main: ThreadId) -> thenable::Result<()> {
        let name = || if thread::current().id() == main { "MainThread" } else { "another thread" };
        output.line(format_args!("Hello world  <{}>", name()));
        delay(SECOND).await?;
        output.line(format_args!("Hello again!  <{}>", name()));
        Ok(())
    }
    let lines = [
        "Hello world  <MainThread>",
        "Hello world  <MainThread>",
        "Hello again!  <MainThread>",
        "Hello again!  <MainThread>",
    ];
    assert_program(SECOND, lines, |event_loop, output| {
        let main = thread::current().id();
        let tasks = [0, 1].map(|_| event_loop.handle().spawn(f(output.clone(), main)));
        event_loop.run(wait_for(tasks, WaitFor::All)).unwrap();
        event_loop.close();
    });
}

/// Waits for three operations and says how long that took.
async fn timed(output: Output, slow_operation: impl Fn(Output, u32) -> Promise<()>) -> thenable::Result<()> {
    let clock = LoopHandle::current().expect("on a loop");
    let start = clock.now();
    let operations = [1, 2, 3].map(|n| slow_operation(output.clone(), n));
    wait_for(operations, WaitFor::All).await?;
    output.line(format_args!("Complete in {:?} second(s)", (clock.now() - start).as_secs_f64()));
    Ok(())
}

const SLOW: [&str; 4] = [
    "Slow operation 1 complete",
    "Slow operation 2 complete",
    "Slow operation 3 complete",
    "Complete in 1.0 second(s)",
];

#[test]
fn slow_operations_complete_in_the_order_of_their_start() {
    async fn slow_operation(output: Output, n: u32) -> thenable::Result<()> {
        delay(SECOND).await?;
        output.line(format_args!("Slow operation {n} complete"));
        Ok(())
    }
    assert_main(SECOND, SLOW, |output| timed(output, |output, n| Promise::spawn(slow_operation(output, n))));
}

#[test]
fn slow_operations_without_async() {
    fn slow_operation(output: Output, n: u32) -> Promise<()> {
        delay(SECOND).map(move |()| output.line(format_args!("Slow operation {n} complete")))
    }
    assert_main(SECOND, SLOW, |output| timed(output, slow_operation));
}

// ---- generators

#[test]
fn a_generator_is_an_iterator() {
    fn fab(max: usize) -> impl Iterator<Item = u32> {
        iter::successors(Some((1, 1)), |(a, b)| Some((*b, a + b))).map(|(a, _)| a).take(max)
    }
    assert_program(Duration::ZERO, ["1", "1", "2", "3", "5"], |_, output| {
        fab(5).for_each(|n| output.line(n));
    });
}

#[test]
fn a_class_that_iterates() {
    struct Fab {
        max: u32,
        n: u32,
        a: u32,
        b: u32,
    }

    impl Fab {
        fn new(max: u32) -> Self {
            Self { max, n: 0, a: 0, b: 1 }
        }
    }

    impl Iterator for Fab {
        type Item = u32;

        fn next(&mut self) -> Option<u32> {
            if self.n == self.max {
                return None;
            }
            let r = self.b;
            (self.a, self.b) = (self.b, self.a + self.b);
            self.n += 1;
            Some(r)
        }
    }
    assert_program(Duration::ZERO, ["1", "1", "2", "3", "5"], |_, output| {
        Fab::new(5).for_each(|n| output.line(n));
    });
}
