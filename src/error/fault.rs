//! What the library itself rejects with.

use super::{Rejection, Unhandled};
use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::mem;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

/// How many pending promises the message of `Stalled` names.
const NAMED: usize = 5;

/// What the library itself rejects with.
///
/// Every reason type that is `From<Fault>` works in a chain: [`Rejection`], `Box<dyn Error + Send + Sync>`,
/// `anyhow::Error`, [`std::io::Error`], [`String`], or an enum of your own with `#[from] Fault`. So there is no `Result`
/// inside a `Result`: a panic, a time-out or a cancellation arrives as the reason.
///
/// # Examples
///
/// ```
/// use thenable::Fault;
///
/// #[derive(Debug, thiserror::Error)]
/// enum AppError {
///     #[error("no such user")]
///     NoSuchUser,
///     #[error(transparent)]
///     Fault(#[from] Fault),
/// }
///
/// let error: AppError = Fault::LoopClosed.into();
/// assert_eq!(error.to_string(), "the event loop is closed");
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Somebody asked for it: `cancel`, an abort signal, or a dropped `CancelOnDrop`.
    #[error("cancelled: {reason}")]
    Cancelled {
        /// What the one who cancelled gave as the reason.
        reason: CancelReason,
    },
    /// A handler, a job or a task panicked, or a destructor of what it held.
    #[error("a handler panicked: {message}")]
    Panicked {
        /// The panic's message.
        message: Cow<'static, str>,
        /// Where the handler was registered, as `file:line:column`, if that is known. The place of the panic itself is
        /// what the panic hook printed.
        at: Option<Cow<'static, str>>,
    },
    /// The producer went away without a word.
    #[error("abandoned: every resolver of the promise made at {created_at} went away without settling it")]
    Abandoned {
        /// Where the promise was made.
        created_at: &'static Location<'static>,
    },
    /// The time was up first.
    #[error("timed out after {after:?}")]
    TimedOut {
        /// The limit that was set.
        after: Duration,
    },
    /// It would wait for itself.
    #[error("a promise cannot adopt itself")]
    Cycle,
    /// The loop that should have done the work is gone.
    #[error("the event loop is closed")]
    LoopClosed,
    /// A blocking wait on the thread that would have to do the work.
    #[error("waiting here would block the event loop for ever: use `.await` or `.then(..)`, or wait on another thread")]
    WouldDeadlock,
    /// On a virtual clock: no job, no timer and no task is left, and what was waited for is still pending.
    #[error("nothing can make progress: {} pending{}", pending.len(), Named(pending))]
    Stalled {
        /// What is pending.
        pending: Vec<Pending>,
    },
    /// What a strict loop's `run` returns when nobody handled a rejection.
    #[error("unhandled rejection: {report}")]
    Unhandled {
        /// What would have gone to the hook.
        report: Arc<Unhandled>,
    },
    /// `stop` was called first.
    #[error("the loop was stopped before the promise settled")]
    Stopped,
    /// A `run` inside a `run` of the same loop.
    #[error("the loop is running already: inside of it, await or chain the promise")]
    AlreadyRunning,
    /// The pool takes no more jobs for now.
    #[error("the pool's queue is full: wait for a place with `submit_wait`, or raise its limit")]
    Full,
    /// The pool takes no more jobs at all.
    #[error("the pool is shut down")]
    PoolClosed,
    /// The outcome was moved out of this handle by an earlier await, and it was the last handle.
    #[error("the outcome was taken by an earlier await: clone the promise before awaiting it to use it again")]
    AlreadyTaken,
    /// A setting that cannot work.
    #[error("{what}")]
    InvalidConfig {
        /// What is wrong, and what would be right.
        what: Cow<'static, str>,
    },
    /// The worker process that ran the job died: by a signal, or it exited.
    #[error("the worker process died in the job: {}", Death(*signal, *code))]
    Crashed {
        /// The signal, if that is what ended it. It is 6 for an abort, also one for lack of memory.
        signal: Option<i32>,
        /// The exit status, if it exited.
        code: Option<i32>,
    },
    /// No worker process can be started.
    #[error("there is no worker process: {what}")]
    NoWorker {
        /// What became of the last attempt.
        what: Cow<'static, str>,
    },
    /// Worker processes die as soon as they are started, before they are given a job.
    #[error("{deaths} worker processes in a row died before they were ready, the last one thus: {what}")]
    CrashLoop {
        /// How many there were.
        deaths: u32,
        /// What became of the last one.
        what: Cow<'static, str>,
    },
    /// A worker process said something that is no answer.
    #[error("the worker process broke the protocol: {what}")]
    Protocol {
        /// What it said.
        what: Cow<'static, str>,
    },
    /// The process that should run the job knows none of this name.
    #[error("no job {name:?} is registered in the worker")]
    Unregistered {
        /// The job's name.
        name: Cow<'static, str>,
    },
    /// Arguments or result of a named job cannot be encoded or decoded.
    #[error("{step} of the job {what}")]
    Codec {
        /// Which of the four.
        step: CodecStep,
        /// The job's name, and why.
        what: Cow<'static, str>,
    },
    /// Arguments or result of a named job are too large.
    #[error("arguments or result of the job have more than {limit} bytes")]
    FrameTooLarge {
        /// The pool's limit, in bytes.
        limit: usize,
    },
    /// With this job's arguments, too many bytes would be queued. There are places left for smaller ones.
    #[error("the arguments of the queued jobs would have more than {limit} bytes")]
    TooManyBytes {
        /// The pool's limit, in bytes.
        limit: usize,
    },
}

