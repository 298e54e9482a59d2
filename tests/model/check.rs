//! Compares the library with the model.

use super::program::Program;
use super::run::{self, Ran};
use super::{Record, interpret, node};
use std::fmt;
use std::ops::AddAssign;

/// What a number of programs amounted to.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Totals {
    pub(crate) programs: u64,
    pub(crate) operations: usize,
    /// Of the log.
    pub(crate) lines: usize,
    /// Rejections that nobody handled.
    pub(crate) unhandled: usize,
    /// Programs that cancel.
    pub(crate) cancel: u64,
    /// Programs of several turns.
    pub(crate) turns: u64,
    /// Programs in which a ring closes.
    pub(crate) rings: u64,
    /// Those whose ring the library rejects. They are compared up to there.
    pub(crate) told: u64,
}

impl Totals {
    fn add(&mut self, program: &Program, record: &Record, ran: &Ran) {
        *self += Self {
            programs: 1,
            operations: program.size(),
            lines: record.log.len(),
            unhandled: record.unhandled.len(),
            cancel: u64::from(program.cancels()),
            turns: u64::from(program.turns().nth(1).is_some()),
            rings: u64::from(record.ring_at.is_some()),
            told: u64::from(ran.tells_ring(record)),
        };
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.programs += other.programs;
        self.operations += other.operations;
        self.lines += other.lines;
        self.unhandled += other.unhandled;
        self.cancel += other.cancel;
        self.turns += other.turns;
        self.rings += other.rings;
        self.told += other.told;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { programs, operations, lines, unhandled, cancel, turns, rings, told } = self;
        write!(
            f,
            "{programs} programs, {operations} operations, {lines} lines of log, {unhandled} unhandled rejections; \
             {cancel} programs cancel, {turns} have several turns, {rings} close a ring, {told} of which the library rejects"
        )
    }
}

fn difference(program: &Program) -> Option<&'static str> {
    run::run(program).differs_from(&interpret(program))
}

/// Runs a program on both. If they differ it is made smaller and described.
pub(crate) fn check(name: &str, program: &Program, totals: &mut Totals) -> Result<(), String> {
    let (record, ran) = (interpret(program), run::run(program));
    totals.add(program, &record, &ran);
    if ran.differs_from(&record).is_none() {
        return Ok(());
    }
    let program = program.clone().shrink(|program| difference(program).is_some());
    let (model, library) = (interpret(&program), run::run(&program));
    Err(format!(
        "{name}: {}\n{}counted: {}, drive: {:?}\nmodel: {model:#?}\nlibrary: {library:#?}",
        library.differs_from(&model).unwrap_or("once they differed, and then they did not"),
        node::print(name, &program),
        program.counted,
        program.drive,
    ))
}
