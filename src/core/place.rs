//! Places: where jobs run. A place is named by a number that is never used again, so a reaction needs no counted handle
//! of its loop, and a number whose loop is gone simply is not found.

use super::queue::JobQueue;
use crate::primitive::thread_local_value;
use std::cell::Cell;
#[cfg(not(loom))]
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ptr;
use std::sync::Arc;
#[cfg(not(loom))]
use std::sync::Weak;

/// The number of a loop.
pub(crate) type PlaceId = u32;

/// A place without a loop: what is scheduled there is discarded with `LoopClosed`.
pub(crate) const NOWHERE: PlaceId = 0;

/// Places that a reaction's word has bits for.
const PLACES: PlaceId = 1 << 28;

/// The bit of a number whose loop lists what is pending.
const TRACKING: PlaceId = 1;

/// Whether promises made under this loop are listed.
#[inline(always)]
pub(super) fn is_tracking(id: PlaceId) -> bool {
    id & TRACKING != 0
}

type Registry = BTreeMap<PlaceId, Arc<JobQueue>>;

#[cfg(not(loom))]
static REGISTRY: std::sync::RwLock<Registry> = std::sync::RwLock::new(BTreeMap::new());

#[cfg(not(loom))]
fn read<R>(f: impl FnOnce(&Registry) -> R) -> R {
    f(&REGISTRY.read().unwrap_or_else(std::sync::PoisonError::into_inner))
}
#[cfg(not(loom))]
fn write<R>(f: impl FnOnce(&mut Registry) -> R) -> R {
    f(&mut REGISTRY.write().unwrap_or_else(std::sync::PoisonError::into_inner))
}

#[cfg(loom)]
mod modelled {
    use super::{JobQueue, PlaceId, Registry};
    use crate::primitive::Mutex;
    use std::sync::Arc;

    loom::lazy_static! {
        static ref REGISTRY: Mutex<Registry> = Mutex::new(Registry::new());
    }

    pub(super) fn write<R>(f: impl FnOnce(&mut Registry) -> R) -> R {
        f(&mut REGISTRY.lock())
    }

    pub(in super::super) fn find(id: PlaceId) -> Option<Arc<JobQueue>> {
        REGISTRY.lock().get(&id).cloned()
    }
}
#[cfg(loom)]
pub(super) use modelled::find;
#[cfg(loom)]
use modelled::write;

/// The number after `before`, without the bit, and whether the numbers have started again for it, as they do after 2^27 loops.
/// One in use is passed over.
fn next_number(before: PlaceId, is_used: impl Fn(PlaceId) -> bool) -> (PlaceId, bool) {
    let mut id = (before | TRACKING) + 1;
    let mut again = false;
    while id >= PLACES || is_used(id) || is_used(id | TRACKING) {
        again |= id >= PLACES;
        id = if id >= PLACES { TRACKING + 1 } else { id + TRACKING + 1 };
    }
    (id, again)
}

/// Makes a queue that belongs to the calling thread and registers it.
///
/// `tracks`: promises made while it is current are listed while they are pending.
pub(crate) fn register(tracks: bool, wake: impl Fn() + Send + Sync + 'static) -> Arc<JobQueue> {
    write(|registry| {
        let (id, again) = next_number(LAST.get(), |id| registry.contains_key(&id));
        LAST.set(id);
        // ORDERING of both: Relaxed, under the registry's lock.
        if again {
            WRAPPED.store(true, std::sync::atomic::Ordering::Relaxed);
        }
        let id = if tracks { id | TRACKING } else { id };
        let wrapped = WRAPPED.load(std::sync::atomic::Ordering::Relaxed);
        let queue = Arc::new(JobQueue::new(id, wrapped, Box::new(wake)));
        registry.insert(id, queue.clone());
        queue
    })
}

/// Takes a closed queue out: its number is not found any more.
pub(crate) fn unregister(id: PlaceId) {
    let queue = write(|registry| registry.remove(&id));
    // ORDERING: Release, after the removal: whoever reads the new number does not trust what it found before;
    // not visible to loom: its build looks the loop up each time.
    #[cfg(not(loom))]
    REMOVALS.fetch_add(1, std::sync::atomic::Ordering::Release);
    drop(queue);
}

/// Counts removals: a number may be given to another loop after one.
#[cfg(not(loom))]
static REMOVALS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

#[cfg(not(loom))]
struct Found {
    removals: u32,
    id: PlaceId,
    queue: Weak<JobQueue>,
}

#[cfg(not(loom))]
thread_local! {
    /// What this thread looked up last: a thread that works for a loop goes on to do so, and the registry's lock is shared.
    static FOUND: RefCell<Option<Found>> = const { RefCell::new(None) };
}

