//! A test that hangs must end, and say which one it was.

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use std::{env, io, process, thread};

/// `limit`, stretched by the environment variable `THENABLE_TIME_SCALE` (for valgrind, Miri and crowded machines).
pub(crate) fn scaled(limit: Duration) -> Duration {
    let scale = env::var("THENABLE_TIME_SCALE").ok().and_then(|text| text.parse::<f64>().ok());
    limit.mul_f64(scale.filter(|factor| factor.is_finite() && *factor > 0.0).unwrap_or(1.0))
}

/// Runs `f` on this thread, and ends the process if that takes longer than `limit`.
///
/// A hang cannot be turned into a failed assertion, because the thread that would report it is the one that hangs.
pub(crate) fn watchdog<R>(limit: Duration, f: impl FnOnce() -> R) -> R {
    let limit = scaled(limit);
    let test = thread::current().name().unwrap_or("unnamed thread").to_owned();
    let (alive, end) = channel::<()>();
    // It must start whatever a test does to the size of other stacks.
    let watch = thread::Builder::new().stack_size(256 * 1024).spawn(move || {
        if end.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            // Straight to the stream: what the test harness has captured is lost in an abort.
            let _ = writeln!(io::stderr().lock(), "watchdog: `{test}` still runs after {limit:?}");
            process::abort();
        }
    });
    watch.expect("the watchdog's thread starts");
    let result = f();
    drop(alive);
    result
}
