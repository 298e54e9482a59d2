//! What the model checker is told of a block's life: when it begins, who looks at it, and when it ends. Elsewhere it is
//! nothing.
//!
//! Under loom every block that is not freed is a leak, and a freed one stays in memory until the execution ends, so that a
//! look at it is found: one that comes later, and one that only happened to come earlier.

#[cfg(not(loom))]
#[cfg_attr(any(shuttle, thenable_no_reuse, miri), allow(unused_imports, reason = "pages alone have marks"))]
pub(super) use real::{Life, Mark};
#[cfg(loom)]
pub(super) use watched::{Life, Mark, bury, free};

#[cfg(not(loom))]
#[cfg_attr(any(shuttle, thenable_no_reuse, miri), allow(dead_code, reason = "as above"))]
mod real {
    pub(in super::super) struct Life;

    impl Life {
        #[inline(always)]
        pub(in super::super) fn new() -> Self {
            Self
        }

        #[inline(always)]
        pub(in super::super) fn look(&self) {}

        #[inline(always)]
        pub(in super::super) fn end(&self) {}
    }

    pub(in super::super) struct Mark;

    impl Mark {
        #[inline(always)]
        pub(in super::super) fn new() -> Self {
            Self
        }

        #[inline(always)]
        pub(in super::super) fn set(&self) {}

        #[inline(always)]
        pub(in super::super) fn see(&self) {}
    }
}

#[cfg(loom)]
mod watched {
    use super::super::node::Head;
    use loom::alloc::Track;
    use loom::cell::UnsafeCell;
    use std::sync::{Mutex, PoisonError};

    pub(in super::super) struct Life {
        alive: UnsafeCell<bool>,
        _leak: Track<()>,
    }

    impl Life {
        pub(in super::super) fn new() -> Self {
            Self { alive: UnsafeCell::new(true), _leak: Track::new(()) }
        }

        /// Somebody uses the block.
        pub(in super::super) fn look(&self) {
            // SAFETY: `free` writes it once; loom reports a look that is not ordered before that.
            assert!(self.alive.with(|alive| unsafe { *alive }), "a block is used after its end");
        }

        /// The last use of the block.
        pub(in super::super) fn end(&self) {
            self.look();
            // SAFETY: nobody else has access: loom reports a look that is not ordered before this.
            self.alive.with_mut(|alive| unsafe { *alive = false });
        }
    }

    /// Something that is written once, before those who read it know of it.
    pub(in super::super) struct Mark(UnsafeCell<()>);

    impl Mark {
        pub(in super::super) fn new() -> Self {
            Self(UnsafeCell::new(()))
        }

        pub(in super::super) fn set(&self) {
            self.0.with_mut(|_| ());
        }

        /// Loom reports one that is not ordered after `set`.
        pub(in super::super) fn see(&self) {
            self.0.with(|_| ());
        }
    }

    struct Grave {
        block: *mut (),
        free: unsafe fn(*mut ()),
    }

    // SAFETY: all threads of a model run on one.
    unsafe impl Send for Grave {}

    impl Drop for Grave {
        fn drop(&mut self) {
            // SAFETY: `free` was its last use.
            unsafe { (self.free)(self.block) }
        }
    }

    loom::lazy_static! {
        static ref GRAVES: Mutex<Vec<Grave>> = Mutex::new(Vec::new());
    }

    unsafe fn free_now<B>(block: *mut ()) {
        // SAFETY: by `free`'s contract.
        drop(unsafe { Box::from_raw(block.cast::<B>()) });
    }

    /// # Safety
    /// Exclusive access to a block from a `Box` of this type, which starts with a head; what it holds drops nothing that
    /// must still live.
    pub(in super::super) unsafe fn free<B>(block: *mut B) {
        // SAFETY: every block starts with a head.
        unsafe { bury(block, &(*block.cast::<Head>()).life) }
    }

    /// # Safety
    /// As [`free`], of a block that has its `life` elsewhere.
    pub(in super::super) unsafe fn bury<B>(block: *mut B, life: &Life) {
        life.end();
        let grave = Grave { block: block.cast(), free: free_now::<B> };
        GRAVES.lock().unwrap_or_else(PoisonError::into_inner).push(grave);
    }
}
