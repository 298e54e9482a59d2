//! Tasks that take turns, and futures that they set.

use std::time::Duration;

use num_bigint::BigUint;
use thenable::{Promise, Resolver, WaitFor, delay, wait_for};

use super::{Output, SECOND, assert_main, assert_program};

#[test]
fn hello_world() {
    async fn func() -> thenable::Result<&'static str> {
        Promise::resolve("Hello, world!").await
    }
    assert_main(Duration::ZERO, ["Hello, world!"], async |output| {
        output.line(func().await?);
        Ok(())
    });
}

// ---- three tasks

async fn factorial(output: Output, number: u64) -> thenable::Result<()> {
    let mut f = 1;
    for i in 2..=number {
        output.line(format_args!("Asyncio.Task: Compute factorial({i})"));
        delay(SECOND).await?;
        f *= i;
    }
    output.line(format_args!("Asyncio.Task - factorial({number}) = {f}"));
    Ok(())
}

async fn fibonacci(output: Output, number: u64) -> thenable::Result<()> {
    let (mut a, mut b) = (0_u64, 1);
    for i in 0..number {
        output.line(format_args!("Asyncio.Task: Compute fibonacci({i})"));
        delay(SECOND).await?;
        (a, b) = (b, a + b);
    }
    output.line(format_args!("Asyncio.Task - fibonacci({number}) = {a}"));
    Ok(())
}

async fn binomial_coefficient(output: Output, n: u32, k: u32) -> thenable::Result<()> {
    let mut result = 1.0;
    for i in 1..=k {
        result = result * f64::from(n - i + 1) / f64::from(i);
        output.line(format_args!("Asyncio.Task: Compute binomial_coefficient({i})"));
        delay(SECOND).await?;
    }
    output.line(format_args!("Asyncio.Task - binomial_coefficient({n}, {k}) = {result:?}"));
    Ok(())
}

const THREE_TASKS: [&str; 32] = [
    "Asyncio.Task: Compute factorial(2)",
    "Asyncio.Task: Compute fibonacci(0)",
    "Asyncio.Task: Compute binomial_coefficient(1)",
    "Asyncio.Task: Compute factorial(3)",
    "Asyncio.Task: Compute fibonacci(1)",
    "Asyncio.Task: Compute binomial_coefficient(2)",
    "Asyncio.Task: Compute factorial(4)",
    "Asyncio.Task: Compute fibonacci(2)",
    "Asyncio.Task: Compute binomial_coefficient(3)",
    "Asyncio.Task: Compute factorial(5)",
    "Asyncio.Task: Compute fibonacci(3)",
    "Asyncio.Task: Compute binomial_coefficient(4)",
    "Asyncio.Task: Compute factorial(6)",
    "Asyncio.Task: Compute fibonacci(4)",
    "Asyncio.Task: Compute binomial_coefficient(5)",
    "Asyncio.Task: Compute factorial(7)",
    "Asyncio.Task: Compute fibonacci(5)",
    "Asyncio.Task: Compute binomial_coefficient(6)",
    "Asyncio.Task: Compute factorial(8)",
    "Asyncio.Task: Compute fibonacci(6)",
    "Asyncio.Task: Compute binomial_coefficient(7)",
    "Asyncio.Task: Compute factorial(9)",
    "Asyncio.Task: Compute fibonacci(7)",
    "Asyncio.Task: Compute binomial_coefficient(8)",
    "Asyncio.Task: Compute factorial(10)",
    "Asyncio.Task: Compute fibonacci(8)",
    "Asyncio.Task: Compute binomial_coefficient(9)",
    "Asyncio.Task - factorial(10) = 3628800",
    "Asyncio.Task: Compute fibonacci(9)",
    "Asyncio.Task: Compute binomial_coefficient(10)",
    "Asyncio.Task - fibonacci(10) = 55",
    "Asyncio.Task - binomial_coefficient(20, 10) = 184756.0",
];

#[test]
fn three_tasks_take_turns() {
    assert_program(10 * SECOND, THREE_TASKS, |event_loop, output| {
        let handle = event_loop.handle();
        let tasks = [
            handle.spawn(factorial(output.clone(), 10)),
            handle.spawn(fibonacci(output.clone(), 10)),
            handle.spawn(binomial_coefficient(output.clone(), 20, 10)),
        ];
        event_loop.run(wait_for(tasks, WaitFor::All)).unwrap();
        event_loop.close();
    });
}

#[test]
fn three_coroutines_one_after_the_other_take_the_sum_of_their_times() {
    let mut lines = THREE_TASKS;
    // Their first lines are in the order of the tasks, and so are the last ones.
    lines.sort_by_key(|line| ["factorial", "fibonacci", "binomial"].iter().position(|task| line.contains(task)));
    assert_main(29 * SECOND, lines, async |output| {
        factorial(output.clone(), 10).await?;
        fibonacci(output.clone(), 10).await?;
        binomial_coefficient(output, 20, 10).await
    });
}

// ---- two futures

fn first_coroutine(future: Resolver<String>, num: u32, pause: Duration) -> Promise<()> {
    let sum: u32 = (1..=num).sum();
    delay(pause).map(move |()| {
        let _ = future.resolve(format!("First coroutine (sum of N integers) result = {sum}"));
    })
}

fn second_coroutine(future: Resolver<String>, num: u32, pause: Duration) -> Promise<()> {
    let product: BigUint = (1..=num).map(BigUint::from).product();
    delay(pause).map(move |()| {
        let _ = future.resolve(format!("Second coroutine (factorial) result = {product}"));
    })
}

/// Sum and factorial, each after its own pause; the lines are in the order of the pauses.
#[track_caller]
fn assert_two_futures(args: (u32, u32), pauses: (Duration, Duration), lines: [&str; 2]) {
    assert_program(2 * SECOND, lines, |event_loop, output| {
        let _current = event_loop.enter();
        let got_result = |future: Promise<String>| {
            let output = output.clone();
            future.map(move |text| output.line(text))
        };
        let (future1, resolver1) = Promise::with_resolvers();
        let (future2, resolver2) = Promise::with_resolvers();
        let tasks = [first_coroutine(resolver1, args.0, pauses.0), second_coroutine(resolver2, args.1, pauses.1)];
        got_result(future1);
        got_result(future2);
        event_loop.run(wait_for(tasks, WaitFor::All)).unwrap();
    });
}

#[test]
fn two_futures() {
    let table = [
        ((1, 1), "1", "1"),
        // The tutorial prints 2 and 2.
        ((2, 2), "3", "2"),
        ((3, 3), "6", "6"),
        ((5, 5), "15", "120"),
        ((50, 50), "1275", "30414093201713378043612608166064768844377641568960512000000000000"),
    ];
    for (args, sum, factorial) in table {
        let first = format!("First coroutine (sum of N integers) result = {sum}");
        let second = format!("Second coroutine (factorial) result = {factorial}");
        assert_two_futures(args, (SECOND, 2 * SECOND), [&first, &second]);
    }
}

#[test]
fn two_futures_with_the_pauses_swapped() {
    let lines = ["Second coroutine (factorial) result = 3628800", "First coroutine (sum of N integers) result = 1"];
    assert_two_futures((1, 10), (2 * SECOND, SECOND), lines);
}
