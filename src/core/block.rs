//! Where blocks come from and where they go: the global allocator, and in front of it, per thread, short lists of freed
//! blocks of each size, because a promise costs less than the allocator's two calls for it.
//!
//! A list belongs to one thread, which alone takes and gives blocks; a block may end on another thread's list than the one
//! it came from. All lists of a thread together keep at most [`KEPT_BYTES`]; what is above goes back to the allocator, and
//! what they keep does when the thread ends. A freed block's first word is the link to the next one on its list.
//!
//! Sizes are rounded up to 8 more than a multiple of 16, which is what the common allocators hand out for them anyway.
//! Blocks that are larger, or aligned to more than 8 bytes, always go to the allocator.
//!
//! `--cfg thenable_no_reuse` leaves the lists out, for instruments that must see every block end (`ci/sanitize.sh`). Loom
//! and Miri do without them too.

#[cfg(loom)]
pub(super) use boxed::allocate;
#[cfg(all(not(loom), any(thenable_no_reuse, miri)))]
pub(super) use boxed::{allocate, free};
#[cfg(not(any(loom, thenable_no_reuse, miri)))]
pub(super) use reused::{allocate, free};

#[cfg(loom)]
pub(super) use super::life::free;

#[cfg(any(loom, thenable_no_reuse, miri))]
mod boxed {
    #[inline(always)]
    pub(in super::super) fn allocate<B>(content: B) -> *mut B {
        Box::into_raw(Box::new(content))
    }

    /// # Safety
    /// Exclusive access to a block from `allocate` of this type; what it holds drops nothing that must still live.
    #[cfg(not(loom))]
    #[inline(always)]
    pub(in super::super) unsafe fn free<B>(block: *mut B) {
        // SAFETY: by contract.
        drop(unsafe { Box::from_raw(block) });
    }
}

#[cfg(not(any(loom, thenable_no_reuse, miri)))]
mod reused {
    use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
    use std::cell::Cell;
    use std::ptr;

    /// What the lists of one thread keep at most, in bytes.
    pub(super) const KEPT_BYTES: usize = 256 * 1024;
    /// Sizes with a list: 8 + 16 * class.
    const CLASSES: usize = 9;

    struct Freed {
        next: *mut Freed,
    }

    struct Lists {
        first: [Cell<*mut Freed>; CLASSES],
        /// Bytes that may still be kept; 0 until `Guard` stands, and again once the thread ends.
        room: Cell<usize>,
        begun: Cell<bool>,
    }

    thread_local! {
        // No destructor, so that it is there as long as the thread runs any code at all.
        static LISTS: Lists = const {
            Lists { first: [const { Cell::new(ptr::null_mut()) }; CLASSES], room: Cell::new(0), begun: Cell::new(false) }
        };
        /// Empties the lists when the thread ends.
        static GUARD: Guard = const { Guard };
    }

    struct Guard;

    impl Drop for Guard {
        fn drop(&mut self) {
            LISTS.with(|lists| {
                lists.room.set(0);
                for (class, first) in lists.first.iter().enumerate() {
                    let mut next = first.replace(ptr::null_mut());
                    while !next.is_null() {
                        let block = next;
                        // SAFETY: listed, so ours, and its first word is the link; it was made with this layout.
                        unsafe {
                            next = (*block).next;
                            dealloc(block.cast(), layout(class));
                        }
                    }
                }
            });
        }
    }

    #[inline(always)]
    const fn layout(class: usize) -> Layout {
        match Layout::from_size_align(8 + 16 * class, 8) {
            Ok(layout) => layout,
            Err(_) => unreachable!(),
        }
    }

    /// The class of a type's blocks, if they have a list.
    #[inline(always)]
    const fn class_of<B>() -> Option<usize> {
        let class = size_of::<B>().saturating_add(7) / 16;
        if class < CLASSES && align_of::<B>() <= 8 { Some(class) } else { None }
    }

    #[inline(always)]
    pub(in super::super) fn allocate<B>(content: B) -> *mut B {
        let Some(class) = (const { class_of::<B>() }) else { return Box::into_raw(Box::new(content)) };
        let block = LISTS.with(|lists| {
            let first = lists.first[class].get();
            if first.is_null() {
                return fresh(class);
            }
            // SAFETY: listed, so ours, and its first word is the link.
            lists.first[class].set(unsafe { (*first).next });
            lists.room.set(lists.room.get() + layout(class).size());
            first.cast()
        });
        let block = block.cast::<B>();
        // SAFETY: new memory of at least this size, aligned to 8, which is enough for `B`.
        unsafe { block.write(content) };
        block
    }

    #[cold]
    #[inline(never)]
    fn fresh(class: usize) -> *mut u8 {
        let layout = layout(class);
        // SAFETY: the size is not zero.
        let block = unsafe { alloc(layout) };
        if block.is_null() {
            handle_alloc_error(layout);
        }
        block
    }

