//! A test's work in a process of its own.

#[path = "../it/support/child.rs"]
mod child;
#[path = "../it/support/watchdog.rs"]
mod watchdog;

use std::any::type_name_of_val;
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
pub(crate) use child::resident;
pub(crate) use watchdog::{scaled, watchdog};

/// How long a child may take.
pub(crate) const CHILD_LIMIT: Duration = Duration::from_secs(180);

/// What a promise library may need of a thread's stack, however long its chains are.
const STACK: usize = 64 * 1024;

/// Whether `ci/valgrind.sh` runs this: everything takes longer, and a limit on this process would be one on valgrind.
pub(crate) fn under_valgrind() -> bool {
    std::env::var_os("THENABLE_UNDER_VALGRIND").is_some()
}

/// So many, or fewer where that would take too long.
pub(crate) fn scaled_down(count: u64) -> u64 {
    if under_valgrind() { count / 10 } else { count }
}

/// The name of the test whose body has this closure.
fn test_of<F>(work: &F) -> String {
    let name = type_name_of_val(work);
    let path = name.split_once("::").map_or(name, |(_crate, path)| path);
    path.split("::{{").next().unwrap_or(path).to_owned()
}

/// Runs `work`, a closure in the body of a `#[test]`, in a child process, and fails unless that ends well.
#[track_caller]
pub(crate) fn in_child(work: impl FnOnce()) {
    in_child_with(&[], work);
}

/// As [`in_child`], with these variables of the environment.
#[track_caller]
pub(crate) fn in_child_with(env: &[(&str, &str)], work: impl FnOnce()) {
    if let Some(output) = child_or_output(env, work) {
        child::assert_passed(&output);
    }
}

/// In the child, runs `work` and returns nothing. In the parent, returns what became of the child.
pub(crate) fn child_or_output(env: &[(&str, &str)], work: impl FnOnce()) -> Option<Output> {
    let test = test_of(&work);
    if child::is_child(&test) {
        watchdog(CHILD_LIMIT, work);
        None
    } else {
        // The child has a watchdog too, but one that hangs at its exit has lost it.
        Some(watchdog(CHILD_LIMIT * 2, || child::run_child(&test, env)))
    }
}

/// Runs `work` on a thread with a small stack, in a child process: an overflow would end this one.
#[track_caller]
pub(crate) fn small_stack(work: impl FnOnce() + Send + 'static) {
    let test = test_of(&work);
    if child::is_child(&test) {
        watchdog(CHILD_LIMIT, || {
            let thread = thread::Builder::new().name(test).stack_size(STACK).spawn(work).unwrap();
            thread.join().unwrap();
        });
    } else {
        child::assert_passed(&watchdog(CHILD_LIMIT * 2, || child::run_child(&test, &[])));
    }
}

/// Waits until `condition` holds; the watchdog ends a wait that is for nothing.
pub(crate) fn eventually(condition: impl Fn() -> bool) {
    while !condition() {
        thread::sleep(Duration::from_micros(200));
    }
}

pub(crate) use child::assert_passed;

/// How long `f` takes.
pub(crate) fn time<R>(f: impl FnOnce() -> R) -> Duration {
    let start = Instant::now();
    f();
    start.elapsed()
}
