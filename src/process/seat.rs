//! A seat: a task of the event loop that keeps one worker process busy, and replaces it.

use super::books::NotStarted;
use super::child::{Process, first};
use super::frame::{self, Frame};
use super::shared::{End, Shared, Stop, Work, lock};
use crate::Fault;
use crate::error::panic;
use crate::named::Call;
use async_io::Timer;
use futures::FutureExt;
use futures::future::{Either, select};
use std::future::poll_fn;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

/// How long a process may take to end once it has closed its connection or was asked to.
const GRACE: Duration = Duration::from_secs(2);

/// What those forget whose workers do not start.
const ADVICE: &str = "a worker's `main` must begin with `run_worker_if_asked`, and a test needs `test_command`";

/// How many workers may die between being idle and being given the same job.
const ATTEMPTS: u32 = 3;

/// A call in this pool. One that is dropped was thrown away together with its event loop.
pub(super) struct Job {
    pub(super) id: u64,
    timeout: Option<Duration>,
    attempts: u32,
    /// Gone once it is settled.
    call: Option<Call>,
}

impl Job {
    pub(super) fn new(id: u64, call: Call, timeout: Option<Duration>) -> Self {
        Self { id, timeout, attempts: 0, call: Some(call) }
    }

    pub(super) fn bytes(&self) -> usize {
        self.arguments().len()
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.call.as_ref().is_some_and(Call::is_wanted)
    }

    fn arguments(&self) -> &[u8] {
        self.call.as_ref().map_or(&[], Call::arguments)
    }

    fn name(&self) -> &str {
        self.call.as_ref().map_or("", Call::name)
    }

    fn fulfil(mut self, result: Vec<u8>) {
        if let Some(call) = self.call.take() {
            // It may run the waker of a stranger.
            let _ = panic::catch(None, || call.fulfil(result));
        }
    }

    pub(super) fn reject(mut self, fault: Fault) {
        self.tell(fault);
    }

    /// Its promise is settled already.
    pub(super) fn forget(mut self) {
        panic::drop_quietly(self.call.take());
    }

    fn tell(&mut self, fault: Fault) {
        if let Some(call) = self.call.take() {
            let _ = panic::catch(None, || call.reject(fault));
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.tell(Fault::LoopClosed);
    }
}

pub(super) struct Seat {
    shared: Arc<Shared>,
    id: u64,
    left: bool,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.left {
            self.shared.leave(self.id, true);
        }
    }
}

/// What came of an exchange with a worker.
enum Came {
    Frame(io::Result<Frame>),
    Timeout,
    Stop(Stop),
}

pub(super) async fn run(mut seat: Seat) -> crate::Result<()> {
    let mut process: Option<Process> = None;
    loop {
        let next = match &mut process {
            Some(worker) => first(seat.work(), worker.gone()).await,
            None => Ok(seat.work().await),
        };
        process = match (next, process.take()) {
            (Ok(Work::Job), None) => seat.start().await,
            (Ok(Work::Job), Some(worker)) => seat.serve(worker).await,
            (Ok(Work::End), worker) => {
                if let Some(worker) = worker {
                    seat.retire(worker).await;
                }
                break;
            }
            (Err(died), worker) => {
                if let Some(worker) = worker {
                    worker.end(died.then_some(GRACE)).await;
                }
                seat.shared.lost(seat.id);
                None
            }
        };
    }
    seat.left = true;
    seat.shared.leave(seat.id, false);
    Ok(())
}

impl Seat {
    pub(super) fn new(shared: Arc<Shared>, id: u64) -> Self {
        Self { shared, id, left: false }
    }

    async fn work(&self) -> Work {
        poll_fn(|context| self.shared.poll_work(self.id, context)).await
    }

    async fn stop(&self) -> Stop {
        poll_fn(|context| self.shared.poll_stop(self.id, context)).await
    }

