//! Esend a future may be polled on the loop's thread, wherever it was made
use std::rc::Rc;
use thenable::Promise;

fn main() {
    let local = Rc::new(1);
    drop(Promise::spawn(async move {
        Promise::resolve(()).await?;
        Ok(*local)
    }));
}
