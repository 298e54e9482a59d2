//! Where pages come from, and where they go when their thread has enough: the pages of the process, by segments.
//!
//! Memory that is new to the process costs more than all that is done with it here, and a quarter of that in [huge pages]. So a
//! process that has more than a few pages gets them in *segments* of the size of a huge page. The first ones are *single*, from
//! the allocator one by one, so that few promises take no more memory than they need; and where there are no huge pages to ask
//! for, all of them are.
//!
//! A free page is *dirty* until its memory goes back to the system. Dirty ones are used again first, and among them those of the
//! lowest segment, so that others become free as a whole. What goes back, by [`purge`], are first segments that are free
//! as a whole, then the dirty pages of others, then single pages. A thread asks for that before it sleeps and when it ends, for
//! as many pages as it has given; and it is done when there are more dirty pages than [`MOST_DIRTY`] and than pages in use.
//!
//! One lock guards all of it: a thread has [spare pages](super::SPARES) itself, and comes here for one block in a thousand.
//! The allocator is called under it, as nothing else is.
//!
//! [huge pages]: crate::core::huge

use super::{PAGE, PAGE_BYTES};
use crate::core::huge;
use std::alloc::{Layout, alloc, dealloc};
use std::collections::{BTreeMap, BTreeSet};
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

/// A bit for each page of a segment.
type Bits = u32;
const PER_SEGMENT: usize = Bits::BITS as usize;
/// The size of a huge page on x86-64, and on AArch64 with a system that has pages of 4 KiB.
const SEGMENT_BYTES: usize = PER_SEGMENT * PAGE_BYTES;
const SEGMENT: Layout = match Layout::from_size_align(SEGMENT_BYTES, SEGMENT_BYTES) {
    Ok(layout) => layout,
    Err(_) => panic!("a power of two"),
};

/// How many single pages there are before segments.
const SINGLES: usize = if cfg!(target_os = "linux") { PER_SEGMENT } else { usize::MAX };
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

/// A page from the allocator.
struct Single(NonNull<u8>);

struct Supply {
    /// By their addresses, as in the sets.
    segments: BTreeMap<usize, Segment>,
    /// Those with a free page.
    with_room: BTreeSet<usize>,
    /// Those with a dirty page.
    with_dirt: BTreeSet<usize>,
    /// Those with free pages alone, one of them dirty.
    empty: BTreeSet<usize>,
    /// All of them dirty.
    free_singles: Vec<Single>,
    singles: usize,
    dirty: usize,
    /// Pages that were taken.
    used: usize,
    /// How many single pages come before segments.
    singles_first: usize,
}

// SAFETY: free pages are nobody else's.
unsafe impl Send for Supply {}

static SUPPLY: Mutex<Supply> = Mutex::new(Supply::new(SINGLES));

