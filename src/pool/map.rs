//! `map`: many inputs, a few at a time, results in order.
//!
//! The work runs in lanes. A lane is a job that draws an input, works on it, and comes back for the next. The inputs
//! are held by one lane at a time, without a lock, because drawing runs foreign code; the first lane starts the others.
//! After each input a lane goes to the end of the executor's queue; where the executor has no room or cannot be asked
//! again, it goes on at once. So a lane is never in want of a place, and a pool that drains finishes its lanes.

use super::{Executor, Job, lock, task, worker};
use crate::error::panic;
use crate::primitive::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use crate::primitive::{thread, thread_local_value};
use crate::{AbortSignal, Fault, Resolver};
use std::cell::Cell;
use std::mem;
use std::num::NonZeroUsize;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

/// How long a lane that could not be started again waits while another one draws. Not for ever: it might run inside
/// that other one.
const PATIENCE: Duration = Duration::from_secs(1);

thread_local_value! {
    /// This thread is handing a lane to an executor. A lane that begins now runs inside that call.
    static HANDING_OVER: Cell<bool> = Cell::new(false);
}

struct Map<I, F, T> {
    state: Mutex<State<I, F, T>>,
    /// The inputs are back.
    returned: Condvar,
    resolver: Resolver<Vec<T>>,
    /// To start more lanes.
    executor: Option<Arc<dyn Executor>>,
    /// The end of the pool.
    stop: Option<AbortSignal>,
    /// Lanes at most.
    window: usize,
    site: &'static Location<'static>,
}

struct State<I, F, T> {
    inputs: Inputs<I>,
    f: Option<Arc<F>>,
    /// One place for each input that was drawn.
    values: Vec<Option<T>>,
    /// Inputs that are being worked on.
    open: usize,
    lanes: usize,
    /// Why a lane was thrown away.
    lost: Option<Fault>,
    /// Nothing more is drawn, and nothing more is kept.
    over: bool,
}

enum Inputs<I> {
    Here(Box<I>),
    /// A lane draws.
    Away,
    Spent,
}

/// One lane, running or queued.
struct Lane<I, F, T>
where
    I: Iterator + Send + 'static,
    F: Fn(I::Item) -> T + Send + Sync + 'static,
    T: Send + 'static,
{
    map: Option<Arc<Map<I, F, T>>>,
}

/// Starts with one lane if that can start the others, and with all of them if not.
pub(super) fn start<X, I, F, T>(
    executor: &X,
    inputs: I,
    f: F,
    resolver: Resolver<Vec<T>>,
    site: &'static Location<'static>,
) where
    X: Executor + ?Sized,
    I: Iterator + Send + 'static,
    F: Fn(I::Item) -> T + Send + Sync + 'static,
    T: Send + 'static,
{
    let again = executor.to_shared();
    let parallelism = executor.parallelism().or_else(|| thread::available_parallelism().ok());
    let window = parallelism.map_or(1, NonZeroUsize::get).saturating_mul(2);
    let first = if again.is_some() { 1 } else { window };
    let state = State {
        inputs: Inputs::Here(Box::new(inputs)),
        f: Some(Arc::new(f)),
        values: Vec::new(),
        open: 0,
        lanes: 0,
        lost: None,
        over: false,
    };
    let map = Arc::new(Map {
        state: Mutex::new(state),
        returned: Condvar::new(),
        resolver,
        executor: again,
        stop: executor.as_thread_pool().map(|pool| pool.token().signal()),
        window,
        site,
    });
    let cancelled = Arc::downgrade(&map);
    map.resolver.on_cancel(move |reason| {
        if let Some(map) = cancelled.upgrade() {
            map.fail(Fault::Cancelled { reason: reason.clone() });
        }
    });
    // A lane of its own, so that the others may come and go before all have started.
    let guard = Lane::new(&map);
    let mut refused = None;
    for _ in 0..first {
        if lock(&map.state).over {
            break;
        }
        match hand_over(executor, Lane::new(&map).into_job(), site) {
            Ok(()) => refused = None,
            Err(fault) => {
                refused = Some(fault);
                break;
            }
        }
    }
    drop(map);
    // If no lane is left, this is the end, and the refusal is the reason for it.
    match refused {
        Some(fault) => task::refusing(fault, || drop(guard)),
        None => drop(guard),
    }
}

