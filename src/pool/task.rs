//! A job that settles a promise: the one closure that all executors get.

use super::{Job, worker};
use crate::error::panic;
use crate::{CancelReason, Fault, Resolver};
use std::cell::RefCell;
use std::panic::Location;

thread_local! {
    /// Why this thread is dropping jobs instead of running them.
    static REASON: RefCell<Option<Fault>> = const { RefCell::new(None) };
}

/// Runs `f`; a job with a promise that it drops rejects that with `fault`.
pub(super) fn refusing<R>(fault: Fault, f: impl FnOnce() -> R) -> R {
    let _put_back = PutBack(exchange(Some(fault)));
    f()
}

fn exchange(reason: Option<Fault>) -> Option<Fault> {
    // On a thread that is ending, the promise rejects with `Abandoned` instead.
    REASON.try_with(|cell| cell.replace(reason)).ok().flatten()
}

struct PutBack(Option<Fault>);

impl Drop for PutBack {
    fn drop(&mut self) {
        exchange(self.0.take());
    }
}

/// Inside the drop of a job that a pool throws away: why. It answers once, so that what the job owns is not blamed for
/// the same.
pub(crate) fn discard_reason() -> Option<Fault> {
    exchange(None)
}

/// Drops a job that will not run; its promise rejects with `fault`.
pub(super) fn discard(job: Job, fault: Fault) {
    refusing(fault, || panic::drop_quietly(job));
}

/// What a job's promise rejects with when it was not started because nobody wanted it. It is a cancellation, so it is
/// never reported as unhandled.
pub(super) fn unwanted() -> Fault {
    Fault::Cancelled { reason: CancelReason::from("nobody wants the result any more") }
}

/// Makes the job. `own` says that a worker of this crate's pool runs it, and nobody else.
pub(super) fn job<T, E>(
    resolver: Resolver<T, E>,
    site: &'static Location<'static>,
    own: bool,
    f: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Job
where
    T: Send + 'static,
    E: Send + 'static,
{
    let task = Task { parts: Some((resolver, f)), site, own };
    Box::new(move || task.run())
}

struct Task<T, E, F> {
    /// Gone once it runs.
    parts: Option<(Resolver<T, E>, F)>,
    site: &'static Location<'static>,
    own: bool,
}

impl<T, E, F: FnOnce() -> Result<T, E>> Task<T, E, F> {
    fn run(mut self) {
        let Some((resolver, f)) = self.parts.take() else { return };
        let wanted = resolver.is_wanted();
        let outcome = if wanted {
            panic::catch(Some(self.site), f)
        } else {
            panic::drop_quietly(f);
            Err(unwanted())
        };
        if self.own {
            worker::conclude(wanted);
        }
        match outcome {
            Ok(outcome) => {
                if let Err(refused) = resolver.settle(outcome) {
                    panic::drop_quietly(refused);
                }
            }
            Err(fault) => {
                resolver.fault(fault);
            }
        }
        panic::drop_quietly(resolver);
    }
}

impl<T, E, F> Drop for Task<T, E, F> {
    fn drop(&mut self) {
        let Some((resolver, f)) = self.parts.take() else { return };
        let reason = discard_reason();
        panic::drop_quietly(f);
        if let Some(fault) = reason {
            resolver.fault(fault);
        }
        // Without a reason it is the last resolver that goes, and the promise rejects with `Abandoned`.
        panic::drop_quietly(resolver);
    }
}
