//! Promises that resolvers settle, or that are born settled; and the producer's side of them.
//!
//! What they hold is `'static`: the trampoline may drop it later than the last handle (rule 8).

use super::adopt;
use super::block;
use super::cancel;
use super::companion;
use super::handle::Handle;
use super::hub::{self, Hook};
use super::node::{self, Conversion, Head, Kind, Site, VTable};
use super::place;
use super::reaction;
use super::slot::{self, Pending, Slot};
use super::state::Word;
use crate::error::{CancelReason, Fault, panic};
use crate::primitive::Ordering;
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit, offset_of};
use std::ptr::NonNull;

/// `X`: see [`companion`](super::companion); most have none.
#[repr(C)]
pub(super) struct Root<T, E, X = ()> {
    head: Head,
    slot: UnsafeCell<MaybeUninit<Slot<T, E>>>,
    pub(super) companion: ManuallyDrop<X>,
}

/// The table of a root, with (`Pending`) or without a conversion for faults.
struct Table<T, E>(PhantomData<(T, E)>);

impl<T, E> Table<T, E> {
    const SETTLED: VTable = root_table::<T, E, ()>(None);
}

impl<T, E: From<Fault>> Table<T, E> {
    const PENDING: VTable = root_table::<T, E, ()>(Some(Conversion::new(slot::reason_from_fault::<E>)));
}

pub(super) const fn root_table<T, E, X>(from_fault: Option<Conversion>) -> VTable {
    VTable {
        slot_offset: offset_of!(Root<T, E, X>, slot),
        plain_value: !std::mem::needs_drop::<T>(),
        from_pages: block::from_pages::<Root<T, E, X>>(),
        from_fault,
        free: free::<T, E, X>,
        dealloc: dealloc::<T, E, X>,
        ..VTable::reaction(Kind::Root, node::no_reaction, node::no_discard)
    }
}

unsafe fn free<T, E, X>(head: *mut Head) {
    // SAFETY: exclusive by the table's contract.
    unsafe { slot::drop_contents::<T, E>(head) };
    // SAFETY: nothing is left.
    unsafe { dealloc::<T, E, X>(head) };
}

unsafe fn dealloc<T, E, X>(head: *mut Head) {
    // SAFETY: made by `block::allocate` of this type; slot and companion drop nothing by themselves.
    unsafe { block::free(head.cast::<Root<T, E, X>>()) };
}

fn allocate<T, E>(vtable: &'static VTable, word: Word, refs: u32, resolvers: u32) -> *mut Head {
    allocate_with::<T, E, ()>(Head::new(vtable, word, refs, resolvers), ())
}

#[inline(always)]
pub(super) fn allocate_with<T, E, X>(head: Head, companion: X) -> *mut Head {
    let slot = UnsafeCell::new(MaybeUninit::uninit());
    block::allocate(Root::<T, E, X> { head, slot, companion: ManuallyDrop::new(companion) }).cast()
}

/// A promise that is settled from the start.
#[inline]
pub(crate) fn settled<T: 'static, E: 'static>(outcome: Result<T, E>, site: Site) -> Handle<T, E> {
    let word = if outcome.is_ok() { Word::FULFILLED } else { Word::REJECTED };
    let head = allocate::<T, E>(&Table::<T, E>::SETTLED, word, Head::SETTLED_REFS, 0);
    // SAFETY: new, so ours; not shared before this returns.
    unsafe { slot::write_outcome::<T, E>(head, site, outcome) };
    // SAFETY: the one consumer share.
    unsafe { Handle::from_share(head) }
}

/// A promise that is rejected with a fault from the start.
pub(crate) fn faulted<T: 'static, E: From<Fault> + 'static>(fault: Fault, site: Site) -> Handle<T, E> {
    let head = allocate::<T, E>(&Table::<T, E>::PENDING, Word::REJECTED, Head::SETTLED_REFS, 0);
    // SAFETY: as in `settled`.
    unsafe { slot::write_fault::<T, E>(head, site, fault) };
    // SAFETY: the one consumer share.
    unsafe { Handle::from_share(head) }
}

pub(super) unsafe fn write_pending<T, E>(head: *mut Head, site: Site) {
    // SAFETY: by the callers' contract the slot is new.
    unsafe { slot::pending_mut::<T, E>(head).write(Pending { site, hops: 0 }) };
}

