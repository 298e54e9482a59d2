//! Pools.

mod back_pressure;
mod end;
mod executors;
mod map;
mod nested;
mod panics;
mod threads;
mod unwanted;

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self};
use std::time::Duration;

use thenable::{AbortSignal, ExecutorExt, Fault, Promise, Rejection, ThreadPool};

/// A pool of one worker that is held up, and what lets it go on.
pub(super) fn held_up(queue_limit: usize) -> (ThreadPool, Hold) {
    let pool = ThreadPool::builder().max_workers(1).queue_limit(queue_limit).build().unwrap();
    let hold = Hold::new(&pool);
    (pool, hold)
}

/// A job that runs until it is released or dropped.
pub(super) struct Hold {
    gate: Sender<()>,
    job: Promise<()>,
}

impl Hold {
    pub(super) fn new(pool: &ThreadPool) -> Self {
        let (gate, closed) = channel();
        let (begun, begins) = channel();
        let job = pool.submit(move || {
            begun.send(()).unwrap();
            let _ = closed.recv();
        });
        begins.recv().unwrap();
        Self { gate, job }
    }

    pub(super) fn release(self) {
        drop(self.gate);
        self.job.wait().unwrap();
    }
}

/// A log to which jobs write.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<usize>>>);

impl Log {
    pub(super) fn write(&self, entry: usize) {
        self.0.lock().unwrap().push(entry);
    }

    pub(super) fn read(&self) -> Vec<usize> {
        self.0.lock().unwrap().clone()
    }
}

pub(super) fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

pub(super) fn cancel_reason<T>(outcome: &Result<T, Rejection>) -> String {
    match outcome.as_ref().map_err(Rejection::fault) {
        Err(Some(Fault::Cancelled { reason })) => reason.to_string(),
        Err(other) => panic!("expected a cancellation, got {other:?}"),
        Ok(_) => panic!("expected a cancellation, got a value"),
    }
}

pub(super) fn until_aborted(begun: Sender<()>, told: Sender<String>) -> impl FnOnce(AbortSignal) + Send + 'static {
    move |token| {
        begun.send(()).unwrap();
        while !token.aborted() {
            thread::sleep(Duration::from_micros(200));
        }
        told.send(token.reason().unwrap().to_string()).unwrap();
    }
}
