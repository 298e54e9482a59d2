//! A loop's job queue: one FIFO of reactions.
//!
//! The *local* jobs are touched by the owner thread alone ([`fifo`]). Other threads push on the *inbox*, a stack of reactions
//! that are linked through themselves, which the owner takes with one swap. It takes the inbox before it appends a local job,
//! so that what was pushed remotely before a local push (in the sense of happens-before) also runs before it.
//!
//! The inbox says too whether the loop sleeps: with no job in it, the loop sets it to `ARMED` before it goes to sleep, and whoever
//! replaces `ARMED`, by a job or to tell other news, wakes the loop. All of these are read-modify-writes of one word, and so
//! either the loop sees what came or its bringer sees the loop asleep: no wake-up is lost, and none is doubled.

mod entry;
mod fifo;

pub(super) use entry::Entry;
use fifo::Fifo;

use super::headstart;
use super::place::{self, PlaceId};
use super::reaction::{self, Reaction};
use super::trampoline::{self, Work};
use crate::error::Fault;
use crate::primitive::{AtomicPtr, Ordering, UnsafeCell, thread_local_value};
use std::cell::Cell;
use std::ptr;

/// What became of a push.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a loop may have to be woken, or the job is still the caller's"]
pub(crate) enum Push {
    Done,
    /// Done, and `wake` must follow: the queue is disarmed for it.
    Wake,
    /// Not pushed: the queue is closed.
    Closed,
}

/// See the module documentation.
pub(crate) struct JobQueue {
    id: PlaceId,
    used_number: bool,
    owner: u64,
    wake: Box<dyn Fn() + Send + Sync>,
    local: Apart<UnsafeCell<List>>,
    /// Null, `ARMED`, `CLOSED`, or the job that came last.
    inbox: Apart<AtomicPtr<Reaction>>,
}

/// On cache lines of its own: the owner writes `local` with each job, and the other threads `inbox`. Two lines, as processors
/// fetch them in pairs.
#[repr(align(128))]
struct Apart<T>(T);

struct List {
    jobs: Fifo,
    /// The last jobs came from the inbox, and the queue was not empty since.
    fed: bool,
}

// SAFETY: `local` is touched on the owner thread only, or by whoever drops the queue; everything else is atomic or immutable.
unsafe impl Send for JobQueue {}
// SAFETY: as above.
unsafe impl Sync for JobQueue {}

const CLOSED: *mut Reaction = ptr::without_provenance_mut(1);
const ARMED: *mut Reaction = ptr::without_provenance_mut(2);

/// An inbox that holds a job.
#[inline(always)]
fn is_job(inbox: *mut Reaction) -> bool {
    inbox.addr() > ARMED.addr()
}

