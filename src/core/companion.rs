//! Companions: a value that the producers of a promise share, in the promise's own block, and that is told when the promise
//! is cancelled. What a combinator knows of its members, where a pool keeps the job: without a block of its own, and
//! without the hub that a closure for [`Producer::on_cancel`] needs.
//!
//! The resolvers together own it, and the last of them drops it. The auxiliary word counts them; where there is a companion
//! it has the bit [`COMPANION`] too. Whoever cancels is no resolver and becomes one for the call, if there still is one; so
//! the last resolver of such a promise counts down when it goes, unless the promise has settled without a hub: nobody can have
//! cancelled it then.

use super::handle::Handle;
use super::node::{Conversion, Head, Site, VTable};
use super::root::{self, Producer, Root};
use super::slot;
use super::state::Word;
use crate::error::{CancelReason, Fault, panic};
use crate::primitive::Ordering;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;

/// In a root's auxiliary word: it has a companion.
pub(super) const COMPANION: u32 = 1 << 31;
/// The rest of it: how many resolvers there are.
pub(super) const PARTS: u32 = COMPANION - 1;
/// More end the process, as with `Arc`, before the count reaches the flag.
pub(super) const MAX_PARTS: u32 = PARTS / 2;

/// See the module documentation.
pub(crate) trait Companion<T, E>: Send + Sync + Sized + 'static {
    /// The promise was cancelled. Runs inside the call that cancels, once at most, and never before the promise was given
    /// away; what it panics with is printed.
    fn cancelled(this: &Working<T, E, Self>, reason: &CancelReason);
}

/// A resolver that knows the companion.
pub(crate) struct Working<T, E, X> {
    producer: Producer<T, E>,
    companion: PhantomData<X>,
}

impl<T, E, X> Working<T, E, X> {
    /// # Safety
    /// Hands over one part of the producer share of a live promise that [`pending_with`] made with these types.
    pub(super) unsafe fn from_part(head: *mut Head) -> Self {
        // SAFETY: by contract.
        Self { producer: unsafe { Producer::from_part(head) }, companion: PhantomData }
    }

    pub(super) fn as_head(&self) -> *mut Head {
        self.producer.as_head()
    }

    /// A look at a part that somebody else keeps.
    ///
    /// # Safety
    /// The promise was made by [`pending_with`] with these types, and a resolver is counted for as long as this is used. It is
    /// dropped at most once, by whoever owns that part.
    #[inline(always)]
    pub(super) unsafe fn alias(head: *mut Head) -> ManuallyDrop<Self> {
        // SAFETY: by contract.
        ManuallyDrop::new(unsafe { Self::from_part(head) })
    }

    pub(crate) fn companion(&self) -> &X {
        let root = self.as_head().cast::<Root<T, E, X>>();
        // SAFETY: made with a companion of this type, which the last resolver drops, and this is one. Nobody has more than a
        // shared reference to it.
        unsafe { &*(&raw const (*root).companion).cast::<X>() }
    }
}

impl<T, E, X> Clone for Working<T, E, X> {
    fn clone(&self) -> Self {
        Self { producer: self.producer.clone(), companion: PhantomData }
    }
}

impl<T, E, X> Deref for Working<T, E, X> {
    type Target = Producer<T, E>;

    fn deref(&self) -> &Producer<T, E> {
        &self.producer
    }
}

struct Table<T, E, X>(PhantomData<(T, E, X)>);

impl<T, E: From<Fault>, X: Companion<T, E>> Table<T, E, X> {
    const TABLE: VTable = VTable {
        cancelled: Some(cancelled::<T, E, X>),
        drop_companion: drop_companion::<T, E, X>,
        ..root::root_table::<T, E, X>(Some(Conversion::new(slot::reason_from_fault::<E>)))
    };
}

/// A pending promise whose producers share `companion`: both ends of it.
#[inline]
pub(crate) fn pending_with<T, E, X>(site: Site, companion: X) -> (Handle<T, E>, Working<T, E, X>)
where
    T: 'static,
    E: From<Fault> + 'static,
    X: Companion<T, E>,
{
    // SAFETY: one part, which is asked for at once.
    unsafe { pending_in_parts(site, companion, 1) }
}

/// As [`pending_with`], with so many resolvers, at most [`MAX_PARTS`].
///
/// # Safety
/// The caller makes a `Working` of each of the `parts - 1` parts beside the returned one.
pub(super) unsafe fn pending_in_parts<T, E, X>(site: Site, companion: X, parts: u32) -> (Handle<T, E>, Working<T, E, X>)
where
    T: 'static,
    E: From<Fault> + 'static,
    X: Companion<T, E>,
{
    debug_assert!(parts <= MAX_PARTS);
    let head = Head::new(&Table::<T, E, X>::TABLE, Word::PENDING, Head::PENDING_REFS, COMPANION | parts);
    let head = root::allocate_with::<T, E, X>(head, companion);
    // SAFETY: new, and made as pending.
    let (handle, producer) = unsafe { root::begin::<T, E>(head, site) };
    (handle, Working { producer, companion: PhantomData })
}

/// A part of the producer share for whoever cancels the promise, to be handed to the table's `cancelled`. None: it has no
/// companion, or no resolver any more.
///
/// # Safety
/// `head` is alive.
pub(super) unsafe fn borrow_part(head: *mut Head) -> Option<BorrowedPart> {
    // SAFETY: alive by contract.
    let this = unsafe { &*head };
    let tell = this.vtable.cancelled?;
    this.life.look();
    // ORDERING: Relaxed, as in `Arc`: the companion is as old as the promise, so it is known already; what other resolvers did
    // with it has its own order.
    let mut now = this.aux.load(Ordering::Relaxed);
    while now & PARTS != 0 || cfg!(thenable_plant = "m20_borrowed_from_nobody") {
        match this.aux.compare_exchange_weak(now, now + 1, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return Some(BorrowedPart { head, tell }),
            Err(other) => now = other,
        }
    }
    None
}

/// See [`borrow_part`].
pub(super) struct BorrowedPart {
    head: *mut Head,
    tell: unsafe fn(*mut Head, &CancelReason),
}

impl BorrowedPart {
    /// Tells the companion.
    pub(super) fn cancelled(self, reason: &CancelReason) {
        // SAFETY: the promise's own function, for a part that is counted.
        unsafe { (self.tell)(self.head, reason) }
    }
}

unsafe fn cancelled<T, E, X: Companion<T, E>>(head: *mut Head, reason: &CancelReason) {
    // SAFETY: by the table's contract.
    let working = unsafe { Working::<T, E, X>::from_part(head) };
    let _ = panic::catch(None, || X::cancelled(&working, reason));
}

unsafe fn drop_companion<T, E, X>(head: *mut Head) {
    let root = head.cast::<Root<T, E, X>>();
    // SAFETY: the last resolver is the only one who knows it, and does this once.
    let companion = unsafe { ManuallyDrop::take(&mut (*root).companion) };
    panic::drop_quietly(companion);
}
