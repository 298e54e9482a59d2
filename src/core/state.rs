//! The state word: two status bits, one bit that says what the pointer is, and the pointer. Safe code: it only computes.

use super::hub::Hub;
use super::reaction::Reaction;

/// Unsettled root: the fate is decided (claimed by a resolver, or adopting); further resolves are refused.
/// Unsettled derived promise, without a hub: the only reaction is *local* (rule 10).
/// Settled: the promise is rejected.
const DECIDED: usize = 0b001;
/// The pointer is the promise's [`Hub`], not its only reaction.
const HUB: usize = 0b010;
/// The outcome is published; never unset.
const SETTLED: usize = 0b100;
/// Only with `HUB`, `SETTLED` and rejected: the outcome is the hub's fault and not the slot's content. (A hub is aligned
/// to 16 bytes, a reaction to 8: the bit belongs to the address where `HUB` is unset.)
const OVERRIDDEN: usize = 0b1000;

/// A reading of the state word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(pub(super) *mut ());

impl Word {
    pub(crate) const PENDING: Word = Word(std::ptr::null_mut());
    pub(crate) const FULFILLED: Word = Word(std::ptr::without_provenance_mut(SETTLED));
    pub(crate) const REJECTED: Word = Word(std::ptr::without_provenance_mut(SETTLED | DECIDED));

    #[inline(always)]
    fn has(self, bits: usize) -> bool {
        self.0.addr() & bits == bits
    }

    #[inline(always)]
    pub(crate) fn is_settled(self) -> bool {
        self.has(SETTLED)
    }

    #[inline(always)]
    pub(crate) fn is_rejected(self) -> bool {
        self.has(SETTLED | DECIDED)
    }

    /// Unsettled, and not yet claimed or adopting.
    #[inline(always)]
    pub(crate) fn is_open(self) -> bool {
        self.0.addr() & (SETTLED | DECIDED) == 0
    }

    #[inline(always)]
    pub(crate) fn has_hub(self) -> bool {
        self.has(HUB)
    }

    #[inline(always)]
    pub(crate) fn is_overridden(self) -> bool {
        self.has(HUB | OVERRIDDEN)
    }

    /// The only reaction, or null; call it without a hub only.
    #[inline(always)]
    pub(crate) fn reaction(self) -> *mut Reaction {
        debug_assert!(!self.has_hub());
        self.0.map_addr(|addr| addr & !(DECIDED | HUB | SETTLED)).cast()
    }

    /// The hub; call it with a hub only.
    #[inline(always)]
    pub(crate) fn hub(self) -> *mut Hub {
        debug_assert!(self.has_hub());
        self.0.map_addr(|addr| addr & !(DECIDED | HUB | SETTLED | OVERRIDDEN)).cast()
    }

    #[inline(always)]
    fn flags(self) -> usize {
        self.0.addr() & (DECIDED | SETTLED)
    }

    /// The same status with this only reaction (null for none).
    #[inline(always)]
    pub(crate) fn with_reaction(self, reaction: *mut Reaction) -> Word {
        let flags = self.flags();
        Word(reaction.cast::<()>().map_addr(|addr| addr | flags))
    }

    /// The same status with this hub.
    #[inline(always)]
    pub(crate) fn with_hub(self, hub: *mut Hub) -> Word {
        let flags = self.flags() | HUB;
        Word(hub.cast::<()>().map_addr(|addr| addr | flags))
    }

    /// Of a derived promise that is unsettled: its only reaction is local.
    #[inline(always)]
    pub(crate) fn is_local(self) -> bool {
        self.0.addr() & (DECIDED | HUB | SETTLED) == DECIDED
    }

    /// Of a pending derived promise that has no reaction yet: this one, which is local.
    #[inline(always)]
    pub(crate) fn local(reaction: *mut Reaction) -> Word {
        Word(reaction.cast::<()>().map_addr(|addr| addr | DECIDED))
    }

    /// Of a derived promise that is unsettled: no reaction of it is local.
    #[inline(always)]
    pub(crate) fn not_local(self) -> Word {
        Word(self.0.map_addr(|addr| addr & !DECIDED))
    }

