//! What the two ends of a promise do and say, without a loop that runs.

use super::*;
use crate::error::{CancelReason, Fault, Rejection};
use crate::{Promise, Resolver};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};

type Ends = (Handle<u64, Rejection>, Producer<u64, Rejection>);

fn ends() -> Ends {
    pending(Location::caller())
}

/// A loop that is current here until this is dropped.
struct Here {
    queue: Arc<JobQueue>,
    _entered: Entered,
}

impl Here {
    fn new(tracks: bool) -> Self {
        let queue = register(tracks, || ());
        Self { _entered: Entered::new(queue.clone()), queue }
    }

    fn run(&self) -> usize {
        std::iter::repeat_with(|| self.queue.run_next()).take_while(|ran| *ran).count()
    }

    fn pending(&self) -> Vec<Option<String>> {
        pending_on(self.queue.id()).into_iter().map(|(name, _)| name.map(|name| name.to_string())).collect()
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.queue.close();
        unregister(self.queue.id());
    }
}

/// Counts how often it wakes and how many of it there are.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_handle_says_what_its_promise_is() {
    for outcome in [Ok(1), Err(Rejection::from("no"))] {
        let (mut handle, producer) = ends();
        let status = if outcome.is_ok() { Status::Fulfilled } else { Status::Rejected };
        assert!(handle.status() == Status::Pending && handle.peek().is_none() && !handle.is_consumed());
        assert!(producer.is_wanted() && !producer.is_settled());
        assert!(producer.settle(outcome.clone()).is_ok());
        assert!(!producer.is_wanted() && producer.is_settled());
        assert_eq!(producer.settle(Ok(7)).map_err(|refused| refused.is_ok()), Err(true));
        assert_eq!((handle.status(), handle.is_consumed()), (status, false));
        let peeked = handle.peek().map(|outcome| outcome.map_err(ToString::to_string).copied());
        assert_eq!(peeked, Some(outcome.clone().map_err(|why| why.to_string())));
        drop(producer);
        let taken = handle.poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(taken, Poll::Ready(Some(taken)) if taken.is_ok() == outcome.is_ok()));
        // What it was when its outcome was moved out.
        assert_eq!((handle.status(), handle.is_consumed()), (status, true));
        assert!(handle.peek().is_none() && handle.name().is_none());
        assert!(matches!(handle.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(None)));
        assert!(!handle.cancel(&CancelReason::from("late"), Location::caller()));
    }
}

#[test]
fn nobody_wants_a_promise_without_consumers() {
    let (handle, producer) = ends();
    handle.mark_handled();
    drop(handle);
    assert!(!producer.is_wanted() && !producer.is_settled());
}

#[test]
fn a_name_stands_where_what_is_pending_is_listed() {
    for tracks in [false, true] {
        let here = Here::new(tracks);
        let listed = |names: &[Option<&str>]| {
            let names: Vec<_> = names.iter().map(|name| name.map(str::to_owned)).collect();
            assert_eq!(here.pending(), if tracks { names } else { Vec::new() });
        };
        let ((first, settles), (second, abandons)) = (ends(), ends());
        listed(&[None, None]);
        assert!(first.name().is_none());
        first.set_name("first".into());
        second.set_name("one".into());
        second.set_name("second".into());
        assert_eq!((first.name().as_deref(), second.name().as_deref()), (Some("first"), Some("second")));
        listed(&[Some("first"), Some("second")]);
        assert!(settles.settle(Ok(1)).is_ok());
        listed(&[Some("second")]);
        assert_eq!(first.name().as_deref(), Some("first"));
        second.mark_handled();
        drop(abandons);
        listed(&[]);
        // A chain, and what is cancelled.
        let (promise, _resolver) = Promise::<u64>::with_resolvers();
        let chained = promise.map(|n| n).named("chained");
        listed(&[None, Some("chained")]);
        chained.cancel("enough");
        listed(&[]);
    }
}

