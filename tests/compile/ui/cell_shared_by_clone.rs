//! E0599 consumers on two threads would clone one cell
use std::cell::Cell;
use thenable::Promise;

fn main() {
    let promise = Promise::resolve(Cell::new(1));
    drop(promise.clone());
}
