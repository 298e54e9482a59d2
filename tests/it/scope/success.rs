//! What children that succeed do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use thenable::{Promise, Scope, delay, scope};

use super::SEC;
use crate::common::Seen;
use crate::support::{LIMIT, on_loop, on_virtual_clock, watchdog};

#[test]
fn it_waits_for_children_that_nobody_awaits() {
    on_virtual_clock(|event_loop| {
        let (seen, start) = (Seen::default(), event_loop.handle().now());
        let value = scope({
            let seen = seen.clone();
            async move |s: Scope| {
                for n in [3_u32, 1, 2] {
                    let seen = seen.clone();
                    s.spawn(async move {
                        delay(n * SEC).await?;
                        seen.add(n);
                        Ok(())
                    });
                }
                assert_eq!(s.running(), 4, "three and the body");
                Ok("body")
            }
        });
        assert_eq!(event_loop.run(value).unwrap(), "body");
        assert_eq!(event_loop.handle().now() - start, 3 * SEC);
        assert_eq!(seen.take(), [1, 2, 3]);
    });
}

#[test]
fn the_values_of_children_need_not_be_clone() {
    struct Plain(i32);
    on_virtual_clock(|event_loop| {
        let sum = event_loop.run(scope(async |s| {
            let future = s.spawn(async { Ok(Plain(1)) });
            let promise = s.spawn(Promise::delay(SEC, Plain(2)));
            let run = s.run(|| Promise::resolve(Plain(3)));
            let run_async = s.run(async || {
                delay(SEC).await?;
                Ok(Plain(4))
            });
            Ok(future.await?.0 + promise.await?.0 + run.await?.0 + run_async.await?.0)
        }));
        assert_eq!(sum.unwrap(), 10);
    });
}

#[test]
fn children_start_children() {
    fn grow(s: Scope, depth: u32, leaves: Arc<AtomicUsize>) {
        if depth == 0 {
            leaves.fetch_add(1, SeqCst);
            return;
        }
        for _ in 0..2 {
            let (s, leaves) = (s.clone(), leaves.clone());
            let inner = s.clone();
            s.spawn(async move {
                delay(SEC).await?;
                grow(inner, depth - 1, leaves);
                Ok(())
            });
        }
    }
    on_virtual_clock(|event_loop| {
        let leaves = Arc::new(AtomicUsize::new(0));
        let (start, counted) = (event_loop.handle().now(), leaves.clone());
        event_loop
            .run(scope(async |s| {
                grow(s, 5, counted);
                Ok(())
            }))
            .unwrap();
        assert_eq!((leaves.load(SeqCst), event_loop.handle().now() - start), (32, 5 * SEC));
    });
}

#[test]
fn handlers_of_children_run_before_those_of_the_scope() {
    on_loop(|event_loop| {
        let seen = Seen::default();
        let whole = scope({
            let seen = seen.clone();
            async move |s: Scope| {
                drop(s.spawn(async { Ok(()) }).map(seen.noting("future")));
                drop(s.spawn(Promise::resolve(())).map(seen.noting("promise")));
                Ok(())
            }
        });
        event_loop.run(whole.map(seen.noting("scope"))).unwrap();
        let mut order = seen.take();
        assert_eq!(order.pop(), Some("scope"));
        order.sort_unstable();
        assert_eq!(order, ["future", "promise"]);
    });
}

#[test]
fn it_works_without_a_loop_on_the_thread() {
    watchdog(LIMIT, || {
        let value = scope(async |s| {
            let one = s.spawn(async { Ok(1) });
            let two = s.spawn(Promise::delay(Duration::from_millis(1), 2));
            Ok(one.await? + two.await?)
        });
        assert_eq!(value.wait().unwrap(), 3);
    });
}
