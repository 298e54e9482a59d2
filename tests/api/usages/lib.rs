//! Usages that must compile as they stand. Nothing is run: `cargo check --tests` is the test.
#![allow(dead_code, unused_imports, unused_mut, unused_variables, unreachable_code, clippy::all)]

mod combinators;
mod handlers;
mod loops_and_pools;
mod question_mark;
mod statements;
mod threads;
mod typed;
mod with_futures_ext;
mod with_futures_lite_ext;
mod with_tokio_util_ext;

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::time::Duration;
use thenable::{
    AggregateError, EventLoop, ExecutorExt, Fault, LoopHandle, Promise, Rejection, Resolver, Retry, ThreadPool, WaitFor,
};

const SEC: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
enum AppError {
    #[error("not a number")]
    Parse(#[from] std::num::ParseIntError),
    #[error("io")]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Fault(#[from] Fault),
}

#[derive(Clone, Debug, thiserror::Error)]
#[error("wrapped")]
struct Wrapped(#[from] Rejection);

async fn fetch(n: u32) -> Result<String, Rejection> {
    Ok(n.to_string())
}
async fn fetch_typed(n: u32) -> Result<String, AppError> {
    Ok(n.to_string())
}
async fn cleanup() {}

fn debug_needs_debug(p: Promise<i32>) -> String {
    format!("{p:?}")
}

fn aggregate(e: AggregateError) -> Vec<Rejection> {
    e.errors
}
