//! Notices: closures that run once a promise is settled, know nothing of the outcome, and can be taken back.
//!
//! A notice holds no share of the promise, so that it does not stand in the way of moving the value. It always stands in
//! a hub. Two own the block: the list (until it runs) and the subscription.

use super::block;
use super::hub::{self, Hub};
use super::node::{Head, Kind, VTable};
use super::place::PlaceId;
use super::reaction::{self, Reaction};
use super::state::Word;
use crate::error::{Fault, panic};
use crate::primitive::Ordering;
use std::cell::UnsafeCell;
use std::marker::PhantomData;

#[repr(C)]
struct Notice<F> {
    reaction: Reaction,
    /// Touched by whoever took the notice off the list.
    call: UnsafeCell<Option<F>>,
}

struct Table<F>(PhantomData<F>);

impl<F: FnOnce()> Table<F> {
    const TABLE: VTable = VTable {
        drop_handler: drop_handler::<F>,
        free: free::<F>,
        ..VTable::reaction(Kind::Job, run::<F>, discard::<F>)
    };
}

/// The subscriber's end.
pub(crate) struct Watch {
    hub: *mut Hub,
    notice: *mut Reaction,
}

// SAFETY: a counted reference to the hub and one to the notice, whose closure is `Send` and touched under the hub's rules.
unsafe impl Send for Watch {}
// SAFETY: as above; the methods consume it.
unsafe impl Sync for Watch {}

/// Registers a closure.
///
/// # Safety
/// The caller holds a share of the live promise.
pub(super) unsafe fn watch<F>(head: *mut Head, place: PlaceId, call: F) -> Watch
where
    F: FnOnce() + Send + 'static,
{
    // SAFETY: by contract; the watch gets a reference of its own.
    let hub: *mut Hub = unsafe {
        let hub = std::ptr::from_ref(hub::ensure(head)).cast_mut();
        hub::retain(hub);
        hub
    };
    let block = Head::new(&Table::<F>::TABLE, Word::PENDING, 2, Reaction::aux(place));
    let notice = Notice { reaction: Reaction::new(block), call: UnsafeCell::new(Some(call)) };
    let notice = block::allocate(notice).cast::<Reaction>();
    // SAFETY: new, so ours to hand over.
    unsafe { reaction::subscribe(head, notice) };
    Watch { hub, notice }
}

impl Watch {
    /// Takes the closure back and drops it. False: too late, it is queued or has run.
    pub(crate) fn remove(self) -> bool {
        let removed = {
            // SAFETY: alive by our reference.
            let mut state = unsafe { (*self.hub).lock() };
            // SAFETY: alive by our reference; pushed to this hub's list if to any.
            !state.closed && unsafe { state.slots.remove(self.notice) }
        };
        if removed {
            // SAFETY: taken off the list, so ours; then the list's reference goes.
            unsafe {
                ((*self.notice).head.vtable.drop_handler)(self.notice);
                release(self.notice);
            }
        }
        removed
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // SAFETY: our references.
        unsafe {
            release(self.notice);
            hub::release(self.hub);
        }
    }
}

/// Gives back one of the two references to a notice.
unsafe fn release(notice: *mut Reaction) {
    // SAFETY: alive by the caller's reference.
    let head = unsafe { &(*notice).head };
    head.life.look();
    // ORDERING: AcqRel, as in `Arc`.
    let order = if cfg!(thenable_plant = "m19_release_too_weak") { Ordering::Relaxed } else { Ordering::AcqRel };
    if head.refs.fetch_sub(1, order) == 1 {
        // SAFETY: that was the last reference.
        unsafe { (head.vtable.free)(notice.cast()) };
    }
}

unsafe fn take<F>(notice: *mut Reaction) -> Option<F> {
    // SAFETY: the caller took the notice off the list.
    unsafe { (*(*notice.cast::<Notice<F>>()).call.get()).take() }
}

unsafe fn run<F: FnOnce()>(notice: *mut Reaction) {
    // SAFETY: a job's runner took it off the list, and owns the list's reference.
    let call = unsafe {
        let call = take::<F>(notice);
        release(notice);
        call
    };
    // A panic has been printed; there is nobody to tell.
    let _ = panic::catch(None, || call.map(|call| call()));
}

unsafe fn discard<F: FnOnce()>(notice: *mut Reaction, _: Fault) {
    // SAFETY: as in `run`.
    unsafe {
        drop_handler::<F>(notice);
        release(notice);
    }
}

unsafe fn drop_handler<F>(notice: *mut Reaction) {
    // SAFETY: by the callers' contract it was taken off the list.
    panic::drop_quietly(unsafe { take::<F>(notice) });
}

unsafe fn free<F>(head: *mut Head) {
    // SAFETY: exclusive by the table's contract; the closure is gone.
    unsafe { block::free(head.cast::<Notice<F>>()) };
}
