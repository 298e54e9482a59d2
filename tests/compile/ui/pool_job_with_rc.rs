//! E0277 a job runs on a worker
use std::rc::Rc;
use thenable::{ExecutorExt, ThreadPool};

fn main() {
    let local = Rc::new(1);
    drop(ThreadPool::new(1).submit(move || *local));
}
