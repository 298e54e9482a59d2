//! Memory in huge pages.
//!
//! To touch memory that is new to the process costs a fault for each 4 KiB of it, and on Linux for each 2 MiB, a
//! quarter of the time, if the system has been asked for [huge pages]. That is a wish: where there are none, nothing else changes.
//!
//! [huge pages]: https://docs.kernel.org/admin-guide/mm/transhuge.html

/// Whether huge pages of 2 MiB can be asked for here.
#[cfg_attr(any(loom, shuttle, thenable_no_reuse, miri), allow(dead_code, reason = "for pages alone"))]
pub(super) const ARE_THERE: bool = cfg!(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"),
    not(any(loom, miri, shuttle))
));

#[cfg(all(target_os = "linux", not(any(loom, miri, shuttle))))]
mod system {
    use rustix::mm::{Advice, madvise};

    pub(super) fn ask_for_none(start: *mut u8, bytes: usize) {
        // SAFETY: as below.
        let _ = unsafe { madvise(start.cast(), bytes, Advice::LinuxNoHugepage) };
    }

    pub(super) fn ask_for(start: *mut u8, bytes: usize) {
        // SAFETY: changes what the memory is made of, and not what is in it.
        let _ = unsafe { madvise(start.cast(), bytes, Advice::LinuxHugepage) };
    }

    /// # Safety
    /// Exclusive access, and what is in it does not matter.
    pub(super) unsafe fn forget(start: *mut u8, bytes: usize) {
        // SAFETY: by contract.
        let _ = unsafe { madvise(start.cast(), bytes, Advice::LinuxDontNeed) };
    }
}

#[cfg(not(all(target_os = "linux", not(any(loom, miri, shuttle)))))]
mod system {
    pub(super) fn ask_for_none(_: *mut u8, _: usize) {}

    pub(super) fn ask_for(_: *mut u8, _: usize) {}

    pub(super) unsafe fn forget(_: *mut u8, _: usize) {}
}

/// The largest that other pages are, where there are huge ones.
const SYSTEM_PAGE_BYTES: usize = 64 << 10;

/// What is smaller than this comes from memory that glibc's allocator keeps, so it is seldom new, and it is not ours alone.
const LARGE_BYTES: usize = 32 << 20;

/// Space for so many elements.
pub(crate) fn large_vec<T>(capacity: usize) -> Vec<T> {
    let mut vec = Vec::with_capacity(capacity);
    let space = vec.spare_capacity_mut();
    if size_of_val(space) >= LARGE_BYTES {
        ask_for(space.as_mut_ptr().cast(), size_of_val(space));
    }
    vec
}

/// Asks for huge pages for what is wholly within this memory, when it is touched.
pub(super) fn ask_for(start: *mut u8, bytes: usize) {
    let skipped = start.align_offset(SYSTEM_PAGE_BYTES);
    let bytes = bytes.saturating_sub(skipped) & !(SYSTEM_PAGE_BYTES - 1);
    if ARE_THERE {
        system::ask_for(start.wrapping_add(skipped), bytes);
    }
}

/// Takes that wish back.
#[cfg_attr(any(loom, shuttle, thenable_no_reuse, miri), allow(dead_code, reason = "for pages alone"))]
pub(super) fn ask_for_none(start: *mut u8, bytes: usize) {
    if ARE_THERE {
        system::ask_for_none(start, bytes);
    }
}

/// Gives memory back to the system until it is touched again, where that has huge pages.
///
/// # Safety
/// Exclusive access, and what is in it does not matter. It starts and ends with a multiple of [`SYSTEM_PAGE_BYTES`].
#[cfg_attr(any(loom, shuttle, thenable_no_reuse, miri), allow(dead_code, reason = "for pages alone"))]
pub(super) unsafe fn forget(start: *mut u8, bytes: usize) {
    debug_assert!((start.addr() | bytes) & (SYSTEM_PAGE_BYTES - 1) == 0);
    if ARE_THERE {
        // SAFETY: by contract.
        unsafe { system::forget(start, bytes) };
    }
}
