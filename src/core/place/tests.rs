//! Numbers, the registry, and which place is current.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn numbers_go_up_and_start_again() {
    let next = |before, used: &[PlaceId]| next_number(before, |id| used.contains(&id));
    let first = TRACKING + 1;
    assert_eq!(next(NOWHERE, &[]), (first, false));
    // Whether the one before lists what is pending or not.
    assert_eq!(next(first, &[]), (first + 2, false));
    assert_eq!(next(first | TRACKING, &[]), (first + 2, false));
    // One in use, of either kind, and two.
    assert_eq!(next(first, &[first + 2]), (first + 4, false));
    assert_eq!(next(first, &[(first + 2) | TRACKING]), (first + 4, false));
    assert_eq!(next(first, &[first + 2, (first + 4) | TRACKING]), (first + 6, false));
    // The last ones, and the first ones again.
    let last = PLACES - 2;
    assert_eq!(next(last - 2, &[]), (last, false));
    assert_eq!(next(last - 2, &[last]), (first, true));
    assert_eq!(next(last, &[]), (first, true));
    assert_eq!(next(last | TRACKING, &[]), (first, true));
    assert_eq!(next(last, &[first, first + 3]), (first + 4, true));
    assert!(!is_tracking(first) && is_tracking(first | TRACKING));
}

#[test]
fn a_queue_is_found_while_it_is_registered() {
    let woken = Arc::new(AtomicUsize::new(0));
    let queue = || {
        let woken = woken.clone();
        register(false, move || {
            woken.fetch_add(1, Ordering::Relaxed);
        })
    };
    let (first, second) = (queue(), queue());
    let found = |queue: &Arc<JobQueue>| find(queue.id()).is_some_and(|found| Arc::ptr_eq(&found, queue));
    assert!(first.id() != second.id() && find(NOWHERE).is_none());
    // Each again and again, for what was found last is remembered.
    assert!(found(&first) && found(&first) && found(&second) && found(&first) && found(&second));
    wake(second.id());
    assert_eq!(woken.load(Ordering::Relaxed), 1);
    unregister(second.id());
    assert!(find(second.id()).is_none() && found(&first));
    wake(second.id());
    assert_eq!(woken.load(Ordering::Relaxed), 1);
    // What was found last does not keep a queue alive.
    unregister(first.id());
    assert_eq!(Arc::strong_count(&first), 1);
    let third = queue();
    assert!(third.id() > second.id() && found(&third));
    unregister(third.id());
}

#[test]
fn the_newest_queue_that_was_entered_is_current() {
    let (first, second) = (register(false, || ()), register(true, || ()));
    let is = |queue: Option<&Arc<JobQueue>>| {
        assert_eq!(current(), queue.map(|queue| queue.id()));
        for one in [&first, &second] {
            let expected = queue.is_some_and(|queue| queue.id() == one.id());
            assert_eq!(with_current(one.id(), |queue| ptr::eq(queue, &**one)).is_some(), expected);
            assert_eq!(is_current(one.id()), expected && !one.has_used_number());
        }
    };
    is(None);
    let one = Entered::new(first.clone());
    is(Some(&first));
    let two = Entered::new(second.clone());
    let three = Entered::new(second.clone());
    is(Some(&second));
    // In any order.
    drop(two);
    is(Some(&second));
    let four = Entered::new(first.clone());
    is(Some(&first));
    leave(&first);
    is(Some(&second));
    leave(&second);
    is(None);
    drop((one, three, four));
    is(None);
    [first, second].iter().for_each(|queue| unregister(queue.id()));
}
