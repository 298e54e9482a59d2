//! Promises that a chain method makes: state, outcome, handler and queue link in one block.

use super::adopt;
use super::block;
use super::cancel;
use super::handle::Handle;
use super::node::{self, Conversion, Head, Kind, Site, VTable};
use super::place::PlaceId;
use super::queue::Entry;
use super::reaction::{self, Mode, Reaction};
use super::slot::{self, Slot};
use super::state::Word;
use crate::error::{Fault, panic};
use crate::primitive::Ordering;
use crate::promise::Resolution;
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, offset_of};

#[repr(C)]
struct Derived<U, E2, F> {
    reaction: Reaction,
    payload: UnsafeCell<Payload<U, E2, F>>,
}

/// The handler until it runs, then the slot.
#[repr(C)]
union Payload<U, E2, F> {
    handler: ManuallyDrop<Handler<F>>,
    _slot: ManuallyDrop<Slot<U, E2>>,
}

#[repr(C)]
struct Handler<F> {
    site: Site,
    call: F,
}

struct Table<T, E, U, E2, F>(PhantomData<(T, E, U, E2, F)>);

impl<T, E, U, E2, F> Table<T, E, U, E2, F>
where
    E2: From<Fault>,
    F: FnOnce(Result<T, E>, Site) -> Step<U, E2>,
{
    const TABLE: VTable = VTable {
        slot_offset: offset_of!(Derived<U, E2, F>, payload),
        plain_value: !std::mem::needs_drop::<U>(),
        from_pages: block::from_pages::<Derived<U, E2, F>>(),
        from_fault: Some(Conversion::new(slot::reason_from_fault::<E2>)),
        drop_handler: drop_handler::<U, E2, F>,
        free: free::<U, E2, F>,
        dealloc: dealloc::<U, E2, F>,
        ..VTable::reaction(Kind::Derived, run::<T, E, U, E2, F>, discard::<U, E2, F>)
    };
}

/// What a link's handler says.
pub(crate) enum Step<U, E2> {
    /// Decide now.
    Now(Resolution<U, E2>),
    /// Settle two ticks from now: what `finally` takes in JavaScript to hand the outcome on.
    InTwoTicks(Result<U, E2>),
}

impl<U, E2> From<Resolution<U, E2>> for Step<U, E2> {
    #[inline]
    fn from(resolution: Resolution<U, E2>) -> Self {
        Self::Now(resolution)
    }
}

/// Registers a handler and makes the promise of its result.
#[inline]
pub(crate) fn derive<T, E, U, E2, F>(source: Handle<T, E>, place: PlaceId, site: Site, call: F) -> Handle<U, E2>
where
    T: Send + 'static,
    E: Send + 'static,
    U: Send + 'static,
    E2: From<Fault> + Send + 'static,
    F: FnOnce(Result<T, E>, Site) -> Step<U, E2> + Send + 'static,
{
    let source = match source.into_share() {
        Ok(source) => source,
        Err(_consumed) => return super::root::faulted(Fault::AlreadyTaken, site),
    };
    let vtable = &Table::<T, E, U, E2, F>::TABLE;
    let head = Head::new(vtable, Word::PENDING, Head::PENDING_REFS, Reaction::aux(place));
    let derived = Derived::<U, E2, F> {
        reaction: Reaction::new(head),
        payload: UnsafeCell::new(Payload { handler: ManuallyDrop::new(Handler { site, call }) }),
    };
    let reaction = block::allocate(derived).cast::<Reaction>();
    // SAFETY: new, so ours. The source's share goes with it.
    unsafe {
        (*reaction).set_source(source);
        Head::track(reaction.cast(), site, place);
        // Its own consumer share is the handle's, made first: the job may run elsewhere at once.
        let handle = Handle::from_share(reaction.cast());
        reaction::subscribe(source, reaction);
        handle
    }
}

/// Where the handler that this job calls was registered; none for other jobs.
///
/// # Safety
/// The caller owns the reaction, which is about to run.
#[cfg(not(loom))]
pub(super) unsafe fn site_of_job(reaction: *mut Reaction) -> Option<Site> {
    // SAFETY: ours by contract. A derived promise that has not called its handler holds it in its payload, whose first
    // field is the site, whatever the types are.
    unsafe {
        let vtable = (*reaction).head.vtable;
        let has_handler = vtable.kind == Kind::Derived && (*reaction).mode() == Mode::Handler;
        has_handler.then(|| *reaction.byte_add(vtable.slot_offset).cast::<Site>())
    }
}

/// # Safety
/// The reaction's owner calls this once, before the payload is used as the slot.
unsafe fn take_handler<U, E2, F>(reaction: *mut Reaction) -> Handler<F> {
    // SAFETY: by contract the payload holds the handler.
    unsafe {
        let payload = (&raw mut (*reaction.cast::<Derived<U, E2, F>>()).payload).cast::<Handler<F>>();
        payload.read()
    }
}

