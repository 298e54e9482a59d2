//! The outcome slot: what stands in a promise's block before and after it settles.

use super::headstart;
use super::node::{Claim, Head, Site, free_empty, release_consumer, release_moved_out, release_taken};
use super::state::Word;
use super::type_eq;
use crate::error::{Fault, Rejection};
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::ptr;

/// Unsettled: `pending`. Fulfilled: `value`. Rejected: `rejected`.
#[repr(C)]
pub(super) union Slot<T, E> {
    pub(super) pending: Pending,
    value: ManuallyDrop<T>,
    rejected: ManuallyDrop<Rejected<E>>,
}

/// What an unsettled promise remembers.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Pending {
    /// Where it was created.
    pub(super) site: Site,
    /// How many ticks its adoption still owes (`adopt`).
    pub(super) hops: usize,
}

/// A reason and the creation site. The site's lowest bit (a `Location` is aligned) tells which field of the body is in
/// use: 0 the reason, 1 a fault that becomes a reason where it is delivered.
#[repr(C)]
struct Rejected<E> {
    site: *const Location<'static>,
    body: Body<E>,
}

#[repr(C)]
union Body<E> {
    reason: ManuallyDrop<E>,
    /// From `Box`; null stands for `Abandoned`, so that a dropped resolver allocates nothing.
    fault: *mut Fault,
}

const FAULT: usize = 1;

impl<E> Rejected<E> {
    fn is_fault(&self) -> bool {
        self.site.addr() & FAULT != 0
    }

    fn site(&self) -> Site {
        // SAFETY: made from a `&'static Location` with at most the tag bit added.
        unsafe { &*self.site.map_addr(|addr| addr & !FAULT) }
    }

    /// # Safety
    /// `is_fault`.
    unsafe fn clone_fault(&self) -> Fault {
        // SAFETY: by contract the fault is in use.
        let fault = unsafe { self.body.fault };
        if fault.is_null() {
            Fault::Abandoned { created_at: self.site() }
        } else {
            // SAFETY: not null, so from a `Box`, which is freed in `into_cause` only.
            unsafe { (*fault).clone() }
        }
    }

    /// # Safety
    /// Not used again after this.
    unsafe fn into_cause(self) -> Cause<E> {
        let site = self.site();
        if !self.is_fault() {
            // SAFETY: the reason is in use.
            return Cause::Reason(ManuallyDrop::into_inner(unsafe { self.body.reason }), site);
        }
        // SAFETY: the fault is in use.
        let fault = unsafe { self.body.fault };
        if fault.is_null() {
            return Cause::Fault(Fault::Abandoned { created_at: site }, site);
        }
        // SAFETY: not null, so from a `Box`; by contract this is the only time.
        Cause::Fault(*unsafe { Box::from_raw(fault) }, site)
    }
}

/// Why a promise is rejected, moved out of it.
pub(super) enum Cause<E> {
    Reason(E, Site),
    Fault(Fault, Site),
}

/// How a fault becomes this promise's reason. Chosen where the bound `E: From<Fault>` is known.
pub(super) fn reason_from_fault<E: From<Fault>>(fault: Fault, site: Site) -> E {
    if type_eq::is_rejection::<E>() {
        // Its trace starts where the promise was made instead of here.
        if let Ok(reason) = type_eq::from_rejection(Rejection::from_fault(fault.clone(), site)) {
            return reason;
        }
    }
    E::from(fault)
}

/// The slot of a promise of these types.
///
/// # Safety
/// `head` starts a live promise of `T` and `E`.
#[inline(always)]
pub(super) unsafe fn slot<T, E>(head: *mut Head) -> *mut Slot<T, E> {
    // SAFETY: the table tells where the block's slot is.
    unsafe { head.byte_add((*head).vtable.slot_offset).cast() }
}

/// Writes an outcome, not yet published. Says whether it is a rejection.
///
/// # Safety
/// A live promise of these types, unsettled, whose slot the caller owns and has emptied.
#[inline]
pub(super) unsafe fn write_outcome<T, E>(head: *mut Head, site: Site, outcome: Result<T, E>) -> bool {
    // SAFETY: by contract.
    let slot = unsafe { slot::<T, E>(head) };
    // SAFETY: owned by the caller.
    unsafe { &(*head).slot_access }.with_mut(|_| match outcome {
        Ok(value) => {
            // SAFETY: as above.
            unsafe { (&raw mut (*slot).value).write(ManuallyDrop::new(value)) };
            false
        }
        Err(reason) => {
            let body = Body { reason: ManuallyDrop::new(reason) };
            // SAFETY: as above.
            unsafe { (&raw mut (*slot).rejected).write(ManuallyDrop::new(Rejected { site, body })) };
            true
        }
    })
}