/// A promise that stays pending for ever unless it is cancelled.
pub(crate) fn never<T: 'static, E: From<Fault> + 'static>(site: Site) -> Handle<T, E> {
    let head = allocate::<T, E>(&Table::<T, E>::PENDING, Word::PENDING, Head::SETTLED_REFS, 0);
    // SAFETY: new, so ours.
    unsafe {
        write_pending::<T, E>(head, site);
        Head::track(head, site, place::current().unwrap_or(place::NOWHERE));
    }
    // SAFETY: the one consumer share.
    unsafe { Handle::from_share(head) }
}

/// A pending promise and its first producer.
#[inline]
pub(crate) fn pending<T: 'static, E: From<Fault> + 'static>(site: Site) -> (Handle<T, E>, Producer<T, E>) {
    let head = allocate::<T, E>(&Table::<T, E>::PENDING, Word::PENDING, Head::PENDING_REFS, 1);
    // SAFETY: new, so ours; the producer share is counted by one resolver.
    unsafe { begin::<T, E>(head, site) }
}

/// Both ends of a new pending promise.
///
/// # Safety
/// New, and made as pending with one consumer; the caller's part of the producer share becomes the producer's.
#[inline(always)]
pub(super) unsafe fn begin<T: 'static, E: 'static>(head: *mut Head, site: Site) -> (Handle<T, E>, Producer<T, E>) {
    // SAFETY: new, so ours.
    unsafe {
        write_pending::<T, E>(head, site);
        Head::track(head, site, place::current().unwrap_or(place::NOWHERE));
        (Handle::from_share(head), Producer::from_part(head))
    }
}

/// One of the resolvers that together own a root promise's producer share.
#[repr(transparent)]
pub(crate) struct Producer<T, E> {
    head: NonNull<Head>,
    /// Invariant and without `T`'s `Sync`: a resolver only ever moves values in.
    types: PhantomData<std::sync::Mutex<(T, E)>>,
}

// SAFETY: a resolver moves a `T` or an `E` to the consumers' threads and back (a refused one), never a reference.
unsafe impl<T: Send, E: Send> Send for Producer<T, E> {}
// SAFETY: as above; the claim bit makes concurrent settles exclusive.
unsafe impl<T: Send, E: Send> Sync for Producer<T, E> {}

impl<T, E> Producer<T, E> {
    /// # Safety
    /// Hands over one counted part of the producer share of a live root promise of these types.
    #[inline(always)]
    pub(super) unsafe fn from_part(head: *mut Head) -> Self {
        // SAFETY: not null.
        Self { head: unsafe { NonNull::new_unchecked(head) }, types: PhantomData }
    }

    fn head(&self) -> &Head {
        // SAFETY: alive by our part of the producer share.
        unsafe { self.head.as_ref() }
    }

    /// Claims the right to decide, and says what the word is now. None: somebody has it.
    fn claim(&self) -> Option<Word> {
        let mut now = self.head().state();
        while now.is_open() {
            match self.head().exchange(now, now.decided()) {
                Ok(()) => return Some(now.decided()),
                Err(_) if cfg!(thenable_plant = "m03_two_claims") => return Some(now.decided()),
                Err(other) => now = other,
            }
        }
        None
    }

    /// Publishes what the claim's owner wrote into the slot; the word is probably still the one given. False: it was cancelled
    /// meanwhile.
    fn publish(&self, expected: Word, rejected: bool) -> bool {
        // SAFETY: a live promise, whose slot was written under the claim.
        let Some(replaced) = (unsafe { node::publish(self.head.as_ptr(), expected, rejected) }) else { return false };
        // SAFETY: the word that was replaced; our share keeps the promise.
        unsafe { reaction::deliver(replaced) };
        true
    }

    #[inline]
    pub(crate) fn settle(&self, outcome: Result<T, E>) -> Result<(), Result<T, E>> {
        let Some(claimed) = self.claim() else { return Err(outcome) };
        let head = self.head.as_ptr();
        // SAFETY: under the claim the slot is ours, and it holds the pending record.
        let created_at = unsafe { slot::pending_site::<T, E>(head) };
        // SAFETY: as above.
        let rejected = unsafe { slot::write_outcome(head, created_at, outcome) };
        if self.publish(claimed, rejected) {
            return Ok(());
        }
        let word = if rejected { Word::REJECTED } else { Word::FULFILLED };
        // SAFETY: cancelled between claim and publication: the slot is still ours, and is what we wrote.
        match unsafe { slot::read_outcome::<T, E>(head, word) } {
            Ok(value) => Err(Ok(value)),
            Err(slot::Cause::Reason(reason, _)) => Err(Err(reason)),
            Err(slot::Cause::Fault(..)) => Ok(()),
        }
    }

