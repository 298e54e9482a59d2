//! The alternation itself.

use crate::child::{self, Task};
use crate::ratio::Ratio;
use crate::report::{Budget, Report, Row};
use criterion::{Criterion, SamplingMode};
use std::time::{Duration, Instant};
use std::{env, iter};

/// The questions of one file.
#[derive(Debug, Clone, Copy)]
pub struct Subject {
    /// Comes first in the name of each question.
    pub name: &'static str,
    /// Asks them.
    pub ask: fn(&mut Bench),
    /// What it runs in processes of their own.
    pub tasks: &'static [Task],
}

const WARM_UP: Duration = Duration::from_millis(300);

/// Asks the questions of all `subjects`.
///
/// With `--quick` everything is tiny and proves only that it works. Other arguments are criterion's: a name, or a part of
/// it, chooses questions.
pub fn main(subjects: &[Subject]) {
    let tasks: Vec<Task> = subjects.iter().flat_map(|subject| subject.tasks).copied().collect();
    if child::answer(&tasks) {
        return;
    }
    let quick = env::args().any(|argument| argument == "--quick");
    // Without `--bench`, which cargo gives, criterion only tests.
    let measures = quick || env::args().any(|argument| argument == "--bench");
    let filter = env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let criterion = Criterion::default().with_measurement(Ratio).without_plots().sample_size(10);
    let criterion = if quick {
        let millisecond = Duration::from_millis(1);
        let criterion = criterion.warm_up_time(millisecond).measurement_time(millisecond).nresamples(100);
        filter.iter().fold(criterion, |criterion, filter| criterion.with_filter(filter))
    } else {
        // A ratio of two sides in one process is steady: a change below this is noise.
        let criterion = criterion.noise_threshold(0.03).nresamples(10_000);
        criterion.warm_up_time(WARM_UP).measurement_time(Duration::from_secs(2)).configure_from_args()
    };
    let mut bench = Bench { criterion, quick, measures, filter, subject: "", report: Report::new(quick) };
    for subject in subjects {
        bench.subject = subject.name;
        (subject.ask)(&mut bench);
    }
    bench.criterion.final_summary();
    bench.report.finish();
}

/// The benchmark as it runs.
pub struct Bench {
    criterion: Criterion<Ratio>,
    quick: bool,
    measures: bool,
    filter: Option<String>,
    subject: &'static str,
    report: Report,
}

impl Bench {
    /// `wanted`, or next to nothing in a quick run.
    pub fn size(&self, wanted: usize) -> usize {
        if self.quick || !self.measures { wanted.min(20) } else { wanted }
    }

    /// A question: `id` for the command line, `text` for the table. `ours` does `operations` operations and returns what
    /// that took.
    pub fn question<'a>(
        &'a mut self,
        id: &str,
        text: impl Into<String>,
        operations: usize,
        ours: impl FnMut() -> Duration + 'a,
    ) -> Question<'a> {
        let id = format!("{}/{id}", self.subject);
        Question { id, text: text.into(), operations, bench: self, ours: Box::new(ours) }
    }

    /// How many bytes an item takes on each side, each time in a fresh process.
    pub fn memory(&mut self, text: &str, count: usize, ours: Task, peers: &[(&'static str, Task)]) {
        let wanted = self.filter.as_ref().is_none_or(|filter| format!("{}/memory", self.subject).contains(filter));
        if !self.measures || !wanted {
            return;
        }
        let rounds = if self.quick { 1 } else { 5 };
        for &(peer, task) in peers {
            let rounds: Vec<_> = iter::repeat_with(|| (ours.ask(count), task.ask(count))).take(rounds).collect();
            self.report.add(self.subject, Row::new(text.to_owned(), peer, "B", &rounds, None));
        }
    }
}

/// A question, with this crate's answer; ask peers with [`against`](Question::against).
pub struct Question<'a> {
    id: String,
    text: String,
    operations: usize,
    bench: &'a mut Bench,
    ours: Box<dyn FnMut() -> Duration + 'a>,
}

impl Question<'_> {
    /// Takes turns with a peer that does the same.
    pub fn against(
        mut self,
        peer: &'static str,
        budget: impl Into<Option<Budget>>,
        mut theirs: impl FnMut() -> Duration,
    ) -> Self {
        let warm_up = if self.bench.quick { Duration::ZERO } else { WARM_UP };
        let nanoseconds = 1e9 / self.operations.max(1) as f64;
        let mut rounds: Vec<(f64, f64)> = Vec::new();
        let mut started = None;
        let mut turn = 0_u32;
        let ours = &mut self.ours;
        let mut group = self.bench.criterion.benchmark_group(&self.id);
        // Every sample has the same number of rounds.
        group.sampling_mode(SamplingMode::Flat);
        group.bench_function(peer, |bencher| {
            bencher.iter_custom(|iterations| {
                let started = *started.get_or_insert_with(Instant::now);
                let mut ratios = 0.0;
                for _ in 0..iterations {
                    // Who goes first takes turns, too.
                    turn += 1;
                    let (our_time, their_time);
                    if turn.is_multiple_of(2) {
                        our_time = ours();
                        their_time = theirs();
                    } else {
                        their_time = theirs();
                        our_time = ours();
                    }
                    let (our_time, their_time) = (our_time.as_secs_f64(), their_time.as_secs_f64().max(1e-9));
                    ratios += our_time / their_time;
                    if started.elapsed() > warm_up {
                        rounds.push((our_time * nanoseconds, their_time * nanoseconds));
                    }
                }
                ratios
            });
        });
        group.finish();
        if self.bench.measures && !rounds.is_empty() {
            let row = Row::new(self.text.clone(), peer, "ns", &rounds, budget.into());
            self.bench.report.add(self.bench.subject, row);
        }
        self
    }
}
