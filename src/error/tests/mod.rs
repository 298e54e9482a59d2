//! Tests of the error types. They need no promise and no loop.

mod aggregate;
mod debug;
mod fault;
mod panics;
mod rejection;
mod trace;
mod unhandled_reports;

use super::Rejection;
use std::error::Error;
use std::panic::Location;

type Boxed = Box<dyn Error + Send + Sync>;

/// An error with a source.
#[derive(Debug, thiserror::Error)]
#[error("outer")]
struct Outer(#[source] Inner);

#[derive(Debug, thiserror::Error)]
#[error("inner")]
struct Inner;

/// The line that calls it.
#[track_caller]
fn here() -> &'static Location<'static> {
    Location::caller()
}

fn lines(rejection: &Rejection) -> Vec<u32> {
    rejection.trace().iter().map(|site| site.line()).collect()
}
