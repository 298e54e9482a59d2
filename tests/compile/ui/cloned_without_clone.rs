//! E0599 each consumer gets a value, and this one cannot be had twice
use thenable::Promise;

struct Once;

fn main() {
    let promise = Promise::resolve(Once);
    drop(promise.clone());
}
