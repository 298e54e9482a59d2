//! One slab of reactions for a combinator: each member waits on one input and hands its outcome to a shared collector.
//!
//! Slab and collector are the companion of the combinator's promise. Each handle counts as one of the promise's resolvers, and
//! so do all members together that have not run or been taken off; with the last of them the slab goes.
//!
//! Members run, and are taken off their inputs, on the gather's place only. So a member's source needs no lock, and the
//! collector and the number of members that are left need no read-modify-write. Once the loop has closed, members are
//! discarded on any thread: then they do.

use super::cancel;
use super::companion::{self, Companion, Working};
use super::handle::Handle;
use super::huge;
use super::job;
use super::life::Life;
use super::node::{self, Head, Kind, Site, VTable};
use super::place::{self, PlaceId};
use super::reaction::{self, Batch, Reaction};
use super::root;
use super::slot;
use super::state::Word;
use super::takeable::Takeable;
use crate::error::{CancelReason, Fault, panic};
use crate::primitive::{AtomicUsize, Ordering};
use crate::promise::Promise;
use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::ControlFlow;
use std::ptr;
use std::sync::Arc;

/// What a combinator does with its members, each in a job of its own.
pub(crate) trait Collect<T, E>: Send + 'static {
    /// What the combinator's promise is fulfilled with.
    type Value: Send + 'static;
    /// What it is rejected with.
    type Reason: From<Fault> + Send + 'static;
    /// The order in which values come does not matter, and `finish` does not ask for the rest. Then a value that nobody
    /// else can see is handed over at once, without a job of its own; `member` must not call foreign code for that.
    const ANY_ORDER: bool = false;

    /// Member `index` settled. `Break` ends: `finish` is called next, and the members that have not run are released.
    fn member(&mut self, index: usize, outcome: Result<T, E>) -> ControlFlow<()>;

    /// Called once, after `Break` or the gather's end. `rest` yields the members that have not run, in input order, as
    /// promises to keep.
    fn finish(self, rest: &mut dyn Iterator<Item = (usize, Promise<T, E>)>) -> Result<Self::Value, Self::Reason>;
}

#[repr(C)]
struct Member<T, E, C> {
    reaction: Reaction,
    /// Its consumer share went elsewhere while it stood in the queue; the producer's, if it was given that, did not.
    taken: Cell<bool>,
    /// The number of its input.
    index: u32,
    /// The combinator's promise; null until it is linked.
    result: *mut Head,
    types: PhantomData<(T, E, C)>,
}

struct Gather<T, E, C: Collect<T, E>> {
    place: PlaceId,
    /// The members that have not run, been taken off or been discarded. Together they have one part of the producer share.
    left: AtomicUsize,
    /// Taken out while a member uses it, and once the end has begun.
    collect: Takeable<C>,
    members: Slab<T, E, C>,
}

impl<T, E, C: Collect<T, E>> Gather<T, E, C> {
    /// On the gather's place, which is open: nobody else touches what is the place's alone.
    #[inline]
    fn is_alone(&self) -> bool {
        place::is_current(self.place)
    }

    /// The collector, if nobody has it.
    #[inline]
    fn take_collect(&self) -> Option<C> {
        if self.is_alone() { self.collect.take_alone() } else { self.collect.take() }
    }
}

/// The members: made as a boxed slice, and from then on reached through this pointer, by whoever owns one of them.
struct Slab<T, E, C: Collect<T, E>> {
    first: *mut Member<T, E, C>,
    len: usize,
    life: Life,
}

impl<T, E, C: Collect<T, E>> Slab<T, E, C> {
    fn new(members: Box<[Member<T, E, C>]>) -> Self {
        let len = members.len();
        Self { first: Box::into_raw(members).cast(), len, life: Life::new() }
    }

    fn get(&self, at: usize) -> *mut Member<T, E, C> {
        assert!(at < self.len);
        // SAFETY: within the slab.
        unsafe { self.first.add(at) }
    }
}

impl<T, E, C: Collect<T, E>> Drop for Slab<T, E, C> {
    fn drop(&mut self) {
        self.life.end();
        // SAFETY: made from a box of this length; with the last reference to the gather no member is on its way.
        drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(self.first, self.len)) });
    }
}

