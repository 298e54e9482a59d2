//! A loop's job queue: one FIFO of reactions, linked through themselves.
//!
//! The *local* list is touched by the owner thread alone. Other threads push on the *inbox*, a stack that the owner takes
//! with one swap and reverses. The owner takes the inbox before it appends to the local list, so that what was pushed
//! remotely before a local push (in the sense of happens-before) also runs before it.
//!
//! `armed` is the handshake with a loop that goes to sleep: the loop sets it, then looks once more whether there is work;
//! a pusher adds work, then takes it back to false, and who took it from true to false wakes the loop. Both are
//! read-modify-writes of one word, so one of the two sees the other: no wake-up is lost, and none is doubled.

use super::place::{self, PlaceId};
use super::reaction::Reaction;
use super::trampoline::{self, Work};
use crate::error::Fault;
use crate::primitive::{AtomicBool, AtomicPtr, Ordering, UnsafeCell, thread_local_value};
use std::cell::Cell;
use std::ptr;

/// What became of a push.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a loop may have to be woken, or the job is still the caller's"]
pub(crate) enum Push {
    Done,
    /// Done, and `notify` must follow.
    Wake,
    /// Not pushed: the queue is closed.
    Closed,
}

/// See the module documentation.
pub(crate) struct JobQueue {
    id: PlaceId,
    used_number: bool,
    owner: u64,
    local: UnsafeCell<List>,
    inbox: AtomicPtr<Reaction>,
    armed: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

struct List {
    first: *mut Reaction,
    last: *mut Reaction,
    closed: bool,
}

// SAFETY: `local` is touched on the owner thread only, everything else is atomic or immutable.
unsafe impl Send for JobQueue {}
// SAFETY: as above.
unsafe impl Sync for JobQueue {}

const CLOSED: *mut Reaction = ptr::without_provenance_mut(1);

impl JobQueue {
    pub(super) fn new(id: PlaceId, used_number: bool, wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            id,
            used_number,
            owner: thread_number(),
            local: UnsafeCell::new(List { first: ptr::null_mut(), last: ptr::null_mut(), closed: false }),
            inbox: AtomicPtr::new(ptr::null_mut()),
            armed: AtomicBool::new(false),
            wake,
        }
    }

    #[inline(always)]
    pub(crate) fn id(&self) -> PlaceId {
        self.id
    }

    /// Another loop had this number before.
    #[inline(always)]
    pub(super) fn has_used_number(&self) -> bool {
        self.used_number
    }

    pub(super) fn assert_owner(&self) {
        assert_eq!(self.owner, thread_number(), "an event loop stays on its thread");
    }

    /// Appends a job.
    ///
    /// # Safety
    /// On the owner thread; the caller owns the reaction and hands it over unless this says `Closed`.
    #[inline]
    pub(super) unsafe fn push_local(&self, reaction: *mut Reaction) -> Push {
        // ORDERING: Relaxed: `collect` takes the inbox with Acquire. What was pushed before this (in the sense of happens-before)
        // is seen.
        if !self.inbox.load(Ordering::Relaxed).is_null() {
            self.collect();
        }
        // SAFETY: ours to hand over.
        unsafe { (*reaction).set_next(ptr::null_mut()) };
        // SAFETY: on the owner thread, and nothing in here runs foreign code.
        let closed = self.local.with_mut(|list| unsafe { (*list).append(reaction, reaction) });
        if closed {
            return Push::Closed;
        }
        // ORDERING: Relaxed: `armed` is set by this very thread; a remote change to false only means that somebody
        // else wakes the loop.
        if self.armed.load(Ordering::Relaxed) { Push::Wake } else { Push::Done }
    }

    /// Pushes a job from any thread.
    ///
    /// # Safety
    /// The caller owns the reaction and hands it over unless this says `Closed`.
    pub(super) unsafe fn push_remote(&self, reaction: *mut Reaction) -> Push {
        // ORDERING: Acquire, here and where the exchange fails, pairs with `close`: who finds the queue closed discards the reaction,
        // and sees what its place did before without read-modify-writes (rule 10, and the gather).
        let closed = if cfg!(thenable_plant = "m22_closed_unseen") { Ordering::Relaxed } else { Ordering::Acquire };
        let mut top = self.inbox.load(closed);
        loop {
            if top == CLOSED && cfg!(not(thenable_plant = "m15_closed_takes_jobs")) {
                return Push::Closed;
            }
            // SAFETY: ours until the exchange succeeds.
            unsafe { (*reaction).set_next(top) };
            // ORDERING: Release publishes the job and the link; pairs with Acquire in `collect`.
            match self.inbox.compare_exchange_weak(top, reaction, Ordering::Release, closed) {
                // On a stack that was not empty somebody else has woken the loop, which has not collected since.
                Ok(_) => return if top.is_null() { Push::Wake } else { Push::Done },
                Err(now) => top = now,
            }
        }
    }

    /// Wakes the loop if it sleeps. Calls the loop's hook: nothing may be held.
    pub(crate) fn notify(&self) {
        // ORDERING: Release: a read-modify-write against the one in `arm`. If it comes first, `arm` acquires the push that
        // happened before it; if it comes second, it reads true and wakes.
        if self.armed.swap(false, Ordering::Release) {
            (self.wake)();
        }
    }

    /// Says that the loop is about to sleep. False: there is work after all, and it must not.
    pub(crate) fn arm(&self) -> bool {
        #[cfg(thenable_plant = "m14_looked_before_armed")]
        if self.is_empty() {
            return !self.armed.swap(true, Ordering::Acquire);
        }
        // ORDERING: Acquire, see `notify`.
        self.armed.swap(true, Ordering::Acquire);
        if self.is_empty() {
            return true;
        }
        self.disarm();
        false
    }

