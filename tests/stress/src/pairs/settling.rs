//! A promise settles while somebody has something else to do with it.

use super::{Bell, Promise, first, poll, watch};
use crate::cells::{ABANDONED, Cells, REASON, VALUE, Why, must};
use crate::duel::{Right, Round};

pub(super) fn subscribe_settle(_: u32, cells: &'static Cells) -> Round {
    let (promise, resolver) = Promise::pending();
    let value = cells.token();
    Round {
        left: Box::new(move |_| {
            let early = promise.is_pending();
            drop(watch(promise, cells));
            first(early)
        }),
        right: Right::Now(Box::new(move |_| resolver.resolve(value).is_ok().into())),
        check: |cells, _, resolved| {
            must(resolved == 1, || "a resolve was refused".into());
            cells.must_have_run(1, VALUE);
        },
    }
}

pub(super) fn poll_settle(random: u32, cells: &'static Cells) -> Round {
    let (mut promise, resolver) = Promise::pending();
    let value = cells.token();
    let another = random & 1 == 0;
    Round {
        left: Box::new(move |_| {
            let old = Bell::new();
            if let Some(outcome) = poll(&mut promise, &old) {
                cells.saw(&outcome);
                return 0;
            }
            // The last waker counts.
            let bell = if another { Bell::new() } else { old };
            if another && let Some(outcome) = poll(&mut promise, &bell) {
                cells.saw(&outcome);
                return first(true);
            }
            bell.wait();
            match poll(&mut promise, &bell) {
                Some(outcome) => cells.saw(&outcome),
                None => must(false, || "woken and still pending".into()),
            }
            first(true)
        }),
        right: Right::Now(Box::new(move |_| resolver.resolve(value).is_ok().into())),
        check: |cells, _, resolved| {
            must(resolved == 1, || "a resolve was refused".into());
            cells.must_have_run(1, VALUE);
        },
    }
}

pub(super) fn poll_drop_settle(random: u32, cells: &'static Cells) -> Round {
    let (mut promise, resolver) = Promise::pending();
    let value = cells.token();
    let abandons = random & 1 == 0;
    Round {
        left: Box::new(move |_| {
            promise.mark_handled();
            let outcome = poll(&mut promise, &Bell::new());
            drop(promise);
            first(outcome.is_none())
        }),
        right: Right::Now(Box::new(move |_| {
            if !abandons {
                must(resolver.resolve(value).is_ok(), || "a resolve was refused".into());
            }
            drop(resolver);
            0
        })),
        check: |_, _, _| {},
    }
}

pub(super) fn drop_handle_settle(random: u32, cells: &'static Cells) -> Round {
    let (promise, resolver) = Promise::pending();
    let value = cells.token();
    if random & 1 == 0 {
        drop(promise.clone()); // with a hub
    }
    Round {
        left: Box::new(move |_| {
            let early = promise.is_pending();
            drop(promise);
            first(early)
        }),
        right: Right::Now(Box::new(move |_| resolver.resolve(value).is_ok().into())),
        check: |_, _, resolved| must(resolved == 1, || "a resolve was refused".into()),
    }
}

pub(super) fn drop_resolver_settle(_: u32, cells: &'static Cells) -> Round {
    let (promise, resolver) = Promise::pending();
    let (other, value) = (resolver.clone(), cells.token());
    drop(watch(promise, cells));
    Round {
        left: Box::new(move |_| {
            let early = other.is_wanted();
            drop(other);
            first(early)
        }),
        right: Right::Now(Box::new(move |_| {
            let resolved = resolver.resolve(value).is_ok();
            drop(resolver);
            resolved.into()
        })),
        check: |cells, _, resolved| {
            must(resolved == 1, || "a resolve was refused".into());
            cells.must_have_run(1, VALUE);
        },
    }
}