// SAFETY: members are touched on one place, or when they are discarded by whoever discards them; the collector and the
// outcomes that move are `Send`.
unsafe impl<T: Send, E: Send, C: Collect<T, E>> Send for Gather<T, E, C> {}
// SAFETY: as above.
unsafe impl<T: Send, E: Send, C: Collect<T, E>> Sync for Gather<T, E, C> {}

struct Table<T, E, C>(PhantomData<(T, E, C)>);

impl<T, E, C> Table<T, E, C>
where
    T: Send + 'static,
    E: Send + 'static,
    C: Collect<T, E>,
{
    const TABLE: VTable = VTable::reaction(Kind::Job, run::<T, E, C>, discard::<T, E, C>);
}

/// One reference to a gather: it is a resolver of its promise.
type Shared<T, E, C> = Working<<C as Collect<T, E>>::Value, <C as Collect<T, E>>::Reason, Gather<T, E, C>>;

impl<T: Send + 'static, E: Send + 'static, C: Collect<T, E>> Companion<C::Value, C::Reason> for Gather<T, E, C> {
    fn cancelled(this: &Shared<T, E, C>, reason: &CancelReason) {
        // In a job, for a member may be a combinator too, and so on.
        let (shared, reason) = (this.clone(), reason.clone());
        job::post(shared.companion().place, move || abandon(&shared, &reason));
    }
}

/// Ends a gather from outside.
#[derive(Clone)]
pub(crate) struct GatherHandle {
    gather: Arc<dyn Endable>,
}

trait Endable: Send + Sync {
    fn end(&self);
    fn fail(&self, fault: Fault);
}

impl<T: Send + 'static, E: Send + 'static, C: Collect<T, E>> Endable for Shared<T, E, C> {
    fn end(&self) {
        let ending = Ending(Some(self.clone()), Fault::LoopClosed);
        job::post(self.companion().place, move || ending.end());
    }

    fn fail(&self, fault: Fault) {
        let ending = Ending(Some(self.clone()), fault);
        if self.companion().is_alone() {
            return drop(ending);
        }
        // There, or here when its loop has closed.
        job::post(self.companion().place, move || drop(ending));
    }
}

/// Fails on its place, or after that has closed.
fn fail<T: Send + 'static, E: Send + 'static, C: Collect<T, E>>(shared: &Shared<T, E, C>, fault: Fault) {
    let collect = shared.companion().take_collect();
    shared.fault(fault);
    panic::drop_quietly(collect);
}

/// An end on its way; thrown away, it is the gather's failure with this fault.
struct Ending<T: Send + 'static, E: Send + 'static, C: Collect<T, E>>(Option<Shared<T, E, C>>, Fault);

impl<T: Send + 'static, E: Send + 'static, C: Collect<T, E>> Ending<T, E, C> {
    fn end(mut self) {
        if let Some(shared) = self.0.take() {
            end(&shared);
        }
    }
}

impl<T: Send + 'static, E: Send + 'static, C: Collect<T, E>> Drop for Ending<T, E, C> {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            fail(&shared, self.1.clone());
        }
    }
}

impl GatherHandle {
    /// Has the collector finish with what it has, in a job of its own, unless it is over by then.
    pub(crate) fn end(&self) {
        self.gather.end();
    }

    /// Rejects the gather's promise, unless it is over.
    pub(crate) fn fail(&self, fault: Fault) {
        self.gather.fail(fault);
    }
}

/// The promise of what `collect` makes of the members.
pub(crate) fn gather<T, E, C>(members: Vec<Promise<T, E>>, collect: C, site: Site) -> Promise<C::Value, C::Reason>
where
    T: Send + 'static,
    E: Send + 'static,
    C: Collect<T, E>,
{
    begin(members, collect, site).0
}

/// As [`gather`], with a handle to end it; none if a member's outcome was taken before.
pub(crate) fn gather_with_handle<T, E, C>(
    members: Vec<Promise<T, E>>,
    collect: C,
    site: Site,
) -> (Promise<C::Value, C::Reason>, Option<GatherHandle>)
where
    T: Send + 'static,
    E: Send + 'static,
    C: Collect<T, E>,
{
    let (promise, shared) = begin(members, collect, site);
    (promise, shared.map(|shared| GatherHandle { gather: Arc::new(shared) }))
}

