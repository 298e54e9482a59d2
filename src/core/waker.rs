//! The reaction by which a task awaits a promise: a waker on the list, woken in the settle itself.
//!
//! Two own the block: the list and the promise's handle. Whoever takes it off the list owns the waker in it: the settler,
//! who wakes it, or the handle, which replaces or drops it. It holds no share of the promise: the handle does.

use super::block;
use super::node::{Head, Kind, VTable};
use super::reaction::{self, Reaction};
use super::state::Word;
use crate::error::{Fault, panic};
use crate::primitive::{Ordering, UnsafeCell};
use std::mem::ManuallyDrop;
use std::task::Waker;

#[repr(C)]
pub(super) struct WakerBlock {
    reaction: Reaction,
    waker: UnsafeCell<ManuallyDrop<Waker>>,
}

static TABLE: VTable = VTable::reaction(Kind::Waker, wake, discard);

/// An unlisted block that belongs to the handle alone, waker included.
pub(super) struct Unlisted(*mut WakerBlock);

impl Unlisted {
    /// A block for `head`, of which the handle that will hold the block keeps a share.
    pub(super) fn new(head: *mut Head, waker: Waker) -> Self {
        let block = WakerBlock {
            reaction: Reaction::new(Head::new(&TABLE, Word::PENDING, 1, 0)),
            waker: UnsafeCell::new(ManuallyDrop::new(waker)),
        };
        // SAFETY: new, so ours.
        unsafe { block.reaction.set_source(head) };
        Self(block::allocate(block))
    }

    /// Puts another waker in unless the old one wakes the same task. Clones and drops wakers: foreign code.
    pub(super) fn update(&mut self, waker: &Waker) {
        // SAFETY: alive and ours.
        let same = unsafe { &*self.0 }.waker.with(|old| unsafe { &*old }.will_wake(waker));
        if !same && cfg!(not(thenable_plant = "m07_first_waker_kept")) {
            let new = ManuallyDrop::new(waker.clone());
            // SAFETY: as above.
            let old = unsafe { &*self.0 }.waker.with_mut(|place| std::mem::replace(unsafe { &mut *place }, new));
            panic::drop_quietly(ManuallyDrop::into_inner(old));
        }
    }

    /// Puts the block on the list of its promise. None: that is settled, and the block is gone.
    pub(super) fn list(self) -> Option<*mut WakerBlock> {
        let block = self.0;
        // SAFETY: alive and ours; the second reference is the list's. ORDERING: Relaxed, `link` publishes it.
        unsafe {
            (*block).reaction.head.refs.store(2, Ordering::Relaxed);
            let listed = reaction::link((*block).reaction.source(), block.cast());
            if listed || cfg!(thenable_plant = "m02_refusal_ignored") {
                std::mem::forget(self);
                return Some(block);
            }
            (*block).reaction.head.refs.store(1, Ordering::Relaxed);
        }
        None
    }
}

impl Drop for Unlisted {
    fn drop(&mut self) {
        // SAFETY: alive and ours alone; the waker is still in it.
        let waker = unsafe { &*self.0 }.waker.with_mut(|waker| unsafe { ManuallyDrop::take(&mut *waker) });
        // SAFETY: ours alone, from `block::allocate`.
        unsafe { block::free(self.0) };
        panic::drop_quietly(waker);
    }
}

/// The promise that a listed block waits on.
///
/// # Safety
/// The caller is the handle that holds the block.
pub(super) unsafe fn promise_of(block: *mut WakerBlock) -> *mut Head {
    // SAFETY: alive by the handle's reference; set once, before it was listed.
    unsafe { (*block).reaction.source() }
}

/// Takes the block off the list. None: the promise is settled, the settler has the waker, and the block is not the
/// handle's any more.
///
/// # Safety
/// The caller is the handle that holds the block, and gives it up; it keeps its share of the promise.
pub(super) unsafe fn unlist(block: *mut WakerBlock) -> Option<Unlisted> {
    // SAFETY: alive by the handle's reference, the promise by its share.
    unsafe {
        if reaction::unlink(promise_of(block), block.cast()) {
            // ORDERING: Relaxed: the list's reference passed to us with the list's lock or word.
            (*block).reaction.head.refs.store(1, Ordering::Relaxed);
            return Some(Unlisted(block));
        }
        release(block);
    }
    None
}

/// Gives back one reference to a block whose waker is gone.
unsafe fn release(block: *mut WakerBlock) {
    // SAFETY: alive by the caller's reference.
    let head = unsafe { &(*block).reaction.head };
    head.life.look();
    // ORDERING: Acquire: whoever finds the only reference has what the other owner did behind it, and nobody makes a new one.
    // AcqRel, as in `Arc`.
    let order = if cfg!(thenable_plant = "m06_release_too_weak") { Ordering::Relaxed } else { Ordering::AcqRel };
    if head.refs.load(Ordering::Acquire) == 1 || head.refs.fetch_sub(1, order) == 1 {
        // SAFETY: that was the last reference; the waker was moved out.
        unsafe { block::free(block) };
    }
}

unsafe fn wake(reaction: *mut Reaction) {
    let block = reaction.cast::<WakerBlock>();
    // SAFETY: the settler took it off the list, so the waker and the list's reference are its.
    let waker = unsafe {
        let waker = (*block).waker.with_mut(|waker| ManuallyDrop::take(&mut *waker));
        release(block);
        waker
    };
    // A waker that panics must not keep others from being woken.
    let _ = panic::catch(None, || waker.wake());
}

unsafe fn discard(reaction: *mut Reaction, _: Fault) {
    // SAFETY: taken off a list, like in `wake`.
    unsafe { wake(reaction) }
}
