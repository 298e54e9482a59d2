//! What an operation costs from 10^3 to 10^7 of them, and with more threads. Every number comes from a fresh process, which
//! has done the same once before it measures.

mod sizes;
mod threads;

use figures::{Series, Spread, line_chart, machine, short, today};
use lexopt::{Arg, Parser, ValueExt};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use thenable::EventLoop;

const HELP: &str = "\
Usage: scaling [--quick] [--rounds N] [--max N] [--out FOLDER]

  --quick       tiny sizes and one round: shows that everything works; writes to the target directory
  --rounds N    how often everything is measured (3)
  --max N       the largest size (10000000, which needs 4 GiB)
  --out FOLDER  where results.md, sizes.svg and threads.svg go (benches/scaling)
";

const SIZES: [u64; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
const THREADS: [u64; 4] = [1, 2, 4, 8];
/// How many operations the threads share.
const SHARED: u64 = 1_000_000;

/// Nanoseconds per operation, by workload and size (or number of threads).
type Answers = BTreeMap<(&'static str, u64), Vec<f64>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("scaling: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = Parser::from_env();
    let (mut quick, mut rounds, mut max) = (false, 3, u64::MAX);
    let mut out = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("worker") => return worker(&mut arguments),
            Arg::Long("quick") => quick = true,
            Arg::Long("rounds") => rounds = arguments.value()?.parse()?,
            Arg::Long("max") => max = arguments.value()?.parse()?,
            Arg::Long("out") => out = arguments.value()?.into(),
            Arg::Short('h') | Arg::Long("help") => {
                print!("{HELP}");
                return Ok(());
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if quick {
        (rounds, max) = (1, 10_000);
        // `target/scaling`, seen from `target/release/scaling`.
        out = std::env::current_exe()?.ancestors().nth(2).unwrap_or(Path::new("target")).join("scaling");
        fs::create_dir_all(&out)?;
    }
    scaling(rounds, max, &out)
}

/// In a process of its own: prints nanoseconds per operation.
fn worker(arguments: &mut Parser) -> Result<(), Box<dyn Error>> {
    let name = arguments.value()?.string()?;
    let count: u64 = arguments.value()?.parse()?;
    let threads: u64 = arguments.value()?.parse()?;
    let event_loop = EventLoop::new();
    let by_size = sizes::WORKLOADS.iter().find(|workload| workload.name == name);
    let by_threads = threads::WORKLOADS.iter().find(|workload| workload.name == name);
    let once = || match (by_size, by_threads) {
        (Some(workload), _) => (workload.run)(&event_loop, count),
        (None, Some(workload)) => (workload.run)(threads, count),
        (None, None) => panic!("no workload {name}"),
    };
    // The same again and again, if it is quick: first to warm up, then to measure.
    let repeat = |limit: Duration| {
        let start = Instant::now();
        let mut runs = vec![once()];
        while start.elapsed() < limit {
            runs.push(once());
        }
        runs
    };
    repeat(Duration::from_millis(50));
    let runs = repeat(Duration::from_millis(200));
    println!("{}", Spread::of(runs).median / count as f64);
    Ok(())
}

fn ask(name: &str, count: u64, threads: u64) -> Result<f64, Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let arguments = ["--worker", name, &count.to_string(), &threads.to_string()];
    let output = Command::new(program).args(arguments).output()?;
    let answer = String::from_utf8_lossy(&output.stdout);
    let why = || format!("{name} with {count}: {}, {}", output.status, String::from_utf8_lossy(&output.stderr));
    answer.trim().parse().map_err(|_| why().into())
}

fn scaling(rounds: usize, max: u64, out: &Path) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let sizes: Vec<u64> = SIZES.into_iter().filter(|&size| size <= max).collect();
    let shared = SHARED.min(max);
    let (mut by_size, mut by_threads) = (Answers::new(), Answers::new());
    for round in 1..=rounds {
        for workload in sizes::WORKLOADS {
            print!("round {round} of {rounds}, {}:", workload.name);
            for &size in &sizes {
                let answer = ask(workload.name, size, 1)?;
                print!(" {}", short(answer));
                by_size.entry((workload.name, size)).or_default().push(answer);
            }
            println!(" ns");
        }
        for workload in threads::WORKLOADS {
            print!("round {round} of {rounds}, {}:", workload.name);
            for threads in THREADS {
                let answer = ask(workload.name, shared, threads)?;
                print!(" {}", short(answer));
                by_threads.entry((workload.name, threads)).or_default().push(answer);
            }
            println!(" ns");
        }
    }

    let where_and_when = format!("Measured on {} on {}", today(), machine());
    let mut report = format!(
        "# Scaling\n\nWritten by `cargo run --release --manifest-path benches/scaling/Cargo.toml`. Nanoseconds per operation: \
         medians of {rounds} rounds, each number from a fresh process. {where_and_when}.\n\n## Size\n\n\
         All promises of a run are alive at once. The last column is the growth of the cost from 10^4 to the largest size: \
         at most 2, at best 1.2.\n\n"
    );
    report += &size_table(&by_size, &sizes);
    report += "\n![sizes](sizes.svg)\n\n## Threads\n\n";
    let _ = writeln!(report, "{shared} operations, wall time divided by their number.\n");
    report += &thread_table(&by_threads);
    report += "\n![threads](threads.svg)\n";
    println!("\n{report}");

    let series = |answers: &Answers, name: &'static str, title: &str, along: &[u64]| Series {
        name: title.to_owned(),
        points: along.iter().map(|&x| (x as f64, Spread::of(answers[&(name, x)].iter().copied()).median)).collect(),
    };
    let lines: Vec<_> =
        sizes::WORKLOADS.iter().map(|workload| series(&by_size, workload.name, workload.title, &sizes)).collect();
    let axes = ("operations, all alive at once", "ns per operation");
    fs::write(out.join("sizes.svg"), line_chart("Cost per operation by size", &where_and_when, axes, &lines))?;
    let lines: Vec<_> = threads::WORKLOADS
        .iter()
        .map(|workload| series(&by_threads, workload.name, workload.title, &THREADS))
        .collect();
    let axes = ("threads", "ns of wall time per operation");
    fs::write(out.join("threads.svg"), line_chart("Cost per operation by threads", &where_and_when, axes, &lines))?;
    fs::write(out.join("results.md"), report)?;
    println!("results.md, sizes.svg and threads.svg are in {}; {} s", out.display(), started.elapsed().as_secs());
    Ok(())
}