type Begun<T, E, C> = (Promise<<C as Collect<T, E>>::Value, <C as Collect<T, E>>::Reason>, Option<Shared<T, E, C>>);

fn begin<T, E, C>(members: Vec<Promise<T, E>>, collect: C, site: Site) -> Begun<T, E, C>
where
    T: Send + 'static,
    E: Send + 'static,
    C: Collect<T, E>,
{
    if members.iter().any(Promise::is_consumed) {
        return (Promise::from_handle(root::faulted(Fault::AlreadyTaken, site)), None);
    }
    if members.len() >= companion::MAX_PARTS as usize {
        let what = format!("a combinator takes at most {} inputs: combine them in groups", companion::MAX_PARTS - 1);
        return (Promise::from_handle(root::faulted(Fault::InvalidConfig { what: what.into() }, site)), None);
    }
    let place = place::current_or_global();
    let mut collect = collect;
    let (mut over, inputs) = (false, members.len());
    let mut slab = Vec::new();
    let sources = members.into_iter().filter_map(|member| member.into_handle().into_share().ok());
    for (source, index) in sources.zip(0_u32..) {
        if C::ANY_ORDER {
            // SAFETY: the member's share.
            if let Some(value) = unsafe { slot::take_unseen::<T>(source) } {
                over |= collect.member(index as usize, Ok(value)).is_break();
                continue;
            }
        }
        if slab.is_empty() {
            slab = huge::large_vec(inputs);
        }
        let head = Head::new(&Table::<T, E, C>::TABLE, Word::PENDING, 0, Reaction::aux(place));
        let reaction = Reaction::new(head);
        // SAFETY: new, so ours.
        unsafe { reaction.set_source(source) };
        slab.push(Member { reaction, taken: Cell::new(false), index, result: ptr::null_mut(), types: PhantomData });
    }
    let parts = if slab.is_empty() { 1 } else { 2 };
    let gather = Gather {
        place,
        left: AtomicUsize::new(slab.len()),
        collect: Takeable::new(collect),
        members: Slab::new(slab.into_boxed_slice()),
    };
    // SAFETY: the members have one part, if there are any, which the last one that leaves gives back.
    let (promise, shared): (_, Shared<T, E, C>) = unsafe { companion::pending_in_parts(site, gather, parts) };
    if over {
        debug_assert!(shared.companion().members.len == 0, "over before all inputs were there");
        // In a job, where the last of the members' jobs would stand.
        shared.end();
    } else if place::current() == Some(place) {
        // SAFETY: new, and on its place.
        unsafe { link_all(&shared) };
    } else {
        // On its place nobody runs a member while the others are being linked.
        let linking = Linking(Some(shared.clone()));
        job::post(place, move || linking.link());
    }
    (Promise::from_handle(promise), Some(shared))
}

/// Members on their way to be linked; thrown away with their loop, they are released.
struct Linking<T: Send + 'static, E: Send + 'static, C: Collect<T, E>>(Option<Shared<T, E, C>>);

impl<T: Send + 'static, E: Send + 'static, C: Collect<T, E>> Linking<T, E, C> {
    fn link(mut self) {
        if let Some(shared) = self.0.take() {
            // SAFETY: on its place, and called once.
            unsafe { link_all(&shared) };
        }
    }
}

impl<T: Send + 'static, E: Send + 'static, C: Collect<T, E>> Drop for Linking<T, E, C> {
    fn drop(&mut self) {
        let Some(shared) = self.0.take() else { return };
        let collect = shared.companion().take_collect();
        shared.fault(Fault::LoopClosed);
        for index in 0..shared.companion().members.len {
            let member = shared.companion().members.get(index).cast::<Reaction>();
            // SAFETY: never linked, so ours.
            unsafe {
                let source = (*member).source();
                (*member).set_source(ptr::null_mut());
                cancel::leave(source, false, None);
                drop(Leaving::<T, E, C>(Shared::<T, E, C>::alias(shared.as_head())));
            }
        }
        panic::drop_quietly(collect);
    }
}

