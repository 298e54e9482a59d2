//! The two classic workloads of JavaScript's promise libraries, as in V8's harness (operations that are settled already)
//! and as in bluebird's (operations that take a timer of a millisecond).

mod futures_style;
mod promise_style;

use std::time::Duration;
use thenable::EventLoop;
use thenable_benches::{Bench, Budget, clock};

/// How long an operation takes.
#[derive(Clone, Copy)]
enum Operation {
    Settled,
    Timer,
}

const REQUESTS: usize = 10_000;
const QUERIES: usize = 25;
const MILLISECOND: Duration = Duration::from_millis(1);

/// What `requests` uploads must give, added up.
fn uploaded(requests: u64) -> u64 {
    (0..requests).map(|request| 2 * request + 3).sum()
}

/// What `requests` inserts must give, added up.
fn inserted(requests: u64) -> u64 {
    let queries = QUERIES as u64;
    (0..requests).map(|request| queries * request + queries * (queries - 1) / 2).sum()
}

pub(crate) fn ask(bench: &mut Bench) {
    let event_loop = &EventLoop::new();
    let requests = bench.size(REQUESTS);
    for (operation, suffix, note) in [(Operation::Settled, "", ""), (Operation::Timer, "_timers", ", 1 ms timers")] {
        let settled = matches!(operation, Operation::Settled);
        let budget = |must, aim| settled.then_some(Budget::new(must, aim));
        let id = |name: &str| format!("{name}{suffix}");
        bench
            .question(&id("sequential"), format!("doxbee-sequential{note}, per request"), requests, || {
                clock::wall(|| promise_style::sequential(event_loop, requests, operation))
            })
            .against("async fn + oneshot, LocalExecutor", budget(1.2, 0.7), || {
                clock::wall(|| futures_style::sequential(requests, operation))
            })
            .against("async fn of our promises, spawned", None, || {
                clock::wall(|| promise_style::sequential_async(event_loop, requests, operation))
            });
        bench
            .question(&id("parallel"), format!("parallel, {QUERIES} queries{note}, per request"), requests, || {
                clock::wall(|| promise_style::parallel(event_loop, requests, operation))
            })
            .against("join_all of oneshots, LocalExecutor", budget(1.2, 0.5), || {
                clock::wall(|| futures_style::parallel(requests, operation))
            });
    }
}
