//! Supplies of their own, of which nobody else takes pages.

use super::*;

/// Pages that were taken, with their number written all over.
struct Taken {
    supply: Supply,
    pages: Vec<NonNull<u8>>,
    /// How many are on their way to the system.
    leaving: usize,
}

impl Taken {
    fn new(singles_first: usize, pages: usize) -> Self {
        let mut taken = Self { supply: Supply::new(singles_first), pages: Vec::new(), leaving: 0 };
        taken.take(pages);
        taken
    }

    fn take(&mut self, count: usize) {
        for _ in 0..count {
            let page = self.supply.take().unwrap();
            assert_eq!(page.addr().get() % PAGE_BYTES, 0);
            // SAFETY: ours.
            unsafe { page.write_bytes(self.pages.len() as u8, PAGE_BYTES) };
            self.pages.push(page);
            self.check();
        }
    }

    fn give(&mut self, at: usize) {
        let page = self.pages[at];
        // SAFETY: ours until now; the bytes of others are not touched.
        unsafe {
            for byte in (0..PAGE_BYTES).step_by(1024).chain([PAGE_BYTES - 1]) {
                assert_eq!(page.add(byte).read(), at as u8, "page {at}");
            }
            self.supply.give(page);
        }
        self.check();
    }

    /// Gives back what goes first. How many pages of it were dirty.
    fn purge(&mut self) -> usize {
        let before = self.supply.books().dirty;
        self.supply.purge(1);
        self.check();
        before - self.supply.books().dirty
    }

    /// How many single pages and segments there are.
    fn memory(&self) -> (usize, usize) {
        let books = self.supply.books();
        (books.singles, books.segments.len())
    }

    /// The counts and the sets say what the segments say.
    fn check(&self) {
        let books = self.supply.books();
        let Books { segments, with_room, with_dirt, empty, free_singles, singles, dirty, used } = &*books;
        let of_segments =
            |count: fn(&Segment) -> u32| segments.values().map(|segment| count(segment) as usize).sum::<usize>();
        assert_eq!(*dirty, free_singles.len() + of_segments(|segment| segment.dirty.count_ones()));
        assert_eq!(
            *used + self.leaving,
            singles - free_singles.len() + of_segments(|segment| segment.free.count_zeros())
        );
        for (at, segment) in segments {
            assert_eq!(*at, segment.base.addr().get());
            assert_eq!(segment.dirty & !segment.free, 0);
            assert_eq!(with_room.contains(at), segment.free != 0);
            assert_eq!(with_dirt.contains(at), segment.dirty != 0);
            assert_eq!(empty.contains(at), segment.free == Bits::MAX);
        }
        assert!([with_room, with_dirt, empty].iter().all(|set| set.iter().all(|at| segments.contains_key(at))));
    }
}

impl Drop for Taken {
    /// Of pages that were all given.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            while self.purge() > 0 {}
            assert_eq!(self.memory(), (0, 0));
        }
    }
}

#[test]
fn the_first_pages_are_single_and_the_others_come_in_segments() {
    let mut taken = Taken::new(3, 3);
    assert_eq!(taken.memory(), (3, 0));
    taken.take(1);
    assert_eq!(taken.memory(), (3, 1));
    assert_eq!(taken.pages[3].addr().get() % SEGMENT_BYTES, 0);
    taken.take(PER_SEGMENT);
    assert_eq!(taken.memory(), (3, 2));
    for at in 0..taken.pages.len() {
        taken.give(at);
    }
    let mut single = Taken::new(usize::MAX, PER_SEGMENT + 1);
    assert_eq!(single.memory(), (PER_SEGMENT + 1, 0));
    (0..single.pages.len()).for_each(|at| single.give(at));
}

#[test]
fn dirty_pages_are_used_again_first_the_lowest_ones_before_others() {
    let mut taken = Taken::new(1, 1 + 2 * PER_SEGMENT + 1);
    let segments: Vec<_> = taken.supply.books().segments.keys().copied().collect();
    // A page of the segment at this place.
    let of = |segment: usize| {
        let within = |page: &NonNull<u8>| (segment..segment + SEGMENT_BYTES).contains(&page.addr().get());
        taken.pages.iter().position(within).unwrap()
    };
    let (single, low, high) = (0, of(segments[0]), of(segments[2]));
    for at in [high, low, single] {
        taken.give(at);
    }
    let again: Vec<_> = (0..3).map(|_| taken.supply.take().unwrap()).collect();
    assert_eq!(again, [single, low, high].map(|at| taken.pages[at]));
    assert_eq!(taken.memory().1, 3);
    for (at, page) in [single, low, high].into_iter().zip(again) {
        // SAFETY: ours.
        unsafe { page.write_bytes(at as u8, PAGE_BYTES) };
    }
    (0..taken.pages.len()).for_each(|at| taken.give(at));
}

