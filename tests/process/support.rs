//! The jobs of these tests, and how to look at processes.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, getpid, kill_process};
use serde::de::Error as _;
use serde::ser::{Error as _, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thenable::{JobFn, ProcessPool, ProcessPoolBuilder, Registry, process};

thenable::job! {
    pub(crate) fn add(a: u64, b: u64) -> u64 {
        a + b
    }

    pub(crate) fn twice(text: String) -> String {
        text.repeat(2)
    }

    pub(crate) fn half(n: u64) -> Result<u64, String> {
        if n % 2 == 0 { Ok(n / 2) } else { Err(format!("{n} is odd")) }
    }

    pub(crate) fn count_to(n: u64) -> u64 {
        (0..n).fold(0, |count, _| count + 1)
    }

    pub(crate) fn pid() -> u32 {
        std::process::id()
    }

    pub(crate) fn read_input() -> usize {
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap()
    }

    pub(crate) fn sleep(ms: u64) -> u64 {
        thread::sleep(Duration::from_millis(ms));
        ms
    }

    pub(crate) fn panics(n: u64) {
        panic!("no {n}");
    }

    pub(crate) fn abort() {
        std::process::abort();
    }

    pub(crate) fn exit(code: i32) {
        std::process::exit(code);
    }

    pub(crate) fn segfault() {
        // The first one ends the handler that watches for stack overflows, the second one the process.
        loop {
            kill_process(getpid(), Signal::SEGV).unwrap();
        }
    }

    pub(crate) fn endless() {
        loop {
            thread::sleep(Duration::from_secs(1));
        }
    }

    pub(crate) fn allocate(mut bytes: usize) -> usize {
        let block = vec![1_u8; bytes];
        bytes = std::hint::black_box(&block).len();
        bytes
    }

    pub(crate) fn big(bytes: usize) -> String {
        "x".repeat(bytes)
    }

    /// Starts a process of its own, notes its id in a file, and waits for it for ever.
    pub(crate) fn grandchild(note: String) {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let part = format!("{note}.part");
        std::fs::write(&part, format!("{}\n", child.id())).unwrap();
        std::fs::rename(part, note).unwrap();
        child.wait().unwrap();
    }

    /// Dies by a signal if `n` is one of the unlucky numbers.
    pub(crate) fn die_at(n: u64, seed: u64) -> u64 {
        if is_to_die(n, seed) {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
        n
    }

    pub(crate) fn unfit(value: Unfit) -> Unfit {
        Unfit { in_arguments: true, ..value }
    }

    pub(crate) fn bomb(value: Unfit) -> bool {
        value.panics
    }

    pub(crate) fn nothing() {}

    pub(crate) fn huge(text: Huge) -> usize {
        text.0
    }

    /// No worker knows it.
    pub(crate) fn stranger() {}

    /// A worker knows it twice.
    pub(crate) fn twin() {}

    pub(crate) fn stop() {
        kill_process(getpid(), Signal::STOP).unwrap();
        // The signal may be some time on its way.
        loop {
            thread::sleep(Duration::from_secs(1));
        }
    }

    pub(crate) fn chatter(text: String) -> u64 {
        use std::io::Write;
        // What a frame looks like.
        let frame = b"\x01\x00\x00\x00\x05\x07";
        for _ in 0..1000 {
            std::io::stdout().write_all(frame).unwrap();
        }
        println!("{text}");
        std::io::stdout().flush().unwrap();
        42
    }

    /// Appends a line to a file.
    pub(crate) fn append_line(file: String, line: String) {
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file).unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// The item's line in the comparison of pools.
    pub(crate) fn evaluate(count: u64, item: u64) -> String {
        let mut i = 0;
        for _ in 0..count {
            i = std::hint::black_box(i + 1);
        }
        format!("Item {item}, result {}", i * item)
    }

    pub(crate) fn func1(ms: u64) -> String {
        thread::sleep(Duration::from_millis(ms));
        "结果".to_owned()
    }

    /// Leaves a process behind that is not waited for, and gives its id.
    pub(crate) fn leave_behind() -> u32 {
        Command::new("sleep").arg("1000").spawn().unwrap().id()
    }
}

/// What the caller takes for the type of the result, and what it is.
pub(crate) const MISMATCH: JobFn<(), (u64, String)> = JobFn::new("mismatch", |()| (0, String::new()));
const MISMATCH_THERE: JobFn<(), u64> = JobFn::new("mismatch", |()| 1);
/// The same with the arguments.
pub(crate) const MISPLACED: JobFn<u64, u64> = JobFn::new("misplaced", |n| n);
const MISPLACED_THERE: JobFn<(u64, String), u64> = JobFn::new("misplaced", |(n, _)| n);

pub(crate) fn registry() -> Registry {
    Registry::new()
        .add(add)
        .add(twice)
        .add(half)
        .add(count_to)
        .add(pid)
        .add(read_input)
        .add(sleep)
        .add(panics)
        .add(abort)
        .add(exit)
        .add(segfault)
        .add(endless)
        .add(allocate)
        .add(big)
        .add(grandchild)
        .add(die_at)
        .add(unfit)
        .add(bomb)
        .add(nothing)
        .add(twin)
        .add(twin)
        .add(stop)
        .add(chatter)
        .add(append_line)
        .add(evaluate)
        .add(func1)
        .add(leave_behind)
        .add(MISMATCH_THERE)
        .add(MISPLACED_THERE)
}

/// One in a hundred, at random; number 0 with the seed 0 is one of them.
pub(crate) fn is_to_die(n: u64, seed: u64) -> bool {
    let mut x = n.wrapping_add(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x ^ (x >> 32)) % 100 == 0
}

/// A value that cannot be encoded, now or when it comes back.
#[derive(Debug)]
pub(crate) struct Unfit {
    in_arguments: bool,
    panics: bool,
}

impl Unfit {
    pub(crate) fn in_arguments() -> Self {
        Self { in_arguments: true, panics: false }
    }

    pub(crate) fn in_result() -> Self {
        Self { in_arguments: false, panics: false }
    }

    pub(crate) fn panics() -> Self {
        Self { in_arguments: false, panics: true }
    }
}

impl Serialize for Unfit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(!self.panics, "a panic in `serialize`");
        if self.in_arguments { Err(S::Error::custom("unfit")) } else { serializer.serialize_u64(1) }
    }
}

