//! Real threads against each other: each pair of operations that may meet, millions of times, with everything counted.
//!
//! `stress` goes through the pairs one after the other on two threads. `soak` mixes all of them on twice as many threads as
//! there are cores, and watches the memory. See `ci/stress.sh` and `ci/soak.sh`.

mod cells;
mod duel;
mod memory;
mod pairs;

use cells::must;
use duel::{Duel, PROGRESS, Random, Tally};
use memory::Memory;
use pairs::{PAIRS, Pair};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::thread;
use std::time::{Duration, Instant};

const HELP: &str = "\
thenable-stress stress [--pair NAME] [--rounds N] [--seconds N] [--seed N] [--no-memory]
thenable-stress soak   [--pair NAME] [--seconds N] [--workers N] [--seed N] [--no-memory]
thenable-stress list

--rounds     of all pairs together; an expensive pair gets fewer than a cheap one (stress: 1000000)
--seed       of the first batch; each further one has the next number (1)
--seconds    stress: for each pair, whatever rounds are left; soak: altogether (60)
--workers    soak: duels at a time, two threads each (as many as cores)
--no-memory  does not look at how much memory there is (sanitizers and valgrind keep what is freed)";

/// How much more memory there may be after the second half than before it, in bytes.
const GROWTH: i64 = 1 << 20;
/// No round ends for this long: something hangs.
const HANG: Duration = Duration::from_secs(60);

struct Options {
    pair: String,
    rounds: u64,
    seconds: Option<u64>,
    workers: usize,
    seed: u64,
    memory: bool,
}