/// # Safety
/// On the gather's place; called once.
unsafe fn link_all<T: Send + 'static, E: Send + 'static, C: Collect<T, E>>(shared: &Shared<T, E, C>) {
    let members = &shared.companion().members;
    for index in 0..members.len {
        // SAFETY: not linked yet, so ours.
        unsafe { (*members.get(index)).result = shared.as_head() };
    }
    // All of them are linked before any is enqueued: enqueueing may wake a loop, and that may run members.
    let mut ready = Batch::default();
    for index in 0..members.len {
        // SAFETY: as above.
        unsafe {
            let member = members.get(index).cast::<Reaction>();
            if !reaction::link((*member).source(), member) {
                ready.add(member);
            }
        }
    }
    ready.flush();
}

/// A member that runs, is taken off or discarded: it leaves when this is dropped. Of the members' part, which lasts as long as
/// one of them is left.
struct Leaving<T: Send + 'static, E: Send + 'static, C: Collect<T, E>>(ManuallyDrop<Shared<T, E, C>>);

impl<T: Send + 'static, E: Send + 'static, C: Collect<T, E>> Leaving<T, E, C> {
    /// # Safety
    /// Called once per member, which has been linked.
    unsafe fn new(member: *mut Member<T, E, C>) -> Self {
        // SAFETY: alive by the members' part.
        Self(unsafe { Shared::<T, E, C>::alias((*member).result) })
    }
}

impl<T: Send + 'static, E: Send + 'static, C: Collect<T, E>> Drop for Leaving<T, E, C> {
    #[inline]
    fn drop(&mut self) {
        let gather = self.0.companion();
        gather.members.life.look();
        let before = if gather.is_alone() {
            // ORDERING of both: Relaxed. Until the loop closes this thread alone counts, and those who discard members later
            // have found the queue closed.
            let before = gather.left.load(Ordering::Relaxed);
            gather.left.store(before - 1, Ordering::Relaxed);
            before
        } else {
            // ORDERING: AcqRel, as in `Arc`: what each of those who discard did with the slab happens before its end.
            gather.left.fetch_sub(1, Ordering::AcqRel)
        };
        if before == 1 {
            // SAFETY: the members' part, which was not given back before.
            unsafe { ManuallyDrop::drop(&mut self.0) };
        }
    }
}

/// The slab, the member's number, its input, and whether the producer's share of that came along.
type OffTheQueue<T, E, C> = (Leaving<T, E, C>, usize, *mut Head, bool);

/// A member that runs or is discarded. None: the input went elsewhere.
///
/// # Safety
/// Called once per member, by whoever runs or discards it.
unsafe fn off_the_queue<T: Send + 'static, E: Send + 'static, C: Collect<T, E>>(
    reaction: *mut Reaction,
) -> Option<OffTheQueue<T, E, C>> {
    // SAFETY: the member is the caller's until it leaves the slab.
    unsafe {
        let member = reaction.cast::<Member<T, E, C>>();
        let source = (*reaction).source();
        let with_producer = (*reaction).owns_producer();
        let taken = (*member).taken.get();
        (*reaction).set_source(ptr::null_mut());
        let (leaving, index) = (Leaving::new(member), (*member).index as usize);
        if taken {
            if with_producer {
                // This share is what kept the input alive.
                node::release_producer(source);
            }
            return None;
        }
        Some((leaving, index, source, with_producer))
    }
}

unsafe fn run<T: Send + 'static, E: Send + 'static, C: Collect<T, E>>(reaction: *mut Reaction) {
    // SAFETY: the runner owns the member until it leaves the slab.
    let off = unsafe { off_the_queue::<T, E, C>(reaction) };
    let Some((leaving, index, source, with_producer)) = off else { return };
    let shared = &*leaving.0;
    let Some(mut collect) = shared.companion().take_collect() else {
        // SAFETY: the member's share, and the producer's if it came with it.
        return unsafe { cancel::leave(source, with_producer, None) };
    };
    let flow = panic::catch(None, || {
        // SAFETY: as above; the input is settled.
        let outcome = unsafe { slot::take::<T, E>(source, with_producer) };
        collect.member(index, outcome)
    });
    match flow {
        Ok(ControlFlow::Continue(())) => shared.companion().collect.put_back(collect),
        Ok(ControlFlow::Break(())) => finish(shared, 1, collect),
        Err(fault) => {
            release_rest(shared, 1, None);
            shared.fault(fault);
            panic::drop_quietly(collect);
        }
    }
}

