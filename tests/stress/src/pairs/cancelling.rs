//! Somebody cancels, or takes back what was registered.

use super::{Promise, first, watch};
use crate::cells::{CANCELLED, Cells, VALUE, must};
use crate::duel::{Right, Round};
use thenable::{AbortController, CancelOutcome};

fn cancel(promise: &Promise) -> bool {
    promise.cancel("stop") == CancelOutcome::Cancelled
}

pub(super) fn cancel_settle(_: u32, cells: &'static Cells) -> Round {
    let (promise, resolver) = Promise::pending();
    let value = cells.token();
    drop(watch(promise.clone(), cells));
    Round {
        left: Box::new(move |_| {
            let cancelled = cancel(&promise);
            u32::from(cancelled) | first(cancelled)
        }),
        right: Right::Now(Box::new(move |_| match resolver.resolve(value) {
            Ok(()) => 1,
            Err(value) => {
                value.look();
                0
            }
        })),
        check: |cells, cancelled, resolved| {
            must(cancelled + resolved == 1, || format!("{cancelled} cancelled and {resolved} resolved"));
            cells.must_have_run(1, if cancelled == 1 { CANCELLED } else { VALUE });
        },
    }
}

pub(super) fn cancel_subscribe(_: u32, cells: &'static Cells) -> Round {
    let (promise, resolver) = Promise::pending();
    let theirs = promise.clone();
    Round {
        left: Box::new(move |_| {
            let cancelled = cancel(&promise);
            drop(resolver);
            cancelled.into()
        }),
        right: Right::Now(Box::new(move |_| {
            drop(watch(theirs, cells));
            0
        })),
        check: |cells, cancelled, _| {
            must(cancelled == 1, || "nothing else settles it".into());
            cells.must_have_run(1, CANCELLED);
        },
    }
}

pub(super) fn cancel_drop(_: u32, cells: &'static Cells) -> Round {
    let (promise, resolver) = Promise::pending();
    let (theirs, captured) = (promise.clone(), cells.token());
    resolver.on_cancel(move |_| {
        captured.look();
        cells.ran(CANCELLED);
    });
    Round {
        left: Box::new(move |_| cancel(&promise).into()),
        right: Right::Now(Box::new(move |_| {
            drop(theirs);
            drop(resolver);
            0
        })),
        check: |cells, cancelled, _| cells.must_have_run(cancelled, CANCELLED),
    }
}

pub(super) fn cancel_hook(_: u32, cells: &'static Cells) -> Round {
    let (promise, resolver) = Promise::pending();
    let captured = cells.token();
    Round {
        left: Box::new(move |_| cancel(&promise).into()),
        right: Right::Now(Box::new(move |_| {
            resolver.on_cancel(move |_| {
                captured.look();
                cells.ran(CANCELLED);
            });
            // Otherwise it would be rejected when this goes, before it is cancelled.
            while resolver.is_wanted() {
                std::thread::yield_now();
            }
            0
        })),
        check: |cells, cancelled, _| {
            must(cancelled == 1, || "nothing else settles it".into());
            cells.must_have_run(1, CANCELLED);
        },
    }
}

pub(super) fn remove_settle(_: u32, cells: &'static Cells) -> Round {
    let (promise, resolver) = Promise::pending();
    let (value, captured) = (cells.token(), cells.token());
    let subscription = promise.on_settled(move || {
        captured.look();
        cells.ran(VALUE);
    });
    Round {
        left: Box::new(move |_| {
            let removed = subscription.remove();
            drop(promise);
            u32::from(removed) | first(removed)
        }),
        right: Right::Now(Box::new(move |_| resolver.resolve(value).is_ok().into())),
        check: |cells, removed, resolved| {
            must(resolved == 1, || "a resolve was refused".into());
            cells.must_have_run(1 - removed, VALUE);
        },
    }
}

pub(super) fn abort_settle(_: u32, cells: &'static Cells) -> Round {
    let (promise, resolver) = Promise::pending();
    let value = cells.token();
    let controller = AbortController::new();
    let derived = promise.abort_on(&controller.signal());
    drop(watch(derived, cells));
    Round {
        left: Box::new(move |_| {
            controller.abort("stop");
            0
        }),
        right: Right::Now(Box::new(move |_| resolver.resolve(value).is_ok().into())),
        check: |cells, _, _| {
            let seen = cells.seen();
            cells.must_have_run(1, seen);
            must(seen == VALUE || seen == CANCELLED, || format!("neither the value nor the reason: {seen}"));
        },
    }
}
