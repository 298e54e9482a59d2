//! The jobs of a queue that only its owner touches, first in, first out.
//!
//! The next one stands in `front`, so that a queue which never holds more than one job, as one chain's does, is one word. The
//! others stand in *chunks*: arrays of entries, each the size of a page, in a list. `first` is where the next one of them
//! stands, in the list's first chunk, and `end` is where another one goes, in its last. A chunk that has been emptied is
//! kept as the *spare* one, for there will soon be another that is full.
//!
//! An array, and not a list through the reactions: its end is written without touching the last job, and the jobs that are
//! to come are known before their turn. When there are so many that the caches do not hold them, they are fetched ahead.

use super::entry::Entry;
use crate::core::block;
use std::ptr::{self, NonNull};

const PER_CHUNK: usize = block::PAGE_BYTES / size_of::<Entry>() - 1;
/// From how many jobs on they are fetched ahead: these and what they wait on are half a megabyte at least.
const MANY: usize = if cfg!(loom) { 2 } else { 4096 };
/// How many jobs ahead one is fetched, and how many ahead what it waits on, which is known when the job is there.
const AHEAD: usize = if cfg!(loom) { 2 } else { 24 };
const SOURCE_AHEAD: usize = if cfg!(loom) { 1 } else { 6 };

const _: () = assert!(MANY >= AHEAD && AHEAD > SOURCE_AHEAD);

#[repr(C)]
struct Chunk {
    next: *mut Chunk,
    entries: [Entry; PER_CHUNK],
}

const _: () = assert!(size_of::<Chunk>() <= block::PAGE_BYTES);

pub(super) struct Fifo {
    /// None: the queue is empty.
    front: Entry,
    /// How many jobs are in chunks.
    len: usize,
    first: *mut Entry,
    /// The end of the chunk that `first` is in. It gets there when that was the last job in it, and leaves at once.
    first_limit: *mut Entry,
    end: *mut Entry,
    /// The end of the chunk that `end` is in.
    end_limit: *mut Entry,
    /// The chunks that `first` and `end` are in; null before the first one.
    first_chunk: *mut Chunk,
    last_chunk: *mut Chunk,
    spare: *mut Chunk,
}

/// # Safety
/// A chunk.
unsafe fn entries(chunk: *mut Chunk) -> *mut Entry {
    // SAFETY: by contract.
    unsafe { (&raw mut (*chunk).entries).cast() }
}

impl Fifo {
    pub(super) const fn new() -> Self {
        Self {
            front: Entry::NONE,
            len: 0,
            first: ptr::null_mut(),
            first_limit: ptr::null_mut(),
            end: ptr::null_mut(),
            end_limit: ptr::null_mut(),
            first_chunk: ptr::null_mut(),
            last_chunk: ptr::null_mut(),
            spare: ptr::null_mut(),
        }
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.front.is_none()
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn has_memory(&self) -> bool {
        !self.first_chunk.is_null() || !self.spare.is_null()
    }

    #[inline(always)]
    pub(super) fn push(&mut self, entry: Entry) {
        if self.front.is_none() {
            self.front = entry;
            return;
        }
        if self.end == self.end_limit {
            return self.push_on_new_chunk(entry);
        }
        self.len += 1;
        // SAFETY: within the last chunk.
        unsafe {
            self.end.write(entry);
            self.end = self.end.add(1);
        }
    }

    #[cold]
    #[inline(never)]
    fn push_on_new_chunk(&mut self, entry: Entry) {
        let mut chunk = std::mem::replace(&mut self.spare, ptr::null_mut());
        if chunk.is_null() {
            chunk = block::take_page().as_ptr().cast();
        }
        // SAFETY: the chunk is ours, and so is the last one.
        unsafe {
            (&raw mut (*chunk).next).write(ptr::null_mut());
            self.end = entries(chunk);
            self.end_limit = self.end.add(PER_CHUNK);
            if self.last_chunk.is_null() {
                self.first_chunk = chunk;
                self.first = self.end;
                self.first_limit = self.end_limit;
            } else {
                (*self.last_chunk).next = chunk;
            }
        }
        self.last_chunk = chunk;
        self.push(entry);
    }

    #[inline(always)]
    pub(super) fn pop(&mut self) -> Option<Entry> {
        let entry = self.front;
        if entry.is_none() {
            return None;
        }
        if self.len == 0 {
            self.front = Entry::NONE;
            return Some(entry);
        }
        self.len -= 1;
        // SAFETY: within the first chunk, and before the end: written.
        unsafe {
            self.front = self.first.read();
            self.first = self.first.add(1);
        }
        if self.first == self.first_limit {
            self.leave_chunk();
        }
        if self.len > MANY {
            self.fetch_ahead();
        }
        Some(entry)
    }

    #[cold]
    #[inline(never)]
    fn leave_chunk(&mut self) {
        if self.len == 0 {
            return self.rewind();
        }
        // SAFETY: more jobs, so there is another chunk.
        unsafe {
            let left = self.first_chunk;
            self.first_chunk = (*left).next;
            self.first = entries(self.first_chunk);
            self.first_limit = self.first.add(PER_CHUNK);
            free(std::mem::replace(&mut self.spare, left));
        }
    }

    /// Starts again at the beginning of the chunk, which is in the cache, if no job is in it.
    pub(super) fn rewind(&mut self) {
        if self.len == 0 && !self.first_chunk.is_null() {
            // SAFETY: ours. No job is in a chunk, so there is only one.
            self.first = unsafe { entries(self.first_chunk) };
            self.end = self.first;
        }
    }

    /// Jobs were made one after the other, mostly, but from this one to the next there is more than a processor foresees.
    #[inline(always)]
    fn fetch_ahead(&self) {
        if self.first.wrapping_add(AHEAD) < self.first_limit {
            // SAFETY: within the chunk and, as there are more jobs than that, before the end. What is queued is ours, and its source
            // changes on this place only.
            unsafe {
                fetch((*self.first.add(AHEAD)).reaction());
                fetch((*(*self.first.add(SOURCE_AHEAD)).reaction()).source());
            }
        }
    }
}

/// Asks for the cache lines of a block, of which small ones have up to two.
#[inline(always)]
fn fetch<B>(block: *mut B) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        const SECOND_LINE_BYTES: usize = 40;
        // SAFETY: a hint, for any address.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(block.cast());
            _mm_prefetch::<_MM_HINT_T0>(block.wrapping_byte_add(SECOND_LINE_BYTES).cast());
        }
    }
    let _ = block;
}

/// # Safety
/// A chunk that nobody uses any more, or null.
unsafe fn free(chunk: *mut Chunk) {
    if let Some(page) = NonNull::new(chunk.cast()) {
        // SAFETY: by contract.
        unsafe { block::give_page(page) };
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        let mut next = self.first_chunk;
        // SAFETY: ours, all of them.
        unsafe {
            while !next.is_null() {
                let chunk = next;
                next = (*chunk).next;
                free(chunk);
            }
            free(self.spare);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
