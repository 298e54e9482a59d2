//! The programs: this crate's own, and those of `peers/` where their language is installed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::workloads::{Unit, Workload};

/// A program that can do workloads.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// What a run of it is, for the list of versions.
    pub(crate) version: String,
    /// In how many of five rounds it takes part.
    pub(crate) rounds: usize,
    program: PathBuf,
    arguments: Vec<String>,
    /// Before the arguments, for the workloads that measure memory.
    memory_arguments: &'static [&'static str],
    last_argument: Option<String>,
    warm_up: Duration,
    skips: &'static [&'static str],
}

/// Peers that run, and those that do not with the reason.
pub(crate) struct Peers {
    pub(crate) present: Vec<Peer>,
    pub(crate) absent: Vec<String>,
}

/// Enough for native code, and for V8's compilers.
const WARM_UP: Duration = Duration::from_millis(400);
/// Enough to have touched all of a large young generation, which costs more than collecting a small one.
const WARM_UP_LARGE: Duration = Duration::from_millis(1_500);
/// Enough for HotSpot's second compiler.
const WARM_UP_JAVA: Duration = Duration::from_millis(2_000);
const BLUEBIRD: &str = "3.7.2";

impl Peer {
    fn new(name: &'static str, version: String, program: impl Into<PathBuf>, arguments: &[&str]) -> Self {
        Self {
            name,
            version,
            rounds: usize::MAX,
            program: program.into(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            memory_arguments: &[],
            last_argument: None,
            warm_up: WARM_UP,
            skips: &[],
        }
    }

    pub(crate) fn does(&self, workload: &Workload) -> bool {
        !self.skips.contains(&workload.name)
    }

    /// Runs a workload in a fresh process: the median of what its runs printed.
    pub(crate) fn run(&self, workload: &Workload, size: usize, measure: Duration) -> Result<f64, String> {
        let mut command = Command::new(&self.program);
        if workload.unit == Unit::Bytes {
            command.args(self.memory_arguments);
        }
        // A run of a second warms up by itself, and a quick one proves nothing.
        let skips = workload.unit == Unit::CpuTime || measure < Duration::from_millis(100);
        let warm_up = if skips { Duration::ZERO } else { self.warm_up };
        let milliseconds = |time: Duration| time.as_millis().to_string();
        command.args(&self.arguments);
        command.args([workload.name, &size.to_string(), &milliseconds(warm_up), &milliseconds(measure)]);
        command.args(&self.last_argument);
        let output = command.output().map_err(|why| why.to_string())?;
        let runs = String::from_utf8_lossy(&output.stdout);
        let runs: Vec<f64> = runs.lines().filter_map(|line| line.parse().ok()).collect();
        if !output.status.success() || runs.is_empty() {
            return Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()));
        }
        Ok(figures::Spread::of(runs).median)
    }
}

/// Ours first. Looks for the others; `scratch` keeps what has to be installed or compiled for them.
pub(crate) fn find(scratch: &Path) -> Peers {
    let mut peers = Peers { present: vec![ours()], absent: Vec::new() };
    match node() {
        Ok(node) => peers.present.extend(node),
        Err(why) => peers.absent.push(format!("Node ({why})")),
    }
    match bluebird(scratch) {
        Ok(bluebird) => peers.present.push(bluebird),
        Err(why) => peers.absent.push(format!("bluebird ({why})")),
    }
    match asyncio() {
        Ok(asyncio) => peers.present.push(asyncio),
        Err(why) => peers.absent.push(format!("Python ({why})")),
    }
    match completable_future(scratch) {
        Ok(java) => peers.present.push(java),
        Err(why) => peers.absent.push(format!("Java ({why})")),
    }
    peers
}

fn ours() -> Peer {
    let program = env::current_exe().expect("the path of this program");
    let rustc = say("rustc", &["--version"]).unwrap_or_else(|_| "rustc".to_owned());
    let commit = say("git", &["rev-parse", "--short", "HEAD"]).map_or(String::new(), |commit| format!(" at {commit}"));
    Peer::new("thenable", format!("thenable{commit}, {rustc}, fat LTO"), program, &["--worker"])
}

fn source(file: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(file).display().to_string()
}

fn node() -> Result<[Peer; 2], String> {
    let version = say("node", &["-p", "`Node ${process.version}, V8 ${process.versions.v8}`"])?;
    let peer = |name, version, arguments: &[&str]| {
        let mut peer = Peer::new(name, version, "node", arguments);
        peer.memory_arguments = &["--expose-gc"];
        peer
    };
    let program = source("node.js");
    // Without the first it would only grow towards that size.
    let large = ["--min-semi-space-size=256", "--max-semi-space-size=256"];
    let version_of_large = format!("the same with {}", large.join(" "));
    let mut with_large = peer("Node, 256 MB", version_of_large, &[large[0], large[1], &program]);
    with_large.warm_up = WARM_UP_LARGE;
    // Where a young generation of any size holds all there is, it is the same as above.
    with_large.skips =
        &["chains_of_10", "settle", "timers", "doxbee_timers", "parallel_timers", "memory", "memory_then"];
    Ok([peer("Node", version, &[&program]), with_large])
}

fn bluebird(scratch: &Path) -> Result<Peer, String> {
    say("node", &["--version"])?;
    let folder = scratch.join("bluebird");
    let module = folder.join("node_modules").join("bluebird");
    if !module.exists() {
        fs::create_dir_all(&folder).map_err(|why| why.to_string())?;
        let package = format!("bluebird@{BLUEBIRD}");
        let folder = folder.display().to_string();
        say("npm", &["install", "--no-audit", "--no-fund", "--silent", "--prefix", &folder, &package])?;
    }
    let mut peer = Peer::new("bluebird", format!("bluebird {BLUEBIRD} on the same"), "node", &[&source("node.js")]);
    peer.memory_arguments = &["--expose-gc"];
    peer.last_argument = Some(module.display().to_string());
    // Async functions return native promises. On 10^6 handlers it loses all but 16,961: it counts them in 16 bits.
    peer.skips = &["spawn", "doxbee_async", "fan_out"];
    Ok(peer)
}

fn asyncio() -> Result<Peer, String> {
    let version = say("python3", &["--version"])?;
    let mut peer = Peer::new("asyncio", version, "python3", &[&source("asyncio_futures.py")]);
    peer.warm_up = Duration::ZERO;
    // Some runs take ten seconds.
    peer.rounds = 3;
    // It has coroutines only.
    peer.skips = &["doxbee"];
    Ok(peer)
}

fn completable_future(scratch: &Path) -> Result<Peer, String> {
    let classes = scratch.join("java").display().to_string();
    say("javac", &["-d", &classes, &source("Futures.java")])?;
    let version = say("java", &["--version"])?;
    let version = version.lines().next().unwrap_or("Java").to_owned();
    let mut peer = Peer::new("CompletableFuture", version, "java", &["-cp", &classes, "Futures"]);
    peer.warm_up = WARM_UP_JAVA;
    // It has no async functions.
    peer.skips = &["doxbee_async"];
    Ok(peer)
}

/// What a program prints, or why it does not.
fn say(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output().map_err(|why| format!("{program}: {why}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(format!("{program}: {}, {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
    }
}
