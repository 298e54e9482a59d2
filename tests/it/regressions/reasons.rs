//! The right reason, told late or never.

use std::sync::{Arc, Mutex, mpsc};

use thenable::{
    AbortController, AbortSignal, EventLoop, Executor, ExecutorExt, Fault, Job, Promise, Rejected, Shutdown, ThreadPool,
};

/// A pool that is shut down as soon as it has a job, before whoever brought the job hears of it.
#[derive(Clone)]
struct ShutDown(ThreadPool);

impl Executor for ShutDown {
    fn execute(&self, job: Job) -> Result<(), Rejected<Job>> {
        self.0.execute(job)?;
        drop(self.0.shutdown(Shutdown::Cancel));
        Ok(())
    }
}

/// A loop handed a handler over to a pool (`on`), and another thread shut the pool down before the call had returned. The pool
/// threw the handler away and left it to the loop to say why; the loop knew only that the pool had taken it. So the promise was
/// rejected as abandoned, and not as cancelled.
#[test]
fn abandoned_when_a_pool_is_shut_down_while_a_handler_is_handed_over() {
    let pool = ThreadPool::new(1);
    let (start, started) = mpsc::channel::<()>();
    let (go, gate) = mpsc::channel::<()>();
    let busy = pool.submit(move || start.send(()).is_ok() && gate.recv().is_ok());
    started.recv().unwrap();
    let event_loop = EventLoop::new();
    let _entered = event_loop.enter();
    let there = Promise::resolve(1).on(&ShutDown(pool)).map(|n| n + 1);
    let why = event_loop.run(there).unwrap_err();
    assert!(matches!(why.fault(), Some(Fault::Cancelled { .. })), "{why:?}");
    go.send(()).unwrap();
    assert!(event_loop.run(busy).unwrap());
}

/// Two controllers of one signal aborted on two threads. The first to abort was still calling its listeners when the second
/// called the signal's, with its own reason, which was not the one that `signal.reason()` gave.
#[test]
fn wrong_reason_when_two_controllers_of_a_signal_abort() {
    let (one, two) = (AbortController::new(), AbortController::new());
    let signal = AbortSignal::any([one.signal(), two.signal()]);
    // Comes before the signal's listener, and has the other controller abort right then.
    one.signal().on_abort(move |_| two.abort("second"));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hearing = heard.clone();
    signal.on_abort(move |reason| hearing.lock().unwrap().push(reason.to_string()));
    one.abort("first");
    assert_eq!(signal.reason().unwrap().to_string(), "first");
    assert_eq!(*heard.lock().unwrap(), ["first"]);
}
