//! The same workloads on this crate and on other languages' promises.
//!
//! Every answer comes from a fresh process, which warms up, measures inside of itself and checks its own result. The programs
//! take turns, workload by workload and round by round.

mod ours;
mod peers;
mod results;
mod workloads;

use lexopt::{Arg, Parser, ValueExt};
use results::Answers;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use workloads::{Unit, WORKLOADS};

const HELP: &str = "\
Usage: compare [--quick] [--rounds N] [--only TEXT]... [--readme FILE] [--out FOLDER]

  --quick        tiny sizes and one round: shows that everything works; writes to the target directory
  --rounds N     how often everyone takes a turn (5)
  --only TEXT    only workloads whose name contains TEXT; writes nothing
  --readme FILE  put the table between the marks `<!-- speed -->` and `<!-- /speed -->` of FILE
  --out FOLDER   where results.md and chart.svg go (benches/compare)
";

struct Options {
    quick: bool,
    rounds: usize,
    only: Vec<String>,
    readme: Option<PathBuf>,
    out: PathBuf,
}

fn main() -> ExitCode {
    match run() {
        Ok(done) => done,
        Err(why) => {
            eprintln!("compare: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = Parser::from_env();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut options = Options { quick: false, rounds: 5, only: Vec::new(), readme: None, out: here.to_owned() };
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("worker") => return worker(&mut arguments),
            Arg::Long("quick") => options.quick = true,
            Arg::Long("rounds") => options.rounds = arguments.value()?.parse()?,
            Arg::Long("only") => options.only.push(arguments.value()?.string()?),
            Arg::Long("readme") => options.readme = Some(arguments.value()?.into()),
            Arg::Long("out") => options.out = arguments.value()?.into(),
            Arg::Short('h') | Arg::Long("help") => {
                print!("{HELP}");
                return Ok(ExitCode::SUCCESS);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    compare(&options)
}

/// This crate as one of the programs.
fn worker(arguments: &mut Parser) -> Result<ExitCode, Box<dyn Error>> {
    let workload = arguments.value()?.string()?;
    let size = arguments.value()?.parse()?;
    let warm_up = Duration::from_millis(arguments.value()?.parse()?);
    let measure = Duration::from_millis(arguments.value()?.parse()?);
    ours::main(&workload, size, warm_up, measure);
    Ok(ExitCode::SUCCESS)
}

fn compare(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let started = Instant::now();
    // `target/compare`, seen from `target/release/compare`.
    let program = std::env::current_exe()?;
    let scratch = program.ancestors().nth(2).unwrap_or(Path::new("target")).join("compare");
    fs::create_dir_all(&scratch)?;
    let peers = peers::find(&scratch);
    for peer in &peers.present {
        println!("{}: {}", peer.name, peer.version);
    }
    for absent in &peers.absent {
        println!("absent: {absent}");
    }

    let (rounds, measure) = if options.quick { (1, 1) } else { (options.rounds, 400) };
    let mut answers = Answers::new();
    let mut failures = Vec::new();
    for round in 0..rounds {
        for workload in WORKLOADS {
            if !options.only.is_empty() && !options.only.iter().any(|only| workload.name.contains(only.as_str())) {
                continue;
            }
            let size = if options.quick { workload.size.min(1_000) } else { workload.size };
            print!("round {} of {rounds}, {}:", round + 1, workload.name);
            for peer in peers.present.iter().filter(|peer| round < peer.rounds && peer.does(workload)) {
                match peer.run(workload, size, Duration::from_millis(measure)) {
                    Ok(answer) => {
                        print!(" {} {},", peer.name, figures::short(answer));
                        answers.entry((workload.name, peer.name)).or_default().push(answer);
                    }
                    Err(why) => {
                        print!(" {} failed,", peer.name);
                        failures.push(format!("{} on {}: {why}", workload.name, peer.name));
                    }
                }
            }
            println!(" {}", if workload.unit == Unit::Bytes { "bytes" } else { "ns" });
        }
    }

    let summary = results::summary(&peers, &answers, rounds);
    println!("\n{summary}\n{}", results::budgets(&answers));
    for failure in &failures {
        eprintln!("{failure}");
    }
    if options.only.is_empty() {
        let out = if options.quick { &scratch } else { &options.out };
        fs::write(out.join("results.md"), results::report(&peers, &answers, rounds, &failures))?;
        fs::write(out.join("chart.svg"), results::chart(&peers, &answers))?;
        println!("results.md and chart.svg are in {}", out.display());
        if let Some(readme) = &options.readme {
            let text = fs::read_to_string(readme)?;
            let text = figures::splice(&text, "speed", &summary).ok_or("the README has no marks")?;
            fs::write(readme, text)?;
        }
    }
    println!("{} s", started.elapsed().as_secs());
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
