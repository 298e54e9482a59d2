//! Where pages come from, and where they go when their thread has enough: the pages of the process, by segments.
//!
//! Memory that is new to the process costs more than all that is done with it here, and a quarter of that in [huge pages]. So a
//! process that has many pages gets further ones in *segments* of the size of a huge page. Before that they are *single*, from
//! the allocator one by one: as many as stay with the process anyway, so that they are seldom new. And where there are no huge
//! pages to ask for, all of them are.
//!
//! A free page is *dirty* until its memory goes back to the system. Dirty ones are used again first, and among them those of the
//! lowest segment, so that others become free as a whole. What goes back, by [`purge`](Supply::purge), are first segments that are free
//! as a whole, then the dirty pages of others, then single pages. A thread asks for that before it sleeps and when it ends, for
//! as many pages as it has given; and it is done when there are more dirty pages than [`MOST_DIRTY`] and than pages in use. (Of
//! a huge page that goes back in part, the kernel frees that part when memory gets short, and counts it as free before.)
//!
//! One lock guards all of it: a thread has [spare pages](super::SPARES) itself, and comes here for one block in a thousand.
//! Pages and segments are allocated, freed and given to the system without the lock. What is on its way there is not free, so
//! nobody takes it.
//!
//! [huge pages]: crate::core::huge

use super::{PAGE, PAGE_BYTES};
use crate::core::huge;
use std::alloc::{Layout, alloc, dealloc};
use std::collections::{BTreeMap, BTreeSet};
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A bit for each page of a segment.
type Bits = u32;
const PER_SEGMENT: usize = Bits::BITS as usize;
/// The size of a huge page, where other pages have 4 KiB.
const SEGMENT_BYTES: usize = PER_SEGMENT * PAGE_BYTES;
const SEGMENT: Layout = match Layout::from_size_align(SEGMENT_BYTES, SEGMENT_BYTES) {
    Ok(layout) => layout,
    Err(_) => panic!("a power of two"),
};

/// How many single pages there are before segments.
const SINGLES: usize = if huge::ARE_THERE { MOST_DIRTY } else { usize::MAX };
/// How many segments there are at most: each of them is two mappings of the process or three, of which Linux allows 65,530.
const MOST_SEGMENTS: usize = 1 << 13;
/// How many dirty pages may always be there: 64 MiB, as much as glibc's allocator keeps at most.
const MOST_DIRTY: usize = (64 << 20) / PAGE_BYTES;

struct Segment {
    base: NonNull<u8>,
    free: Bits,
    /// Of those that are free.
    dirty: Bits,
}

/// A number of pages, of which each is in use, free, or on its way back to the system.
pub(super) struct Supply {
    books: Mutex<Books>,
    /// How many single pages come before segments.
    singles_first: usize,
}

struct Books {
    /// By their addresses, as in the sets.
    segments: BTreeMap<usize, Segment>,
    /// Those with a free page.
    with_room: BTreeSet<usize>,
    /// Those with a dirty page.
    with_dirt: BTreeSet<usize>,
    /// Those with free pages alone.
    empty: BTreeSet<usize>,
    /// All of them dirty.
    free_singles: Vec<NonNull<u8>>,
    singles: usize,
    dirty: usize,
    used: usize,
}

// SAFETY: free pages are nobody else's.
unsafe impl Send for Books {}

/// Memory on its way back, which nobody else has.
enum Leaving {
    /// A segment with so many dirty pages.
    Segment(NonNull<u8>, usize),
    /// Dirty pages of a segment.
    Dirt(NonNull<u8>, Bits),
    Single(NonNull<u8>),
}

pub(super) static SUPPLY: Supply = Supply::new(SINGLES);