    /// Says that the loop is awake.
    pub(crate) fn disarm(&self) {
        // ORDERING: Relaxed, but a read-modify-write: it goes on with the release sequence of a notification that found the loop
        // disarmed already, so that the next `arm` acquires the push before that. A plain store would hide it.
        #[cfg(not(thenable_plant = "m14_disarmed_blindly"))]
        self.armed.swap(false, Ordering::Relaxed);
        #[cfg(thenable_plant = "m14_disarmed_blindly")]
        self.armed.store(false, Ordering::Relaxed);
    }

    /// Whether no job waits. On the owner thread.
    pub(crate) fn is_empty(&self) -> bool {
        // ORDERING: Relaxed, see `push_local`; after `arm` the push of who did not wake the loop is seen.
        let inbox = self.inbox.load(Ordering::Relaxed);
        // SAFETY: on the owner thread.
        (inbox.is_null() || inbox == CLOSED) && self.local.with(|list| unsafe { (*list).first.is_null() })
    }

    /// Runs the next job, if there is one. On the owner thread. Panics of foreign code are caught inside.
    #[inline]
    pub(crate) fn run_next(&self) -> bool {
        let Some(reaction) = self.pop() else { return false };
        // SAFETY: popped, so it is ours.
        unsafe { ((*reaction).head.vtable.run)(reaction) };
        true
    }

    /// As [`run_next`](JobQueue::run_next), on a loop that is watched: says first where the handler that it is about to
    /// call was registered.
    #[cfg(not(loom))]
    pub(crate) fn run_next_watched(&self, about: impl FnOnce(Option<super::node::Site>)) -> bool {
        let Some(reaction) = self.pop() else { return false };
        // SAFETY: popped, so it is ours.
        about(unsafe { super::derived::site_of_job(reaction) });
        // SAFETY: as above.
        unsafe { ((*reaction).head.vtable.run)(reaction) };
        true
    }

    #[inline]
    fn pop(&self) -> Option<*mut Reaction> {
        // SAFETY: on the owner thread.
        if let Some(reaction) = self.local.with_mut(|list| unsafe { (*list).pop() }) {
            return Some(reaction);
        }
        self.collect();
        // SAFETY: on the owner thread.
        self.local.with_mut(|list| unsafe { (*list).pop() })
    }

    /// Moves the inbox to the end of the local list, oldest first.
    fn collect(&self) {
        // ORDERING: Relaxed, a shortcut.
        let seen = self.inbox.load(Ordering::Relaxed);
        if seen.is_null() || seen == CLOSED {
            return;
        }
        // ORDERING: Acquire pairs with `push_remote`. Only this thread ever sets CLOSED, so the swap cannot undo it.
        let mut top = self.inbox.swap(ptr::null_mut(), Ordering::Acquire);
        let last = top;
        let mut first = ptr::null_mut();
        while !top.is_null() {
            // SAFETY: the stack was ours to take.
            unsafe {
                let older = (*top).next();
                (*top).set_next(first);
                first = top;
                top = older;
            }
        }
        if !last.is_null() {
            // SAFETY: on the owner thread.
            self.local.with_mut(|list| unsafe { (*list).append(first, last) });
        }
    }

    /// Closes the queue on its owner thread: what is in it and what comes later is discarded with `LoopClosed`.
    pub(crate) fn close(&self) {
        // A forgotten guard must not leave it current: on a closed loop's place nobody is alone any more.
        place::leave(self);
        self.collect();
        // ORDERING: AcqRel: takes what was pushed since; a push that fails sees what was done before.
        let mut top = self.inbox.swap(CLOSED, Ordering::AcqRel);
        // SAFETY: on the owner thread.
        self.local.with_mut(|list| unsafe { (*list).closed = true });
        let mut rest = Vec::new();
        // SAFETY: on the owner thread.
        while let Some(reaction) = self.local.with_mut(|list| unsafe { (*list).pop() }) {
            rest.push(reaction);
        }
        let oldest_late = rest.len();
        while !top.is_null() && top != CLOSED {
            rest.push(top);
            // SAFETY: the stack was ours to take.
            top = unsafe { (*top).next() };
        }
        rest[oldest_late..].reverse();
        for reaction in rest {
            trampoline::run(Work::Discard(reaction, Fault::LoopClosed));
        }
    }
}

impl List {
    /// # Safety
    /// `first..=last` is a chain that the caller owns. True: the list is closed and nothing was appended.
    #[inline]
    unsafe fn append(&mut self, first: *mut Reaction, last: *mut Reaction) -> bool {
        if self.closed {
            return true;
        }
        if self.last.is_null() {
            self.first = first;
        } else {
            // SAFETY: listed, so ours.
            unsafe { (*self.last).set_next(first) };
        }
        self.last = last;
        false
    }

    #[inline]
    fn pop(&mut self) -> Option<*mut Reaction> {
        let first = self.first;
        if first.is_null() {
            return None;
        }
        // SAFETY: listed, so ours.
        self.first = unsafe { (*first).next() };
        if self.first.is_null() {
            self.last = ptr::null_mut();
        }
        Some(first)
    }
}

/// A number for this thread that no other thread ever has; 0 while the thread's locals are being destroyed.
fn thread_number() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    thread_local_value! {
        static NUMBER: Cell<u64> = Cell::new(0);
    }
    NUMBER
        .try_with(|number| {
            if number.get() == 0 {
                // ORDERING: Relaxed, only the numbers' difference matters.
                number.set(NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
            }
            number.get()
        })
        .unwrap_or(0)
}
