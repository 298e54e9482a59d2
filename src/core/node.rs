//! The head that every block of the core starts with, the reference word, and how a block ends.

use super::block;
use super::hub::{self, Hub};
use super::life::Life;
use super::place::{self, PlaceId};
use super::reaction::Reaction;
use super::state::Word;
use super::trampoline::{self, Work};
use crate::error::{CancelReason, Fault};
use crate::primitive::{AtomicPtr, AtomicU32, Ordering, UnsafeCell};
use std::panic::Location;

/// A place in the source: where something was created.
pub(crate) type Site = &'static Location<'static>;

/// Bits of the reference word (rule 3 of the module documentation).
const HANDLED: u32 = 1 << 31;
const PRODUCER: u32 = 1 << 30;
const TAKEN: u32 = 1 << 29;
const TRACKED: u32 = 1 << 28;
const COUNT: u32 = TRACKED - 1;

/// What a block is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A promise that resolvers settle.
    Root,
    /// A promise that is also a reaction to another one.
    Derived,
    /// The reaction by which a root promise follows another promise.
    Adopter,
    /// A reaction that wakes a waker in the settle itself.
    Waker,
    /// Any other reaction: it runs as a job.
    Job,
}

/// What differs from type to type. Entries that a kind does not have are never called for it.
pub(crate) struct VTable {
    pub(super) kind: Kind,
    /// Root and Derived: bytes from the head to the outcome slot.
    pub(super) slot_offset: usize,
    /// Root and Derived: dropping the fulfilled value runs no code.
    pub(super) plain_value: bool,
    /// Root and Derived: the block comes from pages, which need not know its type to take it back.
    pub(super) from_pages: bool,
    /// Root and Derived: how a fault becomes the reason; none for a promise that was born settled.
    pub(super) from_fault: Option<Conversion>,
    /// Reactions: runs as a job. Consumes the list's share of the block.
    pub(super) run: unsafe fn(*mut Reaction),
    /// Reactions: will never run, because of this fault. Consumes the list's share of the block.
    pub(super) discard: unsafe fn(*mut Reaction, Fault),
    /// Derived: drops the handler that has not run.
    pub(super) drop_handler: unsafe fn(*mut Reaction),
    /// Drops what is left and frees the block. Exclusive access.
    pub(super) free: unsafe fn(*mut Head),
    /// Root and Derived: frees a block in which nothing is left. Exclusive access; runs no foreign code.
    pub(super) dealloc: unsafe fn(*mut Head),
    /// Root with a companion: tells it that the promise was cancelled. Consumes one part of the producer share.
    pub(super) cancelled: Option<unsafe fn(*mut Head, &CancelReason)>,
    /// Root with a companion: drops it, for the last resolver.
    pub(super) drop_companion: unsafe fn(*mut Head),
}

impl VTable {
    /// The table of a reaction that is no promise and whose block the reaction itself frees.
    pub(super) const fn reaction(
        kind: Kind,
        run: unsafe fn(*mut Reaction),
        discard: unsafe fn(*mut Reaction, Fault),
    ) -> Self {
        Self {
            kind,
            slot_offset: 0,
            plain_value: true,
            from_pages: false,
            from_fault: None,
            run,
            discard,
            drop_handler: no_reaction,
            free: no_free,
            dealloc: no_free,
            cancelled: None,
            drop_companion: no_free,
        }
    }
}

/// A `fn(Fault, Site) -> E` whose `E` the table does not name.
#[derive(Clone, Copy)]
pub(super) struct Conversion(*const ());

// SAFETY: it is the address of a function.
unsafe impl Send for Conversion {}
// SAFETY: as above.
unsafe impl Sync for Conversion {}

impl Conversion {
    pub(super) const fn new<E>(convert: fn(Fault, Site) -> E) -> Self {
        Self(convert as *const ())
    }

    /// # Safety
    /// Made by `new::<E>` of the same `E` (its lifetimes apart).
    pub(super) unsafe fn get<E>(self) -> fn(Fault, Site) -> E {
        // SAFETY: by contract it was a function of this type.
        unsafe { std::mem::transmute::<*const (), fn(Fault, Site) -> E>(self.0) }
    }
}

pub(super) unsafe fn no_reaction(_: *mut Reaction) {
    unreachable!("not a reaction");
}
pub(super) unsafe fn no_discard(_: *mut Reaction, _: Fault) {
    unreachable!("not a reaction");
}
pub(super) unsafe fn no_free(_: *mut Head) {
    unreachable!("freed by its own count");
}

