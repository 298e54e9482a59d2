//! Three tasks that take turns on one thread. Each computes a step, sleeps for a second, and goes on; together they take
//! as long as the longest of them.
//!
//! `cargo run --example three_tasks` prints the same lines every time, in this order: tasks start in the order in which they
//! were spawned, and sleeps that end at the same time end in the order in which they began.

use std::time::Duration;

use thenable::{EventLoop, LoopHandle, Promise, delay};

const SECOND: Duration = Duration::from_secs(1);

async fn factorial(number: u64) -> thenable::Result<()> {
    let mut f = 1;
    for i in 2..=number {
        println!("compute factorial({i})");
        delay(SECOND).await?;
        f *= i;
    }
    println!("factorial({number}) = {f}");
    Ok(())
}

async fn fibonacci(number: u64) -> thenable::Result<()> {
    let (mut a, mut b) = (0, 1);
    for i in 0..number {
        println!("compute fibonacci({i})");
        delay(SECOND).await?;
        (a, b) = (b, a + b);
    }
    println!("fibonacci({number}) = {a}");
    Ok(())
}

async fn binomial_coefficient(n: u64, k: u64) -> thenable::Result<()> {
    let mut result = 1;
    for i in 1..=k {
        println!("compute binomial_coefficient({i})");
        result = result * (n - i + 1) / i;
        delay(SECOND).await?;
    }
    println!("binomial_coefficient({n}, {k}) = {result}");
    Ok(())
}

fn main() -> thenable::Result<()> {
    EventLoop::builder().virtual_clock().build().run(async {
        let clock = LoopHandle::current().ok_or("no loop")?;
        let start = clock.now();
        Promise::all([
            Promise::spawn(factorial(10)),
            Promise::spawn(fibonacci(10)),
            Promise::spawn(binomial_coefficient(20, 10)),
        ])
        .await?;
        println!("together: {:?}", clock.now() - start);

        let start = clock.now();
        factorial(3).await?;
        fibonacci(2).await?;
        binomial_coefficient(4, 2).await?;
        println!("one after the other: {:?}", clock.now() - start);
        Ok(())
    })
}
