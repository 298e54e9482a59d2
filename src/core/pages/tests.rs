//! Blocks of all sizes, on one thread and between two.

use super::*;

fn class(bytes: usize) -> Class {
    Class(bytes.div_ceil(GRAIN))
}

fn per_page(bytes: usize) -> usize {
    (PAGE_BYTES - HEADER_BYTES) / bytes
}

/// Writes a number all over a block.
fn mark(block: *mut u8, bytes: usize, number: usize) {
    // SAFETY: a block of this size, in use by us.
    unsafe { block.write_bytes(number as u8, bytes) }
}

fn is_marked(block: *mut u8, bytes: usize, number: usize) -> bool {
    // SAFETY: as above, written before.
    unsafe { std::slice::from_raw_parts(block, bytes) }.iter().all(|byte| *byte == number as u8)
}

#[test]
fn blocks_of_all_sizes_do_not_overlap() {
    let local = Local::new(|| true);
    let mut blocks = Vec::new();
    for round in 0..3 {
        for bytes in (GRAIN..=LARGEST).step_by(GRAIN) {
            for _ in 0..per_page(bytes) + 3 {
                let block = local.allocate(class(bytes));
                assert!(block.addr() % GRAIN == 0);
                mark(block, bytes, blocks.len());
                blocks.push((block, bytes));
            }
        }
        for (number, (block, bytes)) in blocks.iter().enumerate() {
            assert!(is_marked(*block, *bytes, number), "block {number} of {bytes} bytes in round {round}");
        }
        // Each other block goes, and its place is used again.
        let mut kept = Vec::new();
        for (number, entry) in blocks.drain(..).enumerate() {
            if number % 2 == 0 {
                // SAFETY: ours, freed once.
                unsafe { local.free(entry.0) };
            } else {
                kept.push(entry);
            }
        }
        for (number, (block, bytes)) in kept.iter().enumerate() {
            mark(*block, *bytes, number);
        }
        blocks = kept;
    }
    for (block, _) in blocks {
        // SAFETY: ours, freed once.
        unsafe { local.free(block) };
    }
    local.end();
}

#[test]
fn a_freed_block_is_the_next_one() {
    let local = Local::new(|| true);
    let (first, second) = (local.allocate(class(40)), local.allocate(class(40)));
    assert_ne!(first, second);
    // SAFETY: ours, freed once.
    unsafe { local.free(first) };
    let other = local.allocate(class(48));
    assert_ne!(other, first, "another size, another page");
    assert_eq!(local.allocate(class(40)), first);
    local.end();
    // What is in use at the end is freed by whoever has it: the last one of a page frees the page.
    let stranger = Local::new(|| true);
    // SAFETY: in use until now, freed once.
    unsafe {
        stranger.free(first);
        stranger.free(second);
        stranger.free(other);
    }
}

#[test]
fn empty_pages_are_used_for_other_sizes_and_given_back() {
    let local = Local::new(|| true);
    let fill = |pages: usize| {
        let blocks: Vec<_> = (0..per_page(64) * pages).map(|_| local.allocate(class(64))).collect();
        for block in blocks {
            // SAFETY: ours, freed once.
            unsafe { local.free(block) };
        }
    };
    fill(SPARES_AT_REST + 6);
    // The last one stays current.
    assert_eq!(local.spares.get(), SPARES_AT_REST + 5, "kept while the thread is busy");
    assert!(local.full.get().is_null() && local.with_room.iter().all(|list| list.get().is_null()));
    let other = local.allocate(class(128));
    assert_eq!(local.spares.get(), SPARES_AT_REST + 4);
    // SAFETY: ours, freed once.
    unsafe { local.free(other) };
    local.tidy();
    assert_eq!(local.spares.get(), SPARES_AT_REST, "kept while it sleeps");
    fill(SPARES_AT_WORK + 6);
    assert_eq!(local.spares.get(), SPARES_AT_WORK, "more are never kept");
    local.end();
}

#[test]
fn a_page_that_was_full_is_found_again() {
    let local = Local::new(|| true);
    let blocks: Vec<_> = (0..3 * per_page(32)).map(|_| local.allocate(class(32))).collect();
    // SAFETY: ours, freed once.
    unsafe { local.free(blocks[0]) };
    assert!(!local.with_room[class(32).0].get().is_null());
    // The current page is full too: the next block is the one that was freed.
    assert_eq!(local.allocate(class(32)), blocks[0]);
    for block in blocks {
        // SAFETY: ours, freed once.
        unsafe { local.free(block) };
    }
    local.end();
}

#[test]
fn a_thread_that_ends_gets_blocks_that_need_no_owner() {
    let local = Local::new(|| false);
    let blocks: Vec<_> = (0..3).map(|_| local.allocate(class(40))).collect();
    blocks.iter().for_each(|block| mark(*block, 40, 7));
    assert!(blocks.iter().all(|block| is_marked(*block, 40, 7)));
    // SAFETY: ours, freed once.
    unsafe {
        local.free(blocks[0]);
        Local::new(|| true).free(blocks[1]);
        local.free(blocks[2]);
    }
    local.end();
}

/// A block on its way to another thread.
struct Sent(*mut u8);
// SAFETY: whoever has it uses it.
unsafe impl Send for Sent {}

#[test]
fn threads_free_each_others_blocks() {
    let (send, receive) = std::sync::mpsc::channel::<(Sent, usize)>();
    let consumer = std::thread::spawn(move || {
        let local = Local::new(|| true);
        let mut own = Vec::new();
        for (number, (block, bytes)) in receive.into_iter().enumerate() {
            assert!(is_marked(block.0, bytes, number));
            own.push(local.allocate(class(bytes)));
            // SAFETY: sent, so ours; freed once.
            unsafe { local.free(block.0) };
        }
        // SAFETY: ours, freed once.
        own.into_iter().for_each(|block| unsafe { local.free(block) });
        local.end();
    });
    let producer = std::thread::spawn(move || {
        let local = Local::new(|| true);
        for number in 0..200_000 {
            let bytes = GRAIN * (1 + number % 16);
            let block = local.allocate(class(bytes));
            mark(block, bytes, number);
            send.send((Sent(block), bytes)).unwrap();
            if number % 1000 == 0 {
                local.tidy();
            }
        }
        // Ends while the other one still frees.
        local.end();
    });
    producer.join().unwrap();
    consumer.join().unwrap();
}
