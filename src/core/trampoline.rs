//! One work list per thread for what would otherwise recurse along a chain: freeing a promise whose value holds the next
//! promise, and discarding a reaction whose own reactions are discarded in turn.
//!
//! The list stands on the stack of the outermost `run`; the thread-local only points to it, so that it also serves while
//! the thread's locals are being destroyed. Work that is put off runs after its caller has gone on, which is why promises
//! hold `'static` values only.

use super::node::Head;
use super::reaction::Reaction;
use crate::error::Fault;
use crate::primitive::thread_local_value;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ptr;

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

type List = RefCell<VecDeque<Work>>;

thread_local_value! {
    /// The list of the `run` that this thread is in the middle of, or null.
    static ACTIVE: Cell<*const List> = Cell::new(ptr::null());
}

/// Performs the work now, or after the work that this thread is in the middle of.
pub(super) fn run(work: Work) {
    let list = ACTIVE.try_with(Cell::get).unwrap_or(ptr::null());
    if !list.is_null() {
        // SAFETY: not null, so the list stands on this thread's stack, below us. Nothing of it is borrowed while foreign
        // code runs.
        return unsafe { &*list }.borrow_mut().push_back(work);
    }
    let list = List::default();
    let outermost = Outermost::new(&list);
    work.perform();
    loop {
        let next = list.borrow_mut().pop_front();
        let Some(next) = next else { break };
        next.perform();
    }
    drop(outermost);
}

/// The list being known to the thread.
struct Outermost;

impl Outermost {
    fn new(list: &List) -> Self {
        let _ = ACTIVE.try_with(|active| active.set(list));
        Self
    }
}

impl Drop for Outermost {
    fn drop(&mut self) {
        let _ = ACTIVE.try_with(|active| active.set(ptr::null()));
    }
}