fn main() -> ExitCode {
    match parse() {
        Ok((what, options)) => {
            thenable::on_unhandled_rejection(|_| {});
            watch_for_hangs();
            let pairs: Vec<&Pair> = PAIRS.iter().filter(|pair| pair.name.contains(&options.pair)).collect();
            if pairs.is_empty() {
                eprintln!("no pair has \"{}\" in its name", options.pair);
                return ExitCode::from(2);
            }
            let passed = match what.as_str() {
                "stress" => stress(&pairs, &options),
                "soak" => soak(&pairs, &options),
                _ => {
                    pairs.iter().for_each(|pair| println!("{}", pair.name));
                    true
                }
            };
            if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(why) => {
            eprintln!("{why}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

fn parse() -> Result<(String, Options), lexopt::Error> {
    use lexopt::prelude::{Long, Value, ValueExt};
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let mut options =
        Options { pair: String::new(), rounds: 1_000_000, seconds: None, workers: cores, seed: 1, memory: true };
    let mut what = None;
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Value(word) if what.is_none() => what = Some(word.string()?),
            Long("pair") => options.pair = arguments.value()?.string()?,
            Long("rounds") => options.rounds = arguments.value()?.parse()?,
            Long("seconds") => options.seconds = Some(arguments.value()?.parse()?),
            Long("workers") => options.workers = arguments.value()?.parse()?,
            Long("seed") => options.seed = arguments.value()?.parse()?,
            Long("no-memory") => options.memory = false,
            other => return Err(other.unexpected()),
        }
    }
    match what {
        Some(what) if ["stress", "soak", "list"].contains(&what.as_str()) => Ok((what, options)),
        _ => Err("what to do?".into()),
    }
}

fn watch_for_hangs() {
    // As in the tests: how much slower everything is.
    let scale = std::env::var("THENABLE_TIME_SCALE").ok().and_then(|scale| scale.parse::<u32>().ok()).unwrap_or(1);
    thread::spawn(move || {
        loop {
            let before = PROGRESS.load(Ordering::Relaxed);
            thread::sleep(HANG * scale);
            must(PROGRESS.load(Ordering::Relaxed) != before, || format!("no round ended in {:?}", HANG * scale));
        }
    });
}

fn stress(pairs: &[&'static Pair], options: &Options) -> bool {
    let start = Instant::now();
    let shares: u64 = pairs.iter().map(|pair| u64::from(pair.share)).sum();
    let pause = RwLock::new(());
    let mut duel = Duel::new(options.seed);
    let mut total = 0;
    let mut flat = true;
    println!(
        "{:<34} {:>11} {:>9} {:>11} {:>10} {:>10}",
        "pair", "rounds", "seconds", "left first", "heap, KiB", "RSS, KiB"
    );
    for pair in pairs {
        let rounds = (options.rounds * u64::from(pair.share)).div_ceil(shares);
        let time = options.seconds.map_or(Duration::from_secs(1 << 20), Duration::from_secs);
        let tally = duel.run(pair, rounds, Instant::now() + time, &pause);
        total += tally.rounds;
        flat &= report(pair.name, &tally, options.memory);
    }
    println!(
        "{total} rounds of {} pairs in {:.0} s, seed {}",
        pairs.len(),
        start.elapsed().as_secs_f64(),
        options.seed
    );
    flat
}

fn report(name: &str, tally: &Tally, memory: bool) -> bool {
    let kib = |bytes: i64| if memory { format!("{:+}", bytes / 1024) } else { "-".into() };
    // Some pairs cannot tell.
    let first = match tally.left_first {
        0 => "-".into(),
        first => format!("{:.1} %", 100.0 * first as f64 / tally.rounds as f64),
    };
    println!(
        "{name:<34} {:>11} {:>9.1} {first:>11} {:>10} {:>10}",
        tally.rounds,
        tally.time.as_secs_f64(),
        kib(tally.growth.live),
        kib(tally.growth.resident),
    );
    !memory || is_flat(name, tally.growth)
}

fn is_flat(name: &str, growth: Memory) -> bool {
    let flat = growth.live < GROWTH && growth.resident < GROWTH;
    if !flat {
        eprintln!("FAILED: {name}: memory grew in the second half by {growth:?}");
    }
    flat
}

/// All pairs mixed, on twice as many threads as cores.
fn soak(pairs: &[&'static Pair], options: &Options) -> bool {
    let start = Instant::now();
    let seconds = options.seconds.unwrap_or(60);
    let end = start + Duration::from_secs(seconds);
    let pause = Arc::new(RwLock::new(()));
    let ended = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..options.workers as u64)
        .map(|number| {
            let (pause, ended, pairs) = (pause.clone(), ended.clone(), pairs.to_vec());
            let seed = options.seed.wrapping_add(number << 40);
            thread::spawn(move || {
                let mut random = Random::new(!seed);
                let mut duel = Duel::new(seed);
                let mut rounds = 0;
                while !ended.load(Ordering::Relaxed) {
                    let pair = pairs[random.below(pairs.len() as u32) as usize];
                    rounds += duel.run(pair, pair.batch as u64 * 4, end, &pause).rounds;
                }
                rounds
            })
        })
        .collect();
    // Samples of a standing machine: no batch is under way.
    let mut samples = Vec::new();
    println!("{:>9} {:>13} {:>10} {:>10}", "seconds", "rounds", "heap, KiB", "RSS, KiB");
    let step = Duration::from_secs((seconds / 60).max(1));
    while Instant::now() < end {
        thread::sleep(step.min(end.saturating_duration_since(Instant::now())));
        let memory = {
            let _standing = pause.write().unwrap();
            Memory::now()
        };
        println!(
            "{:>9.0} {:>13} {:>10} {:>10}",
            start.elapsed().as_secs_f64(),
            PROGRESS.load(Ordering::Relaxed),
            memory.live / 1024,
            memory.resident / 1024
        );
        samples.push(memory);
    }
    ended.store(true, Ordering::Relaxed);
    let rounds: u64 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
    // The second half against what there was by its beginning.
    let (warm, rest) = samples.split_at(samples.len().div_ceil(2));
    let highest = |samples: &[Memory]| Memory {
        live: samples.iter().map(|memory| memory.live).max().unwrap_or(0),
        resident: samples.iter().map(|memory| memory.resident).max().unwrap_or(0),
    };
    let growth = if rest.is_empty() { Memory::default() } else { highest(rest).since(highest(warm)) };
    println!(
        "{rounds} rounds of {} pairs on {} threads in {seconds} s, seed {}; in the second half the heap grew by {} KiB and the \
         resident memory by {} KiB",
        pairs.len(),
        2 * options.workers,
        options.seed,
        growth.live / 1024,
        growth.resident / 1024
    );
    !options.memory || is_flat("soak", growth)
}
