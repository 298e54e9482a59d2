//! Following another promise's outcome, with ECMAScript's ticks and in constant memory.
//!
//! Adoption takes two jobs: *start* begins to wait on the followed promise, *finish* takes its outcome over. The handler's
//! own block is the reaction for both; a root promise, which is no reaction, gets an [`Adopter`].
//!
//! A fulfilled promise that nobody else knows is not followed at all: its value goes at once where it would go two jobs
//! later, and waits there as long ([`Entry::held`](super::queue::Entry::held)).
//!
//! When X starts to follow I, and all that anyone knows of X is that Y follows it, Y follows I from now on and X is
//! freed: a chain of adoptions holds one waiting block however long it grows. JavaScript would take one job per promise of
//! that chain to unwind it, so Y remembers in `hops` how many jobs it stands for, and runs as often before it settles: the
//! same jobs at the same places in the queue.

use super::block;
use super::cancel;
use super::derived;
use super::handle::Handle;
use super::job;
use super::node::{self, Head, Kind, Site, VTable};
use super::place::{self, PlaceId};
use super::reaction::{self, Mode, Reaction};
use super::root::Producer;
use super::slot::{self, Pending};
use super::state::Word;
use crate::error::{CancelReason, Fault, panic};
use crate::primitive::Ordering;
use std::marker::PhantomData;
use std::ptr;

/// The share of the promise that `head` is to follow.
///
/// # Safety
/// `head` is a live promise of the same types.
pub(super) unsafe fn source_of<U, E>(head: *mut Head, promise: Handle<U, E>) -> Result<*mut Head, Fault> {
    let source = promise.into_share().map_err(|_consumed| Fault::AlreadyTaken)?;
    if ptr::eq(source, head) {
        // SAFETY: the share that came in the handle; the caller has another.
        unsafe { node::release_consumer(source) };
        return Err(Fault::Cycle);
    }
    Ok(source)
}

/// A derived promise starts to follow: its start job is enqueued.
///
/// # Safety
/// The caller runs `reaction`, whose handler is gone, and hands over the share of `source`.
pub(super) unsafe fn begin<U, E>(reaction: *mut Reaction, source: *mut Head, site: Site) {
    // SAFETY: the slot is unused and ours; so is the reaction.
    unsafe {
        slot::pending_mut::<U, E>(reaction.cast()).write(Pending { site, hops: 0 });
        (*reaction).set_source(source);
        (*reaction).set_mode(Mode::Start);
        reaction::schedule(reaction);
    }
}

/// The next step of a derived promise that follows another.
///
/// # Safety
/// The caller runs `reaction`, which is a derived promise of these types past its handler.
pub(super) unsafe fn advance<U, E>(reaction: *mut Reaction) {
    // SAFETY: the runner owns the reaction.
    unsafe {
        let head = reaction.cast::<Head>();
        let source = (*reaction).source();
        if (*head).state().is_settled() {
            // Cancelled on the way.
            (*reaction).set_source(ptr::null_mut());
            let reason = cancel::reason_of(&*head);
            cancel::leave(source, (*reaction).owns_producer(), reason.as_ref());
            return node::release_producer(head);
        }
        let pending = slot::pending_mut::<U, E>(head);
        if (*reaction).mode() == Mode::Start {
            if pass_on::<U, E>(reaction, source) {
                return;
            }
            (*reaction).set_mode(Mode::Finish);
            return reaction::subscribe(source, reaction);
        }
        if (*pending).hops > 0 {
            (*pending).hops -= 1;
            return reaction::schedule(reaction);
        }
        let site = (*pending).site;
        let with_producer = (*reaction).owns_producer();
        (*reaction).set_source(ptr::null_mut());
        let rejected = match panic::catch(Some(site), || slot::take::<U, E>(source, with_producer)) {
            Ok(outcome) => slot::write_outcome(head, site, outcome),
            Err(fault) => {
                slot::write_fault::<U, E>(head, site, fault);
                true
            }
        };
        derived::finish::<U, E>(head, rejected);
    }
}

