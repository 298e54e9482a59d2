//! E0382 the value is there once
use thenable::Promise;

fn main() {
    let promise = Promise::resolve(Vec::<u8>::new());
    drop(promise.wait());
    drop(promise.wait());
}