pub(super) fn drop_resolver_twice(_: u32, cells: &'static Cells) -> Round {
    let (promise, resolver) = Promise::pending();
    let other = resolver.clone();
    drop(watch(promise, cells));
    Round {
        left: Box::new(move |_| {
            drop(other);
            0
        }),
        right: Right::Now(Box::new(move |_| {
            drop(resolver);
            0
        })),
        check: |cells, _, _| cells.must_have_run(1, ABANDONED),
    }
}

pub(super) fn resolve_reject(_: u32, cells: &'static Cells) -> Round {
    let (promise, resolver) = Promise::pending();
    let (other, value, reason) = (resolver.clone(), cells.token(), cells.token());
    drop(watch(promise, cells));
    Round {
        left: Box::new(move |_| match other.resolve(value) {
            Ok(()) => 1 | first(true),
            Err(value) => {
                value.look();
                0
            }
        }),
        right: Right::Now(Box::new(move |_| match resolver.reject(Why::Said(reason)) {
            Ok(()) => 1,
            Err(reason) => {
                must(matches!(reason, Why::Said(_)), || "another reason came back".into());
                0
            }
        })),
        check: |cells, resolved, rejected| {
            must(resolved + rejected == 1, || format!("{resolved} resolved and {rejected} rejected"));
            cells.must_have_run(1, if resolved == 1 { VALUE } else { REASON });
        },
    }
}

pub(super) fn clone_drop(random: u32, cells: &'static Cells) -> Round {
    let (promise, resolver) = Promise::pending();
    let other = promise.clone();
    let value = cells.token();
    let early = random & 1 == 0;
    let mut late = Some(resolver);
    if early && let Some(resolver) = late.take() {
        must(resolver.resolve(value.clone()).is_ok(), || "a resolve was refused".into());
    }
    Round {
        left: Box::new(move |_| {
            let again = other.clone();
            drop(other);
            drop(again);
            0
        }),
        right: Right::Now(Box::new(move |_| {
            drop(promise);
            drop((late, value));
            0
        })),
        check: |_, _, _| {},
    }
}

pub(super) fn clone_settle(_: u32, cells: &'static Cells) -> Round {
    let (promise, resolver) = Promise::pending();
    let value = cells.token();
    Round {
        left: Box::new(move |_| {
            let again = promise.clone();
            let early = again.is_pending();
            if let Some(Ok(value)) = again.peek() {
                value.look();
            }
            drop(promise);
            drop(watch(again, cells));
            first(early)
        }),
        right: Right::Now(Box::new(move |_| resolver.resolve(value).is_ok().into())),
        check: |cells, _, resolved| {
            must(resolved == 1, || "a resolve was refused".into());
            cells.must_have_run(1, VALUE);
        },
    }
}

/// Two consumers of a settled promise: one gets the value itself, the other one a clone of it, or both a clone.
pub(super) fn take_take(_: u32, cells: &'static Cells) -> Round {
    let mut promise = Promise::fulfilled(cells.token());
    let mut other = promise.clone();
    let take = move |promise: &mut Promise| match poll(promise, &Bell::new()) {
        Some(outcome) => cells.saw(&outcome),
        None => must(false, || "a settled promise is pending".into()),
    };
    Round {
        left: Box::new(move |_| {
            take(&mut other);
            0
        }),
        right: Right::Now(Box::new(move |_| {
            take(&mut promise);
            0
        })),
        check: |cells, _, _| cells.must_have_run(2, VALUE),
    }
}

pub(super) fn wait_settle(_: u32, cells: &'static Cells) -> Round {
    let (promise, resolver) = Promise::pending();
    let value = cells.token();
    Round {
        left: Box::new(move |_| {
            let early = promise.is_pending();
            cells.saw(&promise.wait());
            first(early)
        }),
        right: Right::Now(Box::new(move |_| resolver.resolve(value).is_ok().into())),
        check: |cells, _, resolved| {
            must(resolved == 1, || "a resolve was refused".into());
            cells.must_have_run(1, VALUE);
        },
    }
}