unsafe fn run<T, E, U, E2, F>(reaction: *mut Reaction)
where
    F: FnOnce(Result<T, E>, Site) -> Step<U, E2>,
{
    // SAFETY: a job's runner owns the reaction until it publishes or hands it on.
    unsafe {
        if (*reaction).mode() != Mode::Handler {
            return go_on::<U, E2>(reaction);
        }
        let head = reaction.cast::<Head>();
        let source = (*reaction).source();
        let with_producer = (*reaction).owns_producer();
        (*reaction).set_source(std::ptr::null_mut());
        let Handler { site, call } = take_handler::<U, E2, F>(reaction);
        if (*head).state().is_settled() {
            // Cancelled while it waited in the queue.
            cancel::leave(source, with_producer, None);
            panic::drop_quietly(call);
            return node::release_producer(head);
        }
        // The outcome is taken (cloned, converted) and the captures are dropped under the same protection.
        let result = panic::catch(Some(site), move || call(slot::take::<T, E>(source, with_producer), site));
        let rejected = match result {
            Ok(Step::Now(Resolution::Resolve(value))) => slot::write_outcome::<U, E2>(head, site, Ok(value)),
            Ok(Step::Now(Resolution::Reject(reason))) => slot::write_outcome::<U, E2>(head, site, Err(reason)),
            Ok(Step::InTwoTicks(outcome)) => return hold::<U, E2>(reaction, site, outcome),
            Ok(Step::Now(Resolution::Adopt(promise))) => match adopt::source_of(head, promise.into_handle()) {
                Ok(source) => match slot::take_unseen::<U>(source) {
                    // Nothing can change it any more. As many ticks as to follow it, without a second and a third look at it.
                    Some(value) => return hold::<U, E2>(reaction, site, Ok(value)),
                    None => return adopt::begin::<U, E2>(reaction, source, site),
                },
                Err(fault) => {
                    slot::write_fault::<U, E2>(head, site, fault);
                    true
                }
            },
            Err(fault) => {
                slot::write_fault::<U, E2>(head, site, fault);
                true
            }
        };
        finish::<U, E2>(head, rejected);
    }
}

/// Settles two ticks from now: the outcome waits in the slot.
///
/// # Safety
/// The caller runs the reaction, whose handler is gone.
#[inline]
unsafe fn hold<U, E2>(reaction: *mut Reaction, site: Site, outcome: Result<U, E2>) {
    // SAFETY: the slot is unused and ours; so is the reaction.
    unsafe {
        let rejected = slot::write_outcome::<U, E2>(reaction.cast(), site, outcome);
        (*reaction).set_mode(if rejected { Mode::HoldReason1 } else { Mode::HoldValue1 });
        reaction::schedule_at(Entry::held(reaction), (*reaction).place());
    }
}

/// The jobs after the handler's: adopting, and publishing an outcome that was written some ticks ago.
///
/// # Safety
/// The caller runs the reaction.
#[inline(never)]
unsafe fn go_on<U, E2>(reaction: *mut Reaction) {
    // SAFETY: the runner owns the reaction, and with it the slot.
    unsafe {
        match (*reaction).mode() {
            Mode::HoldValue2 => (*reaction).set_mode(Mode::HoldValue1),
            Mode::HoldReason2 => (*reaction).set_mode(Mode::HoldReason1),
            mode @ (Mode::HoldValue1 | Mode::HoldReason1) => {
                return finish::<U, E2>(reaction.cast(), mode == Mode::HoldReason1);
            }
            Mode::Handler | Mode::Start | Mode::Finish => return adopt::advance::<U, E2>(reaction),
        }
        reaction::schedule(reaction);
    }
}

/// Publishes what was written into a derived promise's slot and ends its producer.
///
/// # Safety
/// The caller owns the producer share and the slot, and wrote the latter.
#[inline]
pub(super) unsafe fn finish<U, E2>(head: *mut Head, rejected: bool) {
    // SAFETY: by contract.
    unsafe {
        let word = (*head).state();
        if word.is_local() {
            finish_local(head, word, rejected);
        } else {
            finish_shared::<U, E2>(head, rejected);
        }
    }
}

/// [`finish`] for a promise that others may see.
///
/// # Safety
/// As [`finish`].
#[inline(never)]
unsafe fn finish_shared<U, E2>(head: *mut Head, rejected: bool) {
    // SAFETY: by contract.
    unsafe {
        if !publish_derived(head, rejected) {
            // Cancelled meanwhile: the slot is still ours.
            slot::discard_outcome::<U, E2>(head, rejected);
            node::release_producer(head);
        }
    }
}

