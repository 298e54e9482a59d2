//! Cancelling: a rejection from outside, and the way upstream while nobody else wants the outcome.
//!
//! Whoever cancels must not touch the slot, which the job that runs right now may be using: the fault goes into the hub.

use super::hub;
use super::job;
use super::node::{Head, Kind, Site, release_consumer, release_producer};
use super::place;
use super::reaction::{self, Mode, Reaction};
use crate::error::{CancelReason, Fault};
use std::panic::Location;
use std::ptr;

/// Rejects a pending promise, runs its cancel hooks, and asks its source to stop if nobody else wants that. False: it
/// is settled already.
///
/// # Safety
/// The caller is a consumer of the live promise and stays one.
pub(super) unsafe fn cancel(head: *mut Head, reason: &CancelReason, site: Site) -> bool {
    // SAFETY: alive by contract.
    if unsafe { !override_settle(head, reason, site) } {
        return false;
    }
    // SAFETY: the share that `detach` holds on to until it is done.
    unsafe {
        (*head).retain();
        detach(head, reason, site);
    }
    true
}

/// Settles with `Cancelled`, or leaves that to a producer that winds up first, and runs the hooks.
unsafe fn override_settle(head: *mut Head, reason: &CancelReason, site: Site) -> bool {
    // SAFETY: alive by `cancel`'s contract.
    if unsafe { (*head).state().is_settled() } {
        return false;
    }
    // SAFETY: as above.
    let hub = unsafe { hub::ensure(head) };
    let aftermath = {
        let mut state = hub.lock();
        // SAFETY: this is the promise's hub, locked.
        match unsafe { hub.cancel(head, &mut state, reason, site) } {
            None => return false,
            Some(aftermath) => aftermath,
        }
    };
    // SAFETY: the caller's share keeps the promise and its hub.
    unsafe { aftermath.perform(reason) };
    true
}

/// Why the promise was cancelled, if it was.
pub(super) fn reason_of(head: &Head) -> Option<CancelReason> {
    let word = head.state();
    if !word.is_overridden() {
        return None;
    }
    // SAFETY: overridden, and the hub lives as long as the promise.
    match unsafe { (*word.hub()).override_fault() } {
        (Fault::Cancelled { reason }, _) => Some(reason),
        _ => None,
    }
}

/// A share on its way to the thread where its promise's reaction runs.
struct Share(*mut Head);
// SAFETY: a consumer share of a derived promise, whose types are `Send`; only counted and detached, never read.
unsafe impl Send for Share {}
impl Share {
    fn into_head(self) -> *mut Head {
        let head = self.0;
        std::mem::forget(self);
        head
    }
}
impl Drop for Share {
    fn drop(&mut self) {
        // SAFETY: it is a share.
        unsafe { release_consumer(self.0) }
    }
}

/// Takes a cancelled promise off its source, and goes on upstream. Gives back a consumer share of `head`.
///
/// # Safety
/// The caller owns the share; the promise was settled by `override_settle`.
unsafe fn detach(mut head: *mut Head, reason: &CancelReason, site: Site) {
    loop {
        let share = Share(head);
        // SAFETY: alive by the share.
        if unsafe { (*head).vtable.kind } != Kind::Derived {
            return;
        }
        let reaction = head.cast::<Reaction>();
        // SAFETY: alive by the share.
        let place = unsafe { (*reaction).place() };
        if place::current() != Some(place) {
            // A reaction is changed where it runs, and nowhere else.
            let reason = reason.clone();
            job::post(place, move || {
                let head = share.into_head();
                // SAFETY: the share came along.
                unsafe { detach(head, &reason, site) };
            });
            return;
        }
        // SAFETY: on the reaction's place.
        let upstream = match unsafe { take_off(reaction) } {
            Some(source) => {
                drop(share);
                // SAFETY: the share of the source that the reaction had.
                unsafe { stop_if_unwanted(source, reason, site) }
            }
            // SAFETY: on the reaction's place; alive by the share.
            None => unsafe { stop_followed(reaction, reason, site) },
        };
        match upstream {
            Some(upstream) => head = upstream,
            None => return,
        }
    }
}

/// Undoes a registration. The reaction's share of its source is the caller's then. None: it is queued or running, and
/// its own run finds it cancelled.
///
/// # Safety
/// On the reaction's place, which holds a share of the live, cancelled promise.
unsafe fn take_off(reaction: *mut Reaction) -> Option<*mut Head> {
    // SAFETY: on its place nobody else changes these.
    unsafe {
        let source = (*reaction).source();
        let mode = (*reaction).mode();
        if source.is_null() || mode == Mode::Start || !reaction::unlink(source, reaction) {
            return None;
        }
        (*reaction).set_source(ptr::null_mut());
        if mode == Mode::Handler {
            ((*reaction).head.vtable.drop_handler)(reaction);
        }
        release_producer(reaction.cast());
        Some(source)
    }
}