/// Lets the one follower of `reaction`'s promise follow `source` itself, and frees the promise between them.
///
/// # Safety
/// As [`advance`], in the start job: `source` is the share of what is to be followed. On true all was handed over.
unsafe fn pass_on<U, E>(reaction: *mut Reaction, source: *mut Head) -> bool {
    // SAFETY: the runner owns the reaction and holds its promise's producer share.
    unsafe {
        let head = reaction.cast::<Head>();
        let word = (*head).state();
        // Nobody but this thread touches a local reaction, so it may be looked at. It has the only consumer share (rule 10).
        if !word.is_local() {
            return false;
        }
        let follower = word.reaction();
        let kind = (*follower).head.vtable.kind;
        let follows = matches!(kind, Kind::Derived | Kind::Adopter) && (*follower).mode() == Mode::Finish;
        if !follows || !reaction::unlink(head, follower) {
            return false;
        }
        // Nobody knows the promise any more: we hold its producer share, and the follower's consumer share is ours too.
        node::free_empty(head);
        (*follower).set_source(source);
        if kind == Kind::Derived {
            let followed_by = follower.cast::<Head>();
            (*slot::pending_mut::<U, E>(followed_by)).hops += 1;
            if ptr::eq(followed_by, source) {
                (*follower).set_source(ptr::null_mut());
                let site = slot::pending_site::<U, E>(followed_by);
                node::release_consumer(source);
                slot::write_fault::<U, E>(followed_by, site, Fault::Cycle);
                derived::finish::<U, E>(followed_by, true);
                return true;
            }
        } else {
            let adopter = follower.cast::<Adopter<U, E>>();
            (*adopter).hops += 1;
            let ring = (*adopter).outer.as_ref().is_some_and(|outer| ptr::eq(outer.as_head(), source));
            if ring {
                (*follower).set_source(ptr::null_mut());
                node::release_consumer(source);
                finish_root(adopter, |outer| outer.settle_adopted(Err(Fault::Cycle)));
                return true;
            }
        }
        reaction::subscribe(source, follower);
        true
    }
}

/// The reaction by which a root promise follows another one.
///
/// Two own the block: the list or queue, until the adoption is over, and the promise's cancel hook. It is touched on its
/// place only, apart from its counter.
#[repr(C)]
struct Adopter<T, E> {
    reaction: Reaction,
    hops: usize,
    /// Counts as a resolver, so that the promise is not abandoned meanwhile. None once the adoption is over.
    outer: Option<Producer<T, E>>,
}

struct Table<T, E>(PhantomData<(T, E)>);

impl<T, E> Table<T, E> {
    const TABLE: VTable =
        VTable { free: free::<T, E>, ..VTable::reaction(Kind::Adopter, run::<T, E>, discard::<T, E>) };
}

unsafe fn free<T, E>(head: *mut Head) {
    // SAFETY: the last reference; `outer` is gone by then, or was thrown away with a closed loop.
    unsafe { block::free(head.cast::<Adopter<T, E>>()) };
}

/// Gives back one of the two references to an adopter.
unsafe fn release(adopter: *mut Reaction) {
    // SAFETY: alive by the caller's reference.
    let head = unsafe { &(*adopter).head };
    head.life.look();
    // ORDERING: AcqRel, as in `Arc`.
    if head.refs.fetch_sub(1, Ordering::AcqRel) == 1 {
        // SAFETY: that was the last reference.
        unsafe { (head.vtable.free)(adopter.cast()) };
    }
}

/// The cancel hook's reference to an adopter.
struct Hook<T, E>(*mut Adopter<T, E>);

// SAFETY: only counted, except on the adopter's place.
unsafe impl<T: Send, E: Send> Send for Hook<T, E> {}

impl<T, E> Drop for Hook<T, E> {
    fn drop(&mut self) {
        // SAFETY: it is a reference.
        unsafe { release(self.0.cast()) };
    }
}

impl<T, E> Hook<T, E> {
    fn place(&self) -> PlaceId {
        // SAFETY: alive by our reference; the place never changes.
        unsafe { (*self.0).reaction.place() }
    }