    /// Rejects with a fault, which becomes the reason where it is delivered. False: refused.
    pub(crate) fn fault(&self, fault: Fault) -> bool {
        self.claim().is_some_and(|_| self.settle_claimed(fault))
    }

    /// The same for the owner of the claim.
    fn settle_claimed(&self, fault: Fault) -> bool {
        let head = self.head.as_ptr();
        // SAFETY: under the claim the slot is ours, and it holds the pending record.
        let site = unsafe { slot::pending_site::<T, E>(head) };
        // SAFETY: as above.
        unsafe { slot::write_fault::<T, E>(head, site, fault) };
        if self.publish(self.head().state(), true) {
            return true;
        }
        // SAFETY: cancelled meanwhile; the slot is ours and is what we wrote.
        unsafe { slot::discard_outcome::<T, E>(head, true) };
        false
    }

    /// Settles a promise that is locked in to another one, with the outcome of that.
    ///
    /// # Safety
    /// The caller is the one adoption that owns the claim.
    pub(super) unsafe fn settle_adopted(&self, outcome: Result<Result<T, E>, Fault>) {
        let head = self.head.as_ptr();
        match outcome {
            Err(fault) => {
                self.settle_claimed(fault);
            }
            Ok(outcome) => {
                // SAFETY: under the claim.
                let site = unsafe { slot::pending_site::<T, E>(head) };
                // SAFETY: under the claim.
                let rejected = unsafe { slot::write_outcome(head, site, outcome) };
                if !self.publish(self.head().state(), rejected) {
                    // SAFETY: cancelled meanwhile; the slot is ours and is what we wrote.
                    unsafe { slot::discard_outcome::<T, E>(head, rejected) };
                }
            }
        }
    }

    pub(super) fn as_head(&self) -> *mut Head {
        self.head.as_ptr()
    }

    /// Locks the promise in to another one.
    pub(crate) fn adopt(&self, promise: Handle<T, E>) -> Result<(), Handle<T, E>>
    where
        T: Send + 'static,
        E: Send + 'static,
    {
        if self.claim().is_none() {
            return Err(promise);
        }
        match promise.into_share() {
            // SAFETY: we own the claim and the share.
            Ok(source) => unsafe { adopt::begin_root(self.clone(), source) },
            Err(_consumed) => {
                self.settle_claimed(Fault::AlreadyTaken);
            }
        }
        Ok(())
    }

    /// Whether anyone can still observe what this resolver would do.
    pub(crate) fn is_wanted(&self) -> bool {
        self.head().has_consumer() && !self.head().state().is_settled()
    }

    /// With a companion, somebody may become a resolver who is none: whoever has cancelled the promise, and has left a hub behind;
    /// or asks it to wind up, which takes a hub too. Of a promise that has settled without one, nobody has or will.
    #[inline]
    fn nobody_will_borrow(&self) -> bool {
        let word = self.head().state();
        word.is_settled() && (cfg!(thenable_plant = "m20_hub_unseen") || !word.has_hub())
    }

    /// Why the promise was cancelled, if it was.
    pub(crate) fn cancel_reason(&self) -> Option<CancelReason> {
        cancel::reason_of(self.head())
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.head().state().is_settled()
    }

    /// Has a cancellation run the hooks and nothing else: the promise settles when its producer has wound up. To be
    /// called before anybody else has the promise.
    #[cfg(not(loom))]
    pub(crate) fn defer_cancel(&self) {
        // SAFETY: alive by our share.
        unsafe { hub::ensure(self.head.as_ptr()) }.lock().defers_cancel = true;
    }