fn cell(answers: &Answers, name: &'static str, at: u64) -> String {
    let Spread { low, median, high } = Spread::of(answers[&(name, at)].iter().copied());
    format!(" {} ({} to {}) |", short(median), short(low), short(high))
}

fn size_table(answers: &Answers, sizes: &[u64]) -> String {
    let mut table = String::from("| |");
    for size in sizes {
        let _ = write!(table, " 10^{} |", size.ilog10());
    }
    table += " growth | |\n|---|";
    table += &"---|".repeat(sizes.len() + 2);
    table += "\n";
    for workload in sizes::WORKLOADS {
        let _ = write!(table, "| {} |", workload.title);
        for &size in sizes {
            table += &cell(answers, workload.name, size);
        }
        // Within a round, since rounds may differ.
        let last = sizes.last().copied().unwrap_or(SIZES[1]);
        let (small, large) = (&answers[&(workload.name, SIZES[1].min(last))], &answers[&(workload.name, last)]);
        let growth = Spread::of(small.iter().zip(large).map(|(small, large)| large / small));
        let verdict = match growth.median {
            _ if workload.name == "memory" => "",
            growth if growth <= 1.2 => "aim reached",
            growth if growth <= 2.0 => "must reached",
            _ => "**over budget**",
        };
        let _ = writeln!(table, " {} | {verdict} |", short(growth.median));
    }
    table
}

fn thread_table(answers: &Answers) -> String {
    let mut table = String::from("| threads |");
    for threads in THREADS {
        let _ = write!(table, " {threads} |");
    }
    table += "\n|---|---|---|---|---|\n";
    for workload in threads::WORKLOADS {
        let _ = write!(table, "| {} |", workload.title);
        for threads in THREADS {
            table += &cell(answers, workload.name, threads);
        }
        table += "\n";
    }
    table
}
