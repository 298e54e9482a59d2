//! Long rows of promises, and a thread's stack.

use std::cell::RefCell;
use std::thread;

use thenable::{CancelOutcome, EventLoop, Promise};

use super::isolated;

/// Less than anybody's default.
const STACK: usize = 64 * 1024;
const LINKS: usize = 20_000;

fn on_small_stack(work: fn()) {
    thread::Builder::new().stack_size(STACK).spawn(work).unwrap().join().unwrap();
}

/// Cancelling a race cancelled its member, which was a race too, and so on down to the last. Each level ran within the one
/// above it, until the stack was full.
#[test]
fn stack_overflow_when_nested_races_are_cancelled() {
    isolated("deep::stack_overflow_when_nested_races_are_cancelled", || {
        on_small_stack(|| {
            let event_loop = EventLoop::new();
            let _current = event_loop.enter();
            let (innermost, resolver) = Promise::<i32>::with_resolvers();
            let mut outermost = innermost;
            for _ in 0..LINKS {
                outermost = Promise::race([outermost]);
            }
            assert_eq!(outermost.cancel("enough"), CancelOutcome::Cancelled);
            event_loop.run_until_idle().unwrap();
            assert!(!resolver.is_wanted(), "the cancellation came down to the last");
        });
    });
}

/// A thread-local held a promise whose value held a promise, and so on. The list that keeps such a row from being dropped
/// level within level was a thread-local too, and by then it was gone.
#[test]
fn stack_overflow_when_a_thread_local_drops_nested_promises() {
    struct Nest(Option<Promise<Box<Nest>>>);
    thread_local! {
        static ROW: RefCell<Option<Promise<Box<Nest>>>> = const { RefCell::new(None) };
    }
    isolated("deep::stack_overflow_when_a_thread_local_drops_nested_promises", || {
        on_small_stack(|| {
            // Ours first: the thread's locals go in the reverse order of their first use.
            ROW.with_borrow(|row| assert!(row.is_none()));
            let last = || Promise::resolve(Box::new(Nest(None)));
            drop(Promise::resolve(Box::new(Nest(Some(last())))));
            let mut row = last();
            for _ in 0..LINKS {
                row = Promise::resolve(Box::new(Nest(Some(row))));
            }
            assert!(row.peek().is_some_and(|outcome| outcome.is_ok_and(|nest| nest.0.is_some())));
            ROW.set(Some(row));
        });
    });
}
