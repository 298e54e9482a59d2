//! Members that are not needed any more: silent, let go, and not kept in memory.

use std::sync::{Mutex, Once};
use std::time::Duration;

use thenable::{EventLoop, Promise, Resolver};

use super::ok;
use crate::common::{no, quiet};
#[cfg(target_os = "linux")]
use crate::support::resident;
use crate::support::{assert_passed, is_child, on_loop, run_child, watchdog};

/// Runs a test of this module in a process of its own, where the hook and the memory are its alone.
fn alone(test: &str, work: impl FnOnce()) {
    let test = format!("combinators::losers::{test}");
    if is_child(&test) {
        watchdog(Duration::from_secs(120), work);
    } else {
        assert_passed(&run_child(&test, &[]));
    }
}

/// The texts of what was reported so far in this process.
fn reports() -> Vec<String> {
    static REPORTS: Mutex<Vec<String>> = Mutex::new(Vec::new());
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        thenable::on_unhandled_rejection(|unhandled| {
            let text = unhandled.reason().map_or_else(|| unhandled.to_string(), ToString::to_string);
            REPORTS.lock().unwrap().push(text);
        });
    });
    std::mem::take(&mut REPORTS.lock().unwrap())
}

/// Drops what a combinator returns, then rejects a member that was still pending.
fn with_a_late_loser<T, E>(event_loop: &EventLoop, combine: impl FnOnce(Promise<i32>) -> Promise<T, E>) {
    let (late, resolver): (_, Resolver<i32>) = Promise::with_resolvers();
    let combined = combine(late);
    event_loop.run_until_idle().unwrap();
    quiet(combined);
    let _ = resolver.reject("late loser".into());
    drop(resolver);
    event_loop.run_until_idle().unwrap();
}

#[test]
fn losing_rejections_are_silent() {
    alone("losing_rejections_are_silent", || {
        assert_eq!(reports(), [""; 0]);
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        quiet(Promise::all([no("a"), no("b"), no("c")]));
        quiet(Promise::race([no("a"), no("b")]));
        drop(Promise::race([ok(1), no("b")]));
        drop(Promise::any([ok(1), no("b")]));
        drop(Promise::any([no("a"), ok(2), no("c")]));
        quiet(Promise::any([no("a"), no("b")]));
        drop(Promise::some(1, [ok(1), no("b"), no("c")]));
        drop(Promise::some(0, [no("a")]));
        quiet(Promise::some(3, [no("a")]));
        drop(Promise::all_settled([no("a"), no("b")]));
        quiet(Promise::join((no("a"), no("b"))));
        quiet(Promise::all_keyed(std::collections::BTreeMap::from([(1, no("a")), (2, no("b"))])));
        event_loop.run_until_idle().unwrap();
        assert_eq!(reports(), [""; 0], "settled members");
        with_a_late_loser(&event_loop, |late| Promise::all([late, no("first")]));
        with_a_late_loser(&event_loop, |late| Promise::race([late, ok(1)]));
        with_a_late_loser(&event_loop, |late| Promise::any([late, ok(1)]));
        with_a_late_loser(&event_loop, |late| Promise::some(1, [late, ok(1)]));
        with_a_late_loser(&event_loop, |late| Promise::join((late, no("first"))));
        assert_eq!(reports(), [""; 0], "members that lost and rejected later");
    });
}

#[test]
fn a_combinators_own_rejection_is_not_silent() {
    alone("a_combinators_own_rejection_is_not_silent", || {
        assert_eq!(reports(), [""; 0]);
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();
        drop(Promise::all([no("a"), no("b")]));
        event_loop.run_until_idle().unwrap();
        assert_eq!(reports(), ["a"], "once, with the reason that won");
        drop(Promise::race([no("a"), no("b")]));
        event_loop.run_until_idle().unwrap();
        assert_eq!(reports(), ["a"]);
        drop(Promise::any([no("a"), no("b")]));
        event_loop.run_until_idle().unwrap();
        assert_eq!(reports().len(), 1);
    });
}

