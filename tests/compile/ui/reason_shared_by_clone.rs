//! E0599 the reason is shared as well
use std::cell::Cell;
use thenable::{Fault, Promise};

#[derive(Clone)]
struct Reason(Cell<u8>);
impl From<Fault> for Reason {
    fn from(_: Fault) -> Self {
        Self(Cell::new(1))
    }
}

fn main() {
    let promise = Promise::<u8, Reason>::fulfilled(1);
    drop((promise.clone(), Reason(Cell::new(2)).0));
}
