//! The table at the end: nanoseconds or bytes on both sides, and the ratio next to its budget.

use figures::{Spread, machine, today};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

/// What a ratio ours / peer must reach, and what it aims for.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    must: f64,
    aim: f64,
}

impl Budget {
    /// A ratio above `must` is not fit to be published; `aim` is the goal.
    pub const fn new(must: f64, aim: f64) -> Self {
        Self { must, aim }
    }
}

/// A peer's answer to a question next to ours.
pub(crate) struct Row {
    question: String,
    peer: &'static str,
    unit: &'static str,
    rounds: usize,
    ours: Spread,
    theirs: Spread,
    ratio: Spread,
    budget: Option<Budget>,
}

const HEAD: &str = "\
| question | against | thenable | peer | ours / peer | must | aim | |
|---|---|---|---|---|---|---|---|
";

impl Row {
    /// From what each round gave: ours and theirs.
    pub(crate) fn new(
        question: String,
        peer: &'static str,
        unit: &'static str,
        rounds: &[(f64, f64)],
        budget: Option<Budget>,
    ) -> Self {
        let ours = Spread::of(rounds.iter().map(|round| round.0));
        let theirs = Spread::of(rounds.iter().map(|round| round.1));
        let ratio = Spread::of(rounds.iter().map(|round| round.0 / round.1));
        Self { question, peer, unit, rounds: rounds.len(), ours, theirs, ratio, budget }
    }

    fn show(&self) -> String {
        let (must, aim, verdict) = match self.budget {
            None => (String::new(), String::new(), ""),
            Some(Budget { must, aim }) => {
                let ratio = self.ratio.median;
                let verdict = if ratio <= aim {
                    "aim reached"
                } else if ratio <= must {
                    "must reached"
                } else {
                    "**over budget**"
                };
                (must.to_string(), aim.to_string(), verdict)
            }
        };
        let Self { question, peer, unit, .. } = self;
        let (ours, theirs, ratio) = (self.ours.show(), self.theirs.show(), self.ratio.show());
        format!("| {question} | {peer} | {ours} {unit} | {theirs} {unit} | {ratio} | {must} | {aim} | {verdict} |\n")
    }
}

/// All rows, by subject.
pub(crate) struct Report {
    quick: bool,
    subjects: Vec<(&'static str, Vec<Row>)>,
}

impl Report {
    pub(crate) fn new(quick: bool) -> Self {
        Self { quick, subjects: Vec::new() }
    }

    /// Prints a row and keeps it.
    pub(crate) fn add(&mut self, subject: &'static str, row: Row) {
        println!("{} rounds; median (quartiles):\n{HEAD}{}", row.rounds, row.show());
        match self.subjects.last_mut() {
            Some((last, rows)) if *last == subject => rows.push(row),
            _ => self.subjects.push((subject, vec![row])),
        }
    }

    /// Prints all rows and, if they mean anything, writes them below the target directory: a file for each subject.
    pub(crate) fn finish(&self) {
        let about = format!(
            "Medians of rounds that took turns in one process, quartiles in parentheses. Measured on {} on {}.\n",
            today(),
            machine()
        );
        for (subject, rows) in &self.subjects {
            let mut table = format!("## {subject}\n\n{HEAD}");
            for row in rows {
                let _ = write!(table, "{}", row.show());
            }
            println!("\n{table}");
            self.write(subject, &table);
        }
        if !self.subjects.is_empty() {
            print!("{about}");
            self.write("about", &about);
        }
    }

    fn write(&self, name: &str, text: &str) {
        let Some(folder) = folder().filter(|_| !self.quick) else { return };
        let path = folder.join(name).with_extension("md");
        match fs::create_dir_all(&folder).and_then(|()| fs::write(&path, text)) {
            Ok(()) => println!("written to {}", path.display()),
            Err(why) => eprintln!("cannot write {}: {why}", path.display()),
        }
    }
}

/// `target/figures/benches`, seen from `target/release/deps/benches-0123`.
fn folder() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    Some(program.ancestors().nth(3)?.join("figures/benches"))
}
