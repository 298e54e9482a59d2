//! One worker process, from its start to its end.
//!
//! 1. A process is the leader of a group of its own. The group is killed before the leader is reaped: until then its
//!    number cannot belong to anybody else.
//! 2. Every process is reaped: by `end`, or after a drop by a task of the global loop.
//! 3. The end of a process is seen even if somebody else still holds its socket: a child that a job has forked, say.

use super::frame::{self, Decoder, Frame, Setup};
use super::worker;
use crate::LoopHandle;
use async_io::{Async, Timer};
use futures::future::{Either, select};
use futures::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// How much is read at a time.
pub(super) const BUFFER: usize = 32 << 10;

/// The longest pause between two looks at a process, where the system cannot tell when it ends.
const LONG_PAUSE: Duration = Duration::from_millis(250);

pub(super) struct Process {
    leader: Leader,
    stream: BufReader<Async<UnixStream>>,
    decoder: Decoder,
    exit: Exit,
    /// Jobs that it has answered.
    pub(super) jobs: u64,
}

/// What an exchange with a worker needs, beside which its end can be watched.
pub(super) struct Wire<'a> {
    stream: &'a mut BufReader<Async<UnixStream>>,
    decoder: &'a mut Decoder,
}

impl Process {
    /// Starts a worker. It blocks for as long as starting a program takes, about a millisecond.
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let ours = Async::new(ours)?;
        worker::prepare(command);
        let child = command.stdin(OwnedFd::from(theirs)).spawn();
        // The command would keep the worker's end open, and nobody would see the worker end.
        command.stdin(Stdio::null());
        let child = child?;
        let exit = Exit(Some(Box::pin(exited(pid(&child)))));
        let stream = BufReader::with_capacity(BUFFER, ours);
        Ok(Self { leader: Leader { child: Some(child) }, stream, decoder: Decoder::default(), exit, jobs: 0 })
    }

    pub(super) fn id(&self) -> u32 {
        self.leader.child.as_ref().map_or(0, Child::id)
    }

    /// The number of its next job.
    pub(super) fn number(&self) -> u32 {
        // It may start again: all that matters is that neighbours differ, and that it is not zero.
        (self.jobs % u64::from(u32::MAX)) as u32 + 1
    }

    /// The two things to wait for: what the worker says, and its end.
    pub(super) fn parts(&mut self) -> (Wire<'_>, impl Future<Output = ()> + Unpin + '_) {
        (Wire { stream: &mut self.stream, decoder: &mut self.decoder }, &mut self.exit)
    }

    /// Waits until an idle worker dies, or says something that nobody asked it: whether it died.
    pub(super) async fn gone(&mut self) -> bool {
        match select(self.stream.fill_buf(), &mut self.exit).await {
            Either::Left((said, _)) => !said.is_ok_and(|said| !said.is_empty()),
            Either::Right(_) => true,
        }
    }

    /// Asks the worker to exit and gives it a while; then kills what is left of its group, and reaps it.
    pub(super) async fn retire(self, grace: Duration) -> Option<ExitStatus> {
        let _ = self.stream.get_ref().get_ref().shutdown(Shutdown::Write);
        self.end(Some(grace)).await
    }

    /// Waits for the end of the process, for a while; then kills what is left of its group, and reaps it. `None`: somebody
    /// else has reaped it.
    pub(super) async fn end(mut self, grace: Option<Duration>) -> Option<ExitStatus> {
        self.leader.end(grace).await
    }
}

/// Waits for the end of a process, and stays ready.
struct Exit(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Future for Exit {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let Some(exit) = &mut self.0 {
            ready!(exit.as_mut().poll(context));
            self.0 = None;
        }
        Poll::Ready(())
    }
}

impl Wire<'_> {
    pub(super) async fn greet(self, setup: Setup) -> io::Result<Frame> {
        self.stream.get_mut().write_all(&setup.encode()).await?;
        self.decoder.read(self.stream, 0).await
    }

    /// Sends a job, and waits until the worker has it.
    pub(super) async fn send(&mut self, number: u32, mut head: Vec<u8>, arguments: &[u8]) -> io::Result<()> {
        /// Below this size, one write of a copy is cheaper than two.
        const SMALL: usize = 16 << 10;
        let output = self.stream.get_mut();
        if arguments.len() > SMALL {
            output.write_all(&head).await?;
            output.write_all(arguments).await?;
        } else {
            head.extend_from_slice(arguments);
            output.write_all(&head).await?;
        }
        match self.read(0).await? {
            Frame { kind: frame::START, number: same, .. } if same == number => Ok(()),
            frame => {
                let what = format!("a frame of the kind {} for job {} before job {number}", frame.kind, frame.number);
                Err(io::Error::new(io::ErrorKind::InvalidData, what))
            }
        }
    }

    pub(super) async fn read(&mut self, limit: usize) -> io::Result<Frame> {
        self.decoder.read(self.stream, limit).await
    }
}

/// Whoever drops it has the group killed and the leader reaped, without waiting for that.
struct Leader {
    child: Option<Child>,
}

impl Leader {
    async fn end(&mut self, grace: Option<Duration>) -> Option<ExitStatus> {
        let child = self.child.as_mut()?;
        if let Some(grace) = grace {
            let exit = pin!(exited(pid(child)));
            let _ = select(exit, Timer::after(grace)).await;
        }
        kill_group(child);
        exited(pid(child)).await;
        // It has exited, so this does not block.
        let status = child.wait().ok();
        self.child = None;
        status
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        let Some(child) = self.child.take() else { return };
        kill_group(&child);
        let mut dying = Dying(child);
        let reap = async move {
            exited(pid(&dying.0)).await;
            // Dropping it reaps it.
            let _ = dying.0.try_wait();
            crate::Ok(())
        };
        LoopHandle::global().spawn(reap).mark_handled();
    }
}

/// A child that has been killed, on its way to being reaped. Where there is no loop to wait for it, its drop waits for the
/// short time that a kill takes.
struct Dying(Child);

impl Drop for Dying {
    fn drop(&mut self) {
        let _ = self.0.wait();
    }
}

fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

fn kill_group(child: &Child) {
    if let Some(group) = pid(child) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Whether the process has ended. It is left to be reaped.
fn has_exited(pid: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match waitid(WaitId::Pid(pid), options) {
        Ok(status) => status.is_some(),
        Err(rustix::io::Errno::INTR) => false,
        // Somebody else has reaped it.
        Err(_) => true,
    }
}

/// Waits for the end of a process that has not been reaped.
async fn exited(pid: Option<Pid>) {
    let Some(pid) = pid else { return };
    if has_exited(pid) {
        return;
    }
    #[cfg(target_os = "linux")]
    {
        let descriptor = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty());
        if let Some(exit) = descriptor.ok().and_then(|descriptor| Async::new_nonblocking(descriptor).ok()) {
            while !has_exited(pid) && exit.readable().await.is_ok() {}
        }
    }
    // Elsewhere, and where descriptors are used up: look again and again.
    let mut pause = Duration::from_micros(200);
    while !has_exited(pid) {
        Timer::after(pause).await;
        pause = (pause * 2).min(LONG_PAUSE);
    }
}

/// Waits for the first of two, the former one preferred.
pub(super) async fn first<R, S>(this: impl Future<Output = R>, or: impl Future<Output = S>) -> Result<R, S> {
    match select(pin!(this), pin!(or)).await {
        Either::Left((result, _)) => Ok(result),
        Either::Right((other, _)) => Err(other),
    }
}