impl JobQueue {
    pub(super) fn new(id: PlaceId, used_number: bool, wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            id,
            used_number,
            owner: thread_number(),
            wake,
            local: Apart(UnsafeCell::new(List { jobs: Fifo::new(), fed: false })),
            inbox: Apart(AtomicPtr::new(ptr::null_mut())),
        }
    }

    #[inline(always)]
    pub(crate) fn id(&self) -> PlaceId {
        self.id
    }

    /// Another loop had this number before.
    #[inline(always)]
    pub(crate) fn has_used_number(&self) -> bool {
        self.used_number
    }

    pub(super) fn assert_owner(&self) {
        assert_eq!(self.owner, thread_number(), "an event loop stays on its thread");
    }

    /// Appends a job where nothing else is to be done: the queue is open, its loop awake, and no job came from elsewhere.
    /// False: nothing happened, and [`push_local`](JobQueue::push_local) is the one to ask.
    ///
    /// # Safety
    /// On the owner thread; the caller owns the reaction and hands it over if this is true.
    #[inline(always)]
    pub(super) unsafe fn push_quickly(&self, entry: Entry) -> bool {
        // ORDERING: Relaxed, as in `push_local`.
        let quickly = self.inbox.0.load(Ordering::Relaxed).is_null();
        if quickly {
            // SAFETY: on the owner thread, and nothing in here runs foreign code; ours to hand over.
            self.local.0.with_mut(|list| unsafe { (*list).jobs.push(entry) });
        }
        quickly
    }

    /// Appends a job.
    ///
    /// # Safety
    /// On the owner thread; the caller owns the reaction and hands it over unless this says `Closed`.
    pub(super) unsafe fn push_local(&self, entry: Entry) -> Push {
        // ORDERING: Relaxed: `collect` takes the inbox with Acquire. What was pushed before this (in the sense of happens-before)
        // is seen; that it is armed or closed was this very thread's doing.
        let inbox = self.inbox.0.load(Ordering::Relaxed);
        if inbox == CLOSED {
            return Push::Closed;
        }
        if is_job(inbox) {
            self.collect();
        }
        // SAFETY: as in `push_quickly`.
        self.local.0.with_mut(|list| unsafe { (*list).jobs.push(entry) });
        if inbox == ARMED && self.disarm() { Push::Wake } else { Push::Done }
    }

    /// Pushes a job from any thread.
    ///
    /// # Safety
    /// The caller owns the reaction and hands it over unless this says `Closed`.
    pub(super) unsafe fn push_remote(&self, reaction: *mut Reaction) -> Push {
        // ORDERING: Acquire, here and where the exchange fails, pairs with `close`: who finds the queue closed discards the reaction,
        // and sees what its place did before without read-modify-writes (rule 10, and the gather).
        let closed = if cfg!(thenable_plant = "m22_closed_unseen") { Ordering::Relaxed } else { Ordering::Acquire };
        let mut top = self.inbox.0.load(closed);
        loop {
            if top == CLOSED && cfg!(not(thenable_plant = "m15_closed_takes_jobs")) {
                return Push::Closed;
            }
            // SAFETY: ours until the exchange succeeds.
            unsafe { (*reaction).set_next(if top == ARMED { ptr::null_mut() } else { top }) };
            // ORDERING: Release publishes the job and the link; pairs with Acquire in `collect`.
            match self.inbox.0.compare_exchange_weak(top, reaction, Ordering::Release, closed) {
                Ok(_) => return if top == ARMED { Push::Wake } else { Push::Done },
                Err(now) => top = now,
            }
        }
    }

    /// Wakes the loop if it sleeps: there is news that is no job. Calls the loop's hook: nothing may be held.
    pub(crate) fn notify(&self) {
        // ORDERING: Relaxed, a guess.
        let mut seen = self.inbox.0.load(Ordering::Relaxed);
        // Its own thread arms it: it is awake, or being woken, and looks for news before it sleeps.
        if seen != ARMED && place::is_current(self.id) {
            return;
        }
        while seen != CLOSED {
            #[cfg(thenable_plant = "m14_notified_by_a_look")]
            if seen != ARMED {
                return;
            }
            let awake = if seen == ARMED { ptr::null_mut() } else { seen };
            // ORDERING: Release, and a read-modify-write also where nothing changes: `arm` comes before it, and this finds the loop
            // armed, or after it, and acquires the news.
            match self.inbox.0.compare_exchange_weak(seen, awake, Ordering::Release, Ordering::Relaxed) {
                Ok(_) if seen == ARMED => return self.wake(),
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Whether the loop sleeps. On the owner thread.
    pub(crate) fn is_armed(&self) -> bool {
        // ORDERING: Relaxed, of this thread.
        self.inbox.0.load(Ordering::Relaxed) == ARMED
    }

    /// Wakes the loop, after `Push::Wake`. Calls the loop's hook: nothing may be held.
    pub(crate) fn wake(&self) {
        (self.wake)();
    }

    /// Says that the loop is about to sleep. On the owner thread. False: there is work after all, and it must not.
    pub(crate) fn arm(&self) -> bool {
        if !self.is_empty() {
            return false;
        }
        #[cfg(thenable_plant = "m14_looked_before_armed")]
        return self.inbox.0.swap(ARMED, Ordering::Acquire) != CLOSED;
        // ORDERING: Acquire, see `notify`; where it fails, no news can have come since it was armed, or there is a job.
        #[cfg(not(thenable_plant = "m14_looked_before_armed"))]
        match self.inbox.0.compare_exchange(ptr::null_mut(), ARMED, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => true,
            Err(now) => !is_job(now),
        }
    }

    /// Says that the loop is awake. On the owner thread. False: somebody else has said so, and wakes it.
    pub(crate) fn disarm(&self) -> bool {
        #[cfg(thenable_plant = "m14_disarmed_blindly")]
        self.inbox.0.store(ptr::null_mut(), Ordering::Relaxed);
        // ORDERING: Relaxed: the owner's own doing is taken back; a read-modify-write goes on with the release sequence of the
        // notifications before it.
        self.inbox.0.compare_exchange(ARMED, ptr::null_mut(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Whether no job waits. On the owner thread.
    pub(crate) fn is_empty(&self) -> bool {
        // ORDERING: Relaxed, see `push_local`.
        let inbox = self.inbox.0.load(Ordering::Relaxed);
        // SAFETY: on the owner thread.
        !is_job(inbox) && self.local.0.with(|list| unsafe { (*list).jobs.is_empty() })
    }

    /// Runs the next job, if there is one. On the owner thread. Panics of foreign code are caught inside.
    #[inline]
    pub(crate) fn run_next(&self) -> bool {
        let Some(entry) = self.pop() else { return false };
        // SAFETY: popped, so it is ours.
        unsafe { self.run(entry) };
        true
    }

    /// # Safety
    /// On the owner thread; the caller owns the reaction and hands it over.
    #[inline(always)]
    unsafe fn run(&self, entry: Entry) {
        // SAFETY: by contract.
        unsafe {
            if entry.is_held() {
                return self.run_held(entry);
            }
            let reaction = entry.written();
            ((*reaction).head.vtable.run)(reaction);
        }
    }

    /// # Safety
    /// On the owner thread; the caller owns what was held and hands it over.
    #[inline]
    unsafe fn run_held(&self, held: Entry) {
        let next = Entry::new(held.reaction());
        // SAFETY: by contract.
        unsafe {
            if !self.push_quickly(next) {
                reaction::schedule_further(next, self.id);
            }
        }
    }

    /// As [`run_next`](JobQueue::run_next), on a loop that is watched: says first where the handler that it is about to
    /// call was registered.
    #[cfg(not(loom))]
    pub(crate) fn run_next_watched(&self, about: impl FnOnce(Option<super::node::Site>)) -> bool {
        let Some(entry) = self.pop() else { return false };
        // SAFETY: popped, so it is ours.
        about(unsafe { super::derived::site_of_job(entry.reaction()) });
        // SAFETY: as above.
        unsafe { self.run(entry) };
        true
    }

    #[inline]
    fn pop(&self) -> Option<Entry> {
        // SAFETY: on the owner thread.
        if let Some(entry) = self.local.0.with_mut(|list| unsafe { (*list).jobs.pop() }) {
            return Some(entry);
        }
        self.pop_remote()
    }

    fn pop_remote(&self) -> Option<Entry> {
        // SAFETY: on the owner thread.
        let was_fed = self.local.0.with_mut(|list| unsafe {
            (*list).jobs.rewind();
            std::mem::take(&mut (*list).fed)
        });
        // ORDERING: Relaxed, a shortcut.
        if !is_job(self.inbox.0.load(Ordering::Relaxed)) {
            return None;
        }
        if was_fed {
            headstart::give();
        }
        self.collect();
        // SAFETY: on the owner thread.
        self.local.0.with_mut(|list| unsafe {
            (*list).fed = true;
            (*list).jobs.pop()
        })
    }

    /// Moves the inbox to the end of the local jobs, oldest first.
    fn collect(&self) {
        // ORDERING: Relaxed, a shortcut.
        if !is_job(self.inbox.0.load(Ordering::Relaxed)) {
            return;
        }
        // ORDERING: Acquire pairs with `push_remote`. Only this thread ever takes the jobs out, so there is one still.
        let mut top = self.inbox.0.swap(ptr::null_mut(), Ordering::Acquire);
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
        // SAFETY: on the owner thread.
        while !first.is_null() {
            // SAFETY: ours since the swap; on the owner thread.
            unsafe {
                let next = (*first).next();
                self.local.0.with_mut(|list| (*list).jobs.push(Entry::new(first)));
                first = next;
            }
        }
    }

    /// Closes the queue on its owner thread: what is in it and what comes later is discarded with `LoopClosed`.
    pub(crate) fn close(&self) {
        // A forgotten guard must not leave it current: on a closed loop's place nobody is alone any more.
        place::leave(self);
        self.collect();
        // ORDERING: AcqRel: takes what was pushed since; a push that fails sees what was done before.
        let mut top = self.inbox.0.swap(CLOSED, Ordering::AcqRel);
        let mut rest = Vec::new();
        // SAFETY: on the owner thread.
        while let Some(entry) = self.local.0.with_mut(|list| unsafe { (*list).jobs.pop() }) {
            // SAFETY: popped, so it is ours.
            rest.push(unsafe { entry.written() });
        }
        // Handles of a closed loop may stay long: its memory goes.
        // SAFETY: as above, and it is empty.
        self.local.0.with_mut(|list| unsafe { (*list).jobs = Fifo::new() });
        let oldest_late = rest.len();
        while is_job(top) {
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

#[cfg(all(test, not(loom)))]
mod tests;