/// Executes, and says no more than whether that worked. The job is gone if it did not.
fn hand_over<X: Executor + ?Sized>(executor: &X, job: Job, site: &'static Location<'static>) -> Result<(), Fault> {
    let before = HANDING_OVER.try_with(|cell| cell.replace(true)).unwrap_or(true);
    let accepted = panic::catch(Some(site), || executor.execute(job));
    let _ = HANDING_OVER.try_with(|cell| cell.set(before));
    match accepted {
        Ok(Ok(())) => Ok(()),
        Ok(Err(refused)) => {
            panic::drop_quietly(refused.job);
            Err(refused.fault)
        }
        Err(fault) => Err(fault),
    }
}

impl<I, F, T> Lane<I, F, T>
where
    I: Iterator + Send + 'static,
    F: Fn(I::Item) -> T + Send + Sync + 'static,
    T: Send + 'static,
{
    fn new(map: &Arc<Map<I, F, T>>) -> Self {
        lock(&map.state).lanes += 1;
        Self { map: Some(Arc::clone(map)) }
    }

    fn into_job(self) -> Job {
        Box::new(move || self.run())
    }

    fn run(self) {
        let Some(map) = &self.map else { return };
        // Inside another lane's call, handing over would nest deeper with every input.
        let inside = HANDING_OVER.try_with(|cell| cell.replace(false)).unwrap_or(false);
        let executor = map.executor.as_ref().filter(|_| !inside);
        while let Some((place, input, f)) = map.draw() {
            if let Some(executor) = executor.filter(|_| map.has_free_lane()) {
                let _ = hand_over(executor, Lane::new(map).into_job(), map.site);
            }
            map.work(place, input, f);
            let again = executor.filter(|_| !lock(&map.state).over);
            if again.is_some_and(|executor| hand_over(executor, Lane::new(map).into_job(), map.site).is_ok()) {
                break;
            }
        }
        let _ = HANDING_OVER.try_with(|cell| cell.set(inside));
    }
}

impl<I, F, T> Drop for Lane<I, F, T>
where
    I: Iterator + Send + 'static,
    F: Fn(I::Item) -> T + Send + Sync + 'static,
    T: Send + 'static,
{
    fn drop(&mut self) {
        let Some(map) = self.map.take() else { return };
        if let Some(fault) = map.leave().filter(|_| cfg!(not(thenable_plant = "s44_last_lane_unheard"))) {
            map.fail(fault);
        }
        panic::drop_quietly(map);
    }
}

