//! E0505 what is looked at is borrowed from the handle
use thenable::Promise;

fn main() {
    let promise = Promise::resolve(String::from("value"));
    let seen = promise.peek();
    drop(promise);
    println!("{seen:?}");
}
