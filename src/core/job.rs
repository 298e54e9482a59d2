//! Plain jobs: a closure in a loop's queue.

use super::node::{self, Head, Kind, VTable};
use super::place::PlaceId;
use super::reaction::{self, Reaction};
use super::state::Word;
use crate::error::{Fault, panic};
use std::marker::PhantomData;

#[repr(C)]
struct PlainJob<F> {
    reaction: Reaction,
    call: F,
}

struct Table<F>(PhantomData<F>);

impl<F: FnOnce()> Table<F> {
    const TABLE: VTable = VTable {
        kind: Kind::Job,
        slot_offset: 0,
        plain_value: true,
        from_fault: None,
        run: run::<F>,
        discard: discard::<F>,
        drop_handler: node::no_reaction,
        free: node::no_free,
        dealloc: node::no_free,
    };
}

/// Enqueues a closure on a loop. On a closed loop it is dropped.
pub(crate) fn post<F: FnOnce() + Send + 'static>(place: PlaceId, call: F) {
    let head = Head::new(&Table::<F>::TABLE, Word::PENDING, 0, Reaction::aux(place));
    let job = Box::into_raw(Box::new(PlainJob { reaction: Reaction::new(head), call }));
    // SAFETY: new, so ours to hand over.
    unsafe { reaction::schedule(job.cast()) };
}

unsafe fn run<F: FnOnce()>(reaction: *mut Reaction) {
    // SAFETY: the runner owns the block, which `post` made with this type.
    let job = unsafe { Box::from_raw(reaction.cast::<PlainJob<F>>()) };
    let call = job.call;
    // A panic has been printed; a job without a promise has nobody to tell.
    let _ = panic::catch(None, call);
}

unsafe fn discard<F: FnOnce()>(reaction: *mut Reaction, _: Fault) {
    // SAFETY: a discarded job belongs to whoever discards it.
    let job = unsafe { Box::from_raw(reaction.cast::<PlainJob<F>>()) };
    panic::drop_quietly(job.call);
}
