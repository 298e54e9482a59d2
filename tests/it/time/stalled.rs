//! A virtual clock that cannot help: the run ends, and says what it waited for.

use thenable::{Fault, Pending, Promise, Rejection, WaitFor, delay, wait_for};

use super::{HOUR, never};
use crate::support::on_virtual_clock;

/// What the fault of a stalled run lists.
#[track_caller]
fn stalled<T>(outcome: Result<T, Rejection>) -> Vec<Pending> {
    match outcome.map(drop).unwrap_err().fault() {
        Some(Fault::Stalled { pending }) => pending.clone(),
        other => panic!("expected Stalled, got {other:?}"),
    }
}

#[track_caller]
fn assert_lists(pending: &[Pending], name: Option<&str>, line: u32) {
    let found = pending.iter().any(|found| {
        let at = found.created_at;
        found.name.as_deref() == name && at.file().ends_with("stalled.rs") && at.line() == line
    });
    assert!(found, "{name:?} of line {line} is listed: {pending:?}");
}

#[test]
fn a_stalled_run_lists_promises_and_tasks_with_their_sites() {
    on_virtual_clock(|event_loop| {
        let (first, _resolver) = Promise::<u8>::with_resolvers();
        let (first, first_line) = (first.named("the first one"), line!() - 1);
        let (second, _resolver) = Promise::<u8>::with_resolvers();
        let second_line = line!() - 1;
        let task = Promise::spawn(second).named("a task");
        let task_line = line!() - 1;
        let pending = stalled(event_loop.run(Promise::all([first, task])));
        assert_lists(&pending, Some("the first one"), first_line);
        assert_lists(&pending, None, second_line);
        assert_lists(&pending, Some("a task"), task_line);
    });
}

#[test]
fn a_stall_comes_after_the_last_timer() {
    on_virtual_clock(|event_loop| {
        let start = event_loop.handle().now();
        let outcome = event_loop.run(async {
            delay(HOUR).await?;
            never().await
        });
        assert!(!stalled(outcome).is_empty());
        assert_eq!(event_loop.handle().now() - start, HOUR);
        assert_eq!(event_loop.run(Promise::resolve(1)).unwrap(), 1, "the loop can go on");
    });
}

#[test]
fn tasks_that_wait_for_each_other_stall() {
    on_virtual_clock(|event_loop| {
        let ((one, to_one), (two, to_two)) = (Promise::with_resolvers(), Promise::with_resolvers());
        let tasks = [
            Promise::spawn(async move { Ok(to_two.resolve(one.await?).is_ok()) }),
            Promise::spawn(async move { Ok(to_one.resolve(two.await?).is_ok()) }),
        ];
        let pending = stalled(event_loop.run(wait_for::<_, Rejection, _>(tasks, WaitFor::FirstSettled)));
        assert!(pending.len() >= 4, "two futures and two tasks: {pending:?}");
    });
}

#[test]
fn other_ways_to_run_stall_too() {
    on_virtual_clock(|event_loop| {
        assert!(matches!(event_loop.run_forever(), Err(Fault::Stalled { .. })), "nothing could ever stop it");
        let task = Promise::spawn(never()).named("a task without end");
        match event_loop.run_until_idle() {
            Err(Fault::Stalled { pending }) => {
                assert!(pending.iter().any(|found| found.name.as_deref() == Some("a task without end")), "{pending:?}");
            }
            other => panic!("expected Stalled, got {other:?}"),
        }
        task.cancel("enough");
        event_loop.run_until_idle().unwrap();
    });
}
