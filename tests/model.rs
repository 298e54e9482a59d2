//! Random programs on the library and on a reference model of ECMAScript's promises, whose logs must be the same line for
//! line. `ci/model.sh` runs more of them, `ci/model-node.sh` runs them in Node as well, `ci/fuzz.sh` has a fuzzer write them.
//!
//! `THENABLE_MODEL_PROGRAMS` says how many, and `THENABLE_MODEL_SEED` with which seed the first one is made.

#[cfg(not(loom))]
#[path = "model/mod.rs"]
mod model;

#[cfg(not(loom))]
mod tests {
    use crate::model::check::{self, Totals};
    use crate::model::planted::Planted;
    use crate::model::program::Program;
    use crate::model::{LIBRARY_ONLY, interpret, interpret_planted, node, run};
    use std::fmt::Write;
    use std::io::Write as _;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::path::Path;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::time::{Duration, Instant};
    use std::{fs, thread};

    /// Seeds of programs that have failed once. They always come first.
    const REGRESSIONS: &str = include_str!("model/seeds.txt");
    /// One program takes well below a millisecond.
    const STUCK: Duration = Duration::from_secs(60);

    fn setting(name: &str, otherwise: u64) -> u64 {
        std::env::var(name).map_or(otherwise, |text| text.parse().expect(name))
    }

    /// The seeds to run.
    fn seeds() -> impl Iterator<Item = u64> {
        let lines = REGRESSIONS.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        let regressions = lines.filter(|line| !line.is_empty()).map(|line| line.parse().expect("a seed"));
        let first = setting("THENABLE_MODEL_SEED", 1);
        regressions.chain(first..first.saturating_add(setting("THENABLE_MODEL_PROGRAMS", 100_000)))
    }