#[test]
fn losers_are_let_go_when_the_winner_settles() {
    on_loop(|event_loop| {
        let wanted_after = |combine: fn(Promise<i32>) -> Promise<()>| {
            let (pending, resolver) = Promise::<i32>::with_resolvers();
            let combined = combine(pending);
            assert!(resolver.is_wanted(), "before anybody has won");
            event_loop.run_until_idle().unwrap();
            let settled = combined.is_settled();
            quiet(combined);
            (settled, resolver.is_wanted())
        };
        let gone = (true, false);
        assert_eq!(wanted_after(|p| Promise::all([p, no("no")]).map(drop)), gone, "all");
        assert_eq!(wanted_after(|p| Promise::race([p, ok(1)]).map(drop)), gone, "race");
        assert_eq!(wanted_after(|p| Promise::race([no("no"), p]).map(drop)), gone, "race, rejected");
        assert_eq!(wanted_after(|p| Promise::any([p, ok(1)]).map(drop).err_into()), gone, "any");
        assert_eq!(wanted_after(|p| Promise::some(1, [p, ok(1)]).map(drop).err_into()), gone, "some");
        assert_eq!(wanted_after(|p| Promise::join((p, no("no"))).map(drop)), gone, "join");
        let waits = (false, true);
        assert_eq!(wanted_after(|p| Promise::all([p, ok(1)]).map(drop)), waits, "all, not settled yet");
        assert_eq!(wanted_after(|p| Promise::all_settled([p, no("no")]).map(drop)), waits, "all_settled");
        assert_eq!(wanted_after(|p| Promise::any([p, no("no")]).map(drop).err_into()), waits, "any, not settled yet");
    });
}

#[test]
fn losers_go_on() {
    on_loop(|event_loop| {
        let (loser, resolver) = Promise::<i32>::with_resolvers();
        let race = Promise::race([loser.clone(), ok(1)]);
        assert_eq!(event_loop.run(race).unwrap(), 1);
        assert!(resolver.is_wanted(), "its other handle");
        resolver.resolve(2).unwrap();
        assert_eq!(event_loop.run(loser).unwrap(), 2);
    });
}

/// Runs rounds of a combinator with a member that never settles, and checks that none of them leaves anything behind.
#[cfg(target_os = "linux")]
fn stays_flat(round: impl Fn(Promise<i32>) -> Promise<()>) {
    const WARM_UP: usize = 1_000;
    const ROUNDS: usize = 100_000;
    /// One leaked reaction a round would take several times this.
    const LIMIT_KIB: usize = 1_024;
    let event_loop = EventLoop::new();
    let _current = event_loop.enter();
    let (never, resolver) = Promise::<i32>::with_resolvers();
    let mut before = 0;
    for index in 0..WARM_UP + ROUNDS {
        if index == WARM_UP {
            before = resident();
        }
        event_loop.run(round(never.clone())).unwrap();
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < LIMIT_KIB, "{ROUNDS} rounds left {grown} KiB behind");
    assert!(never.is_pending());
    drop(resolver);
}

#[cfg(target_os = "linux")]
#[test]
fn race_against_a_promise_that_never_settles_is_flat() {
    alone("race_against_a_promise_that_never_settles_is_flat", || {
        stays_flat(|never| Promise::race([never, ok(1)]).map(drop));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn race_in_which_the_winner_is_first_is_flat() {
    alone("race_in_which_the_winner_is_first_is_flat", || {
        stays_flat(|never| Promise::race([ok(1).map(|n| n), never]).map(drop));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn any_against_a_promise_that_never_settles_is_flat() {
    alone("any_against_a_promise_that_never_settles_is_flat", || {
        stays_flat(|never| Promise::any([no("no"), never, ok(1)]).map(drop).err_into());
    });
}

#[cfg(target_os = "linux")]
#[test]
fn all_with_a_member_that_rejects_is_flat() {
    alone("all_with_a_member_that_rejects_is_flat", || {
        stays_flat(|never| Promise::all([never, no("no")]).map(drop).catch(|_| ()));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn join_with_a_member_that_rejects_is_flat() {
    alone("join_with_a_member_that_rejects_is_flat", || {
        stays_flat(|never| Promise::join((never, no("no"))).map(drop).catch(|_| ()));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn some_that_is_out_of_reach_is_flat() {
    alone("some_that_is_out_of_reach_is_flat", || {
        stays_flat(|never| Promise::some(2, [never, no("no")]).map(drop).err_into().catch(|_| ()));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_timeout_that_wins_is_flat() {
    alone("a_timeout_that_wins_is_flat", || {
        stays_flat(|never| never.timeout(Duration::ZERO).map(drop).catch(|_| ()));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn all_of_members_with_a_timeout_is_flat() {
    alone("all_of_members_with_a_timeout_is_flat", || {
        stays_flat(|never| Promise::all([ok(1), never.timeout(Duration::ZERO)]).map(drop).catch(|_| ()));
    });
}
