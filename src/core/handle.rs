//! The consumer's side: one handle is one pointer, and one consumer share.

use super::cancel::{self, CancelTarget, Canceller};
use super::hub::{self, Cloners, Name};
use super::node::{Head, Site, release_handle};
use super::notice::{self, Watch};
use super::place::PlaceId;
use super::slot::{self, Look};
use super::waker::{self, Unlisted, WakerBlock};
use crate::error::{CancelReason, panic};
use std::marker::PhantomData;
use std::mem;
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll};

/// What a promise is now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    Pending,
    Fulfilled,
    Rejected,
}

/// Neither longer nor shorter lifetimes fit.
type Invariant<T> = fn(T) -> T;

/// See the module documentation.
pub(crate) struct Handle<T, E> {
    /// The two lowest bits say what it is: see `Target`.
    tagged: NonNull<()>,
    /// Invariant: handles of one promise share how its outcome is cloned, which one of them brought along. A handle that
    /// could be seen as one of another type would bring the wrong one.
    types: PhantomData<Invariant<(T, E)>>,
}

// SAFETY: a handle moves the outcome out on its own thread.
unsafe impl<T: Send, E: Send> Send for Handle<T, E> {}
// SAFETY: `&Handle` gives `&T` and `&E` (`Sync`), and where the types are `Clone` also a second handle, which may take the
// outcome itself on the other thread (`Send`).
unsafe impl<T: Send + Sync, E: Send + Sync> Sync for Handle<T, E> {}

enum Target {
    /// The promise.
    Promise(*mut Head),
    /// The listed block of a task that awaits it; it knows the promise.
    Awaited(*mut WakerBlock),
    /// The outcome was moved out by an await.
    Consumed(Status),
}

const AWAITED: usize = 1;
const FULFILLED: usize = 2;
const REJECTED: usize = 3;

/// Never null, so that an `Option` of a handle is a pointer too.
#[inline(always)]
fn tagged(pointer: *mut ()) -> NonNull<()> {
    NonNull::new(pointer).expect("a block is not at null")
}

#[inline(always)]
fn consumed(tag: usize) -> NonNull<()> {
    tagged(ptr::without_provenance_mut(tag))
}

impl<T, E> Handle<T, E> {
    /// # Safety
    /// Hands over one consumer share of a live promise of these types.
    #[inline(always)]
    pub(super) unsafe fn from_share(head: *mut Head) -> Self {
        // SAFETY: a promise is not at null.
        Self { tagged: unsafe { NonNull::new_unchecked(head.cast()) }, types: PhantomData }
    }

    #[inline(always)]
    fn target(&self) -> Target {
        let tagged = self.tagged.as_ptr();
        match tagged.addr() & 3 {
            0 => Target::Promise(tagged.cast()),
            AWAITED => Target::Awaited(tagged.map_addr(|addr| addr & !3).cast()),
            FULFILLED => Target::Consumed(Status::Fulfilled),
            _ => Target::Consumed(Status::Rejected),
        }
    }

    /// The promise, or what it was when its outcome was moved out.
    #[inline(always)]
    fn promise(&self) -> Result<*mut Head, Status> {
        match self.target() {
            Target::Promise(head) => Ok(head),
            // SAFETY: this handle holds the block.
            Target::Awaited(block) => Ok(unsafe { waker::promise_of(block) }),
            Target::Consumed(status) => Err(status),
        }
    }

    /// Gives the share away. A task that awaited through this handle is forgotten.
    #[inline(always)]
    pub(super) fn into_share(mut self) -> Result<*mut Head, Status> {
        self.forget_task();
        let target = self.target();
        mem::forget(self);
        match target {
            Target::Promise(head) => Ok(head),
            Target::Consumed(status) => Err(status),
            Target::Awaited(_) => unreachable!("the task was forgotten"),
        }
    }

    /// Takes the waker, if any, off the list.
    #[inline(always)]
    fn forget_task(&mut self) {
        if let Target::Awaited(_) = self.target() {
            self.drop_task();
        }
    }

    #[inline(never)]
    fn drop_task(&mut self) {
        drop(self.take_task());
    }

    fn take_task(&mut self) -> Option<Unlisted> {
        let Target::Awaited(block) = self.target() else { return None };
        // SAFETY: this handle holds the block until the next line, and the promise's share all along.
        self.tagged = tagged(unsafe { waker::promise_of(block) }.cast());
        // SAFETY: as above.
        unsafe { waker::unlist(block) }
    }

