//! A rayon pool as it is, and a promise for each job: numbers are sorted in parallel, and the sorted parts merged as the
//! promises of a tree.
//!
//! ```text
//! cargo run --release --features rayon --example rayon
//! ```
//!
//! A panic in a `rayon::spawn` ends the process. Here it is a rejection like any other.

use std::sync::Arc;
use thenable::{ExecutorExt, Promise, Rejection};

const NUMBERS: usize = 1 << 20;
const PARTS: usize = 8;

fn main() -> Result<(), Rejection> {
    let pool = rayon_core::ThreadPoolBuilder::new().num_threads(4).build()?;
    let pool = Arc::new(pool);

    let numbers = numbers(NUMBERS);
    let sum = numbers.iter().fold(0_u64, |sum, n| sum.wrapping_add(*n));
    let parts: Vec<Vec<u64>> = numbers.chunks(NUMBERS / PARTS).map(<[u64]>::to_vec).collect();
    let sorted = parts.into_iter().map(|mut part| {
        pool.submit(move || {
            part.sort_unstable();
            part
        })
    });
    let sorted = merge_all(&pool, sorted.collect()).wait()?;
    assert!(sorted.is_sorted() && sorted.iter().fold(0_u64, |sum, n| sum.wrapping_add(*n)) == sum);
    println!("{} numbers sorted in {PARTS} parts on {} threads", sorted.len(), pool.current_num_threads());

    // rayon's own parallelism goes on inside of a job.
    let longest = pool.submit(|| {
        let (left, right) = rayon_core::join(|| longest_collatz(1..50_000), || longest_collatz(50_000..100_000));
        left.max(right)
    });
    let (steps, start) = longest.wait()?;
    println!("below 100000 the longest Collatz chain starts at {start} and has {steps} steps");

    let lost = pool.submit(|| -> u64 { panic!("no such number") });
    let why = lost.catch(|why| {
        println!("a job that panics: {why}");
        Ok(0)
    });
    assert_eq!(why.wait()?, 0);
    Ok(())
}

/// Merges neighbours, on the pool, until one list is left.
fn merge_all(pool: &Arc<rayon_core::ThreadPool>, mut lists: Vec<Promise<Vec<u64>>>) -> Promise<Vec<u64>> {
    while lists.len() > 1 {
        let mut pairs = lists.into_iter();
        let mut merged = Vec::new();
        while let Some(left) = pairs.next() {
            merged.push(match pairs.next() {
                Some(right) => Promise::all([left, right]).on(pool).map(merge),
                None => left,
            });
        }
        lists = merged;
    }
    lists.pop().unwrap_or_else(|| Promise::resolve(Vec::new()))
}

fn merge(lists: Vec<Vec<u64>>) -> Vec<u64> {
    let mut merged = lists.concat();
    // Two runs in a row: the stable sort finds and merges them.
    merged.sort();
    merged
}

fn longest_collatz(starts: std::ops::Range<u64>) -> (u32, u64) {
    let steps = |mut n: u64| {
        let mut steps = 0;
        while n > 1 {
            n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
            steps += 1;
        }
        steps
    };
    starts.map(|start| (steps(start), start)).max().unwrap_or_default()
}

/// The same numbers every time (Marsaglia's xorshift64).
fn numbers(count: usize) -> Vec<u64> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    })
    .take(count)
    .collect()
}
