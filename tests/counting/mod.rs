//! An allocator that counts what each thread asks for; tests run side by side.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// See the module documentation.
struct Counting;

thread_local! {
    pub(crate) static BLOCKS: Cell<usize> = const { Cell::new(0) };
    /// Asked for, less those given back.
    pub(crate) static BYTES: Cell<isize> = const { Cell::new(0) };
}

// The thread may be past its thread-locals.

fn count() {
    let _ = BLOCKS.try_with(|blocks| blocks.set(blocks.get() + 1));
}

fn add(bytes: usize) {
    let _ = BYTES.try_with(|all| all.set(all.get().wrapping_add_unsigned(bytes)));
}

fn subtract(bytes: usize) {
    let _ = BYTES.try_with(|all| all.set(all.get().wrapping_sub_unsigned(bytes)));
}

// SAFETY: every call is handed on to `System` as it came; counting touches no heap (`Cell` in a constant thread-local).
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        add(layout.size());
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        add(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        subtract(layout.size());
        add(size);
        // SAFETY: as above; the block came from `System`, as all do.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        subtract(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