    /// Of a root promise: the same pointer, fate decided.
    #[inline(always)]
    pub(crate) fn decided(self) -> Word {
        Word(self.0.map_addr(|addr| addr | DECIDED))
    }

    /// The settled word that replaces this one: keeps a hub, drops a reaction.
    #[inline(always)]
    pub(crate) fn settled(self, rejected: bool) -> Word {
        let status = if rejected { Word::REJECTED } else { Word::FULFILLED };
        if self.has_hub() { status.with_hub(self.hub()) } else { status }
    }

    /// The settled word of a rejection whose fault stands in the hub.
    #[inline(always)]
    pub(crate) fn overridden(self) -> Word {
        Word(self.settled(true).0.map_addr(|addr| addr | OVERRIDDEN))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const REACTION: *mut Reaction = std::ptr::without_provenance_mut(0x5548);
    const HUB_AT: *mut super::Hub = std::ptr::without_provenance_mut(0x7730);

    /// Every state that a promise can be in, and what each question answers.
    #[test]
    fn every_word_answers_every_question() {
        let open = Word::PENDING;
        let decided = open.decided();
        #[rustfmt::skip]
        // word, settled, rejected, open, has a hub, overridden, local
        let table = [
            (open,                                         [false, false, true,  false, false, false]),
            (open.with_reaction(REACTION),                 [false, false, true,  false, false, false]),
            (open.with_hub(HUB_AT),                        [false, false, true,  true,  false, false]),
            (decided,                                      [false, false, false, false, false, true ]),
            (decided.with_reaction(REACTION),              [false, false, false, false, false, true ]),
            (decided.with_hub(HUB_AT),                     [false, false, false, true,  false, false]),
            (Word::local(REACTION),                        [false, false, false, false, false, true ]),
            (Word::local(REACTION).not_local(),            [false, false, true,  false, false, false]),
            (decided.not_local(),                          [false, false, true,  false, false, false]),
            (decided.with_reaction(REACTION).settled(false), [true, false, false, false, false, false]),
            (open.with_reaction(REACTION).settled(true),   [true,  true,  false, false, false, false]),
            (open.with_hub(HUB_AT).settled(false),         [true,  false, false, true,  false, false]),
            (decided.with_hub(HUB_AT).settled(true),       [true,  true,  false, true,  false, false]),
            (open.with_hub(HUB_AT).overridden(),           [true,  true,  false, true,  true,  false]),
            (Word::FULFILLED,                              [true,  false, false, false, false, false]),
            (Word::REJECTED,                               [true,  true,  false, false, false, false]),
        ];
        for (row, (word, expected)) in table.into_iter().enumerate() {
            let answers = [
                word.is_settled(),
                word.is_rejected(),
                word.is_open(),
                word.has_hub(),
                word.is_overridden(),
                word.is_local(),
            ];
            assert_eq!(answers, expected, "row {row}");
        }
    }

    #[test]
    fn flags_leave_the_pointer_alone() {
        for word in [Word::PENDING.with_reaction(REACTION), Word::local(REACTION)] {
            assert_eq!(word.reaction(), REACTION);
            assert_eq!(word.decided().reaction(), REACTION);
            assert_eq!(word.not_local().reaction(), REACTION);
            assert_eq!(word.with_reaction(std::ptr::null_mut()).reaction(), std::ptr::null_mut());
            assert_eq!(word.settled(true).reaction(), std::ptr::null_mut());
        }
        // An address with the bit that means something else beside a hub.
        let odd: *mut Reaction = std::ptr::without_provenance_mut(0x5558);
        assert_eq!(Word::PENDING.with_reaction(odd).reaction(), odd);
        let hub = Word::PENDING.with_hub(HUB_AT);
        for word in [hub, hub.decided(), hub.settled(false), hub.settled(true), hub.overridden()] {
            assert_eq!(word.hub(), HUB_AT);
        }
        assert_eq!(Word::PENDING.with_reaction(REACTION).with_hub(HUB_AT).hub(), HUB_AT);
    }
}
