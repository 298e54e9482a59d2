//! E0597 a value may be dropped late, by whoever lets go last
use thenable::Promise;

fn main() {
    let promise = {
        let text = String::from("short");
        Promise::resolve(text.as_str()).map(str::len)
    };
    drop(promise);
}