/// Writes a fault, not yet published.
///
/// # Safety
/// As [`write_outcome`].
pub(super) unsafe fn write_fault<T, E>(head: *mut Head, site: Site, fault: Fault) {
    let fault = match fault {
        Fault::Abandoned { created_at } if ptr::eq(created_at, site) => ptr::null_mut(),
        fault => Box::into_raw(Box::new(fault)),
    };
    let site = ptr::from_ref(site).map_addr(|addr| addr | FAULT);
    // SAFETY: by contract.
    let slot = unsafe { slot::<T, E>(head) };
    // SAFETY: owned by the caller.
    unsafe { &(*head).slot_access }.with_mut(|_| {
        // SAFETY: as above.
        unsafe { (&raw mut (*slot).rejected).write(ManuallyDrop::new(Rejected { site, body: Body { fault } })) }
    });
}

/// The creation site of a promise in its unsettled form.
///
/// # Safety
/// A live promise of these types whose slot holds `pending`, and nobody writes it now.
pub(super) unsafe fn pending_site<T, E>(head: *mut Head) -> Site {
    // SAFETY: by contract; a shared read.
    unsafe { &(*head).slot_access }.with(|_| unsafe { (*slot::<T, E>(head)).pending.site })
}

/// Moves the outcome out of the slot (or the fault out of the hub).
///
/// # Safety
/// A live promise of these types, settled with `word`, read by this caller only; the slot is empty afterwards.
#[inline]
pub(super) unsafe fn read_outcome<T, E>(head: *mut Head, word: Word) -> Result<T, Cause<E>> {
    if word.is_overridden() {
        // SAFETY: the hub lives as long as the promise; an overridden promise's fault does not change any more.
        let (fault, site) = unsafe { (*word.hub()).override_fault() };
        return Err(Cause::Fault(fault, site));
    }
    // SAFETY: by contract; a settled promise's slot is not written any more.
    unsafe { &(*head).slot_access }.with_mut(|_| {
        // SAFETY: by contract.
        let slot = unsafe { slot::<T, E>(head) };
        if word.is_rejected() {
            // SAFETY: rejected, so `rejected` is in use, and read this once.
            let rejected = unsafe { (&raw const (*slot).rejected).read() };
            // SAFETY: read this once.
            Err(unsafe { ManuallyDrop::into_inner(rejected).into_cause() })
        } else {
            // SAFETY: fulfilled, so `value` is in use, and read this once.
            Ok(ManuallyDrop::into_inner(unsafe { (&raw const (*slot).value).read() }))
        }
    })
}

/// Drops what [`write_outcome`] or [`write_fault`] wrote into a promise that somebody else settled first.
///
/// # Safety
/// The caller wrote the slot, lost in `publish`, and still owns the slot.
pub(super) unsafe fn discard_outcome<T, E>(head: *mut Head, rejected: bool) {
    let word = if rejected { Word::REJECTED } else { Word::FULFILLED };
    // SAFETY: the slot was written with that status and belongs to the caller.
    crate::error::panic::drop_quietly(unsafe { read_outcome::<T, E>(head, word) });
}