impl<I, F, T> Map<I, F, T>
where
    I: Iterator + Send + 'static,
    F: Fn(I::Item) -> T + Send + Sync + 'static,
    T: Send + 'static,
{
    /// The next input, and what to do with it. `None`: this lane is not needed any more.
    fn draw(&self) -> Option<(usize, I::Item, Arc<F>)> {
        if let Some(fault) = self.reason_to_stop() {
            self.stop_with(fault);
            return None;
        }
        let mut inputs = self.take_inputs()?;
        match panic::catch(Some(self.site), || inputs.next()) {
            Ok(Some(input)) => self.put_back(inputs, input),
            Ok(None) => {
                panic::drop_quietly(inputs);
                let mut state = lock(&self.state);
                state.inputs = Inputs::Spent;
                self.finish_if_done(state);
                None
            }
            Err(fault) => {
                panic::drop_quietly(inputs);
                self.stop_with(fault);
                None
            }
        }
    }

    fn reason_to_stop(&self) -> Option<Fault> {
        let aborted = self.stop.as_ref().and_then(AbortSignal::reason);
        let cancelled = aborted.map(|reason| Fault::Cancelled { reason });
        cancelled.or_else(|| (!self.resolver.is_wanted()).then(task::unwanted))
    }

    fn take_inputs(&self) -> Option<Box<I>> {
        let mut state = lock(&self.state);
        let mut patient = self.executor.is_none();
        loop {
            match mem::replace(&mut state.inputs, Inputs::Away) {
                Inputs::Here(inputs) => return Some(inputs),
                Inputs::Spent => {
                    state.inputs = Inputs::Spent;
                    return None;
                }
                // Whoever draws starts this lane again.
                Inputs::Away if !patient => return None,
                Inputs::Away => {
                    let (back, limit) =
                        self.returned.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner);
                    state = back;
                    patient = !limit.timed_out();
                }
            }
        }
    }

    fn put_back(&self, inputs: Box<I>, input: I::Item) -> Option<(usize, I::Item, Arc<F>)> {
        let mut state = lock(&self.state);
        let f = if state.over { None } else { state.f.clone() };
        let Some(f) = f else {
            drop(state);
            panic::drop_quietly(input);
            panic::drop_quietly(inputs);
            return None;
        };
        state.inputs = Inputs::Here(inputs);
        let place = state.values.len();
        state.values.push(None);
        state.open += 1;
        drop(state);
        self.returned.notify_one();
        Some((place, input, f))
    }

    fn has_free_lane(&self) -> bool {
        let state = lock(&self.state);
        !state.over && state.lanes < self.window && matches!(state.inputs, Inputs::Here(_))
    }

    fn work(&self, place: usize, input: I::Item, f: Arc<F>) {
        let result = panic::catch(Some(self.site), || f(input));
        panic::drop_quietly(f);
        let mut state = lock(&self.state);
        state.open -= 1;
        match result {
            Ok(value) if state.over => {
                drop(state);
                panic::drop_quietly(value);
            }
            Ok(value) => {
                state.values[place] = Some(value);
                self.finish_if_done(state);
            }
            Err(fault) => {
                drop(state);
                self.stop_with(fault);
            }
        }
    }

    fn stop_with(&self, fault: Fault) {
        self.conclude();
        self.fail(fault);
    }

    fn finish_if_done(&self, mut state: MutexGuard<'_, State<I, F, T>>) {
        if state.over || state.open > 0 || !matches!(state.inputs, Inputs::Spent) {
            return;
        }
        state.over = true;
        let f = state.f.take();
        let values = mem::take(&mut state.values);
        drop(state);
        panic::drop_quietly(f);
        self.conclude();
        if let Err(values) = self.resolver.resolve(values.into_iter().flatten().collect()) {
            values.into_iter().for_each(panic::drop_quietly);
        }
    }
}

impl<I, F, T> Map<I, F, T> {
    /// Takes a lane off. If it was the last one, and there is work left: why nobody will do it.
    fn leave(&self) -> Option<Fault> {
        let reason = task::discard_reason();
        let mut state = lock(&self.state);
        state.lanes -= 1;
        // The lane that handed over to the one that was discarded may be the last to go.
        state.lost = reason.or(state.lost.take());
        if state.lanes > 0 || state.over {
            return None;
        }
        Some(state.lost.take().unwrap_or(Fault::Abandoned { created_at: self.site }))
    }

    /// Rejects, and lets go of everything.
    fn fail(&self, fault: Fault) {
        let mut state = lock(&self.state);
        if mem::replace(&mut state.over, true) {
            return;
        }
        let inputs = mem::replace(&mut state.inputs, Inputs::Spent);
        let f = state.f.take();
        let values = mem::take(&mut state.values);
        drop(state);
        self.returned.notify_all();
        panic::drop_quietly(inputs);
        panic::drop_quietly(f);
        values.into_iter().for_each(panic::drop_quietly);
        self.resolver.fault(fault);
    }

    /// For the lane that runs: on a worker of this crate's pool it counts as done before the promise settles.
    fn conclude(&self) {
        if self.stop.is_some() {
            worker::conclude(true);
        }
    }
}
