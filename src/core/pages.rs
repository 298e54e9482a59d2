//! The memory of blocks: pages that each belong to one thread and hold blocks of one size.
//!
//! A promise costs less than the general allocator's two calls for it, so small blocks come from here, in the manner of
//! mimalloc (Leijen, Zorn, de Moura: "Mimalloc: Free List Sharding in Action", 2019).
//!
//! A page is aligned to its size, so that a block's address tells its page. Its header says whose it is ([`Shared`]), how
//! many of its blocks are in use, which are free (a list through their first words), and up to where it has ever been used.
//!
//! The owner alone touches headers and free lists, without atomics. It takes blocks from one *current* page per size; the
//! others stand in a list of pages *with room* per size, or in the one list of *full* pages. A page that becomes empty is a
//! *spare* for any size; what is more than [`SPARES`] goes to the [supply](supply) that all threads share. When a thread
//! that has given pages there [tidies](Local::tidy), before it sleeps in a loop or a pool, and when it ends, its spare pages go
//! there too, and the memory of all that it has given but [`SPARES`] goes back to the system.
//!
//! Another thread that frees a block pushes it on the owner's *returned* stack, which the owner takes over when a current
//! page is full, and when it [tidies](Local::tidy).
//!
//! When the owner ends, it writes into each page's header how many blocks are `left`, and only then closes the stack. Who
//! finds it closed counts down `left`; whoever comes to zero frees the page, and with the last page the `Shared`.

#[cfg(not(loom))]
mod supply;

