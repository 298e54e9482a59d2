//! Tasks stand outside the ticks: they run when the job queue is empty, and an await costs no tick.

use futures::channel::oneshot;
use thenable::{LoopHandle, Promise, Rejection};

use crate::common::{Seen, assert_log};

/// A chain of that many links, the last of which notes this.
fn links(log: &Seen<&'static str>, count: usize, entry: &'static str) -> Promise<()> {
    (1..count).fold(Promise::resolve(()), |chain, _| chain.map(|()| ())).map(log.noting(entry))
}

#[test]
fn a_task_starts_when_the_queue_is_empty() {
    assert_log(["spawned", "20 links", "task"], |log| {
        let task = log.clone();
        drop(Promise::spawn(async move {
            task.add("task");
            Ok(())
        }));
        log.add("spawned");
        drop(links(log, 20, "20 links"));
    });
}

#[test]
fn a_spawned_value_reaches_its_handler_after_the_jobs_that_were_queued_before_it() {
    assert_log(["20 links", "task", "its handler"], |log| {
        let task = log.noting("task");
        let spawned = Promise::spawn(async move {
            task(());
            Ok(())
        });
        drop(spawned.map(log.noting("its handler")));
        drop(links(log, 20, "20 links"));
    });
}

#[test]
fn tasks_start_in_spawn_order_with_the_jobs_between_them_first() {
    assert_log(["1", "link of 1", "2", "link of 2", "3"], |log| {
        for (entry, link) in [("1", Some("link of 1")), ("2", Some("link of 2")), ("3", None)] {
            let log = log.clone();
            drop(Promise::spawn(async move {
                log.add(entry);
                if let Some(link) = link {
                    drop(links(&log, 5, link));
                }
                Ok(())
            }));
        }
    });
}

#[test]
fn awaiting_a_settled_promise_costs_no_tick() {
    assert_log(["before", "after", "link"], |log| {
        let log = log.clone();
        drop(Promise::spawn(async move {
            drop(links(&log, 1, "link"));
            log.add("before");
            Promise::resolve(()).await?;
            log.add("after");
            Ok(())
        }));
    });
}

#[test]
fn awaiting_a_pending_promise_resumes_when_the_queue_is_empty() {
    assert_log(["waits", "settles", "a later link", "resumed"], |log| {
        let (promise, resolver) = Promise::with_resolvers();
        let task = log.clone();
        drop(Promise::spawn(async move {
            task.add("waits");
            promise.await?;
            task.add("resumed");
            Ok(())
        }));
        let log = log.clone();
        drop(Promise::spawn(async move {
            drop(LoopHandle::current().unwrap().call_soon(move || {
                log.add("settles");
                resolver.resolve(()).unwrap();
                drop(links(&log, 20, "a later link"));
            }));
            Ok(())
        }));
    });
}

#[test]
fn a_future_that_a_handler_returns_becomes_a_task_only_if_it_is_pending() {
    assert_log(["ready: polled", "pending: polled", "ready: done", "20 links", "task", "pending: done"], |log| {
        let task = log.clone();
        drop(Promise::spawn(async move {
            task.add("task");
            Ok(())
        }));
        let polled = log.clone();
        let ready = Promise::resolve(()).then(async move |()| {
            polled.add("ready: polled");
            Ok(())
        });
        drop(ready.map(log.noting("ready: done")));
        let (sender, receiver) = oneshot::channel::<()>();
        let polled = log.clone();
        let pending = Promise::resolve(()).then(async move |()| {
            polled.add("pending: polled");
            receiver.await.map_err(Rejection::from)
        });
        drop(pending.map(log.noting("pending: done")));
        drop(links(log, 20, "20 links").map(move |()| sender.send(())));
    });
}