/// What failed, in [`Fault::Codec`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodecStep {
    /// On the side that submits the job.
    EncodeArguments,
    /// On the side that runs it.
    DecodeArguments,
    /// On the side that runs it.
    EncodeResult,
    /// On the side that submitted the job.
    DecodeResult,
}

impl fmt::Display for CodecStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            CodecStep::EncodeArguments => "cannot encode the arguments",
            CodecStep::DecodeArguments => "cannot decode the arguments",
            CodecStep::EncodeResult => "cannot encode the result",
            CodecStep::DecodeResult => "cannot decode the result",
        })
    }
}

/// How a process ended.
struct Death(Option<i32>, Option<i32>);

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Some(signal), _) => {
                // These have the same numbers everywhere.
                let name = match signal {
                    4 => " (illegal instruction)",
                    6 => " (abort)",
                    8 => " (arithmetic)",
                    9 => " (kill)",
                    11 => " (segmentation fault)",
                    15 => " (termination)",
                    _ => "",
                };
                write!(f, "signal {signal}{name}")
            }
            (None, Some(code)) => write!(f, "exit status {code}"),
            (None, None) => f.write_str("nobody knows how"),
        }
    }
}

impl Fault {
    /// The fault, which arose at `at`, as a reason of the type `E`.
    ///
    /// A plain `E::from(fault)` would make a [`Rejection`] whose trace begins with a line of this crate.
    pub(crate) fn into_reason<E>(self, at: &'static Location<'static>) -> E
    where
        E: From<Fault> + 'static,
    {
        let mut reason = Err::<E, Fault>(self);
        if let Some(dynamic) = (&mut reason as &mut dyn Any).downcast_mut::<Result<Rejection, Fault>>() {
            if let Err(fault) = mem::replace(dynamic, Err(Fault::Cycle)) {
                *dynamic = Ok(Rejection::from_fault(fault, at));
            }
        }
        reason.unwrap_or_else(E::from)
    }
}

