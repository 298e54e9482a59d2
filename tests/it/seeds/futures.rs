//! Futures that a callback of the loop sets: run until then, awaited, and called back from.

use std::time::Duration;

use thenable::{LoopHandle, Promise, Resolver};

use super::{Output, assert_main, assert_program};

fn mark_done(output: &Output, future: &Resolver<&'static str>, result: &'static str) {
    output.line(format_args!("setting future result to '{result}'"));
    assert!(future.resolve(result).is_ok());
}

#[test]
fn the_loop_runs_until_a_future_is_set() {
    let lines = [
        "scheduling mark_done",
        "entering event loop",
        "setting future result to 'the result'",
        "returned result: 'the result'",
        "closing event loop",
        "future result: 'the result'",
    ];
    assert_program(Duration::ZERO, lines, |event_loop, output| {
        let (all_done, resolver) = Promise::with_resolvers();

        output.line("scheduling mark_done");
        let print = output.clone();
        event_loop.handle().call_soon(move || mark_done(&print, &resolver, "the result"));

        output.line("entering event loop");
        let result = event_loop.run(all_done.clone()).unwrap();
        output.line(format_args!("returned result: '{result}'"));

        output.line("closing event loop");
        event_loop.close();

        let result = all_done.peek().unwrap().unwrap();
        output.line(format_args!("future result: '{result}'"));
    });
}

#[test]
fn a_future_is_awaited() {
    let lines = ["scheduling mark_done", "setting future result to 'the result'", "returned result: 'the result'"];
    assert_main(Duration::ZERO, lines, async |output| {
        let (all_done, resolver) = Promise::with_resolvers();

        output.line("scheduling mark_done");
        let print = output.clone();
        LoopHandle::current().unwrap().call_soon(move || mark_done(&print, &resolver, "the result"));

        let result = all_done.await?;
        output.line(format_args!("returned result: '{result}'"));
        Ok(())
    });
}

#[test]
fn callbacks_of_a_future_run_in_the_order_of_registration() {
    let lines = [
        "registering callbacks on future",
        "setting result of future",
        "1: future done: the result",
        "2: future done: the result",
    ];
    let register_callbacks = async |all_done: &Promise<&'static str>, output: &Output| {
        output.line("registering callbacks on future");
        for n in [1, 2] {
            let output = output.clone();
            all_done.clone().map(move |result| output.line(format_args!("{n}: future done: {result}")));
        }
    };
    assert_main(Duration::ZERO, lines, async |output| {
        let (all_done, resolver) = Promise::with_resolvers();
        register_callbacks(&all_done, &output).await;
        output.line("setting result of future");
        assert!(resolver.resolve("the result").is_ok());
        Ok(())
    });
}