/// The first fields of every block. Aligned so that three bits of its address are free on every target.
#[repr(C, align(8))]
pub(crate) struct Head {
    pub(super) vtable: &'static VTable,
    pub(super) word: AtomicPtr<()>,
    pub(super) refs: AtomicU32,
    /// Root: how many resolvers there are. Reactions: mode bits and the place (`reaction::Aux`).
    pub(super) aux: AtomicU32,
    /// Zero-sized; under loom it stands for the slot, whose type the head does not know.
    pub(super) slot_access: UnsafeCell<()>,
    /// Zero-sized; see its module.
    pub(super) life: Life,
}

impl Head {
    pub(super) fn new(vtable: &'static VTable, word: Word, refs: u32, aux: u32) -> Self {
        Self {
            vtable,
            word: AtomicPtr::new(word.0),
            refs: AtomicU32::new(refs),
            aux: AtomicU32::new(aux),
            slot_access: UnsafeCell::new(()),
            life: Life::new(),
        }
    }

    /// References of a pending promise: its producer and one consumer.
    pub(super) const PENDING_REFS: u32 = PRODUCER | 1;
    /// References of a promise without a producer: one consumer.
    pub(super) const SETTLED_REFS: u32 = 1;

    /// The state now; what was written before it was published is visible.
    #[inline(always)]
    pub(super) fn state(&self) -> Word {
        self.life.look();
        // ORDERING: Acquire pairs with the Release half of `publish` and `link`.
        Word(self.word.load(Ordering::Acquire))
    }

    /// Replaces the word if it is still `old`. On success what was written before is published with it.
    #[inline(always)]
    pub(super) fn exchange(&self, old: Word, new: Word) -> Result<(), Word> {
        // ORDERING: AcqRel publishes the slot or the reaction (Release) and sees what the replaced word published
        // (Acquire: the reaction that the settler takes). Acquire on failure: the caller looks at what it lost to.
        let order = if cfg!(thenable_plant = "m17_published_too_weak") { Ordering::Acquire } else { Ordering::AcqRel };
        match self.word.compare_exchange(old.0, new.0, order, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(now) => Err(Word(now)),
        }
    }

    /// Adds a consumer. The caller is one.
    pub(super) fn retain(&self) {
        // ORDERING: Relaxed, as in `Arc`: the new share is handed on by the caller, who holds one.
        #[cfg(not(thenable_plant = "m09_count_torn"))]
        let before = self.refs.fetch_add(1, Ordering::Relaxed);
        #[cfg(thenable_plant = "m09_count_torn")]
        let before = self.refs.load(Ordering::Relaxed);
        #[cfg(thenable_plant = "m09_count_torn")]
        self.refs.store(before + 1, Ordering::Relaxed);
        if is_too_many(before) {
            // The count would reach the flag bits: like `Arc`, end before memory is freed under a live handle.
            std::process::abort();
        }
    }

    /// Adds a consumer unless the last share is gone. Only for a promise with a hub, and under its lock.
    pub(super) fn try_retain(&self) -> bool {
        // ORDERING: Relaxed, as in `retain`; the exchange decides.
        let mut now = self.refs.load(Ordering::Relaxed);
        while now & (COUNT | PRODUCER) != 0 {
            match self.refs.compare_exchange_weak(now, now + 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(other) => now = other,
            }
        }
        false
    }

    /// Is the caller, who is a consumer, the only one?
    #[inline(always)]
    pub(super) fn is_only_consumer(&self) -> bool {
        self.consumer_claim() != Claim::Shared
    }

    /// What the caller, who is a consumer, may do with the outcome, if a look at the word that comes later finds it settled.
    #[inline(always)]
    pub(super) fn consumer_claim(&self) -> Claim {
        // ORDERING: Acquire pairs with the Release of the others' `release`: what they did with the promise happened
        // before we move the outcome or free the block.
        match self.refs.load(Ordering::Acquire) & (COUNT | PRODUCER) {
            1 => Claim::Whole,
            refs if refs & COUNT == 1 => Claim::Outcome,
            _ => Claim::Shared,
        }
    }

    /// Does any consumer exist?
    pub(super) fn has_consumer(&self) -> bool {
        // ORDERING: Relaxed, a hint only.
        self.refs.load(Ordering::Relaxed) & COUNT != 0
    }

    /// Only the producer has a share of this promise. If there is no hub either, by a look at the word that comes after this one,
    /// nobody else ever will.
    pub(super) fn is_only_producer(&self) -> bool {
        // ORDERING: Acquire, as `is_only_consumer`.
        self.refs.load(Ordering::Acquire) & (COUNT | PRODUCER) == PRODUCER
    }

    pub(super) fn mark_handled(&self) {
        // ORDERING: Relaxed. The flag is read after the last release, which happens after this in the same consumer.
        let now = self.refs.load(Ordering::Relaxed);
        if cfg!(thenable_plant = "m16_flag_torn") {
            self.refs.store(now | HANDLED, Ordering::Relaxed);
        } else if now & HANDLED == 0 {
            self.refs.fetch_or(HANDLED, Ordering::Relaxed);
        }
    }

