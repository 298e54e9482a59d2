//! The library's own causes.

use super::{Boxed, here};
use crate::error::{CancelReason, CodecStep, Fault, Pending, Rejection, Unhandled};
use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::Duration;

fn every_fault() -> Vec<(Fault, io::ErrorKind, String)> {
    use io::ErrorKind::{
        BrokenPipe, Deadlock, FileTooLarge, InvalidData, NotFound, Other, ResourceBusy, TimedOut, WouldBlock,
    };
    let at = here();
    let report = Arc::new(Unhandled::new(None, "mine", at, None));
    let after = Duration::from_millis(1500);
    let row = |fault, kind, text: &str| (fault, kind, text.to_owned());
    vec![
        row(Fault::Cancelled { reason: "why".into() }, Other, "cancelled: why"),
        row(Fault::Panicked { message: "boom".into(), at: None }, Other, "a handler panicked: boom"),
        row(
            Fault::Panicked { message: "boom".into(), at: Some("src/x.rs:1:2".into()) },
            Other,
            "a handler panicked: boom",
        ),
        row(
            Fault::Abandoned { created_at: at },
            BrokenPipe,
            &format!("abandoned: every resolver of the promise made at {at} went away without settling it"),
        ),
        row(Fault::TimedOut { after }, TimedOut, "timed out after 1.5s"),
        row(Fault::Cycle, Deadlock, "a promise cannot adopt itself"),
        row(Fault::LoopClosed, BrokenPipe, "the event loop is closed"),
        row(
            Fault::WouldDeadlock,
            Deadlock,
            "waiting here would block the event loop for ever: use `.await` or `.then(..)`, or wait on another thread",
        ),
        row(Fault::Stalled { pending: vec![] }, Deadlock, "nothing can make progress: 0 pending"),
        row(
            Fault::Unhandled { report: report.clone() },
            Other,
            &format!("unhandled rejection: a rejection of type mine\n    nobody handled the promise made at {at}"),
        ),
        row(Fault::Stopped, Other, "the loop was stopped before the promise settled"),
        row(
            Fault::AlreadyRunning,
            ResourceBusy,
            "the loop is running already: inside of it, await or chain the promise",
        ),
        row(
            Fault::Full,
            WouldBlock,
            "the pool's queue is full: wait for a place with `submit_wait`, or raise its limit",
        ),
        row(Fault::PoolClosed, BrokenPipe, "the pool is shut down"),
        row(
            Fault::Crashed { signal: Some(9), code: None },
            BrokenPipe,
            "the worker process died in the job: signal 9 (kill)",
        ),
        row(
            Fault::Crashed { signal: None, code: Some(3) },
            BrokenPipe,
            "the worker process died in the job: exit status 3",
        ),
        row(Fault::NoWorker { what: "why".into() }, BrokenPipe, "there is no worker process: why"),
        row(
            Fault::CrashLoop { deaths: 3, what: "exit status: 7".into() },
            BrokenPipe,
            "3 worker processes in a row died before they were ready, the last one thus: exit status: 7",
        ),
        row(Fault::Protocol { what: "why".into() }, InvalidData, "the worker process broke the protocol: why"),
        row(Fault::Unregistered { name: "f".into() }, NotFound, "no job \"f\" is registered in the worker"),
        row(
            Fault::Codec { step: CodecStep::DecodeResult, what: "f: why".into() },
            InvalidData,
            "cannot decode the result of the job f: why",
        ),
        row(Fault::FrameTooLarge { limit: 7 }, FileTooLarge, "arguments or result of the job have more than 7 bytes"),
        row(
            Fault::TooManyBytes { limit: 7 },
            WouldBlock,
            "the arguments of the queued jobs would have more than 7 bytes",
        ),
    ]
}

#[test]
fn says_what_happened_and_becomes_text_and_io_error() {
    for (fault, kind, text) in every_fault() {
        assert_eq!(fault.to_string(), text);
        assert_eq!(String::from(fault.clone()), text);
        let error = io::Error::from(fault.clone());
        assert_eq!(error.kind(), kind, "{text}");
        assert_eq!(error.to_string(), text);
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Fault>());
        assert_eq!(format!("{inner:?}"), format!("{:?}", Some(fault)));
    }
}

#[test]
fn names_the_signals_that_have_the_same_number_everywhere() {
    for (signal, name) in [
        (4, " (illegal instruction)"),
        (5, ""),
        (6, " (abort)"),
        (8, " (arithmetic)"),
        (9, " (kill)"),
        (11, " (segmentation fault)"),
        (15, " (termination)"),
        (64, ""),
    ] {
        let crashed = Fault::Crashed { signal: Some(signal), code: None };
        assert_eq!(crashed.to_string(), format!("the worker process died in the job: signal {signal}{name}"));
    }
    let crashed = Fault::Crashed { signal: None, code: None };
    assert_eq!(crashed.to_string(), "the worker process died in the job: nobody knows how");
}

#[test]
fn names_the_first_few_that_are_pending() {
    let at = here();
    let pending = |count: usize| {
        let one = |index: usize| Pending { name: (index == 0).then(|| "first".into()), created_at: at };
        Fault::Stalled { pending: (0..count).map(one).collect() }.to_string()
    };
    assert_eq!(pending(1), format!("nothing can make progress: 1 pending (`first` at {at})"));
    assert_eq!(pending(2), format!("nothing can make progress: 2 pending (`first` at {at}, {at})"));
    assert!(pending(5).ends_with(&format!("{at})")));
    assert!(pending(7).ends_with(&format!("{at}, and 2 more)")));
}

#[test]
fn becomes_a_reason_that_begins_where_it_arose() {
    let at = here();
    let dynamic: Rejection = Fault::Cycle.into_reason(at);
    assert_eq!(dynamic.trace(), [at]);
    assert!(matches!(dynamic.fault(), Some(Fault::Cycle)));
    let text: String = Fault::Cycle.into_reason(at);
    assert_eq!(text, Fault::Cycle.to_string());
    let same: Fault = Fault::Full.into_reason(at);
    assert!(matches!(same, Fault::Full));
    let boxed: Boxed = Fault::Full.into_reason(at);
    assert!(matches!(boxed.downcast_ref(), Some(Fault::Full)));
    let any: anyhow::Error = Fault::Full.into_reason(at);
    assert!(matches!(any.downcast_ref(), Some(Fault::Full)));
}

#[test]
fn cancel_reasons_are_text() {
    let owned = CancelReason::from(String::from("late"));
    assert_eq!(owned, CancelReason::from("late"));
    assert_eq!(owned, CancelReason::from(Cow::Borrowed("late")));
    assert_eq!(format!("{owned} [{owned:>6}] {}", owned.as_str()), "late [  late] late");
    assert_eq!(CancelReason::default().to_string(), "no reason given");
}
