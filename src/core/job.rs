//! Plain jobs: a closure in a loop's queue.

use super::block;
use super::node::{Head, Kind, VTable};
use super::place::PlaceId;
use super::reaction::{self, Reaction};
use super::state::Word;
use crate::error::{Fault, panic};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;

#[repr(C)]
struct PlainJob<F> {
    reaction: Reaction,
    call: ManuallyDrop<F>,
}

struct Table<F>(PhantomData<F>);

impl<F: FnOnce()> Table<F> {
    const TABLE: VTable = VTable::reaction(Kind::Job, run::<F>, discard::<F>);
}

/// Enqueues a closure on a loop. On a closed loop it is dropped.
pub(crate) fn post<F: FnOnce() + Send + 'static>(place: PlaceId, call: F) {
    let head = Head::new(&Table::<F>::TABLE, Word::PENDING, 0, Reaction::aux(place));
    let job = block::allocate(PlainJob { reaction: Reaction::new(head), call: ManuallyDrop::new(call) });
    // SAFETY: new, so ours to hand over.
    unsafe { reaction::schedule(job.cast()) };
}

/// Moves the closure out and frees the block.
///
/// # Safety
/// The caller owns the block, which `post` made with this type.
unsafe fn take<F>(reaction: *mut Reaction) -> F {
    let job = reaction.cast::<PlainJob<F>>();
    // SAFETY: by contract; moved out once, right before the block goes.
    unsafe {
        let call = ManuallyDrop::take(&mut (*job).call);
        block::free(job);
        call
    }
}

unsafe fn run<F: FnOnce()>(reaction: *mut Reaction) {
    // SAFETY: the runner owns the block.
    let call = unsafe { take::<F>(reaction) };
    // A panic has been printed; a job without a promise has nobody to tell.
    let _ = panic::catch(None, call);
}

unsafe fn discard<F: FnOnce()>(reaction: *mut Reaction, _: Fault) {
    // SAFETY: a discarded job belongs to whoever discards it.
    panic::drop_quietly(unsafe { take::<F>(reaction) });
}
