//! Counts of handles that would overflow: the process must end before memory is freed under a live handle, as with `Arc`.
//!
//! There is no way to begin near the limit, so these count up to it: a quarter of a minute each without the optimizer.

use std::process::Output;

use thenable::Promise;

use crate::support::child_or_output;

/// More than any limit, less than any count can hold.
const TOO_MANY: u64 = u32::MAX as u64;

#[track_caller]
fn assert_aborted(output: Option<Output>) {
    let Some(output) = output else { return };
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    #[cfg(unix)]
    let aborted = std::os::unix::process::ExitStatusExt::signal(&output.status) == Some(6);
    #[cfg(not(unix))]
    let aborted = !output.status.success();
    assert!(aborted && text.contains("counting") && !text.contains("counted"), "{}\n{text}", output.status);
    assert!(!text.contains("watchdog"), "it took too long: {text}");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "a quarter of a minute: `cargo test --test children counts -- --ignored`")]
fn too_many_handles_of_a_promise_end_the_process() {
    assert_aborted(child_or_output(&[], || {
        let (promise, _resolver) = Promise::<u8>::with_resolvers();
        println!("counting");
        for _ in 0..TOO_MANY {
            std::mem::forget(promise.clone());
        }
        println!("counted");
    }));
}

#[test]
#[cfg_attr(debug_assertions, ignore = "a quarter of a minute: `cargo test --test children counts -- --ignored`")]
fn too_many_resolvers_end_the_process() {
    assert_aborted(child_or_output(&[], || {
        let (_promise, resolver) = Promise::<u8>::with_resolvers();
        println!("counting");
        for _ in 0..TOO_MANY {
            std::mem::forget(resolver.clone());
        }
        println!("counted");
    }));
}