    /// Keeps a hook that runs if the promise is cancelled; runs it now if it has been; drops it if it is settled.
    pub(crate) fn on_cancel(&self, hook: Hook) {
        // SAFETY: alive by our share.
        let hub = unsafe { hub::ensure(self.head.as_ptr()) };
        let refused = {
            let mut state = hub.lock();
            // Settled, but not delivered yet: the settler has taken the hooks, or will drop them.
            if state.closed || self.head().state().is_settled() {
                Some(hook)
            } else {
                if state.hooks.is_empty() {
                    // There will be no other one, mostly.
                    state.hooks.reserve_exact(1);
                }
                state.hooks.push(hook);
                None
            }
        };
        if let Some(hook) = refused {
            let reason = cancel::reason_of(self.head());
            match reason {
                Some(reason) => drop(panic::catch(None, || hook(&reason))),
                None => panic::drop_quietly(hook),
            }
        }
    }

    /// The end of a resolver that is not the last one, or leaves its promise to itself, or has a companion.
    #[inline(never)]
    fn let_go(&mut self) {
        self.head().life.look();
        // ORDERING: Acquire: if ours is the only resolver, what the others did happened before. Otherwise AcqRel, as in
        // `Arc`.
        let now = self.head().aux.load(Ordering::Acquire);
        #[cfg(not(thenable_plant = "m04_resolvers_torn"))]
        let last = now == 1
            || (now == companion::COMPANION | 1 && self.nobody_will_borrow())
            || (cfg!(thenable_plant = "m20_gone_uncounted") && now & companion::PARTS == 1)
            || self.head().aux.fetch_sub(1, Ordering::AcqRel) & companion::PARTS == 1;
        #[cfg(thenable_plant = "m04_resolvers_torn")]
        let last = {
            self.head().aux.store(now - 1, Ordering::Release);
            now & companion::PARTS == 1
        };
        if !last {
            return;
        }
        if self.claim().is_some() {
            let head = self.head.as_ptr();
            // SAFETY: under the claim the slot is ours, and it holds the pending record.
            let created_at = unsafe { slot::pending_site::<T, E>(head) };
            self.settle_claimed(Fault::Abandoned { created_at });
        }
        if now & companion::COMPANION != 0 {
            // SAFETY: the last resolver owns the companion.
            unsafe { (self.head().vtable.drop_companion)(self.head.as_ptr()) };
        }
        // SAFETY: the last resolver owns the producer share.
        unsafe { node::release_producer(self.head.as_ptr()) };
    }
}

impl<T, E> Clone for Producer<T, E> {
    fn clone(&self) -> Self {
        // ORDERING: Relaxed, as in `Arc`.
        let before = self.head().aux.fetch_add(1, Ordering::Relaxed);
        if before & companion::PARTS > companion::MAX_PARTS {
            std::process::abort();
        }
        Self { head: self.head, types: PhantomData }
    }
}

impl<T, E> Drop for Producer<T, E> {
    #[inline]
    fn drop(&mut self) {
        // ORDERING: Acquire, as in `let_go`.
        if self.head().aux.load(Ordering::Acquire) == 1 && !self.head().state().is_open() {
            // SAFETY: the last resolver owns the producer share; the promise is decided, and so, as nobody else is left to do
            // it, settled.
            return unsafe { node::release_producer(self.head.as_ptr()) };
        }
        self.let_go();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::error::Rejection;
    use std::panic::Location;

    #[cfg(not(any(shuttle, thenable_no_reuse, miri)))]
    #[test]
    fn small_promises_come_from_pages() {
        let small = [Table::<u64, Rejection>::PENDING, Table::<u64, u64>::SETTLED];
        assert!(small.iter().all(|table| table.from_pages));
        let large = Table::<[u64; 32], Rejection>::PENDING;
        assert!(!large.from_pages);
    }

    #[test]
    fn half_of_what_is_too_many_resolvers_is_not() {
        // As many threads as may count at once do not reach the flag.
        assert!(companion::PARTS.checked_sub(companion::MAX_PARTS).is_some_and(|room| room >= 1 << 30));
        let (handle, producer) = pending::<u64, Rejection>(Location::caller());
        for companion in [0, companion::COMPANION] {
            let parts = &producer.head().aux;
            parts.store(companion | companion::MAX_PARTS, Ordering::Relaxed);
            std::mem::forget(producer.clone());
            assert_eq!(parts.swap(1, Ordering::Relaxed), companion | (companion::MAX_PARTS + 1));
        }
        handle.mark_handled();
        drop((handle, producer));
    }
}
