//! What stands in for promises in Python: a future, a task, a pool's future, and the package called promise.

use std::time::Duration;

use thenable::{EventLoop, ExecutorExt, Promise, ThreadPool, delay};

use super::{Output, RUNS, SECOND, assert_main, assert_program};
use crate::support::{LIMIT, watchdog};

async fn my_async_task() -> thenable::Result<&'static str> {
    delay(SECOND).await?;
    Ok("Task completed!")
}

#[test]
fn a_future_that_is_set_from_an_awaited_value() {
    assert_main(SECOND, ["Task completed!"], async |output| {
        let (future, resolver) = Promise::with_resolvers();
        assert!(resolver.resolve(my_async_task().await?).is_ok());
        output.line(future.await?);
        Ok(())
    });
}

#[test]
fn a_task() {
    assert_main(SECOND, ["Task completed!"], async |output| {
        let task = Promise::spawn(my_async_task());
        output.line(task.await?);
        Ok(())
    });
}

#[test]
fn a_job_of_a_pool() {
    watchdog(LIMIT, || {
        for _ in 0..RUNS {
            let pool = ThreadPool::new(2);
            let future = pool.submit(|| "Task completed!");
            assert_eq!(future.wait().unwrap(), "Task completed!");
        }
    });
}

#[test]
fn a_promise_and_its_then() {
    // The package prints inside `then`. Here the program goes on first, as in JavaScript.
    let lines = ["after then", "Task completed!"];
    assert_program(Duration::ZERO, lines, |event_loop: EventLoop, output: &Output| {
        let _current = event_loop.enter();
        let promise = Promise::new(|resolve, _reject| resolve("Task completed!"));
        let print = output.clone();
        drop(promise.map(move |result| print.line(result)));
        output.line("after then");
        event_loop.run_until_idle().unwrap();
    });
}
