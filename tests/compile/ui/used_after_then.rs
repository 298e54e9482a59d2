//! E0382 `then` moves the promise: clone it for a second branch
use thenable::Promise;

fn main() {
    let promise = Promise::resolve(1);
    drop(promise.then(|n| Ok(n + 1)));
    drop(promise.then(|n| Ok(n + 2)));
}
