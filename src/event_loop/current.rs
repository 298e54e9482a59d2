//! Which loop is current on a thread, and the global one.

#[cfg(not(shuttle))]
use super::EventLoop;
use super::EventLoopBuilder;
use super::handle::LoopHandle;
use super::shared::LoopShared;
use crate::core::{Entered, NOWHERE, PlaceId};
use crate::error::{self, Unhandled};
use crate::primitive::thread_local_value;
use async_executor::Executor;
#[cfg(not(shuttle))]
use once_cell::sync::OnceCell;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
#[cfg(not(shuttle))]
use std::sync::mpsc;
#[cfg(not(shuttle))]
use std::time::Duration;

/// What a loop's own thread has of it: whoever spawns here needs no lock and no atomic count.
pub(super) struct Here {
    pub(super) shared: Arc<LoopShared>,
    pub(super) executor: Arc<Executor<'static>>,
}

impl Here {
    /// None: the loop is closed.
    pub(super) fn new(shared: Arc<LoopShared>) -> Option<Rc<Self>> {
        Some(Rc::new(Self { executor: shared.executor()?, shared }))
    }
}

thread_local_value! {
    /// The loops that are current, the newest last, each with a number of its own.
    static LOOPS: RefCell<Vec<(u64, Rc<Here>)>> = RefCell::new(Vec::new());
}

/// A loop being current on this thread.
pub(super) struct Current {
    serial: u64,
    _entered: Entered,
}

impl Current {
    pub(super) fn new(here: &Rc<Here>) -> Self {
        let serial = LOOPS.try_with(|loops| {
            let mut loops = loops.borrow_mut();
            let serial = loops.last().map_or(0, |(serial, _)| serial + 1);
            loops.push((serial, here.clone()));
            serial
        });
        Self { serial: serial.unwrap_or(0), _entered: Entered::new(here.shared.queue.clone()) }
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        let left = LOOPS.try_with(|loops| {
            let mut loops = loops.borrow_mut();
            let mine = loops.iter().position(|(serial, _)| *serial == self.serial);
            mine.map(|index| loops.remove(index))
        });
        drop(left);
    }
}

/// Makes sure that a closed loop is not current on its thread, whatever became of its guards.
pub(super) fn forget(shared: &Arc<LoopShared>) {
    let forgotten: Option<Vec<_>> = LOOPS
        .try_with(|loops| {
            let mut loops = loops.borrow_mut();
            let (gone, rest) = loops.drain(..).partition(|(_, known)| Arc::ptr_eq(&known.shared, shared));
            *loops = rest;
            gone
        })
        .ok();
    drop(forgotten);
}

/// The current loop, for this thread alone.
pub(super) fn here() -> Option<Rc<Here>> {
    LOOPS.try_with(|loops| loops.borrow().last().map(|(_, here)| here.clone())).ok().flatten()
}

/// Asks something of this loop, which must not run foreign code. None: it is not the current one.
pub(super) fn with<R>(place: PlaceId, f: impl FnOnce(&LoopShared) -> R) -> Option<R> {
    LOOPS
        .try_with(|loops| match loops.borrow().last() {
            Some((_, here)) if here.shared.place() == place => Some(f(&here.shared)),
            _ => None,
        })
        .ok()
        .flatten()
}

pub(super) fn current() -> Option<Arc<LoopShared>> {
    here().map(|here| here.shared.clone())
}

#[cfg(not(shuttle))]
/// Between two attempts of the global loop to run.
#[cfg(not(shuttle))]
const RETRY: Duration = Duration::from_millis(100);

#[cfg(not(shuttle))]
static GLOBAL: OnceCell<Arc<LoopShared>> = OnceCell::new();

/// Shuttle's executions end with their last thread, and the global loop's never ends: there it is as if it could not be
/// started.
#[cfg(shuttle)]
fn global() -> Option<&'static Arc<LoopShared>> {
    None
}

/// The global loop, on a thread of its own, started on first need. None: the thread could not be started (the next call
/// tries again).
#[cfg(not(shuttle))]
fn global() -> Option<&'static Arc<LoopShared>> {
    let started = GLOBAL.get_or_try_init(|| {
        let (sender, receiver) = mpsc::sync_channel(1);
        std::thread::Builder::new().name("thenable-loop".into()).spawn(move || {
            let event_loop = EventLoop::builder().name("global").build();
            let _ = sender.send(event_loop.shared().clone());
            loop {
                // `stop` on the global loop is not for its users to end everybody's promises. A system that is out of
                // descriptors has the reactor panic; the loop tries again, so that its promises wait and are not lost.
                if error::panic::catch(None, || event_loop.run_forever()).is_err() {
                    std::thread::sleep(RETRY);
                }
            }
        })?;
        receiver.recv().map_err(std::io::Error::other)
    });
    started.ok()
}

/// The place where handlers run that were registered on a thread without a loop.
pub(crate) fn global_place() -> PlaceId {
    global().map_or(NOWHERE, |shared| shared.place())
}

/// A handle of the global loop; of a closed one if its thread cannot be started.
pub(super) fn global_handle() -> LoopHandle {
    let shared = match global() {
        Some(shared) => shared.clone(),
        None => {
            let event_loop = EventLoopBuilder::default().build();
            let shared = event_loop.shared().clone();
            event_loop.close();
            shared
        }
    };
    LoopHandle::new(shared)
}

/// A handle of the current loop, or else of the global one.
pub(super) fn current_or_global() -> LoopHandle {
    current().map_or_else(global_handle, LoopHandle::new)
}

/// Hands an unhandled rejection to the loop that reports it once its job queue is empty.
pub(crate) fn report(unhandled: Unhandled) {
    let reporter = current().or_else(|| global().cloned());
    match reporter {
        Some(shared) if !shared.is_closed() => shared.add_unhandled(unhandled),
        _ => {
            error::report(&unhandled);
            error::panic::drop_quietly(unhandled);
        }
    }
}
