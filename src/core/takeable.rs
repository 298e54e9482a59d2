//! A value that one user at a time takes out, and may put back.

use crate::error::panic;
use crate::primitive::{AtomicBool, Ordering, UnsafeCell};
use std::mem::MaybeUninit;

/// The flag says that the value is here: whoever unsets it has the value, and with it the right to put one back.
///
/// Usually one thread has it *alone*: it may take, and put back. Others take once they know that this is over.
pub(super) struct Takeable<C> {
    here: AtomicBool,
    content: UnsafeCell<MaybeUninit<C>>,
}

// SAFETY: the value moves to whoever takes it; nobody gets a reference.
unsafe impl<C: Send> Sync for Takeable<C> {}

impl<C> Takeable<C> {
    pub(super) fn new(content: C) -> Self {
        Self { here: AtomicBool::new(true), content: UnsafeCell::new(MaybeUninit::new(content)) }
    }

    pub(super) fn take(&self) -> Option<C> {
        // ORDERING: Acquire pairs with `put_back`; not visible to loom: it matters only to a combinator whose loop has closed, and
        // whose number a new loop has, which runs one member while another thread discards the next.
        if !self.here.swap(false, Ordering::Acquire) {
            return None;
        }
        // SAFETY: it was here, and the swap made it ours.
        Some(self.content.with(|content| unsafe { (*content).assume_init_read() }))
    }

    /// [`take`](Takeable::take) for the one thread that uses it, while no other does: without a read-modify-write.
    #[inline]
    pub(super) fn take_alone(&self) -> Option<C> {
        // ORDERING of both: Relaxed, the same thread wrote it, or who handed the whole over.
        if !self.here.load(Ordering::Relaxed) {
            return None;
        }
        self.here.store(false, Ordering::Relaxed);
        // SAFETY: it was here, and nobody else takes it.
        Some(self.content.with(|content| unsafe { (*content).assume_init_read() }))
    }

    /// For whoever has taken it.
    pub(super) fn put_back(&self, content: C) {
        // SAFETY: it is not here, and nobody but the caller may change that.
        self.content.with_mut(|place| unsafe { (*place).write(content) });
        // ORDERING: Release publishes the value; not visible to loom: see `take`.
        self.here.store(true, Ordering::Release);
    }
}

impl<C> Drop for Takeable<C> {
    fn drop(&mut self) {
        panic::drop_quietly(self.take());
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn what_is_here_goes_with_it_once() {
        let content = Rc::new(());
        let takeable = Takeable::new(content.clone());
        drop(takeable);
        assert_eq!(Rc::strong_count(&content), 1, "never taken: dropped");

        let takeable = Takeable::new(content.clone());
        let taken = takeable.take().unwrap();
        assert!(takeable.take().is_none() && takeable.take_alone().is_none());
        drop(takeable);
        assert_eq!(Rc::strong_count(&content), 2, "taken: the taker's");

        let takeable = Takeable::new(taken);
        let taken = takeable.take_alone().unwrap();
        assert!(takeable.take().is_none() && takeable.take_alone().is_none());
        takeable.put_back(taken);
        assert_eq!(Rc::strong_count(&content), 2);
        drop(takeable);
        assert_eq!(Rc::strong_count(&content), 1, "put back: dropped");
    }
}
