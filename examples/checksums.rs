//! Hashes files on a thread pool, one promise a file, and prints what `sha256sum` would print.
//!
//! ```text
//! cargo run --release --example checksums -- src README.md > SHA256SUMS
//! sha256sum --check SHA256SUMS
//! ```
//!
//! The lines come in the order of `find PATH -type f | LC_ALL=C sort`, whatever finishes first. Nothing is collected: the
//! walk is as lazy as `Promise::map_limit` pulls it, so a tree of millions of files needs no more memory than a small one
//! (a single directory is held as a whole, to be sorted).

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use thenable::{ExecutorExt, Promise, Rejection, ThreadPool};
use walkdir::{DirEntry, WalkDir};

const USAGE: &str = "\
usage: checksums [--jobs N] [--open N] [--quiet] PATH...

Prints the SHA-256 of every file below each PATH, as sha256sum does.

  -j, --jobs N   threads that hash (as many as the machine has cores)
  -o, --open N   files under way at a time (64)
  -q, --quiet    no progress bar, no notes on what was skipped
  -h, --help     print this

Hidden files are included. Symbolic links are followed only if they are named as a PATH. The exit status is 1 if
anything could not be read, 2 if the arguments make no sense.";

fn main() -> ExitCode {
    let options = match Options::parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            let _ = writeln!(io::stdout(), "{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            complain(&format!("{why}\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    let report = Arc::new(Mutex::new(Report::new()));
    // One loop on this thread runs the handlers; the pool's threads do the reading and hashing.
    let outcome = thenable::block_on(hash_all(options, &report));

    let failures = std::mem::take(&mut lock(&report).failures);
    let mut failed = !failures.is_empty();
    match outcome {
        Ok(()) => {}
        // Whoever read our output has seen enough (`checksums . | head`): nothing to complain about.
        Err(why) if is_broken_pipe(&why) => return if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS },
        Err(why) => {
            complain(&why.to_string());
            failed = true;
        }
    }
    for why in &failures {
        complain(&why.to_string());
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The whole job as one promise.
async fn hash_all(options: Options, report: &Arc<Mutex<Report>>) -> thenable::Result<()> {
    let open = options.open.get();
    // A file has at most one job in the pool at a time, so the queue never needs to be longer.
    let pool = ThreadPool::builder().max_workers(options.jobs.get()).queue_limit(open).thread_name("hash").build()?;
    let bar = progress(&options);

    // What is met on the way and is neither a file nor a directory gets a note instead of a promise.
    let (notes, quiet) = (bar.clone(), options.quiet);
    let files = walk(options.paths).filter_map(move |found| match found {
        Found::File(path) => Some(Ok(path)),
        Found::Unreadable(why) => Some(Err(why)),
        Found::Skipped(path, kind) => {
            if !quiet {
                notes.suspend(|| complain(&format!("{}: skipped, it is {kind}", path.display())));
            }
            None
        }
    });

    let (written, flushed, done) = (Arc::clone(report), Arc::clone(report), bar.clone());
    // Settles when the line before has been written. Each file's own promise waits for it, which keeps the lines in order
    // and lets `map_limit` bound the lines that wait, not only the files that are open.
    let mut turn = Promise::resolve(());
    Promise::map_limit(files, open, move |file| {
        let hashed = match file {
            Ok(path) => hash(path, &pool, &bar),
            Err(why) => Promise::reject(why),
        };
        // A failure becomes an entry of the report here, so it stops nobody else ...
        let entry = hashed.map(Entry::Line).catch(|why| Ok(Entry::Failed(why)));
        let (report, bar) = (Arc::clone(&written), bar.clone());
        // ... while an error of `add`, which is standard output's, has no `catch`: it ends the whole job.
        let line_out = Promise::join((turn.clone(), entry)).then(move |((), entry)| lock(&report).add(entry, &bar));
        turn = line_out.clone();
        line_out
    })
    .then(move |_: Vec<()>| Ok(lock(&flushed).out.flush()?))
    // However it ends, the terminal is left clean.
    .finally(move || done.finish_and_clear())
    .await
}

/// Opens and hashes one file on the pool and turns the digest into a line on the loop. The file is open from the first
/// job to the end of the second.
fn hash(path: PathBuf, pool: &ThreadPool, bar: &ProgressBar) -> Promise<Vec<u8>> {
    let path: Arc<Path> = path.into();
    let (opened, named, bar) = (Arc::clone(&path), Arc::clone(&path), bar.clone());
    pool.attempt(move || File::open(opened))
        .on(pool)
        .then(move |file| digest(file, &bar))
        .map(move |digest| line(&digest, &named))
        // So far the reason was a plain `io::Error`; from here on it says which file.
        .map_err(move |source| Rejection::new(Unreadable { path, source }))
}

/// Reads the file in pieces: its size does not matter.
fn digest(mut file: File, bar: &ProgressBar) -> io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    let mut buffer = [0; 64 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(read) => {
                hasher.update(&buffer[..read]);
                bar.inc(read as u64);
            }
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
}

/// A line of `sha256sum`. The name goes out as the bytes that it is; if it has a backslash or a line end in it, these are
/// escaped and a backslash in front of the line says so.
fn line(digest: &[u8], path: &Path) -> Vec<u8> {
    let name = path.as_os_str().as_encoded_bytes();
    let mut line = Vec::with_capacity(2 * digest.len() + name.len() + 3);
    if name.iter().any(|byte| matches!(byte, b'\\' | b'\n' | b'\r')) {
        line.push(b'\\');
    }
    for byte in digest {
        line.extend([byte >> 4, byte & 15].map(|nibble| b"0123456789abcdef"[usize::from(nibble)]));
    }
    line.extend(b"  ");
    for &byte in name {
        match byte {
            b'\\' => line.extend(br"\\"),
            b'\n' => line.extend(br"\n"),
            b'\r' => line.extend(br"\r"),
            other => line.push(other),
        }
    }
    line.push(b'\n');
    line
}

/// What the walk meets. Directories themselves are not reported.
enum Found {
    File(PathBuf),
    Skipped(PathBuf, &'static str),
    Unreadable(Unreadable),
}

/// The reason that a file's promise rejects with.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
struct Unreadable {
    path: Arc<Path>,
    source: io::Error,
}

/// Everything below the paths, in a fixed order, read from the disk as it is pulled.
fn walk(paths: Vec<PathBuf>) -> impl Iterator<Item = Found> + Send + 'static {
    paths.into_iter().flat_map(|root| {
        // With the slash behind directories, the order of siblings is the byte order of whole paths.
        let key = |entry: &DirEntry| {
            let mut name = entry.file_name().as_encoded_bytes().to_vec();
            if entry.file_type().is_dir() {
                name.push(b'/');
            }
            name
        };
        let sorted = WalkDir::new(&root).sort_by(move |a, b| key(a).cmp(&key(b)));
        sorted.into_iter().filter_map(move |entry| classify(entry, &root))
    })
}

fn classify(entry: walkdir::Result<DirEntry>, root: &Path) -> Option<Found> {
    let unreadable = |path: &Path, source| Some(Found::Unreadable(Unreadable { path: path.into(), source }));
    let entry = match entry {
        Ok(entry) => entry,
        Err(why) => {
            let path = why.path().unwrap_or(root).to_owned();
            // Only a loop of followed links has no cause, and the walk follows none.
            return unreadable(&path, why.into_io_error().unwrap_or_else(|| io::ErrorKind::Other.into()));
        }
    };
    // A link that was named as a PATH stands for what it points to.
    let kind = match entry.depth() {
        0 => match fs::metadata(entry.path()) {
            Ok(metadata) => metadata.file_type(),
            Err(why) => return unreadable(entry.path(), why),
        },
        _ => entry.file_type(),
    };
    if kind.is_dir() {
        None
    } else if kind.is_file() {
        Some(Found::File(entry.into_path()))
    } else if kind.is_symlink() {
        Some(Found::Skipped(entry.into_path(), "a symbolic link"))
    } else {
        Some(Found::Skipped(entry.into_path(), "not a regular file"))
    }
}

/// An entry of the report, in the order of the walk.
enum Entry {
    Line(Vec<u8>),
    Failed(Rejection),
}

struct Report {
    out: Box<dyn Write + Send>,
    to_terminal: bool,
    failures: Vec<Rejection>,
}

impl Report {
    fn new() -> Self {
        let to_terminal = io::stdout().is_terminal();
        let out: Box<dyn Write + Send> = if to_terminal {
            Box::new(io::stdout())
        } else {
            Box::new(BufWriter::with_capacity(64 * 1024, io::stdout()))
        };
        Self { out, to_terminal, failures: Vec::new() }
    }

    fn add(&mut self, entry: Entry, bar: &ProgressBar) -> thenable::Result<()> {
        match entry {
            // A bar on the same terminal must step aside for the line.
            Entry::Line(line) if self.to_terminal => bar.suspend(|| self.out.write_all(&line))?,
            Entry::Line(line) => self.out.write_all(&line)?,
            Entry::Failed(why) => self.failures.push(why),
        }
        Ok(())
    }
}

/// The bar of bytes, on standard error if that is a terminal. How far it has to go is found out by a second walk on a thread
/// of its own, while the hashing has begun: a callback that becomes a promise.
fn progress(options: &Options) -> ProgressBar {
    if options.quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = |template| ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::no_length().with_style(style("{spinner} {bytes} {bytes_per_sec}"));
    let paths = options.paths.clone();
    let total = Promise::new(|resolve, _reject| {
        thread::spawn(move || {
            let size = |found| match found {
                Found::File(path) => fs::metadata(path).map_or(0, |metadata| metadata.len()),
                _ => 0,
            };
            resolve(walk(paths).map(size).sum())
        });
    });
    let known = bar.clone();
    let shown = total.map(move |total| {
        known.set_length(total);
        known.set_style(style("{wide_bar} {bytes}/{total_bytes} {bytes_per_sec}"));
    });
    // Nobody waits for it: if the count fails, the spinner just goes on.
    shown.mark_handled();
    bar
}

struct Options {
    jobs: NonZeroUsize,
    open: NonZeroUsize,
    quiet: bool,
    paths: Vec<PathBuf>,
}

impl Options {
    /// `None` asks for the usage.
    fn parse(mut arguments: lexopt::Parser) -> Result<Option<Self>, lexopt::Error> {
        use lexopt::prelude::{Long, Short, Value, ValueExt};

        let mut options = Self {
            jobs: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            open: NonZeroUsize::MIN.saturating_add(63),
            quiet: false,
            paths: Vec::new(),
        };
        while let Some(argument) = arguments.next()? {
            match argument {
                Short('j') | Long("jobs") => options.jobs = arguments.value()?.parse()?,
                Short('o') | Long("open") => options.open = arguments.value()?.parse()?,
                Short('q') | Long("quiet") => options.quiet = true,
                Short('h') | Long("help") => return Ok(None),
                Value(path) => options.paths.push(path.into()),
                other => return Err(other.unexpected()),
            }
        }
        if options.paths.is_empty() { Err("no PATH given".into()) } else { Ok(Some(options)) }
    }
}

fn is_broken_pipe(why: &Rejection) -> bool {
    why.downcast_ref::<io::Error>().is_some_and(|why| why.kind() == io::ErrorKind::BrokenPipe)
}

fn complain(what: &str) {
    let _ = writeln!(io::stderr(), "checksums: {what}");
}

fn lock(report: &Mutex<Report>) -> MutexGuard<'_, Report> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}