#[cfg(not(loom))]
pub(super) fn find(id: PlaceId) -> Option<Arc<JobQueue>> {
    // ORDERING: Acquire, see `unregister`; not visible to loom: as there.
    let removals = REMOVALS.load(std::sync::atomic::Ordering::Acquire);
    let known = FOUND.try_with(|found| {
        let found = found.borrow();
        found.as_ref().filter(|found| found.id == id && found.removals == removals)?.queue.upgrade()
    });
    if let Ok(Some(queue)) = known {
        return Some(queue);
    }
    let queue = read(|registry| registry.get(&id).cloned())?;
    let found = Found { removals, id, queue: Arc::downgrade(&queue) };
    let _ = FOUND.try_with(|place| place.replace(Some(found)));
    Some(queue)
}

/// Wakes the loop, after `Push::Wake`.
pub(super) fn wake(id: PlaceId) {
    if let Some(queue) = find(id) {
        queue.wake();
    }
}

/// The numbers have started again.
static WRAPPED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// The newest number given out; changed under the registry's lock only.
struct Last(std::sync::atomic::AtomicU32);
static LAST: Last = Last(std::sync::atomic::AtomicU32::new(0));

impl Last {
    // ORDERING of both: Relaxed, the registry's lock orders them.
    fn get(&self) -> PlaceId {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
    fn set(&self, id: PlaceId) {
        self.0.store(id, std::sync::atomic::Ordering::Relaxed);
    }
}

thread_local_value! {
    /// The queue of the loop that is current on this thread, which belongs to this thread and which the `Entered` that put
    /// it here keeps alive.
    static CURRENT: Cell<*const JobQueue> = Cell::new(ptr::null());
}

/// Runs `f`, which must not run foreign code, with the current queue if it is this one.
#[inline]
pub(super) fn with_current<R>(id: PlaceId, f: impl FnOnce(&JobQueue) -> R) -> Option<R> {
    CURRENT
        .try_with(|current| {
            let current = current.get();
            // SAFETY: not null, so `Entered` keeps it alive.
            if current.is_null() || unsafe { (*current).id() } != id {
                return None;
            }
            // SAFETY: as above.
            Some(f(unsafe { &*current }))
        })
        .ok()
        .flatten()
}

/// Whether this place is current on this thread: its loop is open, and nobody but this thread works for it. (Of a number that
/// was given out before, the loop that had it may have left reactions behind, which others discard.)
#[inline(always)]
pub(super) fn is_current(id: PlaceId) -> bool {
    with_current(id, |queue| !queue.has_used_number()).unwrap_or(cfg!(thenable_plant = "m22_from_anywhere"))
}

/// The place that is current on this thread.
#[inline]
pub(crate) fn current() -> Option<PlaceId> {
    CURRENT
        .try_with(|current| {
            let current = current.get();
            // SAFETY: not null, so `Entered` keeps it alive.
            (!current.is_null()).then(|| unsafe { (*current).id() })
        })
        .ok()
        .flatten()
}

/// The place that is current on this thread, or else the global loop.
#[inline]
pub(crate) fn current_or_global() -> PlaceId {
    current().unwrap_or_else(crate::ambient::global_place)
}

/// A queue being current on this thread. The guards of one thread may be dropped in any order: each puts back what is
/// then the newest one that lives.
pub(crate) struct Entered {
    queue: Arc<JobQueue>,
    serial: u64,
}

thread_local_value! {
    static ENTERED: std::cell::RefCell<Vec<(u64, *const JobQueue)>> = std::cell::RefCell::new(Vec::new());
}

impl Entered {
    /// Makes the queue current. It must belong to this thread.
    pub(crate) fn new(queue: Arc<JobQueue>) -> Self {
        queue.assert_owner();
        let serial = ENTERED
            .try_with(|entered| {
                let mut entered = entered.borrow_mut();
                let serial = entered.last().map_or(0, |(serial, _)| serial + 1);
                entered.push((serial, Arc::as_ptr(&queue)));
                serial
            })
            .unwrap_or(0);
        let _ = CURRENT.try_with(|current| current.set(Arc::as_ptr(&queue)));
        Self { queue, serial }
    }
}

/// Makes sure that a queue is not current on this thread.
pub(super) fn leave(queue: &JobQueue) {
    let newest = ENTERED.try_with(|entered| {
        let mut entered = entered.borrow_mut();
        entered.retain(|(_, known)| !ptr::eq(*known, queue));
        entered.last().map_or(ptr::null(), |(_, queue)| *queue)
    });
    let _ = CURRENT.try_with(|current| current.set(newest.unwrap_or(ptr::null())));
}

impl Drop for Entered {
    fn drop(&mut self) {
        let newest = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            let mine = (self.serial, Arc::as_ptr(&self.queue));
            entered.retain(|entry| *entry != mine);
            entered.last().map_or(ptr::null(), |(_, queue)| *queue)
        });
        let _ = CURRENT.try_with(|current| current.set(newest.unwrap_or(ptr::null())));
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