    /// Has the promise listed while it is pending, if the place is one that lists.
    ///
    /// # Safety
    /// A new promise, not shared yet.
    #[inline]
    pub(super) unsafe fn track(head: *mut Head, site: Site, place: PlaceId) {
        #[cfg(not(loom))]
        if place::is_tracking(place) {
            // ORDERING: Relaxed, not shared yet.
            // SAFETY: ours by contract.
            unsafe {
                (*head).refs.fetch_or(TRACKED, Ordering::Relaxed);
            }
            super::tracked::track(head, site, place);
        }
        #[cfg(loom)]
        let _ = (head, site, place);
    }

    /// The name for the list of what is pending.
    pub(super) fn rename(&self, name: &hub::Name) {
        // ORDERING: Relaxed: set before the promise was shared.
        #[cfg(not(loom))]
        if self.refs.load(Ordering::Relaxed) & TRACKED != 0 {
            super::tracked::rename(self, name);
        }
        #[cfg(loom)]
        let _ = name;
    }

    /// Takes the promise off the list of what is pending: before it settles, and before it ends.
    #[inline]
    pub(super) fn untrack(&self) {
        // ORDERING: Relaxed: set before the promise was shared.
        #[cfg(not(loom))]
        if self.refs.load(Ordering::Relaxed) & TRACKED != 0 {
            super::tracked::forget(self);
        }
    }

    pub(super) fn is_handled(&self) -> bool {
        // ORDERING: Relaxed, called with exclusive access.
        self.refs.load(Ordering::Relaxed) & HANDLED != 0
    }

    pub(super) fn is_taken(&self) -> bool {
        // ORDERING: Relaxed, called with exclusive access.
        self.refs.load(Ordering::Relaxed) & TAKEN != 0
    }

    /// The hub, if there is one.
    pub(super) fn hub(&self) -> Option<*mut Hub> {
        let word = self.state();
        word.has_hub().then(|| word.hub())
    }

    /// The name given to the promise.
    pub(super) fn name(&self) -> Option<hub::Name> {
        // SAFETY: the hub lives as long as the promise.
        self.hub().and_then(|hub| unsafe { &*hub }.name())
    }
}

/// Whether a reference word has so many consumers that those who add one at the same time might reach the flag bits.
#[inline(always)]
const fn is_too_many(refs: u32) -> bool {
    refs & COUNT > COUNT / 2
}

/// What a consumer may do with a settled promise.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// It is the only consumer, and no producer is left.
    Whole,
    /// It is the only consumer.
    Outcome,
    /// There are others.
    Shared,
}

/// Gives back one consumer share.
///
/// # Safety
/// The caller owns a consumer share of the live promise and does not touch it afterwards.
#[inline]
pub(super) unsafe fn release_consumer(head: *mut Head) {
    // SAFETY: alive by the caller's share.
    unsafe { release(head, 1) }
}

/// [`release_consumer`] for a handle. On the place of a derived promise no read-modify-write is needed (rule 10): with one
/// consumer, no hub, and the producer on this thread, nobody else counts.
///
/// # Safety
/// As [`release_consumer`].
#[inline]
pub(super) unsafe fn release_handle(head: *mut Head) {
    // SAFETY: alive by the caller's share; a derived promise is a reaction, whose place never changes.
    unsafe {
        let this = &*head;
        // ORDERING: Relaxed: the consumer is the caller, and the producer of a pending promise is of this thread. (That of a settled
        // one may have gone to a reaction elsewhere.)
        let refs = this.refs.load(Ordering::Relaxed);
        if refs & (COUNT | PRODUCER) == Head::PENDING_REFS
            && this.vtable.kind == Kind::Derived
            && place::is_current((*head.cast::<Reaction>()).place())
            && (this.state() == Word::PENDING
                || (cfg!(thenable_plant = "m22_dropped_settled") && !this.state().has_hub()))
        {
            // ORDERING: Relaxed, as in `link_locally`.
            return this.refs.store(refs - 1, Ordering::Relaxed);
        }
        release_consumer(head);
    }
}

/// Gives back the producer's share; the promise is settled.
///
/// # Safety
/// The caller owns the producer share of the live promise and does not touch it afterwards.
#[inline]
pub(super) unsafe fn release_producer(head: *mut Head) {
    // SAFETY: alive by the caller's share.
    unsafe { release(head, PRODUCER) }
}