    #[inline]
    pub(crate) fn status(&self) -> Status {
        let head = match self.promise() {
            Ok(head) => head,
            Err(status) => return status,
        };
        // SAFETY: alive by our share.
        let word = unsafe { (*head).state() };
        match (word.is_settled(), word.is_rejected()) {
            (false, _) => Status::Pending,
            (true, false) => Status::Fulfilled,
            (true, true) => Status::Rejected,
        }
    }

    /// The end of a handle that has a share.
    #[inline(never)]
    fn let_go(&mut self) {
        if matches!(self.target(), Target::Awaited(_)) {
            // Whoever awaited it has seen to its rejection by giving up.
            self.mark_handled();
            self.forget_task();
        }
        if let Target::Promise(head) = self.target() {
            // SAFETY: our share.
            unsafe { release_handle(head) };
        }
    }

    #[inline(always)]
    pub(crate) fn is_consumed(&self) -> bool {
        matches!(self.target(), Target::Consumed(_))
    }

    /// The outcome in place; none while it is pending, or when it was moved out.
    pub(crate) fn peek(&self) -> Option<Result<&T, &E>> {
        let head = self.promise().ok()?;
        // SAFETY: alive by our share.
        let word = unsafe { (*head).state() };
        if !word.is_settled() {
            return None;
        }
        // SAFETY: settled, and our share makes us a consumer for as long as `&self`, so nobody moves it out.
        Some(match unsafe { slot::look::<T, E>(head, word) } {
            Look::Value(value) => Ok(value),
            Look::Reason(reason) => {
                self.mark_handled();
                Err(reason)
            }
            Look::Fault(fault, site) => {
                self.mark_handled();
                // SAFETY: settled with a fault, so it has a conversion.
                let convert = unsafe { slot::from_fault::<E>(head) };
                // SAFETY: as above.
                Err(unsafe { hub::materialize(head, || convert(fault, site)) })
            }
        })
    }

    /// Ready with the outcome if settled; otherwise the task is woken when it is. The outcome itself for the last handle,
    /// a clone for others. `Ready(None)`: an earlier poll has moved it out.
    #[inline(always)]
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<T, E>>> {
        // What most awaits find, in a few instructions: a value, and nobody else who knows the promise.
        if let Target::Promise(head) = self.target() {
            // SAFETY: our share, which is used up with the value.
            if let Some(value) = unsafe { slot::take_unseen::<T>(head) } {
                self.tagged = consumed(FULFILLED);
                return Poll::Ready(Some(Ok(value)));
            }
        }
        self.poll_further(context)
    }

