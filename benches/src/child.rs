//! Answers from a fresh process: for what the first time costs, and for memory.

use std::env;
use std::process::Command;
use std::time::Duration;

const VARIABLE: &str = "THENABLE_BENCH_TASK";

/// Something that is measured once in a process of its own.
#[derive(Debug, Clone, Copy)]
pub struct Task {
    /// Names it on the command line of the process.
    pub name: &'static str,
    /// Returns nanoseconds or bytes, whatever its asker wants; gets the number of operations.
    pub run: fn(usize) -> f64,
}

impl Task {
    /// Runs it in a process of its own.
    pub fn ask(&self, operations: usize) -> f64 {
        let program = env::current_exe().expect("the path of this program");
        let output = Command::new(program).env(VARIABLE, format!("{} {operations}", self.name)).output();
        let output = output.expect("this program starts");
        let answer = String::from_utf8_lossy(&output.stdout);
        answer
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("{} said {answer:?} and {}", self.name, String::from_utf8_lossy(&output.stderr)))
    }

    /// As `ask`, for a task that returns nanoseconds.
    pub fn time(&self, operations: usize) -> Duration {
        Duration::from_nanos(self.ask(operations) as u64)
    }
}

/// In a process that was started for one of `tasks`: runs it and prints its answer.
pub(crate) fn answer(tasks: &[Task]) -> bool {
    let Ok(wanted) = env::var(VARIABLE) else { return false };
    let (name, operations) = wanted.split_once(' ').expect("a task and a number");
    let task = tasks.iter().find(|task| task.name == name).expect("a task of this benchmark");
    println!("{}", (task.run)(operations.parse().expect("a number")));
    true
}

/// How much the resident memory grows per item while `make` makes `count` of something and keeps it.
///
/// # Panics
///
/// Where there is no `/proc/self/statm`.
pub fn bytes_per_item<K>(count: usize, make: impl FnOnce() -> K) -> f64 {
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").expect("/proc/self/statm");
        let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
        (pages.expect("a number of pages") * rustix::param::page_size()) as f64
    };
    let before = resident();
    let kept = make();
    let grown = resident() - before;
    std::hint::black_box(&kept);
    // Giving back millions of blocks is not part of the answer.
    std::mem::forget(kept);
    grown / count as f64
}