    /// Ends the process, with the seed, when a program does not end.
    fn watch<R>(work: impl FnOnce(&AtomicU64) -> R) -> R {
        let (current, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let (mut last, mut since) = (0, Instant::now());
                while !is_over.load(Ordering::Relaxed) {
                    thread::park_timeout(Duration::from_secs(1));
                    let now = current.load(Ordering::Relaxed);
                    if now != last {
                        (last, since) = (now, Instant::now());
                    } else if since.elapsed() > STUCK {
                        eprintln!("the program of seed {now} has not ended after {STUCK:?}");
                        std::process::abort();
                    }
                }
            });
            let result = catch_unwind(AssertUnwindSafe(|| work(&current)));
            is_over.store(true, Ordering::Relaxed);
            watcher.thread().unpark();
            result.unwrap_or_else(|why| resume_unwind(why))
        })
    }

    fn check(seed: u64, totals: &mut Totals) -> Result<(), String> {
        check::check(&seed.to_string(), &Program::from_seed(seed), totals)
            .map_err(|why| format!("run it alone: THENABLE_MODEL_SEED={seed} THENABLE_MODEL_PROGRAMS=1\n{why}"))
    }

    /// Threads take seeds until there are none, or one fails: the library must do the same whatever its neighbours do.
    #[test]
    fn the_library_does_as_the_model_does() {
        run::collect_unhandled();
        let start = Instant::now();
        let (all, failed) = (Mutex::new(seeds()), AtomicBool::new(false));
        let some = || -> Vec<u64> { all.lock().expect("no panic").by_ref().take(100).collect() };
        let work = || {
            watch(|current| {
                let mut totals = Totals::default();
                let next = || if failed.load(Ordering::Relaxed) { Vec::new() } else { some() };
                for seed in std::iter::from_fn(|| Some(next()).filter(|seeds| !seeds.is_empty())).flatten() {
                    current.store(seed, Ordering::Relaxed);
                    check(seed, &mut totals).inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
                }
                Ok::<_, String>(totals)
            })
        };
        let mut totals = Totals::default();
        thread::scope(|scope| {
            let count = thread::available_parallelism().map_or(1, |count| count.get());
            let workers: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
            for worker in workers {
                match worker.join().expect("a difference is no panic") {
                    Ok(more) => totals += more,
                    Err(why) => panic!("{why}"),
                }
            }
        });
        println!("{totals}; no difference; {:.1} s", start.elapsed().as_secs_f64());
    }

    /// Each changed rule of the model is noticed: so would be a library that had that rule wrong.
    #[test]
    fn a_changed_rule_is_noticed() {
        const WITHIN: u64 = 3000;
        run::collect_unhandled();
        let ran: Vec<_> = (1..=WITHIN).map(Program::from_seed).map(|program| (run::run(&program), program)).collect();
        assert!(ran.iter().all(|(ran, program)| ran.differs_from(&interpret(program)).is_none()));
        for planted in Planted::ALL {
            let noticed = ran
                .iter()
                .position(|(ran, program)| ran.differs_from(&interpret_planted(program, Some(planted))).is_some());
            let Some(at) = noticed else { panic!("{planted:?} is not noticed in {WITHIN} programs") };
            println!("{planted:?}: noticed after {} programs", at + 1);
        }
    }

    /// A generator whose programs did nothing would find nothing.
    #[test]
    fn programs_do_something() {
        let records = (1..=1000).map(|seed| interpret(&Program::from_seed(seed)));
        let lines: usize = records.map(|record| record.log.len()).sum();
        assert!(lines > 5000, "{lines} lines in 1000 programs");
    }

    /// Otherwise `seeds.txt` would be worth nothing. If the generator has to change, let those seeds keep the old one.
    #[test]
    fn seeds_mean_what_they_meant() {
        let programs = (1..=1000).map(|seed| format!("{:?}", Program::from_seed(seed)));
        // FNV-1a.
        let hash = programs
            .collect::<String>()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        assert_eq!(hash, 17_463_115_758_469_058_842);
    }

    /// The programs that the fuzzer found worth keeping.
    #[test]
    fn the_corpus_of_the_fuzzer_passes() {
        run::collect_unhandled();
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        if !fuzz.exists() {
            // The published package is without it.
            return;
        }
        let mut totals = Totals::default();
        for entry in fs::read_dir(fuzz.join("corpus/operations")).expect("the corpus") {
            let path = entry.expect("the corpus").path();
            let program = Program::from_bytes(&fs::read(&path).expect("a file of the corpus"));
            if let Err(why) = check::check(&path.display().to_string(), &program, &mut totals) {
                panic!("{why}");
            }
        }
        assert!(totals.programs > 100, "{totals}");
    }

    /// For `ci/model-node.sh`: writes programs and their logs into the folder `THENABLE_MODEL_NODE`.
    #[test]
    #[ignore = "writes files; ci/model-node.sh runs it"]
    fn print_for_node() {
        run::collect_unhandled();
        let folder = std::env::var("THENABLE_MODEL_NODE").expect("THENABLE_MODEL_NODE names a folder");
        let create = |name: &str| std::io::BufWriter::new(fs::File::create(Path::new(&folder).join(name)).expect(name));
        let (mut source, mut logs) = (create("programs.js"), create("expected.log"));
        let mut totals = Totals::default();
        for (seed, program) in seeds().map(|seed| (seed, Program::from_seed(seed))) {
            if program.cancels() {
                continue;
            }
            if let Err(why) = check(seed, &mut totals) {
                panic!("{why}");
            }
            let record = interpret(&program);
            let mut log = format!("{seed}:\n");
            for line in record.log.iter().filter(|line| !line.starts_with(LIBRARY_ONLY)) {
                let _ = writeln!(log, "  {line}");
            }
            for reason in &record.unhandled {
                let _ = writeln!(log, "  unhandled {reason}");
            }
            source.write_all(node::print(&seed.to_string(), &program).as_bytes()).expect("programs.js");
            logs.write_all(log.as_bytes()).expect("expected.log");
        }
        source.flush().expect("programs.js");
        logs.flush().expect("expected.log");
    }
}