use self::supply::SUPPLY;
use super::life::{Life, Mark};
use crate::primitive::{AtomicPtr, AtomicUsize, Ordering};
use std::alloc::{Layout, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{self, NonNull};

/// Sizes are multiples of this.
const GRAIN: usize = 8;
/// The largest block, in bytes.
pub(super) const LARGEST: usize = 256;
const CLASSES: usize = LARGEST / GRAIN + 1;
/// The size and the alignment of a page.
pub(super) const PAGE_BYTES: usize = if cfg!(loom) { 512 } else { 64 * 1024 };
/// Where a page's first block stands.
const HEADER_BYTES: usize = if cfg!(loom) { 256 } else { 128 };
/// How many empty pages a thread keeps, itself or in the supply: 1 MiB.
const SPARES: usize = (1 << 20) / PAGE_BYTES;

const _: () = assert!(size_of::<Page>() <= HEADER_BYTES && PAGE_BYTES.is_power_of_two());
const _: () = assert!(HEADER_BYTES % LINE_BYTES == 0 && LINE_BYTES % (2 * GRAIN) == 0);

/// The size of a cache line.
const LINE_BYTES: usize = 64;

/// A size of blocks, in grains. Those that fall short of a cache line by one grain get that too: most of them would otherwise
/// be in two lines, and many links that wait are read one here and one there.
#[derive(Clone, Copy)]
pub(super) struct Class(usize);

impl Class {
    /// None: blocks of this type do not come from pages.
    #[inline(always)]
    pub(super) const fn of<B>() -> Option<Self> {
        // What is aligned to two grains has a size that is a multiple of that, and so has each place of such a page.
        let is_aligned = align_of::<B>() <= 2 * GRAIN;
        let fits = size_of::<B>() > 0 && size_of::<B>() <= LARGEST && is_aligned;
        let grains = size_of::<B>().div_ceil(GRAIN);
        let is_nearly_a_line = (grains + 1) * GRAIN == LINE_BYTES;
        if fits { Some(Self(grains + is_nearly_a_line as usize)) } else { None }
    }

    #[inline(always)]
    const fn bytes(self) -> usize {
        self.0 * GRAIN
    }
}

/// What a free block holds.
struct Free {
    next: *mut Free,
}

/// The header of a page. All but `owner` and `left` belong to the owner.
#[repr(C)]
struct Page {
    owner: *const Shared,
    free: Cell<*mut Free>,
    /// Where the part of the page begins that has never been used, in bytes.
    fresh: Cell<usize>,
    used: Cell<usize>,
    class: Cell<Class>,
    role: Cell<Role>,
    /// The list that it is in.
    prev: Cell<*mut Page>,
    next: Cell<*mut Page>,
    /// Blocks in use when the owner ended, less those that were freed since.
    left: AtomicUsize,
    /// `left` was counted.
    counted: Mark,
    life: Life,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Current,
    WithRoom,
    Full,
    Spare,
}

/// What other threads know of an owner.
struct Shared {
    /// Blocks that other threads have freed; `CLOSED` once the owner has ended.
    returned: AtomicPtr<Free>,
    /// Pages with blocks in use when the owner ended, less those that were freed since.
    left: AtomicUsize,
    life: Life,
}

impl Shared {
    fn new(returned: *mut Free, left: usize) -> *mut Self {
        Box::into_raw(Box::new(Self {
            returned: AtomicPtr::new(returned),
            left: AtomicUsize::new(left),
            life: Life::new(),
        }))
    }
}

/// Model checking does without: the supply has a lock of std's around all that it does.
#[cfg(loom)]
mod supply {
    use super::PAGE;
    use std::alloc::{alloc, dealloc};
    use std::ptr::NonNull;

    pub(super) struct Allocator;

    pub(super) static SUPPLY: Allocator = Allocator;

    impl Allocator {
        pub(super) fn take(&self) -> Option<NonNull<u8>> {
            // SAFETY: the size is not zero.
            NonNull::new(unsafe { alloc(PAGE) })
        }

        pub(super) unsafe fn give(&self, page: NonNull<u8>) {
            // SAFETY: from `take`, and nobody uses it.
            unsafe { dealloc(page.as_ptr(), PAGE) };
        }

        pub(super) fn purge(&self, _: usize) {}
    }
}

const CLOSED: *mut Free = ptr::without_provenance_mut(1);

#[cfg(any(loom, test))]
mod living {
    use std::cell::Cell;

    std::thread_local! {
        static PAGES: Cell<isize> = const { Cell::new(0) };
    }

    pub(super) fn add(pages: isize) {
        PAGES.set(PAGES.get() + pages);
    }

    /// How many pages this thread has made, less those that it has freed. All threads of a model run on one.
    pub(in super::super) fn living_pages() -> isize {
        PAGES.get()
    }
}
#[cfg(any(loom, test))]
pub(super) use living::living_pages;

const PAGE: Layout = match Layout::from_size_align(PAGE_BYTES, PAGE_BYTES) {
    Ok(layout) => layout,
    Err(_) => panic!("a power of two"),
};

#[inline(always)]
fn page_of(block: *mut u8) -> *mut Page {
    block.map_addr(|addr| addr & !(PAGE_BYTES - 1)).cast()
}

/// # Safety
/// A new page's owner, alive as long as the page.
unsafe fn new_page(owner: *const Shared, class: Class) -> *mut Page {
    let Some(page) = SUPPLY.take() else { handle_alloc_error(PAGE) };
    let page = page.as_ptr().cast::<Page>();
    let header = Page {
        owner,
        free: Cell::new(ptr::null_mut()),
        fresh: Cell::new(HEADER_BYTES),
        used: Cell::new(0),
        class: Cell::new(class),
        role: Cell::new(Role::Current),
        prev: Cell::new(ptr::null_mut()),
        next: Cell::new(ptr::null_mut()),
        left: AtomicUsize::new(0),
        counted: Mark::new(),
        life: Life::new(),
    };
    // SAFETY: new, large enough, and aligned to more than this.
    unsafe { page.write(header) };
    #[cfg(any(loom, test))]
    living::add(1);
    page
}

/// # Safety
/// Nobody uses the page or a block of it.
unsafe fn free_page(page: *mut Page) {
    // SAFETY: by contract; made by `new_page`.
    unsafe {
        #[cfg(any(loom, test))]
        living::add(-1);
        (*page).life.end();
        page.drop_in_place();
        SUPPLY.give(NonNull::new_unchecked(page.cast()));
    }
}

/// The next free block of a page. Null: it is full.
///
/// # Safety
/// The owner's page.
#[inline(always)]
unsafe fn take(page: *mut Page) -> *mut u8 {
    // SAFETY: by contract; a free block's first word is the link, and a fresh one is within the page.
    unsafe {
        let block = (*page).free.get();
        if !block.is_null() {
            (*page).free.set((*block).next);
            (*page).used.set((*page).used.get() + 1);
            return block.cast();
        }
        let (at, bytes) = ((*page).fresh.get(), (*page).class.get().bytes());
        if at + bytes > PAGE_BYTES {
            return ptr::null_mut();
        }
        (*page).fresh.set(at + bytes);
        (*page).used.set((*page).used.get() + 1);
        page.cast::<u8>().add(at)
    }
}

/// One thread's pages.
pub(super) struct Local {
    /// Null until the first block is needed, and again after the end.
    shared: Cell<*mut Shared>,
    /// Asked before it begins. False: it would never be ended.
    may_begin: fn() -> bool,
    current: [Cell<*mut Page>; CLASSES],
    with_room: [Cell<*mut Page>; CLASSES],
    full: Cell<*mut Page>,
    spare: Cell<*mut Page>,
    spares: Cell<usize>,
    /// Pages that it has given to the supply, less those that it has got from there, and those that went to the system since.
    given: Cell<usize>,
}

// The first element of a list, which is linked both ways.
type List = Cell<*mut Page>;

/// # Safety
/// The owner's list, and its page that is in none.
unsafe fn push(list: &List, page: *mut Page) {
    // SAFETY: by contract.
    unsafe {
        let next = list.replace(page);
        (*page).prev.set(ptr::null_mut());
        (*page).next.set(next);
        if !next.is_null() {
            (*next).prev.set(page);
        }
    }
}

/// # Safety
/// The owner's list, and a page in it.
unsafe fn unlink(list: &List, page: *mut Page) {
    // SAFETY: by contract.
    unsafe {
        let (prev, next) = ((*page).prev.get(), (*page).next.get());
        if prev.is_null() {
            list.set(next);
        } else {
            (*prev).next.set(next);
        }
        if !next.is_null() {
            (*next).prev.set(prev);
        }
    }
}

/// # Safety
/// As [`push`].
unsafe fn pop(list: &List) -> Option<*mut Page> {
    let page = list.get();
    if page.is_null() {
        return None;
    }
    // SAFETY: in the list.
    unsafe { unlink(list, page) };
    Some(page)
}

impl Local {
    pub(super) const fn new(may_begin: fn() -> bool) -> Self {
        Self {
            shared: Cell::new(ptr::null_mut()),
            may_begin,
            current: [const { Cell::new(ptr::null_mut()) }; CLASSES],
            with_room: [const { Cell::new(ptr::null_mut()) }; CLASSES],
            full: Cell::new(ptr::null_mut()),
            spare: Cell::new(ptr::null_mut()),
            spares: Cell::new(0),
            given: Cell::new(0),
        }
    }

    /// A block of this class: memory that is not initialised.
    #[inline(always)]
    pub(super) fn allocate(&self, class: Class) -> *mut u8 {
        let page = self.current[class.0].get();
        if !page.is_null() {
            // SAFETY: ours.
            let block = unsafe { take(page) };
            if !block.is_null() {
                return block;
            }
        }
        self.allocate_elsewhere(class)
    }

    /// `allocate` with no room on the current page.
    #[cold]
    #[inline(never)]
    fn allocate_elsewhere(&self, class: Class) -> *mut u8 {
        if self.shared.get().is_null() {
            if !(self.may_begin)() {
                return late_block(class);
            }
            self.shared.set(Shared::new(ptr::null_mut(), 0));
        }
        let current = &self.current[class.0];
        // SAFETY: ours, all of them.
        unsafe {
            let full = current.replace(ptr::null_mut());
            if !full.is_null() {
                (*full).role.set(Role::Full);
                push(&self.full, full);
                // What comes back may well be of this page.
                self.collect();
            }
            let page = match pop(&self.with_room[class.0]) {
                Some(page) => page,
                None => self.empty_page(class),
            };
            (*page).role.set(Role::Current);
            current.set(page);
            take(page)
        }
    }

    fn empty_page(&self, class: Class) -> *mut Page {
        // SAFETY: ours.
        if let Some(page) = unsafe { pop(&self.spare) } {
            self.spares.set(self.spares.get() - 1);
            // SAFETY: ours, and empty.
            unsafe {
                (*page).class.set(class);
                (*page).free.set(ptr::null_mut());
                (*page).fresh.set(HEADER_BYTES);
            }
            return page;
        }
        self.has_taken();
        // SAFETY: alive until its last page has gone.
        unsafe { new_page(self.shared.get(), class) }
    }

    fn has_taken(&self) {
        self.given.set(self.given.get().saturating_sub(1));
    }

    fn has_given(&self) {
        if (self.may_begin)() {
            self.given.set(self.given.get() + 1);
        } else {
            // It would never tidy again.
            SUPPLY.purge(1);
        }
    }

    /// [`PAGE_BYTES`] for something else than blocks: memory that is not initialised.
    #[cfg(not(loom))]
    pub(super) fn take_page(&self) -> NonNull<u8> {
        self.has_taken();
        SUPPLY.take().unwrap_or_else(|| handle_alloc_error(PAGE))
    }

    /// # Safety
    /// From `take_page` of some thread, and nobody uses it.
    #[cfg(not(loom))]
    pub(super) unsafe fn give_page(&self, page: NonNull<u8>) {
        // SAFETY: by contract.
        unsafe { SUPPLY.give(page) };
        self.has_given();
    }

    /// Takes a block back, from whichever thread it came.
    ///
    /// # Safety
    /// A block from `allocate` of some thread, which nobody uses any more.
    #[inline(always)]
    pub(super) unsafe fn free(&self, block: *mut u8) {
        let page = page_of(block);
        // SAFETY: the page lives as long as a block of it is in use; `owner` never changes.
        unsafe {
            if !ptr::eq((*page).owner, self.shared.get()) {
                return self.give_back(page, block);
            }
            self.free_own(page, block);
        }
    }

    /// # Safety
    /// As [`Local::free`]; the page is another thread's, or has no owner any more.
    #[cold]
    #[inline(never)]
    unsafe fn give_back(&self, page: *mut Page, block: *mut u8) {
        // SAFETY: by contract.
        if unsafe { give_back(page, block) } {
            self.has_given();
        }
    }

    /// # Safety
    /// As [`Local::free`]; the page is ours.
    #[inline(always)]
    unsafe fn free_own(&self, page: *mut Page, block: *mut u8) {
        // SAFETY: ours; a free block has room for the link.
        unsafe {
            let block = block.cast::<Free>();
            block.write(Free { next: (*page).free.get() });
            (*page).free.set(block);
            let used = (*page).used.get() - 1;
            (*page).used.set(used);
            if (*page).role.get() != Role::Current && (used == 0 || (*page).role.get() == Role::Full) {
                self.file(page);
            }
        }
    }

    /// Puts a page where it belongs now that one of its blocks was freed.
    #[cold]
    #[inline(never)]
    unsafe fn file(&self, page: *mut Page) {
        // SAFETY: ours by the caller's word.
        unsafe {
            let with_room = &self.with_room[(*page).class.get().0];
            unlink(if (*page).role.get() == Role::Full { &self.full } else { with_room }, page);
            if (*page).used.get() > 0 {
                (*page).role.set(Role::WithRoom);
                push(with_room, page);
            } else if self.spares.get() < SPARES {
                self.spares.set(self.spares.get() + 1);
                (*page).role.set(Role::Spare);
                push(&self.spare, page);
            } else {
                free_page(page);
                self.has_given();
            }
        }
    }

    /// Takes over what other threads have freed.
    fn collect(&self) {
        let shared = self.shared.get();
        if shared.is_null() {
            return;
        }
        // SAFETY: ours until it is closed. ORDERING: Relaxed, a shortcut; Acquire pairs with `give_back`: what others did
        // with the blocks happened before they are used again.
        let mut block = unsafe {
            if (*shared).returned.load(Ordering::Relaxed).is_null() {
                return;
            }
            (*shared).returned.swap(ptr::null_mut(), Ordering::Acquire)
        };
        while !block.is_null() {
            // SAFETY: ours to free, and its first word is the link.
            unsafe {
                let next = (*block).next;
                self.free_own(page_of(block.cast()), block.cast());
                block = next;
            }
        }
    }

    /// Takes over what other threads have freed, and gives memory that is not needed any more back to the system.
    pub(super) fn tidy(&self) {
        self.collect();
        if self.given.get() <= SPARES {
            return;
        }
        // The spare pages too, which may stand one in each segment.
        // SAFETY: ours, and spare, so no block of it is in use.
        unsafe {
            while let Some(page) = pop(&self.spare) {
                free_page(page);
                self.has_given();
            }
        }
        self.spares.set(0);
        SUPPLY.purge(self.given.replace(SPARES) - SPARES);
    }

    /// The thread ends. Blocks may still be in use.
    pub(super) fn end(&self) {
        let mut given = self.given.take();
        let shared = self.shared.replace(ptr::null_mut());
        if shared.is_null() {
            return SUPPLY.purge(given);
        }
        let mut left = 0;
        let lists = self.with_room.iter().chain(&self.current).chain([&self.full, &self.spare]);
        for list in lists {
            let mut next = list.replace(ptr::null_mut());
            while !next.is_null() {
                let page = next;
                // SAFETY: ours. A current page is in no list: its link is null.
                unsafe {
                    next = if (*page).role.get() == Role::Current { ptr::null_mut() } else { (*page).next.get() };
                    if (*page).used.get() == 0 {
                        free_page(page);
                        given += 1;
                    } else {
                        // ORDERING: Relaxed, published by the swap below.
                        (*page).left.store((*page).used.get(), Ordering::Relaxed);
                        (*page).counted.set();
                        left += 1;
                    }
                }
            }
        }
        self.spares.set(0);
        SUPPLY.purge(given);
        if left == 0 {
            // SAFETY: no block is in use, so nobody knows it.
            return drop(unsafe { Box::from_raw(shared) });
        }
        // SAFETY: alive as long as a page is. ORDERING: Relaxed, published by the swap; AcqRel: publishes the counts, and
        // takes what was returned meanwhile.
        let mut block = unsafe {
            (*shared).left.store(left, Ordering::Relaxed);
            (*shared).returned.swap(CLOSED, Ordering::AcqRel)
        };
        while !block.is_null() && cfg!(not(thenable_plant = "m21_late_returns_lost")) {
            // SAFETY: returned, so nobody uses it; its first word is the link.
            unsafe {
                let next = (*block).next;
                if free_orphan(page_of(block.cast())) {
                    SUPPLY.purge(1);
                }
                block = next;
            }
        }
    }
}

/// A block for a thread whose pages have ended: on a page of its own, without an owner.
#[cold]
fn late_block(class: Class) -> *mut u8 {
    // SAFETY: new, so ours; the one block is counted as left.
    unsafe {
        let page = new_page(Shared::new(CLOSED, 1), class);
        // ORDERING: Relaxed: nobody else knows it yet.
        (*page).left.store(1, Ordering::Relaxed);
        (*page).counted.set();
        take(page)
    }
}

/// Frees a block of another thread's page. True: the page went with it.
///
/// # Safety
/// As [`Local::free`].
unsafe fn give_back(page: *mut Page, block: *mut u8) -> bool {
    let block = block.cast::<Free>();
    // SAFETY: the page has a block in use, so it lives, and its owner with it.
    let shared = unsafe {
        (*page).life.look();
        &*(*page).owner
    };
    shared.life.look();
    // ORDERING: Acquire, in case it is closed: the counts are visible.
    let mut top = shared.returned.load(Ordering::Acquire);
    while top != CLOSED {
        // SAFETY: nobody uses it, and it has room for the link.
        unsafe { block.write(Free { next: top }) };
        // ORDERING: Release: what was done with the block happens before it is used again. Acquire as above.
        let order =
            if cfg!(thenable_plant = "m21_returned_unpublished") { Ordering::Relaxed } else { Ordering::Release };
        match shared.returned.compare_exchange_weak(top, block, order, Ordering::Acquire) {
            Ok(_) => return false,
            Err(now) => top = now,
        }
    }
    // SAFETY: closed, and the block is one that is left.
    unsafe { free_orphan(page) }
}

/// Counts a block of a page without an owner as freed. True: the page went with it.
///
/// # Safety
/// The block is one of those that were left, and nobody uses it.
unsafe fn free_orphan(page: *mut Page) -> bool {
    // ORDERING: AcqRel twice, as in `Arc`: all that was done with the blocks happens before the page goes.
    // SAFETY: alive by the block; the shared part by the page.
    unsafe {
        (*page).counted.see();
        (*page).life.look();
        #[cfg(not(thenable_plant = "m21_orphan_torn"))]
        let before = (*page).left.fetch_sub(1, Ordering::AcqRel);
        #[cfg(thenable_plant = "m21_orphan_torn")]
        let before = (*page).left.load(Ordering::Acquire);
        #[cfg(thenable_plant = "m21_orphan_torn")]
        (*page).left.store(before - 1, Ordering::Release);
        if before != 1 {
            return false;
        }
        let shared = (*page).owner.cast_mut();
        free_page(page);
        (*shared).life.look();
        if (*shared).left.fetch_sub(1, Ordering::AcqRel) == 1 {
            (*shared).life.end();
            drop(Box::from_raw(shared));
        }
        true
    }
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests;
