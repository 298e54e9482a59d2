//! The hub: what only some promises need, made on first need and kept as long as the promise.
//!
//! Many reactions, a second consumer, a name, a cancel hook, a cancellation. Its lock is held for a few pointer moves at
//! a time and never across foreign code.

use super::block;
use super::companion::{self, BorrowedPart};
use super::life::Life;
use super::node::{Head, Kind, Site};
use super::reaction::{self, Reaction};
use super::state::Word;
use super::trampoline::{self, Work};
use crate::error::{CancelReason, Fault};
use crate::primitive::{AtomicPtr, AtomicUsize, Mutex, MutexGuard, Ordering, UnsafeCell};
use std::borrow::Cow;
use std::ptr;

pub(crate) type Name = Cow<'static, str>;
pub(crate) type Hook = Box<dyn FnOnce(&CancelReason) + Send>;

/// Aligned to 16 so that the state word has a fourth bit while it points here.
#[repr(C, align(16))]
pub(crate) struct Hub {
    /// The promise's own reference and one per subscription.
    refs: AtomicUsize,
    state: Mutex<HubState>,
    /// Written once under the lock before the word says `OVERRIDDEN`, read-only from then on.
    fault: UnsafeCell<Option<(Fault, Site)>>,
    /// A `Box<E>` made by the first `peek` at a fault, or null. Dropped with the promise.
    materialized: AtomicPtr<()>,
    /// Functions that clone a value and a reason: set before the second consumer comes to be. All that anyone ever sets do
    /// the same.
    clone_value: AtomicPtr<()>,
    clone_reason: AtomicPtr<()>,
    /// Zero-sized; see its module.
    life: Life,
}

// SAFETY: the fault is written once before it is published and only read afterwards; the rest is `Sync` or a pointer whose
// target the promise's own bounds govern.
unsafe impl Send for Hub {}
// SAFETY: as above.
unsafe impl Sync for Hub {}

pub(super) struct HubState {
    /// The settler has taken the slots: a later reaction is scheduled by whoever registers it.
    pub(super) closed: bool,
    pub(super) slots: Slots,
    pub(super) hooks: Vec<Hook>,
    /// A cancellation only runs the hooks: the producer settles when it has wound up.
    pub(super) defers_cancel: bool,
    pub(super) name: Option<Name>,
}

/// The waiting reactions in registration order, with gaps where one was removed.
#[derive(Default)]
pub(super) struct Slots {
    list: Vec<*mut Reaction>,
    live: usize,
}

// SAFETY: the pointers are only followed by who holds the lock, under the rules of `reaction`.
unsafe impl Send for Slots {}

impl Slots {
    /// # Safety
    /// The caller owns the reaction's list share and hands it over.
    pub(super) unsafe fn push(&mut self, reaction: *mut Reaction) {
        // SAFETY: alive by the list share; its `next` belongs to the list's owner.
        unsafe { (*reaction).set_slot(self.list.len()) };
        self.list.push(reaction);
        self.live += 1;
    }

    /// Takes the reaction out if it is here.
    ///
    /// # Safety
    /// The reaction is alive, and was pushed to this list if to any.
    pub(super) unsafe fn remove(&mut self, reaction: *mut Reaction) -> bool {
        // SAFETY: alive by contract; while it is listed here `next` is its slot.
        let slot = unsafe { (*reaction).slot() };
        match self.list.get_mut(slot) {
            Some(entry) if *entry == reaction => *entry = ptr::null_mut(),
            _ => return false,
        }
        self.live -= 1;
        if self.live == 0 {
            self.list.clear();
        } else if self.list.len() > 32 && self.live < self.list.len() / 2 {
            // Amortised: as many removals as entries that move.
            self.list.retain(|entry| !entry.is_null());
            for (slot, entry) in self.list.iter().enumerate() {
                // SAFETY: listed, so alive.
                unsafe { (**entry).set_slot(slot) };
            }
        }
        true
    }

    pub(super) fn into_reactions(self) -> impl Iterator<Item = *mut Reaction> {
        self.list.into_iter().filter(|entry| !entry.is_null())
    }
}

