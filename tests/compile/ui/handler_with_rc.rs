//! E0277 a handler may run on another thread
use std::rc::Rc;
use thenable::Promise;

fn main() {
    let local = Rc::new(1);
    drop(Promise::resolve(1).map(move |n| n + *local));
}