impl Supply {
    const fn new(singles_first: usize) -> Self {
        let books = Books {
            segments: BTreeMap::new(),
            with_room: BTreeSet::new(),
            with_dirt: BTreeSet::new(),
            empty: BTreeSet::new(),
            free_singles: Vec::new(),
            singles: 0,
            dirty: 0,
            used: 0,
        };
        Self { books: Mutex::new(books), singles_first }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A page: memory that is not initialised. None: the allocator has none.
    pub(super) fn take(&self) -> Option<NonNull<u8>> {
        let mut books = self.books();
        if let Some(page) = books.take_free() {
            return Some(page);
        }
        let is_single = books.singles < self.singles_first || books.segments.len() >= MOST_SEGMENTS;
        drop(books);
        let of_segment = if is_single { None } else { self.take_of_new_segment() };
        of_segment.or_else(|| self.take_single())
    }

    fn take_of_new_segment(&self) -> Option<NonNull<u8>> {
        // SAFETY: the size is not zero.
        let base = NonNull::new(unsafe { alloc(SEGMENT) })?;
        huge::ask_for(base.as_ptr(), SEGMENT_BYTES);
        self.books().add_segment(base);
        Some(base)
    }

    fn take_single(&self) -> Option<NonNull<u8>> {
        // SAFETY: the size is not zero.
        let page = NonNull::new(unsafe { alloc(PAGE) })?;
        self.books().add_single();
        Some(page)
    }

    /// Takes a page back.
    ///
    /// # Safety
    /// From `take`, and nobody uses it.
    pub(super) unsafe fn give(&self, page: NonNull<u8>) {
        let mut books = self.books();
        books.give(page);
        let excess = books.excess();
        drop(books);
        self.purge(excess);
    }

    /// Gives the memory of so many dirty pages back to the system, and of those that go with them.
    pub(super) fn purge(&self, pages: usize) {
        let mut left = pages;
        while left > 0 {
            // On its own, or the lock would be held until the end of the match.
            let leaving = self.books().take_leaving();
            let purged = match leaving {
                Some(Leaving::Segment(base, dirty)) => {
                    // SAFETY: from `alloc` with this layout, and nobody has any of it. The allocator may keep it.
                    unsafe {
                        huge::forget(base.as_ptr(), SEGMENT_BYTES);
                        dealloc(base.as_ptr(), SEGMENT);
                    }
                    dirty
                }
                Some(Leaving::Dirt(base, pages)) => {
                    // SAFETY: of this segment, and nobody has them.
                    unsafe { forget_pages(base, pages) };
                    self.books().put_clean(base, pages);
                    pages.count_ones() as usize
                }
                Some(Leaving::Single(page)) => {
                    // SAFETY: from `alloc` with this layout, and nobody has it. The allocator may keep it.
                    unsafe {
                        huge::forget(page.as_ptr(), PAGE_BYTES);
                        dealloc(page.as_ptr(), PAGE);
                    }
                    1
                }
                None => return,
            };
            left = left.saturating_sub(purged);
        }
    }
}

/// Gives the memory of these pages of a segment back to the system.
///
/// # Safety
/// A segment, and nobody has the pages.
unsafe fn forget_pages(base: NonNull<u8>, pages: Bits) {
    // The kernel would fill what is left of it up to a huge page again.
    huge::ask_for_none(base.as_ptr(), SEGMENT_BYTES);
    let mut left = pages;
    while left != 0 {
        let first = left.trailing_zeros();
        let run = (left >> first).trailing_ones();
        // SAFETY: by contract.
        unsafe { huge::forget(base.add(first as usize * PAGE_BYTES).as_ptr(), run as usize * PAGE_BYTES) };
        // The lowest run: to add its lowest bit carries through it.
        left &= left.wrapping_add(1 << first);
    }
}

impl Books {
    fn take_free(&mut self) -> Option<NonNull<u8>> {
        if let Some(page) = self.free_singles.pop() {
            self.dirty -= 1;
            self.used += 1;
            return Some(page);
        }
        let at = *self.with_dirt.first().or_else(|| self.with_room.first())?;
        let segment = self.segments.get_mut(&at)?;
        self.empty.remove(&at);
        let is_dirty = segment.dirty != 0;
        let index = if is_dirty { segment.dirty } else { segment.free }.trailing_zeros();
        segment.free &= !(1 << index);
        segment.dirty &= !(1 << index);
        self.dirty -= usize::from(is_dirty);
        self.used += 1;
        if segment.dirty == 0 {
            self.with_dirt.remove(&at);
        }
        if segment.free == 0 {
            self.with_room.remove(&at);
        }
        // SAFETY: within the segment.
        Some(unsafe { segment.base.add(index as usize * PAGE_BYTES) })
    }

    /// Of which the first page is taken at once.
    fn add_segment(&mut self, base: NonNull<u8>) {
        let at = base.addr().get();
        self.segments.insert(at, Segment { base, free: !1, dirty: 0 });
        self.with_room.insert(at);
        self.used += 1;
    }

    fn add_single(&mut self) {
        self.singles += 1;
        self.used += 1;
    }

    fn give(&mut self, page: NonNull<u8>) {
        self.used -= 1;
        self.dirty += 1;
        let addr = page.addr().get();
        let below = self.segments.range_mut(..=addr).next_back();
        let Some((&at, segment)) = below.filter(|(at, _)| addr - **at < SEGMENT_BYTES) else {
            return self.free_singles.push(page);
        };
        let bit = 1 << ((addr - at) / PAGE_BYTES);
        segment.free |= bit;
        segment.dirty |= bit;
        self.with_dirt.insert(at);
        self.file(at);
    }

    /// A segment has got free pages.
    fn file(&mut self, at: usize) {
        self.with_room.insert(at);
        if self.segments.get(&at).is_some_and(|segment| segment.free == Bits::MAX) {
            self.empty.insert(at);
        }
    }

    /// How many dirty pages are too many.
    fn excess(&self) -> usize {
        self.dirty.saturating_sub(MOST_DIRTY.max(self.used))
    }

    /// What is to go back next. None: no page is dirty.
    fn take_leaving(&mut self) -> Option<Leaving> {
        self.take_empty().or_else(|| self.take_dirt()).or_else(|| {
            let page = self.free_singles.pop()?;
            self.singles -= 1;
            self.dirty -= 1;
            Some(Leaving::Single(page))
        })
    }

    fn take_empty(&mut self) -> Option<Leaving> {
        let at = self.empty.pop_last()?;
        self.with_room.remove(&at);
        self.with_dirt.remove(&at);
        let segment = self.segments.remove(&at)?;
        let dirty = segment.dirty.count_ones() as usize;
        self.dirty -= dirty;
        Some(Leaving::Segment(segment.base, dirty))
    }

    fn take_dirt(&mut self) -> Option<Leaving> {
        let at = self.with_dirt.pop_last()?;
        let segment = self.segments.get_mut(&at)?;
        let dirty = std::mem::take(&mut segment.dirty);
        segment.free &= !dirty;
        if segment.free == 0 {
            self.with_room.remove(&at);
        }
        self.dirty -= dirty.count_ones() as usize;
        Some(Leaving::Dirt(segment.base, dirty))
    }

    /// Pages of a segment have come to the system, and are free again.
    fn put_clean(&mut self, base: NonNull<u8>, pages: Bits) {
        let at = base.addr().get();
        if let Some(segment) = self.segments.get_mut(&at) {
            segment.free |= pages;
            self.file(at);
        }
    }
}

#[cfg(all(test, not(miri)))]
mod tests;
