//! E0277 the value would be dropped on the other thread
use std::rc::Rc;
use thenable::{Promise, Rejection};

fn main() {
    let promise = Promise::<Rc<u8>, Rejection>::resolve(Rc::new(1));
    std::thread::spawn(move || drop(promise));
}
