//! Reactions: how they are linked to a promise, taken off it, delivered and scheduled.

use super::hub;
use super::node::{Head, Kind};
use super::place::{self, PlaceId};
use super::queue::{Entry, JobQueue, Push};
use super::state::Word;
use super::trampoline::{self, Work};
use crate::error::Fault;
use crate::primitive::{Ordering, UnsafeCell};
use std::ptr;
use std::sync::Arc;

/// What a reaction does when it runs next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    /// Call the handler with the source's outcome.
    Handler = 0,
    /// Begin to follow the promise that the handler returned.
    Start = 1,
    /// Take over the followed promise's outcome.
    Finish = 2,
    /// Publish the value that stands in the slot, one job from now.
    HoldValue2 = 4,
    /// Publish the value that stands in the slot.
    HoldValue1 = 5,
    /// Publish the reason that stands in the slot, one job from now.
    HoldReason2 = 6,
    /// Publish the reason that stands in the slot.
    HoldReason1 = 7,
}

const MODE: u32 = 0b0111;
/// The list that delivered this reaction gave it the source's producer share too (rule 5).
const OWNS_PRODUCER: u32 = 0b1000;
const PLACE_SHIFT: u32 = 4;

/// A block that can wait on a promise.
#[repr(C)]
pub(crate) struct Reaction {
    pub(super) head: Head,
    /// The promise that it waits on, of which it owns a consumer share; null if none.
    source: UnsafeCell<*mut Head>,
    /// Listed in a hub: its slot number. In an inbox: the job that came before it. Otherwise it means nothing, or null.
    next: UnsafeCell<*mut Reaction>,
}

impl Reaction {
    pub(super) fn new(head: Head) -> Self {
        Self { head, source: UnsafeCell::new(ptr::null_mut()), next: UnsafeCell::new(ptr::null_mut()) }
    }

    pub(super) fn aux(place: PlaceId) -> u32 {
        place << PLACE_SHIFT
    }

    // The accessors below are for the reaction's owner (rule 4): whoever took it off a list, or runs it.

    /// # Safety
    /// The caller owns the reaction.
    #[inline(always)]
    pub(super) unsafe fn source(&self) -> *mut Head {
        // SAFETY: by contract.
        self.source.with(|source| unsafe { *source })
    }

    /// # Safety
    /// The caller owns the reaction.
    #[inline(always)]
    pub(super) unsafe fn set_source(&self, source: *mut Head) {
        // SAFETY: by contract.
        self.source.with_mut(|place| unsafe { *place = source });
    }

    /// # Safety
    /// The caller owns the inbox or list that the reaction is in.
    #[inline(always)]
    pub(super) unsafe fn next(&self) -> *mut Reaction {
        // SAFETY: by contract.
        self.next.with(|next| unsafe { *next })
    }

    /// # Safety
    /// As [`Reaction::next`].
    #[inline(always)]
    pub(super) unsafe fn set_next(&self, next: *mut Reaction) {
        // SAFETY: by contract.
        self.next.with_mut(|place| unsafe { *place = next });
    }

    /// # Safety
    /// As [`Reaction::next`].
    pub(super) unsafe fn slot(&self) -> usize {
        // SAFETY: by contract.
        unsafe { self.next() }.addr()
    }

    /// # Safety
    /// As [`Reaction::next`].
    pub(super) unsafe fn set_slot(&self, slot: usize) {
        // SAFETY: by contract.
        unsafe { self.set_next(ptr::without_provenance_mut(slot)) };
    }

    // ORDERING of the four below: Relaxed. Only the owner writes, and ownership passes through the word or the queue.

    pub(super) fn place(&self) -> PlaceId {
        self.head.aux.load(Ordering::Relaxed) >> PLACE_SHIFT
    }

    #[inline(always)]
    pub(super) fn mode(&self) -> Mode {
        match self.head.aux.load(Ordering::Relaxed) & MODE {
            0 => Mode::Handler,
            1 => Mode::Start,
            2 => Mode::Finish,
            4 => Mode::HoldValue2,
            5 => Mode::HoldValue1,
            6 => Mode::HoldReason2,
            _ => Mode::HoldReason1,
        }
    }