/// [`finish`] for a promise with a local reaction, which nobody else can see.
///
/// # Safety
/// As [`finish`]; `word` is the promise's, and local.
#[inline(always)]
unsafe fn finish_local(head: *mut Head, word: Word, rejected: bool) {
    // SAFETY: by contract; rule 10.
    unsafe {
        (*head).untrack();
        // ORDERING: Relaxed, as in `link_locally`.
        (*head).word.store(word.settled(rejected).0, Ordering::Relaxed);
        let child = word.reaction();
        // It has the only consumer share; with ours it owns the whole promise (rule 5).
        reaction::schedule_at(Entry::with_producer(child), (*head.cast::<Reaction>()).place());
    }
}

#[inline(never)]
unsafe fn publish_derived(head: *mut Head, rejected: bool) -> bool {
    // SAFETY: by `finish`'s contract.
    unsafe {
        // The count first: a consumer that has gone since has left its hub behind.
        #[cfg(not(thenable_plant = "m23_word_before_count"))]
        let alone = (*head).is_only_producer();
        let word = (*head).state();
        #[cfg(thenable_plant = "m23_word_before_count")]
        let alone = {
            loom::thread::yield_now();
            (*head).is_only_producer()
        };
        if alone && !word.has_hub() {
            // Nobody will ever look.
            (*head).untrack();
            // ORDERING: Relaxed, nobody else is left.
            (*head).word.store(word.settled(rejected).0, Ordering::Relaxed);
            node::retire(head);
            return true;
        }
        let Some(replaced) = node::publish(head, word, rejected) else { return false };
        if !replaced.has_hub() && !replaced.reaction().is_null() {
            let child = replaced.reaction();
            if (*child).head.vtable.kind != Kind::Waker {
                // Without a hub there is one consumer, the child: with our share it owns the whole promise (rule 5).
                (*child).give_producer();
                reaction::schedule(child);
                return true;
            }
        }
        reaction::deliver(replaced);
        node::release_producer(head);
        true
    }
}

unsafe fn discard<U, E2, F>(reaction: *mut Reaction, fault: Fault) {
    // SAFETY: a discarded reaction belongs to whoever discards it, like a job that runs.
    unsafe {
        let head = reaction.cast::<Head>();
        let source = (*reaction).source();
        let with_producer = (*reaction).owns_producer();
        (*reaction).set_source(std::ptr::null_mut());
        let site = match (*reaction).mode() {
            Mode::Handler => {
                let Handler { site, call } = take_handler::<U, E2, F>(reaction);
                panic::drop_quietly(call);
                site
            }
            Mode::Start | Mode::Finish => slot::pending_site::<U, E2>(head),
            // The outcome is there already.
            mode => return finish::<U, E2>(head, matches!(mode, Mode::HoldReason1 | Mode::HoldReason2)),
        };
        cancel::leave(source, with_producer, None);
        slot::write_fault::<U, E2>(head, site, fault);
        finish::<U, E2>(head, true);
    }
}

unsafe fn drop_handler<U, E2, F>(reaction: *mut Reaction) {
    // SAFETY: by the table's contract the handler has not run.
    panic::drop_quietly(unsafe { take_handler::<U, E2, F>(reaction) });
}

unsafe fn free<U, E2, F>(head: *mut Head) {
    // SAFETY: exclusive by the table's contract.
    unsafe { slot::drop_contents::<U, E2>(head) };
    // SAFETY: nothing is left.
    unsafe { dealloc::<U, E2, F>(head) };
}

unsafe fn dealloc<U, E2, F>(head: *mut Head) {
    // SAFETY: made by `block::allocate` of this type; the payload drops nothing by itself.
    unsafe { block::free(head.cast::<Derived<U, E2, F>>()) };
}

#[cfg(all(test, not(loom), target_pointer_width = "64"))]
mod tests {
    use super::*;
    use crate::error::Rejection;

    #[cfg(not(any(shuttle, thenable_no_reuse, miri)))]
    #[test]
    fn small_links_come_from_pages() {
        fn from_pages<const WORDS: usize>() -> bool {
            let words = [0_usize; WORDS];
            fn of<F: FnOnce(Result<u64, Rejection>, Site) -> Step<u64, Rejection>>(_: &F) -> bool {
                Table::<u64, Rejection, u64, Rejection, F>::TABLE.from_pages
            }
            of(&move |_, _| Resolution::Resolve(words.len() as u64).into())
        }
        assert!(from_pages::<2>() && from_pages::<26>());
        assert!(!from_pages::<27>());
    }

    #[test]
    fn a_link_fits_in_64_bytes() {
        assert_eq!(size_of::<Derived<u64, Rejection, [usize; 2]>>(), 64);
        assert_eq!(size_of::<Derived<(), Rejection, [usize; 2]>>(), 64);
    }
}
