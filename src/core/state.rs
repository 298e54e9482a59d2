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