    /// On the adopter's place: the promise was cancelled, and what it followed is asked to stop.
    fn take_off(&self, reason: &CancelReason) {
        let reaction = self.0.cast::<Reaction>();
        // SAFETY: alive by our reference; on its place nobody else touches it.
        unsafe {
            let source = (*reaction).source();
            // Otherwise it is queued, and finds the promise cancelled when it runs; or over.
            if !source.is_null() && (*reaction).mode() == Mode::Finish && reaction::unlink(source, reaction) {
                (*reaction).set_source(ptr::null_mut());
                finish_root(self.0, drop);
                cancel::leave(source, false, Some(reason));
            }
        }
    }
}

/// The adoption is over: gives back the list's reference, and the promise to `end`.
///
/// # Safety
/// On the adopter's place, or discarding it; called once.
unsafe fn finish_root<T, E>(adopter: *mut Adopter<T, E>, end: impl FnOnce(Producer<T, E>)) {
    // SAFETY: by contract.
    let outer = unsafe {
        let outer = (*adopter).outer.take();
        release(adopter.cast());
        outer
    };
    if let Some(outer) = outer {
        end(outer);
    }
}

/// A root promise starts to follow.
///
/// # Safety
/// The caller owns the promise's claim and hands it over, with the share of `source`, which may be the promise itself.
pub(super) unsafe fn begin_root<T, E>(outer: Producer<T, E>, source: *mut Head)
where
    T: Send + 'static,
    E: Send + 'static,
{
    if ptr::eq(outer.as_head(), source) {
        // SAFETY: the share that came in the handle; `outer` has another.
        unsafe { node::release_consumer(source) };
        // SAFETY: the claim is ours.
        return unsafe { outer.settle_adopted(Err(Fault::Cycle)) };
    }
    let head = Head::new(&Table::<T, E>::TABLE, Word::PENDING, 2, Reaction::aux(place::current_or_global()));
    let promise = outer.clone();
    let adopter = block::allocate(Adopter { reaction: Reaction::new(head), hops: 0, outer: Some(outer) });
    let reaction = adopter.cast::<Reaction>();
    // SAFETY: new, so ours.
    unsafe {
        (*reaction).set_source(source);
        (*reaction).set_mode(Mode::Start);
    }
    let hook = Hook(adopter);
    promise.on_cancel(Box::new(move |reason| {
        let reason = reason.clone();
        job::post(hook.place(), move || hook.take_off(&reason));
    }));
    // SAFETY: ours to hand over.
    unsafe { reaction::schedule(reaction) };
}

unsafe fn run<T, E>(reaction: *mut Reaction) {
    // SAFETY: the runner owns the reaction.
    unsafe {
        let adopter = reaction.cast::<Adopter<T, E>>();
        let source = (*reaction).source();
        let settled = (*adopter).outer.as_ref().is_none_or(Producer::is_settled);
        if !settled {
            if (*reaction).mode() == Mode::Start {
                (*reaction).set_mode(Mode::Finish);
                #[cfg(not(thenable_plant = "m10_settled_inner_missed"))]
                return reaction::subscribe(source, reaction);
                #[cfg(thenable_plant = "m10_settled_inner_missed")]
                return drop(reaction::link(source, reaction));
            }
            if (*adopter).hops > 0 {
                (*adopter).hops -= 1;
                return reaction::schedule(reaction);
            }
        }
        let with_producer = (*reaction).owns_producer();
        (*reaction).set_source(ptr::null_mut());
        finish_root(adopter, |outer| {
            if settled {
                let reason = outer.cancel_reason();
                #[cfg(not(thenable_plant = "m11_inner_kept"))]
                cancel::leave(source, with_producer, reason.as_ref());
                return drop(reason);
            }
            let outcome = panic::catch(None, || slot::take::<T, E>(source, with_producer));
            outer.settle_adopted(outcome);
        });
    }
}

unsafe fn discard<T, E>(reaction: *mut Reaction, fault: Fault) {
    // SAFETY: a discarded reaction belongs to whoever discards it.
    unsafe {
        let source = (*reaction).source();
        let with_producer = (*reaction).owns_producer();
        (*reaction).set_source(ptr::null_mut());
        cancel::leave(source, with_producer, None);
        finish_root(reaction.cast::<Adopter<T, E>>(), |outer| outer.settle_adopted(Err(fault)));
    }
}
