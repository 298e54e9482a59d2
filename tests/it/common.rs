//! What the tests of order and outcome share: logs, an observed handler that tells its tick, and outcomes as text.

use std::fmt::{Debug, Display};
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use thenable::{EventLoop, Fault, LoopHandle, Promise, Rejection};

use crate::support::on_loop;

/// The next millisecond of a loop's clock: late enough for every job that is queued now.
pub(crate) const MS: Duration = Duration::from_millis(1);

/// What happened, in order. All clones share one list.
#[derive(Debug)]
pub(crate) struct Seen<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Seen<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Seen<T> {
    pub(crate) fn add(&self, entry: T) {
        self.0.lock().unwrap().push(entry);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// A handler that notes this and passes its value on.
    pub(crate) fn noting<V>(&self, entry: T) -> impl FnOnce(V) -> V + Send + 'static
    where
        T: Send + 'static,
    {
        let seen = self.clone();
        move |value| {
            seen.add(entry);
            value
        }
    }
}

/// Runs `f` when the loop's clock has moved on by a millisecond.
pub(crate) fn by_timer(f: impl FnOnce() + Send + 'static) {
    drop(LoopHandle::current().unwrap().call_later(MS, f));
}

/// Runs `f` on that tick, counted from 1, as the last of a chain of so many `then`s on a settled promise.
pub(crate) fn on_tick(tick: usize, f: impl FnOnce() + Send + 'static) {
    let mut chain = Promise::resolve(());
    for _ in 1..tick {
        chain = chain.map(|()| ());
    }
    drop(chain.map(|()| f()));
}

/// The handler whose tick is asked for: `h` in the tables.
pub(crate) struct Observed {
    steps: Arc<AtomicUsize>,
    ran: Seen<Result<usize, &'static str>>,
}

impl Observed {
    /// `p.then(h)`
    pub(crate) fn then<T, E>(self, promise: Promise<T, E>)
    where
        T: Send + 'static,
        E: From<Fault> + Send + 'static,
    {
        let wrong = self.ran.clone();
        drop(promise.then_or(move |_| self.ran(), move |_| wrong.add(Err("it was rejected"))));
    }

    /// `p.catch(h)`
    pub(crate) fn catch<T, E>(self, promise: Promise<T, E>)
    where
        T: Send + 'static,
        E: From<Fault> + Send + 'static,
    {
        let wrong = self.ran.clone();
        drop(promise.then_or(move |_| wrong.add(Err("it was fulfilled")), move |_| self.ran()));
    }

    /// `h()`
    pub(crate) fn ran(self) {
        self.ran.add(Ok(self.steps.load(Ordering::SeqCst)));
    }
}

/// How long a tick is looked for.
const STEPS: usize = 200;

/// The tick on which the observed handler runs; none if it never does.
///
/// A chain beside it counts: step k is the first job of tick k, because it is registered before anything else.
#[track_caller]
pub(crate) fn tick(case: impl FnOnce(Observed)) -> Option<usize> {
    let ran = on_loop(|event_loop| {
        let observed = Observed { steps: Arc::default(), ran: Seen::default() };
        let (steps, ran) = (Arc::clone(&observed.steps), observed.ran.clone());
        let mut counter = Promise::resolve(());
        for _ in 0..STEPS {
            let steps = Arc::clone(&steps);
            counter = counter.map(move |()| {
                steps.fetch_add(1, Ordering::SeqCst);
            });
        }
        case(observed);
        event_loop.run_until_idle().unwrap();
        assert!(counter.is_fulfilled(), "the chain that counts came to its end");
        ran.take()
    });
    match ran.as_slice() {
        [] => None,
        [Ok(tick)] => Some(*tick),
        other => panic!("the handler runs once, on its own side: {other:?}"),
    }
}

/// Checks the tick on which the observed handler runs.
#[track_caller]
pub(crate) fn assert_tick(expected: usize, case: impl FnOnce(Observed)) {
    assert_eq!(tick(case), Some(expected), "tick of the observed handler");
}

/// Runs a program to its end and checks what it logged.
#[track_caller]
pub(crate) fn assert_log<const N: usize>(expected: [&str; N], program: impl FnOnce(&Seen<&'static str>)) {
    let log = on_loop(|event_loop| {
        let log = Seen::default();
        program(&log);
        event_loop.run_until_idle().unwrap();
        log.take()
    });
    assert_eq!(log, expected);
}

/// A message without the places where panicking handlers were registered, which would be different in every row.
pub(crate) fn without_place(text: &str) -> String {
    let mut parts = text.split(" (registered at ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |told, part| told + part.split_once(')').map_or("", |(_, rest)| rest))
}

/// Runs until settled; the outcome as text: `Ok(2)` or `Err(reason)`.
pub(crate) fn outcome<T, E>(event_loop: &EventLoop, promise: impl Future<Output = Result<T, E>>) -> String
where
    T: Debug,
    E: Display + From<Fault>,
{
    without_place(&match event_loop.run(promise) {
        Ok(value) => format!("Ok({value:?})"),
        Err(why) => format!("Err({why})"),
    })
}

/// A promise that is nobody's business: its rejection, now or later, is not reported.
pub(crate) fn quiet<T, E>(promise: Promise<T, E>) {
    promise.mark_handled();
}

/// A rejected promise of a number.
#[track_caller]
pub(crate) fn no(text: &'static str) -> Promise<i32> {
    Promise::reject(text)
}

/// The texts of many reasons.
pub(crate) fn texts(reasons: &[Rejection]) -> Vec<String> {
    reasons.iter().map(ToString::to_string).collect()
}