unsafe fn discard<T: Send + 'static, E: Send + 'static, C: Collect<T, E>>(reaction: *mut Reaction, fault: Fault) {
    // SAFETY: a discarded member belongs to whoever discards it.
    let off = unsafe { off_the_queue::<T, E, C>(reaction) };
    let Some((leaving, _, source, with_producer)) = off else { return };
    // SAFETY: the member's share, and the producer's if it came with it.
    unsafe { cancel::leave(source, with_producer, None) };
    let collect = leaving.0.companion().take_collect();
    panic::drop_quietly(collect);
    // The loop is gone: the other members are discarded as their inputs settle.
    leaving.0.fault(fault);
}

/// On the gather's place.
fn end<T: Send + 'static, E: Send + 'static, C: Collect<T, E>>(shared: &Shared<T, E, C>) {
    let collect = shared.companion().take_collect();
    if let Some(collect) = collect {
        finish(shared, 0, collect);
    }
}

/// On the gather's place: its promise was cancelled.
fn abandon<T: Send + 'static, E: Send + 'static, C: Collect<T, E>>(shared: &Shared<T, E, C>, reason: &CancelReason) {
    let collect = shared.companion().take_collect();
    release_rest(shared, 0, Some(reason));
    panic::drop_quietly(collect);
}

fn finish<T: Send + 'static, E: Send + 'static, C: Collect<T, E>>(
    shared: &Shared<T, E, C>,
    running: usize,
    collect: C,
) {
    let result = panic::catch(None, || collect.finish(&mut Rest { gather: shared.companion(), next: 0 }));
    release_rest(shared, running, None);
    match result {
        Ok(outcome) => panic::drop_quietly(shared.settle(outcome)),
        Err(fault) => {
            shared.fault(fault);
        }
    }
}

/// The members that have not run, taken off their inputs one by one.
struct Rest<'a, T, E, C: Collect<T, E>> {
    gather: &'a Gather<T, E, C>,
    next: usize,
}

impl<T: Send + 'static, E: Send + 'static, C: Collect<T, E>> Iterator for Rest<'_, T, E, C> {
    type Item = (usize, Promise<T, E>);

    fn next(&mut self) -> Option<Self::Item> {
        while self.next < self.gather.members.len {
            let member = self.gather.members.get(self.next);
            self.next += 1;
            // SAFETY: on the gather's place.
            if let Some(source) = unsafe { take_source::<T, E, C>(member) } {
                // SAFETY: the member's consumer share; the slab is alive by the caller's reference.
                let (handle, index) = unsafe { (Handle::from_share(source), (*member).index) };
                return Some((index as usize, Promise::from_handle(handle)));
            }
        }
        None
    }
}

/// Takes the input of a member that has not run: its consumer share.
///
/// # Safety
/// On the gather's place; the caller holds a reference.
unsafe fn take_source<T: Send + 'static, E: Send + 'static, C: Collect<T, E>>(
    member: *mut Member<T, E, C>,
) -> Option<*mut Head> {
    // SAFETY: on its place nobody else touches the member's source.
    unsafe {
        let source = (*member).reaction.source();
        if source.is_null() || (*member).taken.get() {
            return None;
        }
        if reaction::unlink(source, member.cast()) {
            // It will not run: it leaves now.
            (*member).reaction.set_source(ptr::null_mut());
            drop(Leaving::<T, E, C>::new(member));
        } else {
            // It is on its way into the queue, perhaps with the producer's share: it leaves when it runs.
            (*member).taken.set(cfg!(not(thenable_plant = "m18_source_taken_twice")));
        }
        Some(source)
    }
}

/// Unsubscribes every member that has not run; with a reason, inputs that nobody else wants are cancelled.
///
/// `running`: so many members are running, and have not left yet.
fn release_rest<T, E, C>(shared: &Shared<T, E, C>, running: usize, reason: Option<&CancelReason>)
where
    T: Send + 'static,
    E: Send + 'static,
    C: Collect<T, E>,
{
    // ORDERING: Relaxed, on the gather's place, which alone counts.
    if shared.companion().left.load(Ordering::Relaxed) == running {
        return;
    }
    for at in 0..shared.companion().members.len {
        // SAFETY: on the gather's place.
        if let Some(source) = unsafe { take_source::<T, E, C>(shared.companion().members.get(at)) } {
            // SAFETY: the member's share.
            unsafe { cancel::leave(source, false, reason) };
        }
    }
}
