//! The same ten items, counted three times: one after the other, by five threads, and by five processes.
//!
//! ```text
//! cargo run --release --features process --example cpu_pools
//! cargo run --release --features process --example cpu_pools -- --iterations 100000000 --workers 5
//! ```
//!
//! The lines of the items come in the order in which they are done. For work like this, threads and processes take the same
//! time, as long as there are cores: what a process adds is that it may die.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{self, IsTerminal, Write as _};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use thenable::{JobPool, JobPoolExt, ProcessPool, Promise, Registry, Shutdown, ThreadPool};

const USAGE: &str = "\
usage: cpu_pools [--iterations N] [--workers N]

  -n, --iterations N   how far each item counts (10000000)
  -w, --workers N      threads, and processes (5)
  -h, --help           print this";

const ITEMS: std::ops::RangeInclusive<u64> = 1..=10;

thenable::job! {
    /// Counts, and gives the count times the item.
    fn count(iterations: u64, item: u64) -> u64 {
        let mut i = 0;
        for _ in 0..iterations {
            // Or the optimizer would know the end of it.
            i = black_box(i + 1);
        }
        i * item
    }
}

fn main() -> ExitCode {
    // In a worker process, this never returns.
    thenable::process::run_worker_if_asked(&Registry::new().add(count));

    let options = match Options::parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            let _ = writeln!(io::stdout(), "{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("cpu_pools: {why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match compare(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("cpu_pools: {why}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> thenable::Result<()> {
    let workers = options.workers.get();
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut times = Vec::new();

    let screen = Screen::new("sequential");
    let start = Instant::now();
    for item in ITEMS {
        screen.show(item, count((options.iterations, item)));
    }
    times.push(("Sequential", start.elapsed()));
    screen.end();
    say(&format!("Sequential Execution in {} seconds", seconds(times[0].1)));

    let (name, start) = ("Thread Pool", Instant::now());
    let threads = ThreadPool::new(workers);
    run_on(&threads, options, "threads")?;
    threads.shutdown(Shutdown::Drain).wait()?;
    times.push((name, start.elapsed()));
    say(&format!("{name} Execution in {} seconds", seconds(times[1].1)));

    let (name, start) = ("Process Pool", Instant::now());
    let processes = ProcessPool::new(workers)?;
    run_on(&processes, options, "processes")?;
    processes.shutdown(Shutdown::Drain).wait()?;
    times.push((name, start.elapsed()));
    say(&format!("{name} Execution in {} seconds", seconds(times[2].1)));

    say(&format!("\nN = {} iterations an item, {workers} workers, {cores} cores", options.iterations));
    say(&chart(&times));
    Ok(())
}

/// The ten items as ten promises, on whatever pool. This is all that there is to it.
fn run_on(pool: &dyn JobPool, options: &Options, title: &'static str) -> thenable::Result<()> {
    let screen = Screen::new(title);
    let items = ITEMS.map(|item| {
        let screen = screen.clone();
        pool.submit_job(count, (options.iterations, item)).map(move |result| screen.show(item, result))
    });
    let done = Promise::all(items).wait();
    screen.end();
    done.map(drop)
}

/// The lines of the items, and below them a progress bar if somebody watches.
#[derive(Clone)]
struct Screen(ProgressBar);

impl Screen {
    fn new(title: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(10), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{msg:10} [{bar:40}] {pos}/{len}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(title);
        bar.tick();
        Self(bar)
    }

    fn show(&self, item: u64, result: u64) {
        self.0.suspend(|| say(&format!("Item {item}, result {result}")));
        self.0.inc(1);
    }

    fn end(&self) {
        self.0.finish_and_clear();
    }
}

/// One whole line at a time. A reader that leaves is no error.
fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

fn seconds(time: Duration) -> String {
    format!("{:.7}", time.as_secs_f64())
}

/// A bar for each time, the longest one of full width.
fn chart(times: &[(&str, Duration)]) -> String {
    const WIDTH: f64 = 50.0;
    let longest = times.iter().map(|(_, time)| time.as_secs_f64()).fold(f64::MIN_POSITIVE, f64::max);
    let sequential = times.first().map_or(0.0, |(_, time)| time.as_secs_f64());
    let full = if io::stdout().is_terminal() { "█" } else { "#" };
    let mut text = String::new();
    for (name, time) in times {
        let time = time.as_secs_f64();
        let bar = full.repeat((time / longest * WIDTH).round().max(1.0) as usize);
        let factor = sequential / time.max(f64::MIN_POSITIVE);
        let _ = writeln!(text, "{name:>12} | {bar} {time:.3} s ({factor:.2} x)");
    }
    text.truncate(text.trim_end().len());
    text
}

struct Options {
    iterations: u64,
    workers: NonZeroUsize,
}

impl Options {
    /// `None` asks for help.
    fn parse(mut parser: lexopt::Parser) -> Result<Option<Self>, lexopt::Error> {
        use lexopt::{Arg, ValueExt};
        // So many take Python about 0.7 s an item, and this program some milliseconds.
        let mut options = Self { iterations: 10_000_000, workers: NonZeroUsize::MIN.saturating_add(4) };
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Short('n') | Arg::Long("iterations") => options.iterations = parser.value()?.parse()?,
                Arg::Short('w') | Arg::Long("workers") => options.workers = parser.value()?.parse()?,
                Arg::Short('h') | Arg::Long("help") => return Ok(None),
                other => return Err(other.unexpected()),
            }
        }
        if options.iterations > u64::MAX / 10 {
            return Err("--iterations: ten times as many do not fit into 64 bits".into());
        }
        Ok(Some(options))
    }
}
