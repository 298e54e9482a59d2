//! What stands in a queue.

use crate::core::reaction::{Mode, Reaction};
use std::ptr;

/// It gets one more turn after this one: its mode is `HoldValue1` or `HoldReason1`, and this was `HoldValue2` or `HoldReason2`.
const HELD: usize = 0b01;
/// It has the source's producer share.
const WITH_PRODUCER: usize = 0b10;

/// A reaction, and in the lowest bits of its address what is to be written into it: a long queue's reactions are in no cache
/// any more when their turn comes, and so need not be touched before.
#[derive(Clone, Copy)]
pub(in super::super) struct Entry(*mut Reaction);

impl Entry {
    pub(super) const NONE: Self = Self(ptr::null_mut());

    #[inline(always)]
    pub(in super::super) fn new(reaction: *mut Reaction) -> Self {
        Self(reaction)
    }

    /// A reaction that holds its outcome for two turns, this and the next.
    #[inline(always)]
    pub(in super::super) fn held(reaction: *mut Reaction) -> Self {
        Self(reaction.map_addr(|addr| addr | HELD))
    }

    /// A reaction that gets the source's producer share (rule 5).
    #[inline(always)]
    pub(in super::super) fn with_producer(reaction: *mut Reaction) -> Self {
        Self(reaction.map_addr(|addr| addr | WITH_PRODUCER))
    }

    #[inline(always)]
    pub(super) fn is_none(self) -> bool {
        self.0.is_null()
    }

    #[inline(always)]
    pub(super) fn is_held(self) -> bool {
        self.0.addr() & HELD != 0
    }

    /// The reaction as it is.
    #[inline(always)]
    pub(super) fn reaction(self) -> *mut Reaction {
        self.0.map_addr(|addr| addr & !(HELD | WITH_PRODUCER))
    }

    /// The reaction, with all that was to be written into it.
    ///
    /// # Safety
    /// The caller owns it.
    #[inline(always)]
    pub(in super::super) unsafe fn written(self) -> *mut Reaction {
        let reaction = self.reaction();
        // SAFETY: by contract.
        unsafe {
            if self.is_held() {
                let rejected = (*reaction).mode() == Mode::HoldReason1;
                (*reaction).set_mode(if rejected { Mode::HoldReason2 } else { Mode::HoldValue2 });
            }
            if self.0.addr() & WITH_PRODUCER != 0 {
                (*reaction).give_producer();
            }
        }
        reaction
    }
}
