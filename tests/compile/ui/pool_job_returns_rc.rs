//! E0277 a job's result leaves its worker
use std::rc::Rc;
use thenable::{ExecutorExt, ThreadPool};

fn main() {
    drop(ThreadPool::new(1).submit(|| Rc::new(1)));
}