    pub(super) fn set_mode(&self, mode: Mode) {
        let aux = self.head.aux.load(Ordering::Relaxed) & !(MODE | OWNS_PRODUCER);
        self.head.aux.store(aux | mode as u32, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(super) fn owns_producer(&self) -> bool {
        self.head.aux.load(Ordering::Relaxed) & OWNS_PRODUCER != 0
    }

    #[inline(always)]
    pub(super) fn give_producer(&self) {
        let aux = self.head.aux.load(Ordering::Relaxed);
        self.head.aux.store(aux | OWNS_PRODUCER, Ordering::Relaxed);
    }
}

/// Puts a reaction on a promise's list. False: the promise is settled and its list delivered; nothing happened.
///
/// # Safety
/// The caller holds a share of the live promise and owns the reaction, unlisted. On true the reaction belongs to the
/// list: the caller must not touch it any more unless it owns the block otherwise.
#[must_use = "an unlinked reaction is still the caller's"]
#[inline]
pub(super) unsafe fn link(head: *mut Head, reaction: *mut Reaction) -> bool {
    // SAFETY: by contract.
    unsafe { link_locally(head, reaction) || link_anywhere(head, reaction) }
}

/// Links a first reaction that runs where its source does (rule 10). False: nothing happened.
///
/// # Safety
/// As [`link`].
#[inline(always)]
unsafe fn link_locally(head: *mut Head, reaction: *mut Reaction) -> bool {
    // SAFETY: alive by contract; a derived promise is a reaction, whose place never changes.
    unsafe {
        if (*head).vtable.kind != Kind::Derived {
            return false;
        }
        let place = (*head.cast::<Reaction>()).place();
        if (*reaction).place() != place || !place::is_current(place) || (*head).state() != Word::PENDING {
            return false;
        }
        (*reaction).set_next(ptr::null_mut());
        // ORDERING: Relaxed. The next one to touch the word is this thread, or has it from this thread, or has found the queue
        // closed.
        (*head).word.store(Word::local(reaction).0, Ordering::Relaxed);
        true
    }
}

/// # Safety
/// As [`link`].
unsafe fn link_anywhere(head: *mut Head, reaction: *mut Reaction) -> bool {
    // SAFETY: alive by contract.
    let this = unsafe { &*head };
    let mut now = this.state();
    loop {
        if now.has_hub() {
            // SAFETY: the promise keeps its hub.
            let mut state = unsafe { (*now.hub()).lock() };
            if state.closed {
                return false;
            }
            // SAFETY: ours to hand over.
            unsafe { state.slots.push(reaction) };
            return true;
        }
        if now.is_settled() {
            return false;
        }
        if now.reaction().is_null() {
            // SAFETY: ours until the exchange succeeds. Null is what a later hub reads as slot 0.
            unsafe { (*reaction).set_next(ptr::null_mut()) };
            match this.exchange(now, now.with_reaction(reaction)) {
                Ok(()) => return true,
                Err(_) if cfg!(thenable_plant = "m01_lost_exchange") => return true,
                Err(other) => now = other,
            }
        } else {
            // SAFETY: alive by contract.
            unsafe { hub::ensure(head) };
            now = this.state();
        }
    }
}

/// Links, or schedules at once if the promise is settled.
///
/// # Safety
/// As [`link`]; the reaction is a job.
#[inline]
pub(super) unsafe fn subscribe(head: *mut Head, reaction: *mut Reaction) {
    // SAFETY: by contract.
    if unsafe { !link(head, reaction) } {
        // SAFETY: unlinked, so still ours.
        unsafe { schedule(reaction) };
    }
}

/// Takes a reaction off a promise's list. False: it is not on it (any more); it may be running or gone.
///
/// # Safety
/// The caller holds a share of the live promise and a reference to the live reaction. On true it owns the reaction.
pub(super) unsafe fn unlink(head: *mut Head, reaction: *mut Reaction) -> bool {
    // SAFETY: alive by contract.
    let this = unsafe { &*head };
    let mut now = this.state();
    loop {
        // What is on the list then is the settler's.
        if now.is_settled() {
            return false;
        }
        if now.has_hub() {
            // SAFETY: the promise keeps its hub.
            let mut state = unsafe { (*now.hub()).lock() };
            // SAFETY: alive by contract. When the list is closed the reaction's `next` is not ours to read.
            return !state.closed && unsafe { state.slots.remove(reaction) };
        }
        if now.reaction() != reaction {
            return false;
        }
        let emptied = now.with_reaction(ptr::null_mut());
        let emptied = if this.vtable.kind == Kind::Derived { emptied.not_local() } else { emptied };
        match this.exchange(now, emptied) {
            Ok(()) => return true,
            Err(other) => now = other,
        }
    }
}

/// Delivers the reactions of a promise that was just settled: jobs are enqueued in registration order, then wakers are
/// woken.
///
/// # Safety
/// `replaced` is the word that the caller replaced by a settled one; the caller holds a share of the promise until this
/// returns (the share may be its last look at it).
#[inline]
pub(super) unsafe fn deliver(replaced: Word) {
    if replaced.has_hub() {
        // SAFETY: by contract the promise, and with it the hub, is alive.
        unsafe { deliver_hub(&*replaced.hub()) };
    } else if !replaced.reaction().is_null() {
        // SAFETY: the list's share passed to us with the word.
        unsafe { deliver_one(replaced.reaction()) };
    }
}

#[inline]
unsafe fn deliver_one(reaction: *mut Reaction) {
    // SAFETY: alive by the list's share, which the caller owns.
    unsafe {
        match (*reaction).head.vtable.kind {
            // A waker's `run` wakes it.
            Kind::Waker => ((*reaction).head.vtable.run)(reaction),
            _ => schedule(reaction),
        }
    }
}

unsafe fn deliver_hub(hub: &hub::Hub) {
    let mut batch = Batch::default();
    let mut wakers = Vec::new();
    let hooks;
    {
        let mut state = hub.lock();
        state.closed = true;
        hooks = std::mem::take(&mut state.hooks);
        let listed = std::mem::take(&mut state.slots);
        #[cfg(thenable_plant = "m08_enqueued_unlocked")]
        drop(state);
        // Enqueued under the lock: whoever registers next sees `closed` only after these stand in their queues.
        for reaction in listed.into_reactions() {
            // SAFETY: alive by the list's share, which is ours.
            match unsafe { (*reaction).head.vtable.kind } {
                Kind::Waker => wakers.push(reaction),
                // SAFETY: ours to hand over.
                _ => unsafe { batch.add(reaction) },
            }
        }
    }
    batch.flush();
    for waker in wakers {
        // SAFETY: ours, and a waker's `run` wakes it.
        unsafe { ((*waker).head.vtable.run)(waker) };
    }
    // What the hooks captured is dropped last, with everything at rest.
    crate::error::panic::drop_quietly(hooks);
}

/// Enqueues a reaction on its loop, or discards it if that loop is closed.
///
/// # Safety
/// The caller owns the reaction and its list share; it must not touch it afterwards.
#[inline(never)]
pub(super) unsafe fn schedule(reaction: *mut Reaction) {
    // SAFETY: ours.
    let place = unsafe { (*reaction).place() };
    // SAFETY: by contract.
    unsafe { schedule_at(Entry::new(reaction), place) };
}

/// [`schedule`] for a reaction of this place.
///
/// # Safety
/// As [`schedule`].
#[inline(always)]
pub(super) unsafe fn schedule_at(entry: Entry, place: PlaceId) {
    // SAFETY: ours to hand over.
    let pushed = place::with_current(place, |queue| unsafe { queue.push_quickly(entry) });
    if pushed != Some(true) {
        // SAFETY: not pushed, so still ours.
        unsafe { schedule_further(entry, place) };
    }
}

/// [`schedule_at`] where the queue is not open, awake, and this thread's.
///
/// # Safety
/// As [`schedule`].
#[inline(never)]
pub(super) unsafe fn schedule_further(entry: Entry, place: PlaceId) {
    // SAFETY: ours to hand over.
    match place::with_current(place, |queue| unsafe { queue.push_local(entry) }) {
        Some(Push::Done) => {}
        Some(Push::Wake) => place::wake(place),
        _ => {
            let mut batch = Batch::default();
            // SAFETY: not pushed, so still ours.
            unsafe { batch.add_elsewhere(entry.written(), place) };
            batch.flush();
        }
    }
}

/// Reactions on their way into queues; waking loops and discarding wait for `flush`, outside any lock.
#[derive(Default)]
pub(super) struct Batch {
    /// The last loop looked up.
    found: Option<Arc<JobQueue>>,
    found_before: Vec<Arc<JobQueue>>,
    /// Loops that slept. The first one costs no block.
    wake: Option<Arc<JobQueue>>,
    wake_too: Vec<Arc<JobQueue>>,
    discard: Vec<*mut Reaction>,
}

impl Batch {
    /// # Safety
    /// As [`schedule`].
    pub(super) unsafe fn add(&mut self, reaction: *mut Reaction) {
        // SAFETY: ours.
        let place = unsafe { (*reaction).place() };
        let entry = Entry::new(reaction);
        // SAFETY: ours to hand over.
        let pushed = place::with_current(place, |queue| unsafe {
            if queue.push_quickly(entry) { Push::Done } else { queue.push_local(entry) }
        });
        match pushed {
            Some(Push::Done) => {}
            Some(Push::Wake) => {
                if let Some(queue) = place::find(place) {
                    self.wake_later(queue);
                }
            }
            // SAFETY: not pushed, so still ours.
            _ => unsafe { self.add_elsewhere(reaction, place) },
        }
    }

    /// # Safety
    /// As [`schedule`].
    unsafe fn add_elsewhere(&mut self, reaction: *mut Reaction, place: PlaceId) {
        let known = match self.found.take() {
            Some(queue) if queue.id() == place => Some(queue),
            // Perhaps the last reference: dropped by `flush`, for a lock may be held here.
            Some(other) => {
                self.found_before.push(other);
                None
            }
            None => None,
        };
        let Some(queue) = known.or_else(|| place::find(place)) else {
            return self.discard.push(reaction);
        };
        // SAFETY: ours to hand over.
        match unsafe { queue.push_remote(reaction) } {
            Push::Done => {}
            Push::Wake => self.wake_later(queue.clone()),
            Push::Closed => self.discard.push(reaction),
        }
        self.found = Some(queue);
    }

    fn wake_later(&mut self, queue: Arc<JobQueue>) {
        match &self.wake {
            None => self.wake = Some(queue),
            Some(_) => self.wake_too.push(queue),
        }
    }

    pub(super) fn flush(self) {
        for queue in self.wake.into_iter().chain(self.wake_too) {
            queue.wake();
        }
        for reaction in self.discard {
            trampoline::run(Work::Discard(reaction, Fault::LoopClosed));
        }
    }
}
