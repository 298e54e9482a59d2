//! How much memory there is: live bytes of the heap, by an allocator that counts, and resident pages.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, Ordering};

struct Counting;

static LIVE: AtomicI64 = AtomicI64::new(0);

#[expect(unsafe_code, reason = "an allocator is")]
// SAFETY: everything goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: by the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: by the caller's contract.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A reading, in bytes.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Memory {
    pub(crate) live: i64,
    pub(crate) resident: i64,
}

impl Memory {
    pub(crate) fn now() -> Self {
        // Not the pages of the program itself.
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let resident = line.and_then(|line| line.split_whitespace().next()?.parse::<i64>().ok()).unwrap_or(0);
        Self { live: LIVE.load(Ordering::Relaxed), resident: resident * 1024 }
    }

    pub(crate) fn since(self, earlier: Self) -> Self {
        Self { live: self.live - earlier.live, resident: self.resident - earlier.resident }
    }
}