#[test]
fn memory_goes_back_by_whole_segments_first() {
    let mut taken = Taken::new(1, 1 + 2 * PER_SEGMENT);
    let used = taken.pages[1];
    // The single page, one segment, and of the other all pages but the first.
    taken.give(0);
    for at in 2..taken.pages.len() {
        taken.give(at);
    }
    assert_eq!(taken.supply.books().dirty, 2 * PER_SEGMENT);
    assert_eq!(taken.purge(), PER_SEGMENT, "the empty segment");
    assert_eq!(taken.memory(), (1, 1));
    assert_eq!(taken.purge(), PER_SEGMENT - 1, "what is dirty of the other one");
    assert_eq!(taken.memory(), (1, 1));
    for at in (1..PER_SEGMENT).filter(|_| huge::ARE_THERE) {
        // SAFETY: free, and ours; the system has taken what was in it.
        unsafe { assert_eq!(used.add(at * PAGE_BYTES).read(), 0, "page {at} of the segment") };
    }
    assert_eq!(taken.purge(), 1, "the single page");
    assert_eq!(taken.memory(), (0, 1));
    assert_eq!(taken.purge(), 0);
    // A clean page is used again, and is dirty again.
    assert_eq!(taken.supply.take(), Some(taken.pages[2]));
    // SAFETY: ours.
    unsafe { taken.pages[2].write_bytes(2, PAGE_BYTES) };
    taken.give(2);
    taken.give(1);
    assert_eq!(taken.purge(), 2, "an empty segment, all clean but two");
}

/// Runs of all lengths at all places, and shorter ones behind them.
#[test]
fn runs_of_dirty_pages_are_purged_and_nothing_else() {
    for first in 0..PER_SEGMENT {
        for len in 1..(PER_SEGMENT - first).min(PER_SEGMENT - 1) {
            let mut taken = Taken::new(0, PER_SEGMENT);
            let mut given: Vec<_> = (first..first + len).collect();
            // Another run, if there is room for one.
            given.extend((first + len + 1..PER_SEGMENT).filter(|at| at % 3 > 0));
            for &at in &given {
                // SAFETY: ours until now.
                unsafe { taken.supply.give(taken.pages[at]) };
            }
            assert_eq!(taken.purge(), given.len());
            // The others still have their bytes.
            (0..PER_SEGMENT).filter(|at| !given.contains(at)).for_each(|at| taken.give(at));
        }
    }
}

#[test]
fn too_many_dirty_pages_are_more_than_are_used_and_more_than_a_fixed_number() {
    let supply = Supply::new(0);
    let excess = |dirty, used| {
        let mut books = supply.books();
        (books.dirty, books.used) = (dirty, used);
        books.excess()
    };
    assert_eq!(MOST_DIRTY * PAGE_BYTES, 64 << 20);
    assert_eq!(excess(MOST_DIRTY, 0), 0);
    assert_eq!(excess(MOST_DIRTY + 1, 0), 1);
    assert_eq!(excess(MOST_DIRTY + 1, MOST_DIRTY), 1);
    assert_eq!(excess(MOST_DIRTY + 1, MOST_DIRTY + 1), 0);
    assert_eq!(excess(5 * MOST_DIRTY, 3 * MOST_DIRTY), 2 * MOST_DIRTY);
}

/// While memory is on its way to the system it is neither free nor lost.
#[test]
fn pages_may_come_back_while_others_are_on_their_way() {
    let mut taken = Taken::new(0, PER_SEGMENT);
    (1..4).for_each(|at| taken.give(at));
    let base = taken.pages[0];
    let leaving = taken.supply.books().take_leaving();
    assert!(matches!(leaving, Some(Leaving::Dirt(of, 0b1110)) if of == base));
    taken.leaving = 3;
    taken.check();
    assert_eq!(taken.supply.books().take_free(), None, "nobody gets them");
    for at in (0..PER_SEGMENT).filter(|at| !(1..4).contains(at)) {
        taken.give(at);
    }
    assert!(taken.supply.books().empty.is_empty(), "the segment stays");
    taken.supply.books().put_clean(base, 0b1110);
    taken.leaving = 0;
    taken.check();
    assert_eq!(taken.purge(), PER_SEGMENT - 3);

    // All that is dirty is on its way, so that the segment is clean and free when it comes back.
    let mut taken = Taken::new(0, PER_SEGMENT);
    (0..PER_SEGMENT - 1).for_each(|at| taken.give(at));
    let Some(Leaving::Dirt(base, first)) = taken.supply.books().take_leaving() else { panic!("it is not empty") };
    taken.leaving = PER_SEGMENT - 1;
    taken.give(PER_SEGMENT - 1);
    let Some(Leaving::Dirt(_, second)) = taken.supply.books().take_leaving() else { panic!("nor is it now") };
    taken.supply.books().put_clean(base, first);
    taken.leaving = 1;
    taken.check();
    taken.supply.books().put_clean(base, second);
    taken.leaving = 0;
    taken.check();
    assert!(matches!(taken.supply.books().take_leaving(), Some(Leaving::Segment(of, 0)) if of == base));
    // SAFETY: nobody has anything of it.
    unsafe { dealloc(base.as_ptr(), SEGMENT) };
}

#[test]
fn threads_share_a_supply() {
    let supply = Supply::new(2);
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let supply = &supply;
            scope.spawn(move || {
                let mut pages = Vec::new();
                for round in 0..200 {
                    for _ in 0..(round * 7 + usize::from(thread)) % 40 {
                        let page = supply.take().unwrap();
                        // SAFETY: ours.
                        unsafe { page.write_bytes(thread, 64) };
                        pages.push(page);
                    }
                    let kept = pages.len() / 3;
                    for page in pages.drain(kept..) {
                        // SAFETY: ours until it is given.
                        unsafe {
                            assert_eq!(page.add(63).read(), thread);
                            supply.give(page);
                        }
                    }
                    supply.purge(round % 5);
                }
                // SAFETY: ours.
                pages.drain(..).for_each(|page| unsafe { supply.give(page) });
            });
        }
    });
    let taken = Taken { supply, pages: Vec::new(), leaving: 0 };
    taken.check();
    assert_eq!(taken.supply.books().used, 0);
}