/// How to clone the two kinds of outcome: left here by the first `clone`, which knows the bounds.
pub(super) struct Cloners<T, E> {
    pub(super) value: fn(&T) -> T,
    pub(super) reason: fn(&E) -> E,
}

impl Hub {
    fn new(closed: bool) -> *mut Self {
        block::allocate(Self {
            refs: AtomicUsize::new(1),
            state: Mutex::new(HubState {
                closed,
                slots: Slots::default(),
                hooks: Vec::new(),
                defers_cancel: false,
                name: None,
            }),
            fault: UnsafeCell::new(None),
            materialized: AtomicPtr::new(ptr::null_mut()),
            clone_value: AtomicPtr::new(ptr::null_mut()),
            clone_reason: AtomicPtr::new(ptr::null_mut()),
            life: Life::new(),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HubState> {
        self.life.look();
        self.state.lock()
    }

    pub(super) fn name(&self) -> Option<Name> {
        self.lock().name.clone()
    }

    /// The fault of an overridden promise, and where it was cancelled.
    ///
    /// # Safety
    /// The promise's word says `OVERRIDDEN`.
    pub(super) unsafe fn override_fault(&self) -> (Fault, Site) {
        // SAFETY: published, so it is written no more.
        let known = self.fault.with(|fault| unsafe { (*fault).clone() });
        known.expect("an overridden promise has a fault")
    }

    /// Settles the promise with `Cancelled`, unless its producer is to do that itself. Gives what is to be done without
    /// the lock. None: it is settled already.
    ///
    /// # Safety
    /// `head` is the live promise of this hub, and `state` is locked.
    pub(super) unsafe fn cancel(
        &self,
        head: *mut Head,
        state: &mut HubState,
        reason: &CancelReason,
        site: Site,
    ) -> Option<Aftermath> {
        // SAFETY: alive by contract.
        let replaced = if state.defers_cancel && !unsafe { (*head).state().is_settled() } {
            None
        } else {
            // SAFETY: alive by contract.
            unsafe { (*head).untrack() };
            let fault = Fault::Cancelled { reason: reason.clone() };
            // SAFETY: by contract.
            Some(unsafe { self.override_with(head, state, fault, site)? })
        };
        // SAFETY: alive by contract.
        let part = unsafe { companion::borrow_part(head) };
        Some(Aftermath { replaced, part, hooks: std::mem::take(&mut state.hooks) })
    }

    /// Settles the promise with a fault that stands here, whatever its slot is used for now. Gives the replaced word.
    ///
    /// # Safety
    /// `head` is the live promise of this hub, and `state` is locked.
    pub(super) unsafe fn override_with(
        &self,
        head: *mut Head,
        _state: &mut HubState,
        fault: Fault,
        site: Site,
    ) -> Option<Word> {
        // SAFETY: alive by contract.
        let head = unsafe { &*head };
        if head.state().is_settled() {
            return None;
        }
        // SAFETY: under the lock, and not published: nobody reads it.
        self.fault.with_mut(|place| unsafe { *place = Some((fault, site)) });
        let mut now = head.state();
        while !now.is_settled() {
            match head.exchange(now, now.overridden()) {
                Ok(()) => return Some(now),
                Err(_) if cfg!(thenable_plant = "m13_two_outcomes") => return Some(now),
                Err(other) => now = other,
            }
        }
        // SAFETY: as above: the word was settled without it.
        self.fault.with_mut(|place| unsafe { *place = None });
        None
    }
}

/// What a cancellation leaves to be done when the lock is released.
#[must_use = "those who wait are to be told"]
pub(super) struct Aftermath {
    /// The word that was replaced, to be delivered. None: the producer settles.
    pub(super) replaced: Option<Word>,
    part: Option<BorrowedPart>,
    hooks: Vec<Hook>,
}

impl Aftermath {
    /// Tells those who wait for the outcome, then those who work on it. Foreign code runs in here.
    ///
    /// # Safety
    /// Not delivered yet, and the hub of the promise is alive.
    pub(super) unsafe fn perform(self, reason: &CancelReason) {
        if let Some(replaced) = self.replaced {
            // SAFETY: by contract.
            unsafe { reaction::deliver(replaced) };
        }
        if let Some(part) = self.part {
            part.cancelled(reason);
        }
        for hook in self.hooks {
            // A panic in a hook has been printed and stops nothing.
            let _ = crate::error::panic::catch(None, || hook(reason));
        }
    }
}

/// The promise's hub, made if it has none.
///
/// # Safety
/// The caller holds a share of the live promise.
pub(super) unsafe fn ensure<'a>(head: *mut Head) -> &'a Hub {
    // SAFETY: alive by contract.
    let this = unsafe { &*head };
    let mut now = this.state();
    let mut made: *mut Hub = ptr::null_mut();
    while !now.has_hub() {
        if made.is_null() {
            made = Hub::new(false);
        }
        {
            // SAFETY: ours until the exchange succeeds.
            let mut state = unsafe { (*made).lock() };
            // A settled promise without a hub has no reactions to deliver any more.
            state.closed = now.is_settled();
            state.slots.list.clear();
            // A lone reaction's `next` is null: that is slot 0.
            if !now.reaction().is_null() {
                state.slots.list.push(now.reaction());
            }
            state.slots.live = state.slots.list.len();
        }
        // A local reaction has the only share, and who asks for a hub has one.
        debug_assert!(this.vtable.kind != Kind::Derived || !now.is_local());
        match this.exchange(now, now.with_hub(made)) {
            // SAFETY: the promise keeps it from now on.
            Ok(()) => return unsafe { &*made },
            Err(other) => now = other,
        }
    }
    if !made.is_null() {
        // SAFETY: it was never published.
        unsafe { free(made) };
    }
    // SAFETY: the promise keeps it.
    unsafe { &*now.hub() }
}

/// Closes the hub of a promise that ends, and gives its name. What is still listed is discarded: nobody has delivered it.
///
/// # Safety
/// Exclusive access to the promise, apart from who holds the hub.
pub(super) unsafe fn close(head: *mut Head) -> Option<Name> {
    // SAFETY: alive by contract.
    let hub = unsafe { (*head).hub().map(|hub| &*hub)? };
    let (listed, hooks, name) = {
        let mut state = hub.lock();
        state.closed = true;
        (std::mem::take(&mut state.slots), std::mem::take(&mut state.hooks), state.name.take())
    };
    for reaction in listed.into_reactions() {
        trampoline::run(Work::Discard(reaction, Fault::AlreadyTaken));
    }
    crate::error::panic::drop_quietly(hooks);
    name
}

/// Another reference to the hub.
///
/// # Safety
/// The hub is alive.
pub(super) unsafe fn retain(hub: *mut Hub) {
    // ORDERING: Relaxed, as in `Arc`.
    // SAFETY: alive by contract.
    unsafe { (*hub).refs.fetch_add(1, Ordering::Relaxed) };
}

/// Gives back a reference.
///
/// # Safety
/// The caller owns it.
pub(super) unsafe fn release(hub: *mut Hub) {
    // SAFETY: alive by the caller's reference.
    let this = unsafe { &*hub };
    this.life.look();
    // ORDERING: Acquire: who finds the only reference has what the others did behind it. A hub's new references are made by those
    // who have one, or a share of its promise, which has one. AcqRel, as in `Arc`: everything done with the hub happens before
    // its end.
    if this.refs.load(Ordering::Acquire) == 1 || this.refs.fetch_sub(1, Ordering::AcqRel) == 1 {
        let hooks = std::mem::take(&mut this.lock().hooks);
        crate::error::panic::drop_quietly(hooks);
        // SAFETY: that was the last reference.
        unsafe { free(hub) };
    }
}

/// # Safety
/// Nobody else knows the hub.
unsafe fn free(hub: *mut Hub) {
    #[cfg(loom)]
    // SAFETY: by contract.
    unsafe {
        super::life::bury(hub, &(*hub).life);
    }
    // The memory goes first: a fault may hold foreign code.
    #[cfg(not(loom))]
    // SAFETY: by contract; moved out, so the block drops nothing.
    unsafe {
        let content = hub.read();
        block::free(hub.cast::<std::mem::ManuallyDrop<Hub>>());
        crate::error::panic::drop_quietly(content);
    }
}

/// Leaves the two functions for later consumers.
pub(super) fn set_cloners<T, E>(hub: &Hub, cloners: &Cloners<T, E>) {
    // ORDERING: Release and Acquire: who finds that another thread has set them has both. Relaxed in `cloners`: who clones an
    // outcome has a share that was made after this, and came to it by whatever brought the share there.
    let (load, store) = match cfg!(thenable_plant = "m09_cloners_torn") {
        false => (Ordering::Acquire, Ordering::Release),
        true => (Ordering::Relaxed, Ordering::Relaxed),
    };
    if hub.clone_reason.load(load).is_null() {
        hub.clone_value.store(cloners.value as *mut (), Ordering::Relaxed);
        hub.clone_reason.store(cloners.reason as *mut (), store);
    }
}

/// What [`set_cloners`] left.
///
/// # Safety
/// A live promise of these types that was cloned.
#[inline]
pub(super) unsafe fn cloners<T, E>(head: *mut Head) -> Cloners<T, E> {
    // SAFETY: alive by contract, and its hub with it.
    let hub = unsafe { (*head).hub().map(|hub| &*hub) }.expect("a promise with several consumers was cloned");
    let (value, reason) = (hub.clone_value.load(Ordering::Relaxed), hub.clone_reason.load(Ordering::Relaxed));
    assert!(!value.is_null() && !reason.is_null(), "a promise with several consumers was cloned");
    // SAFETY: made from functions of these types in `set_cloners`.
    let value = unsafe { std::mem::transmute::<*mut (), fn(&T) -> T>(value) };
    // SAFETY: as above.
    let reason = unsafe { std::mem::transmute::<*mut (), fn(&E) -> E>(reason) };
    Cloners { value, reason }
}

/// The reason that a fault became for a `peek`; the first one made stays.
///
/// # Safety
/// A live promise with this reason type, settled with a fault, of which the caller is a consumer for `'a`.
pub(super) unsafe fn materialize<'a, E>(head: *mut Head, make: impl FnOnce() -> E) -> &'a E {
    // SAFETY: alive by contract.
    let hub = unsafe { ensure(head) };
    // ORDERING: Acquire pairs with the exchange below: the reason's content is visible.
    let mut known = hub.materialized.load(Ordering::Acquire).cast::<E>();
    if known.is_null() {
        let made = Box::into_raw(Box::new(make()));
        // ORDERING: Release publishes the reason; Acquire sees the one that was published first.
        let exchanged =
            hub.materialized.compare_exchange(ptr::null_mut(), made.cast(), Ordering::Release, Ordering::Acquire);
        match exchanged {
            Ok(_) => known = made,
            Err(first) => {
                known = first.cast();
                // SAFETY: ours, never published.
                crate::error::panic::drop_quietly(unsafe { Box::from_raw(made) });
            }
        }
    }
    // SAFETY: it stays until the promise ends or its last consumer takes it; the caller is a consumer.
    unsafe { &*known }
}

/// Takes what [`materialize`] made.
///
/// # Safety
/// A live promise with this reason type; the caller is its only user.
pub(super) unsafe fn take_materialized<E>(head: *mut Head) -> Option<E> {
    // SAFETY: alive by contract, and its hub with it.
    let hub = unsafe { (*head).hub().map(|hub| &*hub)? };
    // ORDERING: Relaxed: those who made it are gone, and what they did happened before.
    let known = hub.materialized.swap(ptr::null_mut(), Ordering::Relaxed).cast::<E>();
    // SAFETY: from a `Box<E>`, taken once.
    (!known.is_null()).then(|| *unsafe { Box::from_raw(known) })
}
