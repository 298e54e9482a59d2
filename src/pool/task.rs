//! A job that settles a promise: the one closure that all executors get.

use super::shared::Shared;
use super::{Job, worker};
use crate::core::{self, Companion, Site, Working};
use crate::error::panic;
use crate::primitive::sync::OnceLock;
use crate::primitive::thread_local_value;
use crate::{AbortController, CancelReason, Fault, Promise};
use std::cell::RefCell;
use std::sync::{Arc, Weak};

thread_local_value! {
    /// Why this thread is dropping jobs instead of running them.
    static REASON: RefCell<Option<Fault>> = RefCell::new(None);
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

/// What a job's promise knows of the job, to stop it when it is cancelled.
pub(super) struct Ticket {
    /// Where it is queued, as soon as it is.
    queued: OnceLock<(Weak<Shared>, u64)>,
    /// The token that a running job looks at.
    token: Option<AbortController>,
}

/// Settles a job's promise.
pub(super) type Assignment<T, E> = Working<T, E, Ticket>;

impl Ticket {
    fn withdraw(&self, reason: &CancelReason) {
        let Some((shared, id)) = self.queued.get() else { return };
        if let Some(shared) = shared.upgrade() {
            shared.withdraw(*id, reason);
        }
    }
}

impl<T, E> Companion<T, E> for Ticket {
    fn cancelled(this: &Assignment<T, E>, reason: &CancelReason) {
        let ticket = this.companion();
        if let Some(token) = &ticket.token {
            token.abort(reason.clone());
        }
        ticket.withdraw(reason);
    }
}

/// The promise of a job that is about to be made.
pub(super) fn pending<T, E>(site: Site, token: Option<AbortController>) -> (Promise<T, E>, Assignment<T, E>)
where
    T: 'static,
    E: From<Fault> + 'static,
{
    let (handle, assignment) = core::pending_with(site, Ticket { queued: OnceLock::new(), token });
    (Promise::from_handle(handle), assignment)
}

/// From now on the job is taken out of the queue when its promise is cancelled.
pub(super) fn enlisted<T, E>(assignment: &Assignment<T, E>, shared: &Arc<Shared>, id: u64) {
    let ticket = assignment.companion();
    let _ = ticket.queued.set((Arc::downgrade(shared), id));
    // Cancelled before the job could be found.
    if let Some(reason) = assignment.cancel_reason() {
        ticket.withdraw(&reason);
    }
}

/// Makes the job. `own` says that a worker of this crate's pool runs it, and nobody else.
pub(super) fn job<T, E>(
    assignment: Assignment<T, E>,
    site: Site,
    own: bool,
    f: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Job
where
    T: Send + 'static,
    E: Send + 'static,
{
    let task = Task { parts: Some((assignment, f)), site, own };
    Box::new(move || task.run())
}

struct Task<T, E, F> {
    /// Gone once it runs.
    parts: Option<(Assignment<T, E>, F)>,
    site: Site,
    own: bool,
}

impl<T, E, F: FnOnce() -> Result<T, E>> Task<T, E, F> {
    fn run(mut self) {
        let Some((assignment, f)) = self.parts.take() else { return };
        let wanted = assignment.is_wanted();
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
                if let Err(refused) = assignment.settle(outcome) {
                    panic::drop_quietly(refused);
                }
            }
            Err(fault) => {
                assignment.fault(fault);
            }
        }
        panic::drop_quietly(assignment);
    }
}

impl<T, E, F> Drop for Task<T, E, F> {
    fn drop(&mut self) {
        let Some((assignment, f)) = self.parts.take() else { return };
        let reason = discard_reason();
        panic::drop_quietly(f);
        if let Some(fault) = reason {
            assignment.fault(fault);
        }
        // Without a reason it is the last resolver that goes, and the promise rejects with `Abandoned`.
        panic::drop_quietly(assignment);
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    fn is_closed(reason: Option<Fault>) -> bool {
        matches!(reason, Some(Fault::PoolClosed))
    }

    #[test]
    fn a_reason_is_for_what_is_thrown_away_meanwhile_and_answers_once() {
        assert!(discard_reason().is_none());
        refusing(Fault::PoolClosed, || {
            refusing(Fault::Full, || {
                assert!(matches!(discard_reason(), Some(Fault::Full)));
                assert!(discard_reason().is_none(), "what the job owns is not to blame");
            });
            assert!(is_closed(discard_reason()), "the one before is put back");
        });
        // A job without a promise asks nobody.
        discard(Box::new(|| ()), Fault::PoolClosed);
        assert!(discard_reason().is_none(), "it is not left behind for the next one");
        let panics =
            std::panic::catch_unwind(|| refusing(Fault::PoolClosed, || std::panic::resume_unwind(Box::new(()))));
        assert!(panics.is_err() && discard_reason().is_none());
    }
}
