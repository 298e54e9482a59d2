//! Every chain method, under every outcome and with every kind of handler; traces; rejections that nobody handled.

mod conversions;
mod handlers;
mod methods;
mod trace;
mod unhandled;

use thenable::{EventLoop, Promise};

use crate::common::outcome;
use crate::support::{on_loop, quiet_bombs};

/// The promise that a table starts from.
fn ok() -> Promise<i32> {
    Promise::resolve(1)
}

/// What a panic in a handler becomes.
const PANIC: &str = "Err(a handler panicked: bomb)";

/// Runs a table of chains and outcomes on one loop.
fn table(test: impl FnOnce(&Table<'_>)) {
    quiet_bombs();
    on_loop(|event_loop| test(&Table(event_loop)));
}

struct Table<'a>(&'a EventLoop);

impl Table<'_> {
    /// One row: what this chain comes to.
    #[track_caller]
    fn row<T, E>(&self, chain: Promise<T, E>, expected: &str)
    where
        T: std::fmt::Debug,
        E: std::fmt::Display + From<thenable::Fault>,
    {
        assert_eq!(outcome(self.0, chain), expected);
    }
}
