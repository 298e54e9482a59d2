//! Loops, pools, large numbers.

use std::sync::mpsc::channel;

use thenable::{
    EventLoop, ExecutorExt, Fault, LoopHandle, Rejection, Scope, ThreadPool, WaitFor, delay, scope, wait_for,
};

use super::{SEC, fail_after, hour, text};
use crate::support::{LIMIT, Ledger, watchdog};

#[test]
fn a_closed_loop_ends_its_scopes() {
    watchdog(LIMIT, || {
        let ledger = Ledger::default();
        let event_loop = EventLoop::builder().virtual_clock().build();
        let entered = event_loop.enter();
        let token = ledger.token();
        let whole = scope(async move |s| {
            s.spawn(hour(token));
            Ok(())
        });
        event_loop.run(delay(SEC)).unwrap();
        drop(entered);
        event_loop.close();
        assert_fault!(whole.wait(), Fault::LoopClosed);
        ledger.assert_balanced("with the loop");
    });
}

#[test]
fn jobs_of_a_pool_are_children() {
    watchdog(LIMIT, || {
        let pool = ThreadPool::new(2);
        let whole = scope(async move |s: Scope| {
            let (first, second) = (s.run(|| pool.submit(|| 1)), s.run(|| pool.submit(|| 2)));
            let refused = s.run(|| pool.attempt(|| Err::<i32, Rejection>("no".into())));
            let _ = wait_for([first, second, refused], WaitFor::All).await?;
            thenable::Ok(())
        });
        assert_eq!(text(whole.wait()), "no");
    });
}

#[test]
fn children_may_run_on_several_loops() {
    watchdog(LIMIT, || {
        let global = LoopHandle::global();
        let event_loop = EventLoop::new();
        let _entered = event_loop.enter();
        let ledger = Ledger::default();
        let token = ledger.token();
        let (tell, told) = channel();
        let whole = scope(async move |s: Scope| {
            let there = s.clone();
            drop(global.call_soon(move || {
                there.spawn(async move {
                    tell.send(()).unwrap();
                    hour(token).await
                });
            }));
            told.recv()?;
            Err::<(), _>("here".into())
        });
        assert_eq!(text(event_loop.run(whole)), "here");
        ledger.assert_balanced("on the global loop");
    });
}

#[test]
fn a_hundred_thousand_children() {
    const MANY: usize = 100_000;
    watchdog(6 * LIMIT, || {
        let event_loop = EventLoop::builder().virtual_clock().build();
        let _entered = event_loop.enter();
        let ledger = Ledger::default();
        let tokens: Vec<_> = (0..MANY).map(|_| ledger.token()).collect();
        let outcome = event_loop.run(scope(async move |s: Scope| {
            for token in tokens {
                s.spawn(hour(token));
            }
            fail_after(SEC, "all of them").await
        }));
        assert_eq!(text(outcome), "all of them");
        ledger.assert_balanced("all of them");
    });
}
