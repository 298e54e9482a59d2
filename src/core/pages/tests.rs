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
                assert_eq!(block.addr() % (bytes & bytes.wrapping_neg()).min(2 * GRAIN), 0);
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
    assert_eq!(living_pages(), 0);
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
    assert_eq!(living_pages(), 0);
}

#[test]
fn the_sizes_that_pages_have() {
    #[repr(align(16))]
    struct Aligned(#[expect(dead_code)] [u8; 33]);
    #[repr(align(32))]
    struct TooAligned(#[expect(dead_code)] [u8; 32]);
    assert!(Class::of::<u8>().is_some_and(|class| class.bytes() == GRAIN));
    assert!(Class::of::<[u64; 6]>().is_some_and(|class| class.bytes() == 48));
    assert!(Class::of::<[u8; 49]>().is_some_and(|class| class.bytes() == 64), "a cache line");
    assert!(Class::of::<[u64; 7]>().is_some_and(|class| class.bytes() == 64));
    assert!(Class::of::<[u64; 9]>().is_some_and(|class| class.bytes() == 72));
    assert!(Class::of::<[u8; LARGEST]>().is_some_and(|class| class.bytes() == LARGEST));
    assert!(Class::of::<[u8; LARGEST + 1]>().is_none());
    assert!(Class::of::<()>().is_none());
    assert!(Class::of::<Aligned>().is_some_and(|class| class.bytes() == 48));
    assert!(Class::of::<TooAligned>().is_none());
    // One list for each of them, and for none.
    assert_eq!(Local::new(|| true).current.len(), 1 + LARGEST / GRAIN);
    assert_eq!(SPARES * PAGE_BYTES, 1 << 20);
}

#[test]
fn what_others_have_freed_is_taken_over() {
    let (local, stranger) = (Local::new(|| true), Local::new(|| true));
    let blocks: Vec<_> = (0..per_page(64) * 3).map(|_| local.allocate(class(64))).collect();
    for block in &blocks {
        // SAFETY: in use until now, freed once.
        unsafe { stranger.free(*block) };
    }
    assert_eq!(local.spares.get(), 0, "they wait for their owner");
    local.tidy();
    assert_eq!(local.spares.get(), 2, "all but the current page");
    // Without tidying, when the current page is full.
    let others: Vec<_> = (0..per_page(64)).map(|_| local.allocate(class(64))).collect();
    // SAFETY: in use until now, freed once.
    others.iter().for_each(|block| unsafe { stranger.free(*block) });
    assert!(others.contains(&local.allocate(class(64))));
    local.end();
    stranger.end();
    assert_eq!(living_pages(), 1, "the one that holds the last block");
}

/// The memory of the thread, by the functions that the rest of the core uses.
#[cfg(not(any(shuttle, thenable_no_reuse)))]
mod of_the_thread {
    use super::*;
    use crate::core::block;

    #[test]
    fn a_thread_at_rest_keeps_little() {
        let blocks: Vec<_> = (0..per_page(64) * (2 * SPARES + 9)).map(|_| block::allocate([0_u64; 8])).collect();
        let most = isize::try_from(SPARES).unwrap();
        assert!(living_pages() >= 2 * most + 9);
        // SAFETY: ours, freed once.
        blocks.into_iter().for_each(|block| unsafe { block::free(block) });
        assert_eq!(living_pages(), most + 1, "the current page, and the spare ones");
        block::tidy();
        assert_eq!(living_pages(), 1);
    }

    #[test]
    fn a_thread_that_ends_leaves_its_blocks_to_whoever_has_them() {
        let block = std::thread::spawn(|| Sent(block::allocate([7_u64; 2]).cast())).join().unwrap();
        // SAFETY: the page lives as long as the block.
        let owner = unsafe { &*(*page_of(block.0)).owner };
        assert_eq!(owner.returned.load(Ordering::Acquire), CLOSED);
        assert_eq!(owner.left.load(Ordering::Acquire), 1);
        // SAFETY: sent, so ours; freed once.
        unsafe { block::free(block.0.cast::<[u64; 2]>()) };
        assert_eq!(living_pages(), -1, "the other thread's");
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
    fill(4);
    // The last one stays current.
    assert_eq!((local.spares.get(), local.given.get()), (3, 0));
    assert!(local.full.get().is_null() && local.with_room.iter().all(|list| list.get().is_null()));
    let other = local.allocate(class(128));
    assert_eq!(local.spares.get(), 2);
    // SAFETY: ours, freed once.
    unsafe { local.free(other) };
    fill(SPARES + 6);
    // One page is current for the other size.
    assert_eq!((local.spares.get(), local.given.get()), (SPARES, 5));
    fill(SPARES + 3);
    // Two of them were taken again, and given.
    assert_eq!((local.spares.get(), local.given.get()), (SPARES, 5));
    // SAFETY: what it has taken.
    unsafe { local.give_page(local.take_page()) };
    assert_eq!(local.given.get(), 5);
    local.tidy();
    assert_eq!((local.spares.get(), local.given.get()), (SPARES, 5), "it has not given much");
    fill(2 * SPARES + 1);
    assert_eq!((local.spares.get(), local.given.get()), (SPARES, SPARES));
    local.tidy();
    assert_eq!(local.spares.get(), SPARES);
    fill(2 * SPARES + 2);
    assert_eq!(local.given.get(), SPARES + 1);
    local.tidy();
    assert_eq!(
        (local.spares.get(), local.given.get()),
        (0, SPARES),
        "all of them are the supply's, and some the system's"
    );
    local.end();
    assert_eq!(living_pages(), 0);
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
    assert_eq!(living_pages(), 0);
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
    assert_eq!(living_pages(), 0);
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