#[inline]
unsafe fn release(head: *mut Head, share: u32) {
    // SAFETY: alive by the caller's share.
    let (refs, has_hub) = unsafe { (&(*head).refs, (*head).state().has_hub()) };
    // ORDERING: Acquire: when ours is the only share, what the others did happened before the free. Without a hub nobody
    // can make a share who has none (`try_retain`), so the answer stays true. (If a hub came and its consumer went between the
    // two looks, the promise is settled, for only then a producer gives back: `try_retain` is for pending ones.)
    if has_hub || refs.load(Ordering::Acquire) & (COUNT | PRODUCER) != share {
        // ORDERING: Release publishes what we did with the promise; Acquire is for the one who turns out to be last.
        let order = if cfg!(thenable_plant = "m05_release_too_weak") { Ordering::Relaxed } else { Ordering::AcqRel };
        let before = refs.fetch_sub(share, order);
        if before & (COUNT | PRODUCER) != share {
            return;
        }
    }
    // SAFETY: that was the last share.
    unsafe { retire(head) }
}

/// Gives back the only consumer share after its outcome was moved out of the slot.
///
/// # Safety
/// The caller owns the only consumer share, and the producer's as well if `and_producer`; the slot is empty.
#[inline]
pub(super) unsafe fn release_taken(head: *mut Head, and_producer: bool) {
    // SAFETY: alive by the caller's share.
    let (refs, has_hub) = unsafe { (&(*head).refs, (*head).state().has_hub()) };
    // ORDERING: Acquire, as in `release`.
    let now = refs.load(Ordering::Acquire);
    if and_producer || (now & PRODUCER == 0 && !has_hub) {
        // ORDERING: Relaxed, nobody else is left.
        refs.store(now | TAKEN, Ordering::Relaxed);
        // SAFETY: both shares are the caller's.
        unsafe { retire(head) }
    } else {
        // SAFETY: by contract.
        unsafe { release_moved_out(head) }
    }
}

/// [`release_taken`] while somebody else may know the promise.
///
/// # Safety
/// The caller owns the only consumer share; the slot is empty.
#[inline]
pub(super) unsafe fn release_moved_out(head: *mut Head) {
    // ORDERING: AcqRel, as in `release`: the flag must be visible to whoever frees the block.
    // SAFETY: alive by the caller's share.
    let before = unsafe { (*head).refs.fetch_add(TAKEN.wrapping_sub(1), Ordering::AcqRel) };
    if before & (COUNT | PRODUCER) == 1 {
        // SAFETY: that was the last share.
        unsafe { retire(head) }
    }
}

/// Frees a promise without a hub whose slot holds nothing.
///
/// # Safety
/// Exclusive access; the slot is empty, and there is no hub.
#[inline]
pub(super) unsafe fn free_empty(head: *mut Head) {
    // SAFETY: exclusive by contract.
    unsafe {
        (*head).untrack();
        dealloc(head);
    }
}

/// Frees a block in which nothing is left.
///
/// # Safety
/// Exclusive access to a promise's block.
#[inline]
unsafe fn dealloc(head: *mut Head) {
    // SAFETY: exclusive by contract; a promise's block drops nothing by itself.
    unsafe {
        if (*head).vtable.from_pages {
            block::give_back(head.cast());
        } else {
            ((*head).vtable.dealloc)(head);
        }
    }
}

/// Ends a promise that nobody refers to any more.
///
/// # Safety
/// Exclusive access.
pub(super) unsafe fn retire(head: *mut Head) {
    // SAFETY: exclusive access; the word is read for its status only.
    let (vtable, word, taken) = unsafe { ((*head).vtable, (*head).state(), (*head).is_taken()) };
    if !word.is_settled() {
        // SAFETY: exclusive access.
        unsafe { (*head).untrack() };
    }
    let runs_no_code = !word.has_hub() && (taken || (word == Word::FULFILLED && vtable.plain_value));
    if runs_no_code {
        // SAFETY: exclusive access.
        unsafe { dealloc(head) }
    } else {
        // A value may hold the next promise: see the trampoline.
        trampoline::run(Work::Free(head));
    }
}

/// Sets the word to settled unless somebody else did. The returned word is the one replaced: its reactions are the
/// caller's to deliver. `expected` is a word that it has had lately, probably the one of now: to look again costs a few
/// nanoseconds where the word has just been exchanged.
///
/// # Safety
/// The caller holds a share, and has written the outcome into the slot.
#[must_use = "the replaced word holds the reactions"]
pub(super) unsafe fn publish(head: *mut Head, expected: Word, rejected: bool) -> Option<Word> {
    // SAFETY: alive by the caller's share.
    let head = unsafe { &*head };
    head.untrack();
    let mut now = expected;
    loop {
        if now.is_settled() {
            return None;
        }
        match head.exchange(now, now.settled(rejected)) {
            Ok(()) => return Some(now),
            Err(other) => now = other,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
