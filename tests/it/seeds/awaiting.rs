//! `await`, tasks that run at the same time, waiting for several, and futures that nobody sets.

use std::time::Duration;

use thenable::{EventLoop, Fault, Promise, Rejection, Resolver, WaitFor, delay, wait_for};

use super::{Output, SECOND, assert_main, assert_program};
use crate::support::on_virtual_clock;

async fn others(output: Output) -> thenable::Result<&'static str> {
    output.line("start");
    delay(2 * SECOND).await?;
    output.line("end");
    Ok("返回值")
}

// ---- one after the other

#[test]
fn one_sleep() {
    assert_main(2 * SECOND, ["hello"], async |output| {
        output.line("hello");
        delay(2 * SECOND).await
    });
}

#[test]
fn one_coroutine() {
    let lines = ["执行协程函数内部代码", "start", "end", "IO请求结束，结果为： 返回值"];
    assert_main(2 * SECOND, lines, async |output| {
        output.line("执行协程函数内部代码");
        let response = others(output.clone()).await?;
        output.line(format_args!("IO请求结束，结果为： {response}"));
        Ok(())
    });
}

#[test]
fn two_coroutines_one_after_the_other() {
    let lines = [
        "执行协程函数内部代码",
        "start",
        "end",
        "IO请求结束，结果为： 返回值",
        "start",
        "end",
        "IO请求结束，结果为： 返回值",
    ];
    assert_main(4 * SECOND, lines, async |output| {
        output.line("执行协程函数内部代码");
        for _ in 0..2 {
            let response = others(output.clone()).await?;
            output.line(format_args!("IO请求结束，结果为： {response}"));
        }
        Ok(())
    });
}

// ---- at the same time

#[test]
fn two_tasks() {
    let lines = ["main开始", "main结束", "start", "start", "end", "end", "返回值 返回值"];
    assert_main(2 * SECOND, lines, async |output| {
        output.line("main开始");
        let task1 = Promise::spawn(others(output.clone()));
        let task2 = Promise::spawn(others(output.clone()));
        output.line("main结束");
        let (ret1, ret2) = (task1.await?, task2.await?);
        output.line(format_args!("{ret1} {ret2}"));
        Ok(())
    });
}

#[test]
fn a_list_of_tasks_with_names() {
    let lines = [
        "main开始",
        "main结束",
        "[Promise { <pending> } (Task-2), Promise { <pending> } (Task-3)]",
        "start",
        "start",
        "end",
        "end",
        r#"[(0, Ok("返回值")), (1, Ok("返回值"))]"#,
        "[]",
    ];
    assert_main(2 * SECOND, lines, async |output| {
        output.line("main开始");
        let tasks = ["Task-2", "Task-3"].map(|name| Promise::spawn(others(output.clone())).named(name));
        output.line("main结束");
        output.line(format_args!("{tasks:?}"));
        let waited = wait_for(tasks, WaitFor::All).await?;
        output.line(format_args!("{:?}", waited.done));
        output.line(format_args!("{:?}", waited.pending));
        Ok(())
    });
}

#[test]
fn a_list_of_coroutines_without_a_main() {
    let lines = ["start", "start", "end", "end", r#"[(0, Ok("返回值")), (1, Ok("返回值"))]"#];
    assert_program(2 * SECOND, lines, |event_loop, output| {
        let _current = event_loop.enter();
        let tasks = [others(output.clone()), others(output.clone())].map(Promise::spawn);
        let waited = event_loop.run(wait_for(tasks, WaitFor::All)).unwrap();
        output.line(format_args!("{:?}", waited.done));
    });
}

// ---- a future by itself

#[test]
fn a_future_that_nobody_sets_ends_as_stalled() {
    assert_program(Duration::ZERO, [], |event_loop, _output| {
        let outcome: Result<(), Rejection> = event_loop.run(async {
            let (future, _resolver) = Promise::with_resolvers();
            future.await
        });
        assert_fault!(outcome, Fault::Stalled { .. });
    });
}

#[test]
fn stalled_says_which_future_nobody_sets() {
    fn main(event_loop: &EventLoop) -> Result<(), Rejection> {
        event_loop.run(async {
            let (future, _resolver) = Promise::with_resolvers();
            future.named("never set").await
        })
    }
    on_virtual_clock(|event_loop| {
        let why = main(event_loop).unwrap_err();
        let Some(Fault::Stalled { pending }) = why.fault() else { panic!("expected Stalled, got {why:?}") };
        let found = pending.iter().find(|found| found.name.as_deref() == Some("never set"));
        let found = found.unwrap_or_else(|| panic!("the future is listed by its name: {pending:?}"));
        assert!(found.created_at.file().ends_with("awaiting.rs"), "with its place: {}", found.created_at);
    });
}

#[test]
fn a_future_that_a_task_sets() {
    async fn set_after(future: Resolver<&'static str>) -> thenable::Result<()> {
        delay(2 * SECOND).await?;
        assert!(future.resolve("666").is_ok());
        Ok(())
    }
    assert_main(2 * SECOND, ["666"], async |output| {
        let (future, resolver) = Promise::with_resolvers();
        Promise::spawn(set_after(resolver)).await?;
        let data = future.await?;
        output.line(data);
        Ok(())
    });
}
