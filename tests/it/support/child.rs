//! Tests that need a process of their own: exits, aborts, stacks and memory.

use std::env;
use std::process::{Command, Output, Stdio};

const ROLE: &str = "THENABLE_TEST_CHILD";

/// Whether this process was started by [`run_child`] for this test.
pub(crate) fn is_child(test_name: &str) -> bool {
    env::var(ROLE).is_ok_and(|role| role == test_name)
}

/// Runs one test of this binary again in a child process, where [`is_child`] tells it to do the work.
///
/// The child must end by itself: put its work under a watchdog.
pub(crate) fn run_child(test_name: &str, env: &[(&str, &str)]) -> Output {
    let binary = env::current_exe().expect("the path of the test binary");
    Command::new(binary)
        .args([test_name, "--exact", "--include-ignored", "--nocapture", "--test-threads", "1"])
        .env(ROLE, test_name)
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the test binary starts again")
}

/// The child ran its one test, and that passed.
#[track_caller]
pub(crate) fn assert_passed(output: &Output) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let passed = output.status.success() && out.contains("1 passed");
    assert!(passed, "the child ended with {}\n--- stdout\n{out}\n--- stderr\n{err}", output.status);
}

/// Resident memory of this process in KiB.
#[cfg(target_os = "linux")]
pub(crate) fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap(); // not the pages of the program itself
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
