//! One work list per thread for what would otherwise recurse along a chain: freeing a promise whose value holds the next
//! promise, and discarding a reaction whose own reactions are discarded in turn.

use super::node::Head;
use super::reaction::Reaction;
use crate::error::Fault;
use crate::primitive::thread_local_value;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

pub(super) enum Work {
    /// Free a promise that nobody refers to.
    Free(*mut Head),
    /// Discard a reaction that nobody else owns.
    Discard(*mut Reaction, Fault),
}

impl Work {
    fn perform(self) {
        // SAFETY: whoever queued it owned the block exclusively and gave it up.
        unsafe {
            match self {
                Work::Free(head) => ((*head).vtable.free)(head),
                Work::Discard(reaction, fault) => ((*reaction).head.vtable.discard)(reaction, fault),
            }
        }
    }
}

thread_local_value! {
    static ACTIVE: Cell<bool> = Cell::new(false);
}
thread_local_value! {
    static WAITING: RefCell<VecDeque<Work>> = RefCell::new(VecDeque::new());
}

/// Performs the work now, or after the work that this thread is in the middle of.
pub(super) fn run(work: Work) {
    match ACTIVE.try_with(|active| active.replace(true)) {
        Ok(false) => {
            work.perform();
            // A panic cannot get here: foreign drops are caught where they run.
            while let Some(next) = WAITING.try_with(|waiting| waiting.borrow_mut().pop_front()).ok().flatten() {
                next.perform();
            }
            let _ = ACTIVE.try_with(|active| active.set(false));
        }
        Ok(true) => {
            let mut work = Some(work);
            let queued = WAITING.try_with(|waiting| waiting.borrow_mut().extend(work.take()));
            if queued.is_err() {
                // The thread is ending and its list is gone already.
                work.into_iter().for_each(Work::perform);
            }
        }
        Err(_) => work.perform(),
    }
}
