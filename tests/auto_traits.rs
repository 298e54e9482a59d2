//! Which public type may cross or be shared between threads, move while polled, and be seen after a panic.
//!
//! All of it is decided by the compiler: that this file compiles is the test. One test at the end sees to it that no public
//! type is forgotten.

use std::cell::Cell;
use std::marker::PhantomPinned;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::sync::MutexGuard;

use static_assertions::{assert_impl_all, assert_not_impl_any};
use thenable::{
    AbortController, AbortSignal, AggregateError, AsSettled, Blocked, Blocking, CallHandle, CancelOnDrop,
    CancelOutcome, CancelReason, CodecStep, EnterGuard, EventLoop, EventLoopBuilder, Executor, Fault, Interval, Job,
    Limiter, LoopHandle, On, Pending, Permit, PoolStats, Promise, Reject, Rejected, Rejection, Resolution, Resolve,
    Resolver, Retry, Scope, Shutdown, State, Subscription, ThreadPool, ThreadPoolBuilder, TimerHandle, Unhandled,
    WaitFor, Waited, via,
};

/// `Sync` and not `Send`.
type Guard = MutexGuard<'static, u8>;
/// `Send` and not `Sync`.
type SendOnly = Cell<u8>;
/// Neither.
type Local = Rc<u8>;

// ---- every generic type, with each kind of content in each of its places

/// Moves its content to another thread, and lends it to several: sharing asks for both.
macro_rules! shares {
    ($(|$x:ident| $ty:ty;)*) => {$(
        const _: () = {
            type Holder<$x> = $ty;
            assert_impl_all!(Holder<u8>: Send, Sync);
            assert_impl_all!(Holder<SendOnly>: Send);
            assert_not_impl_any!(Holder<SendOnly>: Sync);
            assert_not_impl_any!(Holder<Guard>: Send, Sync);
            assert_not_impl_any!(Holder<Local>: Send, Sync);
        };
    )*};
}
shares! {
    |X| Promise<X>;
    |X| Promise<u8, X>;
    |X| CancelOnDrop<X>;
    |X| CancelOnDrop<u8, X>;
    |X| On<X, Rejection>;
    |X| On<u8, X>;
    |X| AsSettled<X>;
    |X| AsSettled<u8, X>;
    |X| Blocking<X, Rejection>;
    |X| Blocking<u8, X>;
    |X| Waited<X>;
    |X| Waited<u8, X>;
    |X| Resolution<X>; // It may hold a promise.
    |X| Resolution<u8, X>;
}

/// Only ever takes content in, so sharing it asks for `Send` alone.
macro_rules! takes_in {
    ($(|$x:ident| $ty:ty;)*) => {$(
        const _: () = {
            type Holder<$x> = $ty;
            assert_impl_all!(Holder<u8>: Send, Sync);
            assert_impl_all!(Holder<SendOnly>: Send, Sync);
            assert_not_impl_any!(Holder<Guard>: Send, Sync);
            assert_not_impl_any!(Holder<Local>: Send, Sync);
        };
    )*};
}
takes_in! {
    |X| Resolver<X>;
    |X| Resolver<u8, X>;
    |X| Resolve<X>;
    |X| Reject<X>;
}

/// Has its content as a field.
macro_rules! contains {
    ($(|$x:ident| $ty:ty;)*) => {$(
        const _: () = {
            type Holder<$x> = $ty;
            assert_impl_all!(Holder<u8>: Send, Sync);
            assert_impl_all!(Holder<SendOnly>: Send);
            assert_not_impl_any!(Holder<SendOnly>: Sync);
            assert_impl_all!(Holder<Guard>: Sync);
            assert_not_impl_any!(Holder<Guard>: Send);
            assert_not_impl_any!(Holder<Local>: Send, Sync);
        };
    )*};
}
contains! {
    |X| AggregateError<X>;
    |X| Rejected<X>;
}

// ---- and what else each type is