    /// Waits for an exchange with a worker, unless that ends, the time is up or it is to be stopped.
    async fn guard(
        &self,
        exchange: impl Future<Output = io::Result<Frame>>,
        exit: impl Future<Output = ()> + Unpin,
        limit: Option<Duration>,
    ) -> Came {
        let mut exchange = pin!(exchange);
        let timer = limit.map_or_else(Timer::never, Timer::after);
        let stop = pin!(self.stop());
        let otherwise = select(exit, select(timer, stop));
        match select(exchange.as_mut(), otherwise).await {
            Either::Left((outcome, _)) => Came::Frame(outcome),
            // What it wrote before its end is there to be read. The stream itself may be held open by somebody else.
            Either::Right((Either::Left(_), _)) => Came::Frame(
                exchange.as_mut().now_or_never().unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into())),
            ),
            Either::Right((Either::Right((Either::Left(_), _)), _)) => Came::Timeout,
            Either::Right((Either::Right((Either::Right((stop, _)), _)), _)) => Came::Stop(stop),
        }
    }

    async fn retire(&self, worker: Process) {
        // While it has no job, only the end of everything can stop it. One that is dropped instead is killed and reaped.
        let _ = first(worker.retire(GRACE), self.stop()).await;
        self.shared.retired(self.id);
    }

    /// Starts a process, now or when the pause after too many failures is over.
    async fn start(&self) -> Option<Process> {
        if let Some(time) = self.shared.not_before() {
            first(Timer::at(time), self.stop()).await.ok()?;
            if !self.shared.has_queued() {
                return None;
            }
        }
        let started = Process::start(&mut lock(&self.shared.command));
        let mut worker = match started {
            Ok(worker) => worker,
            Err(why) => {
                let what = format!("it cannot be started: {why}");
                self.shared.not_started(self.id, NotStarted::Failed(what.into()));
                return None;
            }
        };
        let limit = self.shared.settings.start_timeout;
        let (wire, exit) = worker.parts();
        let came = self.guard(wire.greet(self.shared.settings.setup), exit, Some(limit)).await;
        let why = match came {
            Came::Frame(Ok(frame)) if frame.kind == frame::HELLO => {
                self.shared.started(self.id, worker.id());
                return Some(worker);
            }
            Came::Frame(Ok(frame)) if frame.kind == frame::FAILED => {
                worker.end(Some(GRACE)).await;
                NotStarted::Failed(frame.text().into())
            }
            Came::Frame(Err(why)) if why.kind() != io::ErrorKind::InvalidData => {
                let end = match worker.end(Some(GRACE)).await {
                    Some(status) => status.to_string(),
                    None => why.to_string(),
                };
                NotStarted::Died(format!("{end}; {ADVICE}").into())
            }
            Came::Frame(_) => {
                worker.end(None).await;
                NotStarted::Failed(format!("what it says is not what a worker says; {ADVICE}").into())
            }
            Came::Timeout => {
                worker.end(None).await;
                NotStarted::Failed(format!("it was not ready after {limit:?}; {ADVICE}").into())
            }
            Came::Stop(_) => {
                worker.end(None).await;
                return None;
            }
        };
        self.shared.not_started(self.id, why);
        None
    }

    /// Runs the next job, and gives the worker back if it can run another one.
    async fn serve(&self, mut worker: Process) -> Option<Process> {
        let Some(mut job) = self.shared.take(self.id) else { return Some(worker) };
        let number = worker.number();
        let head = match frame::job(number, job.name(), job.bytes()) {
            Ok(head) => head,
            Err(fault) => {
                self.shared.conclude(self.id, End::Stopped, true);
                job.reject(fault);
                return Some(worker);
            }
        };
        let limit = self.shared.settings.setup.frame_limit;
        let mut begun = false;
        let (mut wire, exit) = worker.parts();
        let exchange = async {
            wire.send(number, head, job.arguments()).await?;
            begun = true;
            wire.read(limit).await
        };
        let came = self.guard(exchange, exit, job.timeout).await;
        let (end, fault) = match came {
            Came::Frame(Ok(frame)) => match frame.answer(job.name(), number, limit) {
                Ok(answer) => return self.settle(worker, job, answer).await,
                Err(fault) => {
                    worker.end(None).await;
                    (End::Died, fault)
                }
            },
            Came::Frame(Err(why)) => {
                // It dies in its own time, unless it has gone mad.
                let mad = why.kind() == io::ErrorKind::InvalidData;
                let status = worker.end((!mad).then_some(GRACE)).await;
                if !begun && job.attempts < ATTEMPTS {
                    // It died before the job came: that is not the job's doing.
                    job.attempts += 1;
                    self.shared.conclude(self.id, End::NotBegun(job), false);
                    return None;
                }
                (End::Died, if mad { garbled(why) } else { crashed(status) })
            }
            Came::Timeout => {
                worker.end(None).await;
                (End::Stopped, Fault::TimedOut { after: job.timeout.unwrap_or_default() })
            }
            Came::Stop(Stop::Cancelled) => {
                worker.end(None).await;
                self.shared.conclude(self.id, End::Stopped, false);
                job.forget();
                return None;
            }
            Came::Stop(Stop::Killed(reason)) => {
                worker.end(None).await;
                (End::Stopped, Fault::Cancelled { reason })
            }
        };
        self.shared.conclude(self.id, end, false);
        job.reject(fault);
        None
    }

    async fn settle(&self, mut worker: Process, job: Job, answer: Result<Vec<u8>, Fault>) -> Option<Process> {
        worker.jobs += 1;
        self.shared.conclude(self.id, End::Answered, true);
        match answer {
            Ok(result) => job.fulfil(result),
            Err(fault) => job.reject(fault),
        }
        if worker.jobs < self.shared.settings.max_jobs {
            return Some(worker);
        }
        self.retire(worker).await;
        None
    }
}

/// The fault that made bytes no frame.
fn garbled(why: io::Error) -> Fault {
    let text = why.to_string();
    let fault = why.into_inner().and_then(|inner| inner.downcast::<Fault>().ok());
    fault.map_or(Fault::Protocol { what: text.into() }, |fault| *fault)
}

fn crashed(status: Option<ExitStatus>) -> Fault {
    let signal = status.as_ref().and_then(ExitStatusExt::signal);
    Fault::Crashed { signal, code: status.and_then(|status| status.code()) }
}
