//! Which public type may cross or be shared between threads, move while polled, and be seen after a panic.
//!
//! All of it is decided by the compiler: that this file compiles is the test.

use std::cell::Cell;
use std::marker::PhantomPinned;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::sync::MutexGuard;

use static_assertions::{assert_impl_all, assert_not_impl_any};
use thenable::{
    AbortController, AbortSignal, AggregateError, AsSettled, CallHandle, CancelOnDrop, CancelOutcome, CancelReason,
    EnterGuard, EventLoop, EventLoopBuilder, Executor, Fault, Interval, Job, LoopHandle, On, Pending, PoolStats,
    Promise, Reject, Rejected, Rejection, Resolution, Resolve, Resolver, Retry, Shutdown, State, Subscription,
    ThreadPool, ThreadPoolBuilder, TimerHandle, Unhandled, WaitFor, Waited,
};

/// `Sync` and not `Send`.
type Guard = MutexGuard<'static, u8>;
/// `Send` and not `Sync`.
type SendOnly = Cell<u8>;
/// Neither.
type Local = Rc<u8>;

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
