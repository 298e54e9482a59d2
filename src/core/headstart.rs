//! A head start for the threads that feed this one.
//!
//! Who has caught up with another thread and goes on with it neck and neck takes the same cache lines from it again and again,
//! and goes to sleep only to be woken at once, which costs both more than a pause does: after it there is enough to do for a while.

use crate::primitive::thread_local_value;
use std::cell::Cell;
use std::hint::spin_loop;
use std::time::{Duration, Instant};

/// About half a microsecond to a whole one. None where a model checker decides who is ahead.
const SPINS: u32 = if cfg!(any(loom, shuttle, miri)) { 0 } else { 32 };
/// What a thread gets that resolves what is awaited here: about as long as this one would take to go to sleep and be woken.
const AHEAD_OF_AWAITS: Duration = Duration::from_micros(6);
/// After a wait in vain the next so many are left out.
const LEFT_OUT: u32 = 1024;

thread_local_value! {
    /// How many waits are left out from now on.
    static LEFT: Cell<u32> = Cell::new(0);
}

/// A pause, for a thread that has caught up.
pub(super) fn give() {
    for _ in 0..SPINS {
        spin_loop();
    }
}

/// For a thread that has found a promise settled, without having waited for it, whose resolver is still there. If that goes in the
/// next moment, it is on another thread, and this one has caught up with it.
#[inline(always)]
pub(super) fn give_to_resolver(is_there: impl Fn() -> bool) {
    if SPINS > 0 {
        let _ = LEFT.try_with(|left| match left.get() {
            0 => left.set(give_to_other(is_there)),
            more => left.set(more - 1),
        });
    }
}

/// How many waits are left out then.
#[cold]
#[inline(never)]
fn give_to_other(is_there: impl Fn() -> bool) -> u32 {
    for _ in 0..SPINS {
        spin_loop();
        if !is_there() {
            let start = Instant::now();
            while start.elapsed() < AHEAD_OF_AWAITS {
                give();
            }
            return 0;
        }
    }
    // It may be on this very thread.
    LEFT_OUT
}

#[cfg(all(test, not(any(loom, shuttle, miri))))]
mod tests {
    use super::*;
    use crate::core::pending;
    use crate::error::Rejection;
    use std::panic::Location;
    use std::task::{Context, Waker};

    /// How often it is looked whether a resolver, which goes after so many looks, is there.
    fn looks(goes_after: u32) -> u32 {
        let looks = Cell::new(0);
        let is_there = || {
            looks.set(looks.get() + 1);
            looks.get() <= goes_after
        };
        if is_there() {
            give_to_resolver(is_there);
        }
        looks.get()
    }

    #[test]
    fn a_resolver_that_stays_is_seldom_waited_for() {
        assert_eq!(looks(0), 1);
        for _ in 0..3 {
            // One that goes at once is always waited for.
            assert_eq!((looks(1), looks(7)), (2, 8));
        }
        for _ in 0..2 {
            assert_eq!(looks(u32::MAX), SPINS + 1);
            assert!((0..LEFT_OUT).all(|_| looks(u32::MAX) == 1));
        }
        assert_eq!(looks(7), 8);
    }

    #[test]
    fn an_await_that_has_not_waited_waits_for_the_resolver_only() {
        let awaits = || {
            let mut context = Context::from_waker(Waker::noop());
            let pending = || pending::<u64, Rejection>(Location::caller());
            let (mut handle, producer) = pending();
            assert!(handle.poll(&mut context).is_pending());
            assert!(producer.settle(Ok(1)).is_ok());
            assert!(handle.poll(&mut context).is_ready());
            assert_eq!(LEFT.get(), 0, "it was woken before the resolver could go");
            let (mut handle, producer) = pending();
            let other = handle.clone_with(u64::clone, Rejection::clone);
            assert!(producer.settle(Ok(1)).is_ok());
            assert!(handle.poll(&mut context).is_ready());
            assert_eq!(LEFT.get(), 0, "there was another consumer");
            drop(other);
            let (mut handle, producer) = pending();
            assert!(producer.settle(Ok(1)).is_ok());
            assert!(handle.poll(&mut context).is_ready());
            assert_eq!(LEFT.get(), LEFT_OUT);
            drop(producer);
        };
        assert!(std::thread::spawn(awaits).join().is_ok());
    }

    #[test]
    fn a_resolver_that_goes_gets_ahead() {
        let start = Instant::now();
        assert_eq!(looks(1), 2);
        assert!(start.elapsed() >= AHEAD_OF_AWAITS);
    }
}