/// The fault is the [inner error](io::Error::get_ref).
///
/// # Examples
///
/// ```
/// use std::io;
/// use std::time::Duration;
/// use thenable::Fault;
///
/// let error = io::Error::from(Fault::TimedOut { after: Duration::from_secs(5) });
/// assert_eq!(error.kind(), io::ErrorKind::TimedOut);
/// let fault = error.get_ref().and_then(|inner| inner.downcast_ref::<Fault>());
/// assert!(matches!(fault, Some(Fault::TimedOut { .. })));
/// ```
impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        use io::ErrorKind;
        let kind = match fault {
            Fault::TimedOut { .. } => ErrorKind::TimedOut,
            Fault::Abandoned { .. } | Fault::LoopClosed | Fault::PoolClosed => ErrorKind::BrokenPipe,
            Fault::WouldDeadlock | Fault::Cycle | Fault::Stalled { .. } => ErrorKind::Deadlock,
            Fault::AlreadyRunning => ErrorKind::ResourceBusy,
            Fault::Full | Fault::TooManyBytes { .. } => ErrorKind::WouldBlock,
            // Not `Interrupted`: `Read::read_to_end` and its like take that as "try again".
            Fault::Cancelled { .. }
            | Fault::Panicked { .. }
            | Fault::Unhandled { .. }
            | Fault::Stopped
            | Fault::AlreadyTaken => ErrorKind::Other,
            Fault::InvalidConfig { .. } => ErrorKind::InvalidInput,
            Fault::Crashed { .. } | Fault::NoWorker { .. } | Fault::CrashLoop { .. } => ErrorKind::BrokenPipe,
            Fault::Unregistered { .. } => ErrorKind::NotFound,
            Fault::Codec { .. } | Fault::Protocol { .. } => ErrorKind::InvalidData,
            Fault::FrameTooLarge { .. } => ErrorKind::FileTooLarge,
        };
        io::Error::new(kind, fault)
    }
}

/// The message.
impl From<Fault> for String {
    fn from(fault: Fault) -> Self {
        fault.to_string()
    }
}

/// Why a promise was cancelled.
///
/// # Examples
///
/// ```
/// use thenable::{CancelReason, Fault};
///
/// let reason = CancelReason::from("the user closed the window");
/// assert_eq!(reason.as_str(), "the user closed the window");
/// let fault = Fault::Cancelled { reason };
/// assert_eq!(fault.to_string(), "cancelled: the user closed the window");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CancelReason {
    text: Cow<'static, str>,
}

impl CancelReason {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// "no reason given".
impl Default for CancelReason {
    fn default() -> Self {
        CancelReason::from("no reason given")
    }
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl From<&'static str> for CancelReason {
    fn from(text: &'static str) -> Self {
        CancelReason { text: Cow::Borrowed(text) }
    }
}

impl From<String> for CancelReason {
    fn from(text: String) -> Self {
        CancelReason { text: Cow::Owned(text) }
    }
}

impl From<Cow<'static, str>> for CancelReason {
    fn from(text: Cow<'static, str>) -> Self {
        CancelReason { text }
    }
}

/// Something that [`Fault::Stalled`] found waiting.
///
/// # Examples
///
/// ```
/// use std::panic::Location;
/// use thenable::{Fault, Pending};
///
/// let here = Location::caller();
/// let waiting = Pending { name: Some("answer".into()), created_at: here };
/// assert_eq!(waiting.to_string(), format!("`answer` at {here}"));
///
/// let fault = Fault::Stalled { pending: vec![waiting] };
/// assert_eq!(fault.to_string(), format!("nothing can make progress: 1 pending (`answer` at {here})"));
/// ```
#[derive(Clone, Debug)]
pub struct Pending {
    /// Its name, if it was given one.
    pub name: Option<Cow<'static, str>>,
    /// Where it was made.
    pub created_at: &'static Location<'static>,
}

/// The name and the place, or the place alone.
impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "`{name}` at {}", self.created_at),
            None => write!(f, "{}", self.created_at),
        }
    }
}

/// The first few of what is pending, behind the number.
struct Named<'a>(&'a [Pending]);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, pending) in self.0.iter().take(NAMED).enumerate() {
            write!(f, "{}{pending}", if index == 0 { " (" } else { ", " })?;
        }
        match self.0.len() {
            0 => Ok(()),
            count if count > NAMED => write!(f, ", and {} more)", count - NAMED),
            _ => f.write_str(")"),
        }
    }
}
