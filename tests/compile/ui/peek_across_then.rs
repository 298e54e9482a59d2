//! E0505 a handler may take the value away
use thenable::Promise;

fn main() {
    let promise = Promise::resolve(String::from("value"));
    let seen = promise.peek();
    drop(promise.map(|text| text.len()));
    println!("{seen:?}");
}
