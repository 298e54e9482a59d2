//! Elifetime a promise is invariant: what resolves it must live as long as what awaits it believes
use thenable::Promise;

fn shrink<'short>(promise: Promise<&'static str>, _: &'short str) -> Promise<&'short str> {
    promise
}

fn main() {
    let text = String::from("short");
    drop(shrink(Promise::resolve("long"), &text));
}