impl<'de> Deserialize<'de> for Unfit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            1 => Ok(Self::in_result()),
            n => Err(D::Error::custom(n)),
        }
    }
}

/// So many bytes that nobody has in memory.
#[derive(Debug, Deserialize)]
pub(crate) struct Huge(pub(crate) usize);

impl Serialize for Huge {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(Some(self.0))?;
        for _ in 0..self.0 {
            sequence.serialize_element(&7_u8)?;
        }
        sequence.end()
    }
}

/// This program as a worker. What panicking jobs print is not for the eyes of whoever runs the tests.
pub(crate) fn command() -> Command {
    let mut command = process::test_command("promise_worker");
    command.stderr(Stdio::null());
    command
}

pub(crate) fn pool(workers: usize) -> ProcessPoolBuilder {
    ProcessPool::builder().max_workers(workers).worker_command(command())
}

/// An empty folder.
pub(crate) fn fresh(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("thenable-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A hang is a failure with a name.
#[track_caller]
pub(crate) fn within(test: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    let thread = thread::spawn(move || {
        test();
        let _ = done.send(());
    });
    match wait.recv_timeout(Duration::from_secs(120)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        _ => {
            if let Err(payload) = thread.join() {
                std::panic::resume_unwind(payload);
            }
        }
    }
}

#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// State and parent of a process.
#[cfg(target_os = "linux")]
fn status(id: &str) -> Option<(char, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name before it is in parentheses, and may have any.
    let (_, rest) = text.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

#[cfg(target_os = "linux")]
fn everybody() -> Vec<(char, u32)> {
    let names = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.starts_with(|c: char| c.is_ascii_digit())).filter_map(|id| status(&id)).collect()
}

#[cfg(not(target_os = "linux"))]
fn ps(options: &[&str]) -> Vec<(char, u32)> {
    let output = Command::new("ps").args(options).args(["-o", "stat=,ppid="]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| {
        let (state, parent) = line.trim().split_once(char::is_whitespace)?;
        Some((state.chars().next()?, parent.trim().parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(not(target_os = "linux"))]
fn status(id: &str) -> Option<(char, u32)> {
    ps(&["-p", id]).pop()
}

#[cfg(not(target_os = "linux"))]
fn everybody() -> Vec<(char, u32)> {
    ps(&["-A"])
}

/// Whether a process is there and is not a zombie that its parent has yet to reap.
pub(crate) fn alive(id: u32) -> bool {
    status(&id.to_string()).is_some_and(|(state, _)| state != 'Z')
}

/// Children of this process that nobody has reaped.
pub(crate) fn zombies() -> usize {
    let me = std::process::id();
    everybody().into_iter().filter(|(state, parent)| *parent == me && *state == 'Z').count()
}

/// Whether this process was started by [`run_child`] for this test.
pub(crate) fn is_child(test: &str) -> bool {
    std::env::var(ROLE).is_ok_and(|role| role == test)
}

const ROLE: &str = "THENABLE_TEST_CHILD";

/// This test again, in a process of its own, where [`is_child`] tells it to do the work.
pub(crate) fn child(test: &str) -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(ROLE, test);
    child
}

#[track_caller]
pub(crate) fn run_child(test: &str) {
    let output = child(test).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let passed = output.status.success() && out.contains("1 passed");
    assert!(passed, "the child ended with {}\n--- stdout\n{out}\n--- stderr\n{err}", output.status);
}

/// Asserts that a `Result<_, Rejection>` is this fault of the library.
macro_rules! assert_fault {
    ($outcome:expr, $fault:pat $(if $condition:expr)?) => {
        match &$outcome {
            Err(why) if matches!(why.fault(), Some($fault) $(if $condition)?) => {}
            Err(why) => panic!("expected {}, got the rejection {why:?}", stringify!($fault $(if $condition)?)),
            Ok(_) => panic!("expected {}, got a value", stringify!($fault $(if $condition)?)),
        }
    };
}
pub(crate) use assert_fault;