#[test]
fn a_watch_runs_once_the_promise_is_settled() {
    let here = Here::new(false);
    let ran = Arc::new(AtomicUsize::new(0));
    let count = || {
        let ran = ran.clone();
        move || {
            ran.fetch_add(1, Ordering::Relaxed);
        }
    };
    let place = here.queue.id();
    let (mut handle, producer) = ends();
    let [taken_back, queued, forgotten] = [(); 3].map(|()| handle.watch(place, count()).unwrap());
    assert_eq!(Arc::strong_count(&ran), 4);
    assert!(taken_back.remove());
    assert_eq!(Arc::strong_count(&ran), 3, "dropped");
    drop(forgotten);
    assert!(producer.settle(Ok(1)).is_ok());
    assert_eq!(ran.load(Ordering::Relaxed), 0);
    assert!(!queued.remove(), "it is queued");
    assert_eq!((here.run(), ran.load(Ordering::Relaxed)), (2, 2));
    let ready = handle.watch(place, count()).unwrap();
    assert_eq!((here.run(), ran.load(Ordering::Relaxed)), (1, 3));
    assert!(!ready.remove());
    drop(producer);
    assert!(handle.poll(&mut Context::from_waker(Waker::noop())).is_ready());
    assert!(handle.watch(place, count()).is_none(), "nothing to take back");
    assert_eq!((here.run(), ran.load(Ordering::Relaxed)), (1, 4));
    // Where the loop is gone the closure is dropped.
    let (handle, producer) = ends();
    let watch = handle.watch(place, count());
    drop(here);
    assert!(producer.settle(Ok(1)).is_ok());
    assert_eq!(Arc::strong_count(&ran), 1);
    drop(watch);
}

#[test]
fn the_newest_waker_is_woken() {
    let wakers: [Arc<Counting>; 3] = Default::default();
    let woken = || wakers.each_ref().map(|waker| waker.0.load(Ordering::Relaxed));
    let held = || wakers.each_ref().map(|waker| Arc::strong_count(waker) - 1);
    let (mut promise, resolver): (Promise<u64>, Resolver<u64>) = Promise::with_resolvers();
    let mut poll = |waker: &Waker| Pin::new(&mut promise).poll(&mut Context::from_waker(waker)).is_ready();
    let of = |n: usize| Waker::from(wakers[n].clone());
    let first = of(0);
    assert!(!poll(&first) && !poll(&first) && !poll(&first));
    assert_eq!(held(), [2, 0, 0], "one of ours, one in the promise");
    assert!(!poll(&of(1)));
    assert_eq!(held(), [1, 1, 0]);
    assert!(!poll(&of(2)));
    assert_eq!(held(), [1, 0, 1]);
    assert!(resolver.resolve(1).is_ok());
    assert_eq!((woken(), held()), ([0, 0, 1], [1, 0, 0]));
    assert!(poll(&first));
    // A handle that goes takes its waker along.
    let (mut promise, _resolver) = Promise::<u64>::with_resolvers();
    assert!(Pin::new(&mut promise).poll(&mut Context::from_waker(&first)).is_pending());
    assert_eq!(held()[0], 2);
    drop(promise);
    assert_eq!(held()[0], 1);
}

