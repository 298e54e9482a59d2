//! Loops of promises that must not grow, by the resident memory of a process of their own.

use thenable::{EventLoop, Promise};

use crate::support::{resident, small_stack};

/// One node per round that stays behind would be a hundred times this.
const FLAT: usize = 2 * 1024;

#[test]
fn a_recursive_loop_is_flat() {
    fn step(left: u64) -> Promise<usize> {
        Promise::resolve(left).then(|left| if left == 0 { Promise::resolve(resident()) } else { step(left - 1) })
    }
    small_stack(|| {
        let steps = if cfg!(debug_assertions) { 1_000_000 } else { 10_000_000 };
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let before = event_loop.run(step(10_000)).unwrap();
        let after = event_loop.run(step(steps)).unwrap();
        assert!(after < before + FLAT, "{before} KiB after 10^4 steps, {after} KiB after {steps} more");
    });
}

#[test]
fn a_recursive_loop_of_async_handlers_is_flat() {
    fn step(left: u64) -> Promise<usize> {
        Promise::resolve(left)
            .then(async |left| {
                Promise::resolve(()).await?;
                Ok(left)
            })
            .then(|left| if left == 0 { Promise::resolve(resident()) } else { step(left - 1) })
    }
    small_stack(|| {
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        let before = event_loop.run(step(10_000)).unwrap();
        let after = event_loop.run(step(200_000)).unwrap();
        assert!(after < before + FLAT, "{before} KiB, then {after} KiB");
    });
}

#[test]
fn racing_against_a_promise_that_never_settles_is_flat() {
    small_stack(|| {
        let rounds = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
        let event_loop = EventLoop::new();
        let outcome = event_loop.run(async {
            let (never, _resolver) = Promise::<usize>::with_resolvers();
            let mut before = 0;
            for round in 0..rounds {
                if round == 10_000 {
                    before = resident();
                }
                // Settled already, and settled while the race is on.
                let (short, resolver) = Promise::with_resolvers();
                let race = Promise::race([never.clone(), short]);
                assert!(resolver.resolve(round).is_ok());
                assert_eq!(race.await?, round);
                assert_eq!(Promise::race([Promise::resolve(round), never.clone()]).await?, round);
            }
            let after = resident();
            assert!(after < before + FLAT, "{before} KiB after 10^4 rounds, {after} KiB after {rounds}");
            thenable::Ok(())
        });
        outcome.unwrap();
    });
}
