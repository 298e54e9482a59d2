//! The thread of a worker, and what it knows about itself.

use super::{Job, shared::Shared};
use crate::core;
use crate::error::panic;
use crate::primitive::{thread, thread_local_value};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::{io, mem};

/// How many of its own jobs a job keeps track of. Those that it submitted before are helped with in their turn.
const CHILDREN: usize = 1024;

struct Worker {
    shared: Arc<Shared>,
    /// The job that runs, above those inside which it runs: they wait, and the worker helps.
    frames: Vec<Frame>,
}

struct Frame {
    /// The worker had nothing else to do when it took the job.
    outermost: bool,
    /// The job is off the books.
    concluded: bool,
    /// What it submitted to the pool that it runs on.
    children: VecDeque<u64>,
}

thread_local_value! {
    static WORKER: RefCell<Option<Worker>> = RefCell::new(None);
}

/// `None` if this is no worker. `f` must not run foreign code.
fn with_worker<R>(f: impl FnOnce(&mut Worker) -> R) -> Option<R> {
    WORKER.try_with(|cell| cell.try_borrow_mut().ok()?.as_mut().map(f)).ok().flatten()
}

/// Starts a worker.
pub(super) fn start(name: String, shared: Arc<Shared>) -> io::Result<()> {
    // Nobody joins it: the pool counts its workers itself.
    thread::Builder::new().name(name).spawn(move || main(&shared)).map(drop)
}

/// The life of a worker's thread.
fn main(shared: &Arc<Shared>) {
    let worker = Worker { shared: Arc::clone(shared), frames: Vec::new() };
    let _ = WORKER.try_with(|cell| cell.replace(Some(worker)));
    if !shared.initialize() {
        return;
    }
    while let Some(job) = shared.next() {
        run(job, true);
        core::tidy();
    }
}

/// Runs a job that has been put on the books as running.
pub(super) fn run(job: Job, outermost: bool) {
    with_worker(|worker| worker.frames.push(Frame { outermost, concluded: false, children: VecDeque::new() }));
    // A plain job's panic has been printed and has nobody else to be told; a promise's job catches its own.
    let _ = panic::catch(None, job);
    conclude(true);
    with_worker(|worker| worker.frames.pop());
}

/// Takes the running job off the books, once. A job that settles a promise says so before it does that.
pub(super) fn conclude(ran: bool) {
    let due = with_worker(|worker| {
        let frame = worker.frames.last_mut()?;
        let first = !mem::replace(&mut frame.concluded, true);
        first.then(|| (Arc::clone(&worker.shared), frame.outermost))
    });
    if let Some((shared, outermost)) = due.flatten() {
        shared.conclude(outermost, ran);
    }
}

/// Notes that the running job has put this one into the queue of its own pool.
pub(super) fn submitted(shared: &Arc<Shared>, id: u64) {
    with_worker(|worker| {
        if let Some(frame) = worker.frames.last_mut().filter(|_| Arc::ptr_eq(&worker.shared, shared)) {
            if frame.children.len() == CHILDREN {
                frame.children.pop_front();
            }
            frame.children.push_back(id);
        }
    });
}

/// The oldest job that the running job submitted and has not asked for.
pub(super) fn next_child() -> Option<u64> {
    with_worker(|worker| worker.frames.last_mut()?.children.pop_front()).flatten()
}

/// The pool of this thread, and how many jobs wait inside each other on it.
pub(super) fn current() -> Option<(Arc<Shared>, usize)> {
    with_worker(|worker| (Arc::clone(&worker.shared), worker.frames.len()))
}