/// A look at a settled outcome.
pub(super) enum Look<'a, T, E> {
    Value(&'a T),
    Reason(&'a E),
    Fault(Fault, Site),
}

/// Looks at a settled outcome in place.
///
/// # Safety
/// A live promise of these types, settled with `word`; the caller is a consumer for as long as `'a`, and the outcome
/// has not been taken.
pub(super) unsafe fn look<'a, T, E>(head: *mut Head, word: Word) -> Look<'a, T, E> {
    if word.is_overridden() {
        // SAFETY: as in `read_outcome`.
        let (fault, site) = unsafe { (*word.hub()).override_fault() };
        return Look::Fault(fault, site);
    }
    // SAFETY: by contract; shared reads of a slot that nobody writes while there is another consumer.
    unsafe { &(*head).slot_access }.with(|_| {
        // SAFETY: by contract.
        let slot = unsafe { slot::<T, E>(head) };
        if !word.is_rejected() {
            // SAFETY: fulfilled, so `value` is in use; `ManuallyDrop` has its content's layout.
            return Look::Value(unsafe { &*(&raw const (*slot).value).cast::<T>() });
        }
        // SAFETY: rejected, so `rejected` is in use.
        let rejected = unsafe { &*(&raw const (*slot).rejected).cast::<Rejected<E>>() };
        if rejected.is_fault() {
            // SAFETY: just asked.
            Look::Fault(unsafe { rejected.clone_fault() }, rejected.site())
        } else {
            // SAFETY: the reason is in use.
            Look::Reason(unsafe { &*(&raw const rejected.body.reason).cast::<E>() })
        }
    })
}

/// Consumes one consumer share of a settled promise: the last consumer gets the outcome itself, others a clone.
/// Runs `Clone` of the value or `From<Fault>` of the reason, with nothing held; both may panic, and then the share is
/// given back all the same.
///
/// # Safety
/// The caller owns a consumer share of a live, settled promise of these types, and the producer's as well if
/// `and_producer`.
#[inline(always)]
pub(super) unsafe fn take<T, E>(head: *mut Head, and_producer: bool) -> Result<T, E> {
    // The claim first: when no producer is left nobody changes the word any more.
    // SAFETY: alive by the caller's share.
    let (claim, word) = unsafe { ((*head).consumer_claim(), (*head).state()) };
    if word == Word::FULFILLED && (claim == Claim::Whole || (and_producer && claim == Claim::Outcome)) {
        // SAFETY: settled, and nobody else knows the promise.
        return Ok(unsafe { take_whole(head) });
    }
    // SAFETY: by contract.
    unsafe { take_any(head, and_producer, claim, word) }
}

/// The value of a fulfilled promise that is the caller's alone, and has no hub. The promise ends.
///
/// # Safety
/// Such a promise, of this type.
#[inline(always)]
unsafe fn take_whole<T>(head: *mut Head) -> T {
    // SAFETY: exclusive by contract.
    unsafe {
        let value = read_value::<T>(head);
        free_empty(head);
        value
    }
}

/// Moves the value out of the slot.
///
/// # Safety
/// A fulfilled promise of this type, and nobody else reads its slot.
#[inline(always)]
unsafe fn read_value<T>(head: *mut Head) -> T {
    // SAFETY: by contract. The reason's type does not matter for where the value stands.
    unsafe {
        let value = (*head).slot_access.with_mut(|_| (&raw const (*slot::<T, ()>(head)).value).read());
        ManuallyDrop::into_inner(value)
    }
}

/// The rest of [`take`]: a rejection, a promise with a hub, or with others that know it.
#[inline(never)]
unsafe fn take_any<T, E>(head: *mut Head, and_producer: bool, claim: Claim, word: Word) -> Result<T, E> {
    debug_assert!(word.is_settled());
    if claim == Claim::Shared {
        // SAFETY: as above.
        return unsafe { clone_out::<T, E>(head, word) };
    }
    let whole = (and_producer || claim == Claim::Whole) && !word.has_hub();
    // The block goes as soon as its slot is empty: before foreign code runs.
    let release = move || {
        // SAFETY: the slot is empty; with `whole` nobody else knows the promise.
        unsafe { if whole { free_empty(head) } else { release_taken(head, and_producer) } }
    };
    // SAFETY: the only consumer reads; a settled promise's producer does not.
    let outcome = unsafe { read_outcome::<T, E>(head, word) };
    match outcome {
        Ok(value) => {
            release();
            Ok(value)
        }
        Err(Cause::Reason(reason, _)) => {
            release();
            Err(reason)
        }
        Err(Cause::Fault(fault, site)) => {
            // SAFETY: alive until `release`.
            let (known, convert) = unsafe { (super::hub::take_materialized::<E>(head), from_fault::<E>(head)) };
            release();
            Err(known.unwrap_or_else(|| convert(fault, site)))
        }
    }
}

/// The value of a fulfilled promise that nobody but the caller knows: then the share is used up, and no foreign code runs.
///
/// # Safety
/// The caller owns a consumer share of a live promise of these types.
#[inline]
pub(super) unsafe fn take_unseen<T>(head: *mut Head) -> Option<T> {
    // The claim first: the word is final if there is no producer (which nobody becomes) and no hub (through which it could be
    // cancelled, also one that nobody will settle), and that is what a look says that comes later.
    // SAFETY: alive by the caller's share. A fulfilled promise of one consumer, without a producer or a hub, is the caller's alone.
    unsafe {
        let whole = (*head).consumer_claim() == Claim::Whole && (*head).state() == Word::FULFILLED;
        whole.then(|| take_whole(head))
    }
}

/// The value of a fulfilled promise that the caller is the only consumer of, while its producer is still there: then the share is
/// used up, and no foreign code runs.
///
/// # Safety
/// As [`take_unseen`].
#[inline]
pub(super) unsafe fn take_from_resolver<T>(head: *mut Head) -> Option<T> {
    // SAFETY: alive by the caller's share. The only consumer of a settled promise reads; its producer does not, and whoever gives it
    // a hub now leaves the slot alone.
    unsafe {
        let is_there = || (*head).consumer_claim() == Claim::Outcome;
        if !is_there() || (*head).state() != Word::FULFILLED {
            return None;
        }
        headstart::give_to_resolver(is_there);
        let value = read_value::<T>(head);
        release_moved_out(head);
        Some(value)
    }
}

/// The shared part of [`take`].
unsafe fn clone_out<T, E>(head: *mut Head, word: Word) -> Result<T, E> {
    struct Share(*mut Head);
    impl Drop for Share {
        fn drop(&mut self) {
            // SAFETY: `take`'s caller owned the share and gave it to us.
            unsafe { release_consumer(self.0) };
        }
    }
    let share = Share(head);
    // SAFETY: `share` keeps it alive and counts as a consumer meanwhile.
    unsafe { copy(share.0, word) }
}

/// A clone of the outcome, for one consumer of several; if it is a rejection it is handled. Runs foreign code, which may
/// panic.
///
/// # Safety
/// A live promise of these types that was cloned, settled with `word`; the caller owns a consumer share meanwhile.
pub(super) unsafe fn copy<T, E>(head: *mut Head, word: Word) -> Result<T, E> {
    // SAFETY: by contract.
    let look = unsafe {
        (*head).mark_handled();
        look::<T, E>(head, word)
    };
    match look {
        // SAFETY: several consumers of a value: the promise was cloned, and `clone` left the functions there.
        Look::Value(value) => Ok((unsafe { super::hub::cloners::<T, E>(head) }.value)(value)),
        // SAFETY: as above.
        Look::Reason(reason) => Err((unsafe { super::hub::cloners::<T, E>(head) }.reason)(reason)),
        // SAFETY: a promise with a fault has a conversion.
        Look::Fault(fault, site) => Err((unsafe { from_fault::<E>(head) })(fault, site)),
    }
}

/// The promise's own conversion.
///
/// # Safety
/// A live promise whose reason type is `E`; only a promise that was born pending can have a fault.
pub(super) unsafe fn from_fault<E>(head: *mut Head) -> fn(Fault, Site) -> E {
    // SAFETY: alive by contract.
    let vtable = unsafe { (*head).vtable };
    let convert = vtable.from_fault.expect("a promise that can fail was made with a conversion");
    // SAFETY: the table was made for a promise of `E`.
    unsafe { convert.get::<E>() }
}

/// Reads the pending record for the code that owns an unsettled slot.
///
/// # Safety
/// As [`pending_site`], and the caller owns the slot.
pub(super) unsafe fn pending_mut<T, E>(head: *mut Head) -> *mut Pending {
    // SAFETY: by contract.
    unsafe { (&raw mut (*slot::<T, E>(head)).pending).cast() }
}

/// Drops what a promise still holds, under protection; a rejection that nobody handled is reported.
///
/// # Safety
/// Exclusive access to a promise of these types; nothing but freeing its memory may follow.
pub(super) unsafe fn drop_contents<T, E>(head: *mut Head) {
    // SAFETY: exclusive by contract.
    let this = unsafe { &*head };
    let word = this.state();
    // From here on a canceller or a subscription finds the hub closed.
    // SAFETY: exclusive by contract.
    let name = unsafe { super::hub::close(head) };
    // SAFETY: exclusive by contract.
    if let Some(reason) = unsafe { super::hub::take_materialized::<E>(head) } {
        crate::error::panic::drop_quietly(reason);
    }
    if word.is_settled() && !this.is_taken() {
        // SAFETY: settled, not taken, and this is the last reader.
        let outcome = unsafe { read_outcome::<T, E>(head, word) };
        match outcome {
            Ok(value) => crate::error::panic::drop_quietly(value),
            Err(cause) if this.is_handled() => crate::error::panic::drop_quietly(cause),
            Err(cause) => super::unhandled::report(cause, name),
        }
    }
    if word.has_hub() {
        // SAFETY: the promise's own reference.
        unsafe { super::hub::release(word.hub()) };
    }
}
