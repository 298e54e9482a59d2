//! E0597 a handler outlives the frame that registered it
use thenable::Promise;

fn main() {
    let promise = {
        let text = String::from("short");
        let borrowed = &text;
        Promise::resolve(1).map(move |n| n + borrowed.len())
    };
    drop(promise);
}
