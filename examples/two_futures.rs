//! Two results that somebody sets later: the reader has a promise, the writer its resolver. The sum of the first N numbers
//! comes after a second, the factorial of M after two, and each is printed when it is there.
//!
//! `cargo run --example two_futures 50 50`

use std::env;
use std::time::Duration;

use num_bigint::BigUint;
use thenable::{EventLoop, Promise, Resolver, delay};

/// Writes the sum, after a while.
async fn first(sum: Resolver<BigUint>, number: u32, pause: Duration) -> thenable::Result<()> {
    delay(pause).await?;
    // Refused if the promise was settled before: then nobody needs the value.
    let _ = sum.resolve((1..=number).map(BigUint::from).sum());
    Ok(())
}

/// Writes the factorial, after a while.
async fn second(product: Resolver<BigUint>, number: u32, pause: Duration) -> thenable::Result<()> {
    delay(pause).await?;
    let _ = product.resolve((1..=number).map(BigUint::from).product());
    Ok(())
}

/// Both at the same time, each with its own pause in seconds.
async fn both(numbers: [u32; 2], pauses: [u64; 2]) -> thenable::Result<()> {
    let (future1, resolver1) = Promise::with_resolvers();
    let (future2, resolver2) = Promise::with_resolvers();
    let writers = [
        Promise::spawn(first(resolver1, numbers[0], Duration::from_secs(pauses[0]))),
        Promise::spawn(second(resolver2, numbers[1], Duration::from_secs(pauses[1]))),
    ];
    let printed = [
        future1.map(|sum| println!("first (sum of N integers) result = {sum}")),
        future2.map(|product| println!("second (factorial) result = {product}")),
    ];
    Promise::all(writers.into_iter().chain(printed)).await?;
    Ok(())
}

fn main() -> thenable::Result<()> {
    let mut numbers = [50, 50];
    for (number, argument) in numbers.iter_mut().zip(env::args().skip(1)) {
        *number = argument.parse()?;
    }
    EventLoop::builder().virtual_clock().build().run(async {
        println!("# the sum is faster");
        both(numbers, [1, 2]).await?;
        println!("# the factorial is faster");
        both(numbers, [2, 1]).await
    })
}
