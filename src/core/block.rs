//! Where blocks come from: the thread's [`pages`](super::pages), or the global allocator for what is large or over-aligned.
//!
//! `--cfg thenable_no_reuse` has every block come from the allocator, for instruments that must see each of them end
//! (`ci/sanitize.sh`, and `tests/alloc.rs` to count them). Loom, shuttle and Miri do without pages too.

#[cfg(loom)]
pub(super) use super::life::free;
#[cfg(all(not(loom), any(shuttle, thenable_no_reuse, miri)))]
pub(super) use boxed::free;
#[cfg(all(not(loom), any(shuttle, thenable_no_reuse, miri)))]
pub(crate) use boxed::tidy;
#[cfg(any(loom, shuttle, thenable_no_reuse, miri))]
pub(super) use boxed::{PAGE_BYTES, allocate, from_pages, give_back, give_page, take_page};
#[cfg(not(any(loom, shuttle, thenable_no_reuse, miri)))]
pub(crate) use paged::tidy;
#[cfg(not(any(loom, shuttle, thenable_no_reuse, miri)))]
pub(super) use paged::{PAGE_BYTES, allocate, free, from_pages, give_back, give_page, take_page};

#[cfg(any(loom, shuttle, thenable_no_reuse, miri))]
mod boxed {
    use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
    use std::ptr::NonNull;

    /// Small, so that few jobs fill a page.
    pub(in super::super) const PAGE_BYTES: usize = if cfg!(loom) { 32 } else { 4096 };
    const PAGE: Layout = match Layout::from_size_align(PAGE_BYTES, 16) {
        Ok(layout) => layout,
        Err(_) => panic!("a power of two"),
    };

    pub(in super::super) fn take_page() -> NonNull<u8> {
        // SAFETY: the size is not zero.
        NonNull::new(unsafe { alloc(PAGE) }).unwrap_or_else(|| handle_alloc_error(PAGE))
    }

    /// # Safety
    /// From `take_page`, and nobody uses it.
    pub(in super::super) unsafe fn give_page(page: NonNull<u8>) {
        // SAFETY: by contract.
        unsafe { dealloc(page.as_ptr(), PAGE) };
    }

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

    pub(in super::super) const fn from_pages<B>() -> bool {
        false
    }

    pub(in super::super) unsafe fn give_back(_: *mut u8) {
        unreachable!("no block comes from pages");
    }

    #[cfg(not(loom))]
    pub(crate) fn tidy() {}
}

#[cfg(not(any(loom, shuttle, thenable_no_reuse, miri)))]
#[expect(clippy::disallowed_methods, reason = "a thread-local without a destructor never goes")]
mod paged {
    pub(in super::super) use super::super::pages::PAGE_BYTES;
    use super::super::pages::{Class, Local};
    use std::ptr::NonNull;

    thread_local! {
        // Without a destructor, so that it is there as long as the thread runs any code at all. (Where the system has no
        // thread-locals of its own it may go earlier; then what it had is never given back.)
        static PAGES: Local = const { Local::new(guard) };
        /// Ends the thread's pages with the thread.
        static GUARD: Guard = const { Guard };
    }

    struct Guard;

    impl Drop for Guard {
        fn drop(&mut self) {
            PAGES.with(Local::end);
        }
    }

    #[inline(always)]
    pub(in super::super) fn allocate<B>(content: B) -> *mut B {
        let Some(class) = (const { Class::of::<B>() }) else { return Box::into_raw(Box::new(content)) };
        let block = PAGES.with(|pages| pages.allocate(class));
        let block = block.cast::<B>();
        // SAFETY: new memory of this size and alignment.
        unsafe { block.write(content) };
        block
    }

    /// Sees to it that the pages will be ended. False: the guard has gone, with the thread's other locals.
    fn guard() -> bool {
        GUARD.try_with(|_| ()).is_ok()
    }

    /// Whether blocks of this type come from pages. Others are `Box`es.
    pub(in super::super) const fn from_pages<B>() -> bool {
        Class::of::<B>().is_some()
    }

    /// # Safety
    /// Exclusive access to a block from `allocate` of this type; what it holds drops nothing that must still live.
    #[inline(always)]
    pub(in super::super) unsafe fn free<B>(block: *mut B) {
        // SAFETY: by contract.
        unsafe {
            if const { !from_pages::<B>() } {
                return drop(Box::from_raw(block));
            }
            block.drop_in_place();
            give_back(block.cast());
        }
    }

    /// # Safety
    /// Exclusive access to the memory of a block from `allocate` of a type that comes from pages.
    #[inline(always)]
    pub(in super::super) unsafe fn give_back(block: *mut u8) {
        // SAFETY: by contract.
        PAGES.with(|pages| unsafe { pages.free(block) });
    }

    /// Memory for something else than blocks: [`PAGE_BYTES`], not initialised.
    pub(in super::super) fn take_page() -> NonNull<u8> {
        PAGES.with(Local::take_page)
    }

    /// # Safety
    /// From `take_page`, and nobody uses it.
    pub(in super::super) unsafe fn give_page(page: NonNull<u8>) {
        // SAFETY: by contract.
        PAGES.with(|pages| unsafe { pages.give_page(page) });
    }

    /// Takes over the blocks that other threads have freed. For a thread that is about to sleep.
    pub(crate) fn tidy() {
        PAGES.with(Local::tidy);
    }
}
