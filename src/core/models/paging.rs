//! The pages that blocks come from.

use super::kit::{Threads, check, spawn};
use crate::core::pages::{Class, Local, living_pages};
use crate::primitive::UnsafeCell;
use std::sync::Arc;

/// Blocks so large that a page has two.
type Content = [u64; 16];

fn class() -> Class {
    Class::of::<Content>().unwrap()
}

/// A block in use, and a cell by which the model checker sees whether one use of it happens before the next.
#[derive(Clone)]
struct Block(*mut u8, Arc<UnsafeCell<u32>>);
// SAFETY: whoever has it uses it; the model checker looks at that.
unsafe impl Send for Block {}

impl Block {
    fn new(local: &Local) -> Self {
        Self(local.allocate(class()), Arc::new(UnsafeCell::new(0)))
    }

    /// The block again, in another use.
    fn again(&self, local: &Local) -> Self {
        let block = local.allocate(class());
        if block == self.0 {
            self.touch();
        }
        Self(block, Arc::new(UnsafeCell::new(0)))
    }

    fn touch(&self) {
        // SAFETY: ours: the model checker looks at that.
        self.1.with_mut(|uses| unsafe { *uses += 1 });
    }

    fn free(self, local: &Local) {
        self.touch();
        // SAFETY: in use until now, freed once.
        unsafe { local.free(self.0) };
    }
}

#[test]
fn loom_m21_a_returned_block_is_used_again() {
    check("m21 free against allocate", Threads::Two, || {
        let local = Local::new(|| true);
        let (first, second) = (Block::new(&local), Block::new(&local));
        let theirs = first.clone();
        let freeing = spawn(move || theirs.free(&Local::new(|| true)));
        // The page is full: this looks at what was returned.
        let third = first.again(&local);
        freeing.join();
        local.tidy();
        let fourth = first.again(&local);
        for block in [second, third, fourth] {
            block.free(&local);
        }
        local.end();
        assert_eq!(living_pages(), 0);
    });
}

#[test]
fn loom_m21_the_owner_ends() {
    check("m21 free against the end", Threads::Two, || {
        let local = Local::new(|| true);
        let (first, second) = (Block::new(&local), Block::new(&local));
        let freeing = spawn(move || {
            let other = Local::new(|| true);
            first.free(&other);
            second.free(&other);
        });
        local.end();
        freeing.join();
        assert_eq!(living_pages(), 0);
    });
    check("m21 two threads free, one ends", Threads::Three, || {
        let local = Local::new(|| true);
        let (first, second, third) = (Block::new(&local), Block::new(&local), Block::new(&local));
        let one = spawn(move || first.free(&Local::new(|| true)));
        let other = spawn(move || {
            let local = Local::new(|| true);
            second.free(&local);
            third.free(&local);
        });
        local.end();
        one.join();
        other.join();
        assert_eq!(living_pages(), 0);
    });
}