/// The handler of a cancelled promise returned another one, which it is about to follow: that one is cancelled now. When
/// the start job finds the promise cancelled it may be too late: the handler of that other one may stand before it in the
/// queue, return a third one, and so on for ever. Gives a share for `detach`.
///
/// # Safety
/// On the reaction's place, which holds a share of the live, cancelled promise.
unsafe fn stop_followed(reaction: *mut Reaction, reason: &CancelReason, site: Site) -> Option<*mut Head> {
    // SAFETY: on its place nobody else changes these, and the source is alive by the reaction's share.
    unsafe {
        let source = (*reaction).source();
        if source.is_null() || (*reaction).mode() != Mode::Start {
            return None;
        }
        if (*source).state().is_settled() || !(*source).is_only_consumer() {
            return None;
        }
        // Foreign code may run in here, and the start job in that: a share of our own, after the hub.
        hub::ensure(source);
        (*source).retain();
        if override_settle(source, reason, site) {
            return Some(source);
        }
        release_consumer(source);
        None
    }
}

/// Gives back a consumer share; if it was the only one of a pending promise, that one is cancelled, and still held if
/// it is returned for `detach`.
unsafe fn stop_if_unwanted(source: *mut Head, reason: &CancelReason, site: Site) -> Option<*mut Head> {
    // SAFETY: alive by the share.
    unsafe {
        (*source).mark_handled();
        if !(*source).state().is_settled() && (*source).is_only_consumer() && override_settle(source, reason, site) {
            return Some(source);
        }
        release_consumer(source);
    }
    None
}

/// Gives back a reaction's consumer share of a source whose outcome it does not want any more; with a reason, a pending
/// source that nobody else wants is cancelled.
///
/// # Safety
/// The caller owns the share, and the producer's as well if `and_producer` (the source is settled then).
pub(super) unsafe fn leave(source: *mut Head, and_producer: bool, reason: Option<&CancelReason>) {
    if source.is_null() {
        return;
    }
    // SAFETY: alive by the share.
    unsafe {
        (*source).mark_handled();
        match reason {
            // With the producer's share it is settled: there is nothing upstream to stop.
            Some(reason) if !and_producer => {
                let site = Location::caller();
                if let Some(upstream) = stop_if_unwanted(source, reason, site) {
                    detach(upstream, reason, site);
                }
            }
            _ => {
                if and_producer {
                    release_producer(source);
                }
                release_consumer(source);
            }
        }
    }
}

/// A promise that somebody may cancel without being its consumer.
pub(super) struct CancelTarget {
    hub: *mut hub::Hub,
    /// To be followed under the hub's lock while the hub is open: a promise closes its hub when it settles, and before it
    /// is freed.
    head: *mut Head,
}

// SAFETY: a counted hub, and a promise whose types are `Send` where `Promise::canceller` is called.
unsafe impl Send for CancelTarget {}
// SAFETY: as above; the methods consume it.
unsafe impl Sync for CancelTarget {}

impl CancelTarget {
    /// # Safety
    /// The caller holds a share of the live promise.
    pub(super) unsafe fn new(head: *mut Head) -> Self {
        // SAFETY: by contract; the target gets a reference of its own.
        unsafe {
            let hub = ptr::from_ref(hub::ensure(head)).cast_mut();
            hub::retain(hub);
            Self { hub, head }
        }
    }

    fn cancel(&self, reason: &CancelReason, site: Site) -> bool {
        // SAFETY: alive by our reference.
        let hub = unsafe { &*self.hub };
        let (aftermath, share) = {
            let mut state = hub.lock();
            if state.closed {
                return false;
            }
            // SAFETY: an open hub's promise is alive; this is its hub, locked.
            let Some(aftermath) = (unsafe { hub.cancel(self.head, &mut state, reason, site) }) else {
                return false;
            };
            // SAFETY: still not freed: that would take this lock first. From now on its outcome is the fault in the hub, so
            // that one more consumer is in nobody's way. (A promise that is not settled yet has nothing upstream.)
            let share = aftermath.replaced.is_some() && unsafe { (*self.head).try_retain() };
            (aftermath, share)
        };
        // SAFETY: the hub is ours as well.
        unsafe { aftermath.perform(reason) };
        if share {
            // SAFETY: the share just made.
            unsafe { detach(self.head, reason, site) };
        }
        true
    }
}

impl Drop for CancelTarget {
    fn drop(&mut self) {
        // SAFETY: our reference.
        unsafe { hub::release(self.hub) };
    }
}

/// Cancels a promise without being its consumer.
pub(crate) struct Canceller {
    target: Option<CancelTarget>,
}

impl Canceller {
    pub(super) fn new(target: Option<CancelTarget>) -> Self {
        Self { target }
    }

    /// False: it is settled, or gone.
    #[track_caller]
    pub(crate) fn cancel(&self, reason: CancelReason) -> bool {
        self.target.as_ref().is_some_and(|target| target.cancel(&reason, Location::caller()))
    }
}