    /// The rest of [`poll`](Handle::poll): if it was a value, then the resolver is still there.
    #[inline(never)]
    fn poll_further(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<T, E>>> {
        if let Target::Promise(head) = self.target() {
            // SAFETY: our share, which is used up with the value.
            if let Some(value) = unsafe { slot::take_from_resolver::<T>(head) } {
                self.tagged = consumed(FULFILLED);
                return Poll::Ready(Some(Ok(value)));
            }
        }
        self.poll_anything(context)
    }

    #[inline(never)]
    fn poll_anything(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<T, E>>> {
        loop {
            let head = match self.promise() {
                Ok(head) => head,
                Err(_) => return Poll::Ready(None),
            };
            // SAFETY: alive by our share.
            if unsafe { (*head).state().is_settled() } {
                return Poll::Ready(Some(self.take()));
            }
            // The old waker is ours while foreign code runs; should that panic, it is dropped.
            let block = match self.take_task() {
                Some(mut block) => {
                    block.update(context.waker());
                    block
                }
                None => Unlisted::new(head, context.waker().clone()),
            };
            if let Some(listed) = block.list() {
                self.tagged = tagged(listed.cast::<()>().map_addr(|addr| addr | AWAITED));
                return Poll::Pending;
            }
            #[cfg(thenable_plant = "m12_refusal_not_looked_at")]
            return Poll::Pending;
        }
    }

    /// The outcome of a settled promise.
    #[inline]
    fn take(&mut self) -> Result<T, E> {
        self.forget_task();
        let head: *mut Head = self.tagged.as_ptr().cast();
        // SAFETY: alive by our share.
        let (only, rejected) = unsafe { ((*head).is_only_consumer(), (*head).state().is_rejected()) };
        if only {
            self.tagged = consumed(if rejected { REJECTED } else { FULFILLED });
            // SAFETY: settled, and our share to use up.
            return unsafe { slot::take::<T, E>(head, false) };
        }
        self.take_clone(head)
    }

    #[cold]
    fn take_clone(&self, head: *mut Head) -> Result<T, E> {
        // SAFETY: settled, and our share, which stays with us: nobody moves the outcome out meanwhile.
        let copy = || unsafe { slot::copy::<T, E>(head, (*head).state()) };
        // SAFETY: alive by our share.
        match unsafe { (*head).vtable.from_fault } {
            // A clone that panics is this consumer's rejection.
            Some(convert) => panic::catch(None, copy).unwrap_or_else(|fault| {
                // SAFETY: this promise's own conversion.
                Err((unsafe { convert.get::<E>() })(fault, Location::caller()))
            }),
            None => copy(),
        }
    }

    /// A second consumer.
    pub(crate) fn clone_with(&self, value: fn(&T) -> T, reason: fn(&E) -> E) -> Self {
        match self.promise() {
            Err(_) => Self { tagged: self.tagged, types: PhantomData },
            Ok(head) => {
                // SAFETY: alive by our share; the hub with the functions comes before the second consumer.
                unsafe {
                    hub::set_cloners(hub::ensure(head), &Cloners { value, reason });
                    (*head).retain();
                    Self::from_share(head)
                }
            }
        }
    }

    /// Its rejection, if it is or will be one, is somebody's business.
    pub(crate) fn mark_handled(&self) {
        if let Ok(head) = self.promise() {
            // SAFETY: alive by our share.
            unsafe { (*head).mark_handled() };
        }
    }

    pub(crate) fn set_name(&self, name: Name) {
        if let Ok(head) = self.promise() {
            // SAFETY: alive by our share.
            unsafe { (*head).rename(&name) };
            // SAFETY: as above.
            let old = unsafe { hub::ensure(head) }.lock().name.replace(name);
            drop(old);
        }
    }

    pub(crate) fn name(&self) -> Option<Name> {
        // SAFETY: alive by our share.
        self.promise().ok().and_then(|head| unsafe { (*head).name() })
    }

    /// Runs the closure as a job once the promise is settled.
    pub(crate) fn watch(&self, place: PlaceId, call: impl FnOnce() + Send + 'static) -> Option<Watch> {
        match self.promise() {
            // SAFETY: alive by our share.
            Ok(head) => Some(unsafe { notice::watch(head, place, call) }),
            Err(_) => {
                super::job::post(place, call);
                None
            }
        }
    }

    /// A way to cancel it later that is no consumer.
    pub(crate) fn canceller(&self) -> Canceller {
        // SAFETY: alive by our share.
        Canceller::new(self.promise().ok().map(|head| unsafe { CancelTarget::new(head) }))
    }

    /// Rejects it if it is pending. False: it is settled.
    pub(crate) fn cancel(&self, reason: &CancelReason, site: Site) -> bool {
        // SAFETY: our share makes us a consumer.
        self.promise().is_ok_and(|head| unsafe { cancel::cancel(head, reason, site) })
    }
}

impl<T, E> Drop for Handle<T, E> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.is_consumed() {
            return;
        }
        self.let_go();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::core::pending;
    use crate::error::Rejection;
    use std::task::Waker;

    /// What makes a rejection somebody's business, and what does not.
    #[test]
    fn looking_at_a_rejection_is_handling_it() {
        type Look = fn(&Handle<u64, Rejection>);
        let looks: [(Look, bool); 6] = [
            (|handle| handle.mark_handled(), true),
            (|handle| assert!(handle.peek().is_some_and(|outcome| outcome.is_err())), true),
            (|handle| assert!(handle.status() == Status::Rejected), false),
            (|handle| handle.set_name("name".into()), false),
            (|handle| drop(handle.watch(crate::core::NOWHERE, || ())), false),
            (|handle| drop(handle.canceller()), false),
        ];
        for (look, handles) in looks {
            let (handle, producer) = pending(Location::caller());
            assert!(producer.settle(Err("no".into())).is_ok());
            // SAFETY: alive by the handle.
            let head = unsafe { &*handle.promise().unwrap() };
            assert!(!head.is_handled());
            look(&handle);
            assert_eq!(head.is_handled(), handles);
            handle.mark_handled();
        }
    }

    #[test]
    fn giving_up_an_await_is_handling_it() {
        let (mut handle, producer) = pending::<u64, Rejection>(Location::caller());
        assert!(handle.poll(&mut Context::from_waker(Waker::noop())).is_pending());
        // SAFETY: alive by the producer.
        let head = unsafe { &*handle.promise().unwrap() };
        assert!(!head.is_handled());
        drop(handle);
        assert!(head.is_handled());
        drop(producer);
    }
}
