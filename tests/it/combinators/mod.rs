//! `all`, `all_settled`, `any`, `race`, `some`, `join`, `all_keyed`: what they give, what they let go, how far they scale.

mod keyed;
mod losers;
mod many;
mod outcomes;

use thenable::{LoopHandle, Promise};

use crate::common::MS;

/// Settles by a timer, so many milliseconds from now.
fn after(ms: u32, outcome: Result<i32, &'static str>) -> Promise<i32> {
    let (promise, resolver) = Promise::with_resolvers();
    let settle = move || assert!(resolver.settle(outcome.map_err(|why| why.into())).is_ok());
    drop(LoopHandle::current().unwrap().call_later(ms * MS, settle));
    promise
}

fn ok(n: i32) -> Promise<i32> {
    Promise::resolve(n)
}