// A promise moves its value to whoever consumes it, and lends it to whoever peeks.
assert_impl_all!(Promise<u8>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone);
assert_impl_all!(Promise<u8, u8>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone);
assert_impl_all!(Promise<Box<dyn FnOnce() + Send>>: Send, Unpin, UnwindSafe);
assert_impl_all!(Promise<PhantomPinned, PhantomPinned>: Unpin);
assert_impl_all!(Promise<SendOnly>: Send, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(Promise<u8, SendOnly>: Send, Unpin);
assert_not_impl_any!(Promise<SendOnly>: Sync, Clone);
assert_not_impl_any!(Promise<u8, SendOnly>: Sync, Clone);
assert_not_impl_any!(Promise<Local>: Send, Sync, Clone);
assert_not_impl_any!(Promise<u8, Local>: Send, Sync, Clone);
// Shared, it could be cloned or polled elsewhere, and then the value would be taken there.
assert_not_impl_any!(Promise<Guard>: Send, Sync);
assert_not_impl_any!(Promise<u8, Guard>: Send, Sync);

// A resolver only ever takes values in, so sharing it asks for `Send` alone.
assert_impl_all!(Resolver<u8>: Send, Sync, UnwindSafe, Clone);
assert_impl_all!(Resolver<SendOnly, SendOnly>: Send, Sync, Unpin);
assert_not_impl_any!(Resolver<Local>: Send, Sync);
assert_not_impl_any!(Resolver<u8, Local>: Send, Sync);
assert_not_impl_any!(Resolver<Guard>: Send, Sync);
assert_impl_all!(Resolve<SendOnly>: Send, Sync, Unpin, Clone);
assert_impl_all!(Reject<SendOnly>: Send, Sync, Unpin, Clone);
assert_not_impl_any!(Resolve<Local>: Send, Sync);
assert_not_impl_any!(Reject<Local>: Send, Sync);

// Types that hold a promise, or stand for one.
assert_impl_all!(CancelOnDrop<u8>: Send, Unpin);
assert_not_impl_any!(CancelOnDrop<Local>: Send, Sync);
assert_impl_all!(On<u8, Rejection>: Send);
assert_not_impl_any!(On<Local, Rejection>: Send, Sync);
assert_impl_all!(AsSettled<u8>: Send, Unpin);
assert_not_impl_any!(AsSettled<Local>: Send, Sync);
assert_impl_all!(Waited<u8>: Send);
assert_impl_all!(Blocking<u8, Rejection>: Send, Iterator);
assert_not_impl_any!(Waited<Local>: Send, Sync);
assert_impl_all!(Resolution<u8>: Send);
assert_not_impl_any!(Resolution<Local>: Send, Sync);
assert_impl_all!(Subscription: Send, Sync, Unpin);
assert_impl_all!(Interval: Send);

// The loop stays on its thread; its handle goes everywhere.
assert_not_impl_any!(EventLoop: Send, Sync);
assert_not_impl_any!(EnterGuard<'static>: Send, Sync, Clone);
assert_impl_all!(EventLoopBuilder: Send, Default);
assert_impl_all!(LoopHandle: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, Executor);
assert_impl_all!(CallHandle: Send, Sync, Unpin);
assert_impl_all!(TimerHandle: Send, Sync, Unpin);
assert_impl_all!(AbortController: Send, Sync, Unpin, Clone);
assert_impl_all!(AbortSignal: Send, Sync, Unpin, Clone);

// Pools.
assert_impl_all!(ThreadPool: Send, Sync, Unpin, Clone, Executor);
assert_impl_all!(ThreadPoolBuilder: Send, Default);
assert_impl_all!(PoolStats: Send, Sync, Unpin, UnwindSafe, Clone);
assert_impl_all!(Shutdown: Send, Sync, Unpin, Copy);
assert_impl_all!(Job: Send);
assert_not_impl_any!(Job: Sync, Clone);
assert_impl_all!(Rejected<Job>: Send);
assert_not_impl_any!(Rejected<Local>: Send, Sync);

// Reasons. `Rejection` alone is not `Unpin`: that is what lets `?` make one from every error.
assert_impl_all!(Rejection: Send, Sync, UnwindSafe, RefUnwindSafe, Clone, std::error::Error);
assert_not_impl_any!(Rejection: Unpin);
assert_impl_all!(Fault: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe, Clone, std::error::Error);
assert_impl_all!(AggregateError<Rejection>: Send, Sync, Unpin, UnwindSafe, std::error::Error);
assert_not_impl_any!(AggregateError<Local>: Send, Sync);
assert_impl_all!(Unhandled: Send, Sync, UnwindSafe, Clone);
assert_impl_all!(Pending: Send, Sync, Unpin, UnwindSafe, Clone);
assert_impl_all!(CancelReason: Send, Sync, Unpin, UnwindSafe, Clone);

// Plain words.
assert_impl_all!(State: Send, Sync, Unpin, UnwindSafe, Copy);
assert_impl_all!(CancelOutcome: Send, Sync, Unpin, UnwindSafe, Copy);
assert_impl_all!(WaitFor: Send, Sync, Unpin, UnwindSafe, Copy);
assert_impl_all!(Retry: Send, Clone);
assert_impl_all!(CodecStep: Send, Sync, Unpin, UnwindSafe, Copy);
assert_impl_all!(via::Never: Send, Sync);
assert_impl_all!(via::Outcome: Send, Sync);
assert_impl_all!(via::Resolution: Send, Sync);
assert_impl_all!(via::Future: Send, Sync);
assert_impl_all!(via::Unit: Send, Sync);
assert_impl_all!(via::UnitFuture: Send, Sync);

// Structured work, and the watchdog's report.
assert_impl_all!(Limiter: Send, Sync, Unpin, Clone);
assert_impl_all!(Permit: Send, Sync, Unpin);
assert_not_impl_any!(Permit: Clone);
assert_impl_all!(Scope: Send, Sync, Unpin, Clone);
assert_impl_all!(Blocked: Send, Sync, Unpin, UnwindSafe, Clone);

#[cfg(feature = "named-jobs")]
mod named_jobs {
    use super::*;
    use thenable::{Call, JobFn, Registry};

    assert_impl_all!(Call: Send, Sync);
    assert_impl_all!(Registry: Send, Sync);
    // A name and a function pointer, whatever that takes.
    assert_impl_all!(JobFn<Local, Local>: Send, Sync, Unpin, Copy);
}

#[cfg(all(feature = "process", unix))]
mod processes {
    use super::*;
    use thenable::{ProcessPool, ProcessPoolBuilder};

    assert_impl_all!(ProcessPool: Send, Sync, Unpin, Clone);
    assert_impl_all!(ProcessPoolBuilder: Send, Sync, Default);
}

// ---- sizes: handles are a word, and so is a reason

const WORD: usize = size_of::<usize>();
const _: () = {
    assert!(size_of::<Promise<[u64; 100]>>() == WORD && size_of::<Option<Promise<u8>>>() == WORD);
    assert!(size_of::<Resolver<[u64; 100]>>() == WORD && size_of::<Option<Resolver<u8>>>() == WORD);
    assert!(size_of::<Rejection>() == WORD && size_of::<Option<Rejection>>() == WORD);
    assert!(size_of::<Result<u64, Rejection>>() == 16 && size_of::<Result<(), Rejection>>() == WORD);
    assert!(size_of::<LoopHandle>() == WORD && size_of::<ThreadPool>() == WORD);
    assert!(size_of::<Fault>() <= 8 * WORD);
};

/// `ci/public-api.sh` keeps that list.
#[test]
fn no_public_type_is_forgotten() {
    let here = include_str!("auto_traits.rs");
    let Ok(listing) = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/public-api.txt")) else {
        return println!("skipped: the list is in the repository, and not in the published package");
    };
    let mut types = 0;
    for line in listing.lines() {
        let line = line.trim_start_matches("#[non_exhaustive] ");
        let path = ["pub struct thenable::", "pub enum thenable::"].iter().find_map(|start| line.strip_prefix(start));
        let Some(path) = path else { continue };
        let path = path.split(['<', '(', ' ']).next().unwrap();
        let name = if path.starts_with("via::") { path } else { path.rsplit("::").next().unwrap() };
        let row = |line: &str| {
            let row = line.trim_start();
            let row = row.strip_prefix("assert_impl_all!(").or(row.strip_prefix("assert_not_impl_any!("));
            row.and_then(|row| row.strip_prefix(name)).is_some_and(|rest| rest.starts_with([':', '<']))
        };
        assert!(here.lines().any(row), "{name} has no row");
        types += 1;
    }
    assert!(types > 45, "only {types} public types: is the list complete?");
}