    /// # Safety
    /// Exclusive access to a block from `allocate` of this type; what it holds drops nothing that must still live.
    #[inline(always)]
    pub(in super::super) unsafe fn free<B>(block: *mut B) {
        let Some(class) = (const { class_of::<B>() }) else {
            // SAFETY: by contract; a block of such a type is a `Box`.
            return drop(unsafe { Box::from_raw(block) });
        };
        // SAFETY: by contract.
        unsafe { block.drop_in_place() };
        LISTS.with(|lists| {
            let size = layout(class).size();
            if lists.room.get() < size && !make_room(lists) {
                // SAFETY: made by `fresh` with this layout, and nothing is left in it.
                return unsafe { dealloc(block.cast(), layout(class)) };
            }
            lists.room.set(lists.room.get() - size);
            let freed = block.cast::<Freed>();
            // SAFETY: exclusive, empty, and large enough for a link.
            unsafe { freed.write(Freed { next: lists.first[class].get() }) };
            lists.first[class].set(freed);
        });
    }

    /// Begins to keep blocks on this thread. False: they have taken their share, or the thread ends.
    #[cold]
    #[inline(never)]
    fn make_room(lists: &Lists) -> bool {
        if lists.begun.replace(true) || GUARD.try_with(|_| ()).is_err() {
            return false;
        }
        lists.room.set(KEPT_BYTES);
        true
    }
}

#[cfg(all(test, not(any(loom, thenable_no_reuse, miri))))]
mod tests {
    use super::{allocate, free, reused::KEPT_BYTES};
    use std::cell::Cell;

    /// Allocates, then frees in the same order; the addresses.
    fn cycle<B: Copy>(count: usize, content: B) -> Vec<*mut B> {
        let blocks: Vec<_> = (0..count).map(|_| allocate(content)).collect();
        // SAFETY: each freed once, and not used afterwards but as a number.
        blocks.iter().for_each(|block| unsafe { free(*block) });
        blocks
    }

    #[test]
    fn a_freed_block_is_the_next_one_of_its_class() {
        let first = cycle(1, [0_u64; 5])[0];
        assert_eq!(cycle(1, [0_u32; 9])[0].addr(), first.addr(), "36 and 40 bytes are one class");
        assert_ne!(cycle(1, [0_u64; 6])[0].addr(), first.addr(), "48 bytes are another");
    }

    #[test]
    fn what_is_kept_has_a_limit() {
        let many = KEPT_BYTES / 40 * 3;
        let first = cycle(many, [0_u64; 5]);
        let mut kept: Vec<_> = (0..many).map(|_| allocate([1_u64; 5])).collect();
        // The first ones freed are kept, so they come back newest first; the rest went to the allocator.
        let (reused, _) = kept.split_at(KEPT_BYTES / 40);
        assert!(reused.iter().rev().eq(first[..KEPT_BYTES / 40].iter()));
        // SAFETY: each freed once.
        kept.drain(..).for_each(|block| unsafe { free(block) });
    }

    #[test]
    fn large_and_over_aligned_blocks_pass_by() {
        #[repr(align(128))]
        #[derive(Clone, Copy)]
        struct Aligned(#[expect(dead_code, reason = "it has a size")] u8);
        assert!(cycle(3, Aligned(1)).iter().all(|block| block.addr() % 128 == 0));
        cycle(3, [7_u8; 4096]);
    }

    #[test]
    fn contents_are_dropped_once() {
        thread_local! {
            static DROPS: Cell<u32> = const { Cell::new(0) };
        }
        struct Counted(#[expect(dead_code, reason = "it has a size")] u64);
        impl Drop for Counted {
            fn drop(&mut self) {
                DROPS.set(DROPS.get() + 1);
            }
        }
        let block = allocate(Counted(1));
        assert_eq!(DROPS.get(), 0);
        // SAFETY: freed once.
        unsafe { free(block) };
        assert_eq!(DROPS.get(), 1);
    }

    #[test]
    fn a_thread_that_ends_may_free_late() {
        struct Late(Cell<*mut [u64; 5]>);
        // SAFETY of the calls below: each block is freed once.
        impl Drop for Late {
            fn drop(&mut self) {
                unsafe { free(self.0.get()) };
                unsafe { free(allocate([2_u64; 5])) };
            }
        }
        thread_local! {
            static LATE: Late = const { Late(Cell::new(std::ptr::null_mut())) };
        }
        let ended = std::thread::spawn(|| {
            // Registered before the lists' own guard, so it is destroyed after it.
            LATE.with(|late| late.0.set(allocate([1_u64; 5])));
            cycle(10, [0_u64; 5]);
        });
        assert!(ended.join().is_ok());
    }
}