/// Polled again by the same task it keeps the waker that it has.
#[test]
fn a_waker_is_cloned_once() {
    static CLONES: AtomicUsize = AtomicUsize::new(0);
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            CLONES.fetch_add(1, Ordering::Relaxed);
            RawWaker::new(data, &TABLE)
        },
        |_| (),
        |_| (),
        |_| (),
    );
    let data = &raw const CLONES;
    // SAFETY: the functions do nothing with the data.
    let waker = unsafe { Waker::from_raw(RawWaker::new(data.cast(), &TABLE)) };
    let (mut handle, producer) = ends();
    for _ in 0..3 {
        assert!(handle.poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(CLONES.load(Ordering::Relaxed), 1);
    }
    assert!(handle.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(handle.poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(CLONES.load(Ordering::Relaxed), 2);
    assert!(producer.settle(Ok(1)).is_ok());
}

#[test]
fn a_promise_that_is_cancelled_elsewhere_leaves_its_source() {
    for loop_goes in [false, true] {
        let here = Here::new(false);
        let (source, resolver) = Promise::<u64>::with_resolvers();
        let captured = Arc::new(());
        let held = captured.clone();
        let derived = source.map(move |n| n + Arc::strong_count(&held) as u64);
        let derived = std::thread::spawn(move || {
            derived.cancel("enough");
            derived
        });
        let derived = derived.join().unwrap();
        assert!(derived.is_rejected() && resolver.is_wanted());
        if loop_goes {
            drop(here);
        } else {
            assert_eq!(here.run(), 1);
            assert!(!resolver.is_wanted());
            assert_eq!(Arc::strong_count(&captured), 1);
        }
        // Cancelled with its only consumer; not where nobody could ask it any more.
        assert_eq!(resolver.resolve(1).is_ok(), loop_goes);
        drop(derived);
        assert_eq!(Arc::strong_count(&captured), 1);
    }
}

#[test]
fn a_canceller_is_no_consumer() {
    for end in ["pending", "settled", "gone", "consumed"] {
        let (mut handle, producer) = ends();
        let canceller = handle.canceller();
        assert!(producer.is_wanted());
        if end != "pending" {
            assert!(producer.settle(Ok(1)).is_ok());
        }
        if end == "consumed" {
            drop(producer);
            assert!(handle.poll(&mut Context::from_waker(Waker::noop())).is_ready());
        }
        let handle = (end != "gone").then_some(handle);
        assert_eq!(canceller.cancel("enough".into()), end == "pending", "{end}");
        assert!(!canceller.cancel("more".into()));
        if let (Some(handle), "pending") = (handle, end) {
            let reason = handle.peek().and_then(Result::err).and_then(Rejection::fault).cloned();
            assert!(matches!(reason, Some(Fault::Cancelled { reason }) if reason == CancelReason::from("enough")));
        }
    }
}

#[test]
fn a_hook_runs_when_the_promise_is_cancelled() {
    let ran = Arc::new(AtomicUsize::new(0));
    let hook = || -> Box<dyn FnOnce(&CancelReason) + Send> {
        let ran = ran.clone();
        Box::new(move |reason| {
            assert!(*reason == CancelReason::from("enough"));
            ran.fetch_add(1, Ordering::Relaxed);
        })
    };
    let counts = || (ran.load(Ordering::Relaxed), Arc::strong_count(&ran) - 1);
    let enough = CancelReason::from("enough");
    let (handle, producer) = ends();
    producer.on_cancel(hook());
    producer.on_cancel(hook());
    assert_eq!(counts(), (0, 2));
    assert!(handle.cancel(&enough, Location::caller()));
    assert_eq!(counts(), (2, 0));
    // Cancelled before.
    producer.on_cancel(hook());
    assert_eq!(counts(), (3, 0));
    assert!(producer.cancel_reason() == Some(enough.clone()));
    // Settled before, and after.
    let (handle, producer) = ends();
    producer.on_cancel(hook());
    assert!(producer.settle(Ok(1)).is_ok());
    assert!(!handle.cancel(&enough, Location::caller()));
    producer.on_cancel(hook());
    assert_eq!(counts(), (3, 0));
    assert!(producer.cancel_reason().is_none());
    // Settled before there was a hook, or anything else that needs a hub.
    let (handle, producer) = ends();
    assert!(producer.settle(Ok(1)).is_ok());
    producer.on_cancel(hook());
    assert_eq!(counts(), (3, 0));
    drop(handle);
    // One that settles when it has wound up.
    let (handle, producer) = ends();
    producer.defer_cancel();
    producer.on_cancel(hook());
    assert!(handle.cancel(&enough, Location::caller()));
    assert_eq!((counts(), handle.status()), ((4, 0), Status::Pending));
    assert!(producer.settle(Ok(1)).is_ok());
    assert_eq!(handle.status(), Status::Fulfilled);
}

/// Which of the inputs are still waited for, while a combinator waits.
#[test]
fn a_combinator_lets_go_of_the_losers() {
    for winner in 0..3 {
        for current in [true, false] {
            let here = current.then(|| Here::new(false));
            let (inputs, resolvers): (Vec<_>, Vec<_>) = (0..3).map(|_| Promise::<usize>::with_resolvers()).unzip();
            let race = Promise::race(inputs);
            assert!(resolvers.iter().all(Resolver::is_wanted));
            assert!(resolvers[winner].resolve(winner).is_ok());
            match here {
                Some(here) => {
                    here.run();
                    assert!(matches!(race.peek(), Some(Ok(won)) if *won == winner));
                }
                None => assert_eq!(race.wait().ok(), Some(winner)),
            }
            // On the global loop they are let go right after the race is decided.
            for _ in 0..10_000 {
                if !current && resolvers.iter().any(Resolver::is_wanted) {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
            }
            assert!(!resolvers.iter().any(Resolver::is_wanted));
        }
    }
}

#[test]
fn a_link_too_large_for_a_page_ends_as_any_other() {
    let here = Here::new(false);
    let (promise, resolver) = Promise::<u64>::with_resolvers();
    let words = std::hint::black_box([1_u64; 40]);
    let (first, second) =
        (promise.clone().map(move |n| words[39] + n), promise.map(move |n| words.map(|word| word + n)));
    assert!(resolver.resolve(1).is_ok());
    here.run();
    assert!(matches!(first.peek(), Some(Ok(2))) && matches!(second.peek(), Some(Ok([2, ..]))));
    drop(second.map(|all| all.iter().sum::<u64>()));
    assert_eq!(here.run(), 1);
}

/// What a handler says at once stands in the slot for two more jobs: in the queue of the current loop, in one that comes by
/// the inbox, in one that closes, and in one whose promise is cancelled.
#[test]
fn an_outcome_is_held_for_two_jobs() {
    for outcome in [Ok(7), Err(Rejection::from("no"))] {
        let said = |outcome: &Result<u64, Rejection>| outcome.as_ref().map_err(ToString::to_string).copied();
        let begin = |place| {
            let outcome = outcome.clone();
            let source = settled::<u64, Rejection>(Ok(1), Location::caller());
            derive(source, place, Location::caller(), move |_, _| Step::InTwoTicks(outcome))
        };
        for entered in [true, false] {
            let queue = register(false, || ());
            let guard = entered.then(|| Entered::new(queue.clone()));
            let promise = begin(queue.id());
            for job in 0..3 {
                assert_eq!(promise.status(), Status::Pending, "before job {job}");
                assert!(queue.run_next());
            }
            assert_eq!(promise.peek().map(|peeked| peeked.map_err(ToString::to_string).copied()), Some(said(&outcome)));
            assert!(!queue.run_next());
            promise.mark_handled();
            queue.close();
            unregister(queue.id());
            drop(guard);
        }
        for jobs in [1, 2] {
            let here = Here::new(false);
            let promise = begin(here.queue.id());
            (0..jobs).for_each(|_| assert!(here.queue.run_next()));
            here.queue.close();
            let peeked = promise.peek().map(|peeked| peeked.map_err(ToString::to_string).copied());
            assert_eq!(peeked, Some(said(&outcome)), "closed after {jobs}");
            promise.mark_handled();
        }
        for jobs in [1, 2] {
            let here = Here::new(false);
            let promise = begin(here.queue.id());
            (0..jobs).for_each(|_| assert!(here.queue.run_next()));
            assert!(promise.cancel(&CancelReason::from("stop"), Location::caller()));
            assert_eq!(here.run(), 3 - jobs);
            assert!(promise.peek().is_some_and(|peeked| peeked.is_err_and(|why| why.to_string().contains("stop"))));
            promise.mark_handled();
        }
    }
}
