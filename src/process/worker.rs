//! The other side: what a worker process does.

use super::child::BUFFER;
use super::frame::{self, Decoder, Frame, Setup};
use crate::{Fault, Registry};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, kill_current_process_group, setrlimit};
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, process, thread};

/// Set in the environment of a worker.
pub(super) const VARIABLE: &str = "THENABLE_WORKER";

/// This process has become a worker, so it knows how to start its own pools.
static SERVING: AtomicBool = AtomicBool::new(false);

/// Turns this process into a worker if a [`ProcessPool`](crate::ProcessPool) started it to be one; returns at once
/// otherwise.
///
/// Call it first in `main`. A worker never comes back: it runs jobs until its pool closes the connection, and exits. Its
/// standard input is empty; what the jobs print goes where the pool's own output goes.
///
/// A pool in a process that was started as a worker and did not call this is refused, so that a program that forgets it
/// does not start itself without end.
///
/// # Examples
///
/// ```standalone_crate
/// use thenable::{JobPoolExt, ProcessPool, Registry};
///
/// thenable::job! {
///     fn count(n: u64) -> u64 {
///         (0..n).fold(0, |sum, _| sum + 1)
///     }
/// }
///
/// fn main() -> Result<(), thenable::Rejection> {
///     thenable::process::run_worker_if_asked(&Registry::new().add(count));
///
///     let pool = ProcessPool::new(2)?;
///     assert_eq!(pool.submit_job(count, 10).wait()?, 10);
///     Ok(())
/// }
/// ```
pub fn run_worker_if_asked(registry: &Registry) {
    if env::var_os(VARIABLE).is_none() || SERVING.swap(true, Ordering::Relaxed) {
        return;
    }
    // A program that a job starts inherits the variable, but not the socket.
    let Ok(socket) = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from) else { return };
    if socket.local_addr().is_err() {
        return;
    }
    let served = serve(&socket, registry);
    if let Err(why) = &served {
        if why.kind() != io::ErrorKind::UnexpectedEof {
            let _ = (&socket).write_all(&frame::text(frame::FAILED, 0, &why.to_string()));
        }
    }
    process::exit(i32::from(served.is_err()));
}

/// The command that starts this test program again as a worker, for a pool in a `#[test]`. `test` is the full name of a
/// test that calls [`run_worker_if_asked`] and does nothing else.
///
/// What the jobs print is thrown away, as the test harness prints there as well.
///
/// # Examples
///
/// ```no_run
/// use thenable::{ProcessPool, Registry};
///
/// #[test]
/// fn promise_worker() {
///     thenable::process::run_worker_if_asked(&Registry::new());
/// }
///
/// #[test]
/// fn uses_a_pool() -> Result<(), thenable::Rejection> {
///     let worker = thenable::process::test_command("promise_worker");
///     let pool = ProcessPool::builder().max_workers(2).worker_command(worker).build()?;
///     Ok(())
/// }
/// ```
pub fn test_command(test: &str) -> Command {
    let mut command = this_program();
    command.args([test, "--exact", "--include-ignored", "--nocapture", "--test-threads=1"]).stdout(Stdio::null());
    command
}

/// The command that starts this program again.
pub(super) fn this_program() -> Command {
    // The file may have been replaced or deleted by now; on Linux this name leads to the one that runs.
    let program = if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { env::current_exe() };
    let name = env::args_os().next();
    let mut command = Command::new(program.ok().or_else(|| name.clone().map(Into::into)).unwrap_or_default());
    if let Some(name) = name {
        std::os::unix::process::CommandExt::arg0(&mut command, name);
    }
    command
}

/// Why this process must not start workers.
pub(super) fn forgotten() -> Option<Fault> {
    if env::var_os(VARIABLE).is_none() || SERVING.load(Ordering::Relaxed) {
        return None;
    }
    let what = "this process was started as a worker, but its `main` does not begin with `run_worker_if_asked`";
    Some(Fault::InvalidConfig { what: what.into() })
}

fn serve(socket: &UnixStream, registry: &Registry) -> io::Result<()> {
    // Jobs that read their standard input find it empty.
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    watch(socket.try_clone()?)?;
    let (mut input, mut decoder) = (BufReader::with_capacity(BUFFER, socket), Decoder::default());
    let setup = Setup::decode(&decoder.read_blocking(&mut input, 0)?)
        .ok_or_else(|| io::Error::other("pool and worker were built from different versions of thenable"))?;
    limit_memory(setup.memory_limit)?;
    let mut output = socket;
    output.write_all(&frame::begin(frame::HELLO, 0, &[], 0)?)?;
    loop {
        let job = match decoder.read_blocking(&mut input, setup.frame_limit) {
            Ok(frame) if frame.kind == frame::JOB => frame,
            Ok(frame) => return Err(io::Error::other(format!("a frame of the unknown kind {}", frame.kind))),
            // The pool has no more jobs.
            Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(why) => return Err(why),
        };
        let number = job.number;
        output.write_all(&frame::begin(frame::START, number, &[], 0)?)?;
        let outcome = match frame::parse_job(&job.body) {
            Some((name, arguments)) => registry.call(name, arguments, setup.frame_limit),
            None => return Err(io::Error::other("a job that cannot be read")),
        };
        drop(job);
        answer(&mut output, number, outcome)?;
    }
}

fn answer(output: &mut impl Write, number: u32, outcome: Result<Vec<u8>, Fault>) -> io::Result<()> {
    /// Below this size, one write of a copy is cheaper than two.
    const SMALL: usize = 16 << 10;
    let bytes = match outcome {
        Ok(result) => {
            let mut bytes = frame::begin(frame::DONE, number, &[], result.len())?;
            if result.len() > SMALL {
                output.write_all(&bytes)?;
                return output.write_all(&result);
            }
            bytes.extend_from_slice(&result);
            bytes
        }
        Err(fault) => Frame::failure(number, fault),
    };
    output.write_all(&bytes)
}

/// Ends this process, and what its jobs have started, when the pool's process is gone: a thread that sleeps until the
/// socket hangs up. An idle worker would read the end of the stream, a busy one would not look.
fn watch(socket: UnixStream) -> io::Result<()> {
    let wait = move || {
        // A hang-up is always reported; it takes both directions, and a pool that ends a worker closes only one.
        while matches!(
            poll(&mut [PollFd::new(&socket, PollFlags::empty())], None),
            Ok(0) | Err(Errno::INTR | Errno::AGAIN)
        ) {}
        // The pool has made this process the leader of a group of its own.
        let _ = kill_current_process_group(Signal::KILL);
        process::exit(1);
    };
    thread::Builder::new().name("thenable-watch".into()).stack_size(64 << 10).spawn(wait).map(drop)
}

fn limit_memory(bytes: u64) -> io::Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    // Where there is such a thing: what is written to, and not what is only mapped.
    let resource = if cfg!(target_os = "linux") { Resource::Data } else { Resource::As };
    let maximum = getrlimit(resource).maximum.map_or(bytes, |hard| hard.min(bytes));
    setrlimit(resource, Rlimit { current: Some(maximum), maximum: Some(maximum) })
        .map_err(|why| io::Error::other(format!("the memory limit could not be set: {why}")))
}

/// What the pool adds to any command.
pub(super) fn prepare(command: &mut Command) {
    command.env(VARIABLE, "1");
    std::os::unix::process::CommandExt::process_group(command, 0);
}
