//! E0277 the value would be made on the other thread
use std::rc::Rc;
use thenable::{Promise, Rejection};

fn main() {
    let (promise, resolver) = Promise::<Rc<u8>, Rejection>::with_resolvers();
    std::thread::spawn(move || drop(resolver));
    drop(promise);
}