fn with_supply<R>(f: impl FnOnce(&mut Supply) -> R) -> R {
    f(&mut SUPPLY.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A page: memory that is not initialised. None: the allocator has none.
pub(super) fn take() -> Option<NonNull<u8>> {
    with_supply(Supply::take)
}

/// Takes a page back.
///
/// # Safety
/// From [`take`], and nobody uses it.
pub(super) unsafe fn give(page: NonNull<u8>) {
    let excess = with_supply(|supply| {
        // SAFETY: by contract.
        unsafe { supply.give(page) };
        supply.excess()
    });
    purge(excess);
}

/// Gives the memory of so many dirty pages back to the system, and of those that go with them.
pub(super) fn purge(pages: usize) {
    let mut left = pages;
    while left > 0 {
        // One at a time, so that others who need a page wait for no more than that.
        let purged = with_supply(Supply::purge_some);
        if purged == 0 {
            return;
        }
        left = left.saturating_sub(purged);
    }
}

impl Supply {
    const fn new(singles_first: usize) -> Self {
        Self {
            segments: BTreeMap::new(),
            with_room: BTreeSet::new(),
            with_dirt: BTreeSet::new(),
            empty: BTreeSet::new(),
            free_singles: Vec::new(),
            singles: 0,
            dirty: 0,
            used: 0,
            singles_first,
        }
    }

    fn take(&mut self) -> Option<NonNull<u8>> {
        let page = self.take_free().or_else(|| self.take_new())?;
        self.used += 1;
        Some(page)
    }

    fn take_free(&mut self) -> Option<NonNull<u8>> {
        if let Some(Single(page)) = self.free_singles.pop() {
            self.dirty -= 1;
            return Some(page);
        }
        let at = *self.with_dirt.first().or_else(|| self.with_room.first())?;
        let segment = self.segments.get_mut(&at)?;
        self.empty.remove(&at);
        let bits = if segment.dirty == 0 { segment.free } else { segment.dirty };
        let index = bits.trailing_zeros();
        segment.free &= !(1 << index);
        if segment.dirty != 0 {
            segment.dirty &= !(1 << index);
            self.dirty -= 1;
            if segment.dirty == 0 {
                self.with_dirt.remove(&at);
            }
        }
        if segment.free == 0 {
            self.with_room.remove(&at);
        }
        // SAFETY: within the segment.
        Some(unsafe { segment.base.add(index as usize * PAGE_BYTES) })
    }

    fn take_new(&mut self) -> Option<NonNull<u8>> {
        if self.singles >= self.singles_first && self.segments.len() < MOST_SEGMENTS {
            // SAFETY: the size is not zero.
            if let Some(base) = NonNull::new(unsafe { alloc(SEGMENT) }) {
                huge::ask_for(base.as_ptr(), SEGMENT_BYTES);
                let at = base.addr().get();
                // All but the first, which is taken.
                self.segments.insert(at, Segment { base, free: !1, dirty: 0 });
                self.with_room.insert(at);
                return Some(base);
            }
        }
        // SAFETY: the size is not zero.
        let page = NonNull::new(unsafe { alloc(PAGE) })?;
        self.singles += 1;
        Some(page)
    }

    /// # Safety
    /// From `take`, and nobody uses it.
    unsafe fn give(&mut self, page: NonNull<u8>) {
        self.used -= 1;
        self.dirty += 1;
        let addr = page.addr().get();
        let below = self.segments.range_mut(..=addr).next_back();
        let Some((&at, segment)) = below.filter(|(at, _)| addr - **at < SEGMENT_BYTES) else {
            return self.free_singles.push(Single(page));
        };
        let bit = 1 << ((addr - at) / PAGE_BYTES);
        segment.free |= bit;
        segment.dirty |= bit;
        self.with_room.insert(at);
        self.with_dirt.insert(at);
        if segment.free == Bits::MAX {
            self.empty.insert(at);
        }
    }

    /// How many dirty pages are too many.
    fn excess(&self) -> usize {
        self.dirty.saturating_sub(MOST_DIRTY.max(self.used))
    }

    /// Gives the memory of some dirty pages back. Of how many: none are there if it is zero.
    fn purge_some(&mut self) -> usize {
        let purged = self.purge_empty().or_else(|| self.purge_dirt()).or_else(|| self.purge_single()).unwrap_or(0);
        self.dirty -= purged;
        purged
    }

    fn purge_empty(&mut self) -> Option<usize> {
        let at = self.empty.pop_last()?;
        self.with_room.remove(&at);
        self.with_dirt.remove(&at);
        let segment = self.segments.remove(&at)?;
        // SAFETY: from `alloc` with this layout, and no page of it is in use. The allocator may keep it.
        unsafe {
            huge::forget(segment.base.as_ptr(), SEGMENT_BYTES);
            dealloc(segment.base.as_ptr(), SEGMENT);
        }
        Some(segment.dirty.count_ones() as usize)
    }

    fn purge_dirt(&mut self) -> Option<usize> {
        let at = self.with_dirt.pop_last()?;
        let segment = self.segments.get_mut(&at)?;
        let purged = segment.dirty.count_ones() as usize;
        while segment.dirty != 0 {
            let first = segment.dirty.trailing_zeros();
            let run = (segment.dirty >> first).trailing_ones();
            // SAFETY: within the segment, and free.
            unsafe {
                let start = segment.base.add(first as usize * PAGE_BYTES);
                huge::forget(start.as_ptr(), run as usize * PAGE_BYTES);
            }
            // The lowest run: adding its lowest bit carries through it.
            segment.dirty &= segment.dirty.wrapping_add(1 << first);
        }
        Some(purged)
    }

    fn purge_single(&mut self) -> Option<usize> {
        let Single(page) = self.free_singles.pop()?;
        self.singles -= 1;
        // SAFETY: from `alloc` with this layout, and nobody uses it.
        unsafe { dealloc(page.as_ptr(), PAGE) };
        Some(1)
    }
}

#[cfg(all(test, not(miri)))]
mod tests;
