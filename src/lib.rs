//! JavaScript-style promises: chain them as in JavaScript, await them as any Rust future, and get them from any thread pool.
//!
//! ```
//! use thenable::{ExecutorExt, Promise, Rejection, ThreadPool};
//!
//! let pool = ThreadPool::new(4);
//! let report = Promise::new(|resolve, reject| {
//!         std::thread::spawn(move || match std::fs::read_to_string("Cargo.toml") {
//!             Ok(text) => resolve(text),
//!             Err(e) => reject(e.into()),
//!         });
//!     })
//!     .map(|text| text.lines().count())
//!     .then(|lines| if lines > 0 { Ok(lines) } else { Err("empty".into()) })
//!     .then(async |lines| { let n: usize = "2".parse()?; Ok(lines * n) })
//!     .on(&pool).map(|n| (0..n).sum::<usize>())
//!     .catch(|why| { eprintln!("{why:?}"); Ok(0) })
//!     .finally(|| println!("done"));
//! let total: Result<usize, Rejection> = report.wait();
//! # assert!(total.unwrap() > 0);
//! ```
//!
//! # Where to begin
//!
//! | You want to | Use |
//! |---|---|
//! | start from a value, a callback, a future, a job | [`Promise::resolve`], [`Promise::new`], [`Promise::spawn`], [`ExecutorExt::submit`] |
//! | chain | [`then`](Promise::then), [`map`](Promise::map), [`catch`](Promise::catch), [`finally`](Promise::finally) |
//! | combine | [`Promise::all`], [`all_settled`](Promise::all_settled), [`any`](Promise::any), [`race`](Promise::race), [`join`](Promise::join) |
//! | get the value out | `.await`, [`wait`](Promise::wait), [`peek`](Promise::peek) |
//! | start many, but so many at a time; end together | [`Limiter`], [`map_limit`](Promise::map_limit), [`scope`](fn@scope) |
//! | run handlers on a thread of your own | [`EventLoop`] |
//! | stop | [`cancel`](Promise::cancel), [`AbortController`], [`timeout`](Promise::timeout) |
//!
//! # What it promises
//!
//! - A promise settles once; the first decision wins, and a refused one gets its value back.
//! - A handler runs at most once, never inside `then` or `resolve`, on the loop that was current where it was registered, in
//!   registration order; all orders are JavaScript's, tick for tick.
//! - What was written before settling is visible to every handler and awaiter.
//! - A panic in a handler, a job or a future rejects its promise; the loop goes on.
//! - When the last resolver goes away undecided, the promise rejects with [`Fault::Abandoned`], which says where it was made.
//! - No operation's stack grows with the length of a chain, and a recursive promise loop runs in constant memory.
//! - A rejection that nobody handles is reported once, see [`on_unhandled_rejection`].
//!
//! # What it is not
//!
//! - Values and handlers are `'static` and cross threads: it does not borrow.
//! - Dropping a handle cancels nothing, as in JavaScript; [`cancel_on_drop`](Promise::cancel_on_drop) opts in.
//! - A forked child that goes on without `exec` cannot use its parent's loops.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(loom, allow(dead_code, unused_imports, unreachable_pub, reason = "the models use the core alone"))]

mod ambient;
#[cfg(not(loom))]
mod cancel;
#[cfg(not(loom))]
mod combinators;
mod core;
mod error;
#[cfg(not(loom))]
mod event_loop;
#[cfg(not(loom))]
mod interop;
#[cfg(all(feature = "named-jobs", not(loom)))]
mod named;
#[cfg(not(loom))]
mod pool;
mod primitive;
mod promise;
#[cfg(not(loom))]
mod time;

#[cfg(not(loom))]
pub mod limits;
#[cfg(all(feature = "process", unix, not(loom)))]
pub mod process;

#[cfg(not(loom))]
pub use cancel::{AbortController, AbortSignal, CancelOnDrop, CancelOutcome};
#[cfg(not(loom))]
pub use combinators::{
    AsSettled, Blocking, JoinTuple, Keyed, Limiter, Permit, Retry, Scope, WaitFor, Waited, as_settled, scope, wait_for,
    wait_for_within,
};
pub use error::{
    AggregateError, CancelReason, CodecStep, Fault, Ok, Pending, Rejection, Result, Unhandled, on_unhandled_rejection,
};
#[cfg(not(loom))]
pub use event_loop::{Blocked, CallHandle, EnterGuard, EventLoop, EventLoopBuilder, LoopHandle, TimerHandle, block_on};
#[cfg(not(loom))]
pub use interop::FutureExt;
#[cfg(all(feature = "named-jobs", not(loom)))]
pub use named::{Call, JobFn, JobPool, JobPoolExt, Registry};
#[cfg(not(loom))]
pub use pool::{Executor, ExecutorExt, Job, PoolStats, Rejected, Shutdown, ThreadPool, ThreadPoolBuilder};
#[cfg(all(feature = "process", unix, not(loom)))]
pub use process::{ProcessPool, ProcessPoolBuilder};
#[cfg(not(loom))]
pub use promise::On;
pub use promise::{IntoPromise, Promise, Reject, Resolution, Resolve, Resolver, State, Subscription, via};
#[cfg(not(loom))]
pub use time::{Interval, delay, interval};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[derive(Debug)]
pub struct ReadmeDocTests;
