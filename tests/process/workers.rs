//! Workers that die or do not start, alone and by the dozen.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use thenable::{Fault, JobPoolExt, ProcessPool, Promise, process};

use crate::support::{assert_fault, command, count_to, eventually, fresh, pid, pool, sleep, within, zombies};

#[test]
fn an_idle_worker_that_dies_takes_no_job_with_it() {
    within(|| {
        let pool = pool(1).build().unwrap();
        for round in 0..50 {
            let worker = pool.submit_job(pid, ()).wait().unwrap();
            kill_process(Pid::from_raw(worker as i32).unwrap(), Signal::KILL).unwrap();
            // Sometimes before the pool has seen it, sometimes after.
            if round % 2 == 0 {
                eventually("the pool has seen it", || pool.worker_ids().is_empty());
            }
            assert_eq!(pool.submit_job(count_to, round).wait().unwrap(), round);
        }
        eventually("no zombies", || zombies() == 0);
    });
}

#[test]
fn when_no_worker_starts_jobs_are_refused_and_there_are_pauses() {
    within(|| {
        let folder = fresh("back-off");
        let script = "echo started >> starts; if [ -e works ]; then exec \"$@\"; else exit 7; fi";
        let mut shell = Command::new("sh");
        let worker = command();
        shell.args(["-c", script, "sh"]).arg(std::env::current_exe().unwrap()).args(worker.get_args());
        shell.current_dir(&folder).stdout(std::process::Stdio::null());
        let starts = || std::fs::read_to_string(folder.join("starts")).unwrap_or_default().lines().count();

        let pool = ProcessPool::builder().max_workers(1).worker_command(shell).build().unwrap();
        let (first, second) = (pool.submit_job(count_to, 1), pool.submit_job(count_to, 2));
        let outcome = first.wait();
        assert_fault!(outcome, Fault::CrashLoop { deaths: 3, what } if what.contains("exit status: 7"));
        assert_fault!(second.wait(), Fault::CrashLoop { .. });
        assert_eq!(starts(), 3);
        // In the pause nothing is started, and nobody waits.
        for _ in 0..100 {
            if pool.submit_job(count_to, 1).wait().is_ok() {
                panic!("there is no worker");
            }
        }
        // The pauses grow up to a second, and each ends with one try.
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(1500) {
            assert_fault!(pool.submit_job(count_to, 1).wait(), Fault::CrashLoop { .. });
            thread::sleep(Duration::from_millis(1));
        }
        assert!(starts() <= 3 + 8, "{} starts", starts());
        // It recovers as soon as workers do.
        std::fs::write(folder.join("works"), "").unwrap();
        eventually("it works again", || pool.submit_job(count_to, 4).wait().is_ok_and(|n| n == 4));
        drop(pool);
        let _ = std::fs::remove_dir_all(folder);
    });
}

#[test]
fn a_program_that_is_no_worker_is_told_so() {
    within(|| {
        let start = |program| {
            let pool = ProcessPool::builder().max_workers(1).worker_command(Command::new(program)).build().unwrap();
            pool.submit_job(count_to, 1).wait()
        };
        assert_fault!(start("true"), Fault::CrashLoop { what, .. } if what.contains("exit status: 0; a worker's `main`"));
        assert_fault!(start("no such program"), Fault::NoWorker { what } if what.contains("cannot be started"));
        let mut sleeper = Command::new("sleep");
        sleeper.arg("1000");
        let limit = Duration::from_millis(50);
        let pool = ProcessPool::builder().max_workers(1).worker_command(sleeper).start_timeout(limit).build().unwrap();
        let outcome = pool.submit_job(count_to, 1).wait();
        assert_fault!(outcome, Fault::NoWorker { what } if what.contains("not ready"));
        eventually("no zombies", || zombies() == 0);
    });
}

/// The program of `a_program_that_forgets_does_not_start_itself_without_end`.
#[test]
fn forgets_to_be_a_worker() {
    let Ok(note) = std::env::var("FORGETS_TO_BE_A_WORKER") else { return };
    let told = match pool(1).build() {
        Err(Fault::InvalidConfig { what }) => what.into_owned(),
        other => format!("{other:?}"),
    };
    std::fs::write(note, told).unwrap();
}

#[test]
fn a_program_that_forgets_does_not_start_itself_without_end() {
    within(|| {
        let folder = fresh("forgets");
        let note = folder.join("told");
        let mut worker = process::test_command("workers::forgets_to_be_a_worker");
        worker.env("FORGETS_TO_BE_A_WORKER", &note);
        let pool = ProcessPool::builder().max_workers(1).worker_command(worker).build().unwrap();
        assert_fault!(pool.submit_job(count_to, 1).wait(), Fault::CrashLoop { .. });
        let told = std::fs::read_to_string(note).unwrap();
        assert!(told.contains("run_worker_if_asked"), "{told}");
        let _ = std::fs::remove_dir_all(folder);
    });
}

#[test]
fn workers_killed_from_outside_lose_at_most_their_own_job() {
    within(|| {
        let pool = pool(3).build().unwrap();
        let jobs: Vec<_> = (0..400).map(|_| pool.submit_job(sleep, 2)).collect();
        let mut kills = 0;
        while kills < 20 && pool.stats().queued > 0 {
            thread::sleep(Duration::from_millis(7));
            let ids = pool.worker_ids();
            if let Some(id) = ids.get(kills % 3) {
                kills += usize::from(kill_process(Pid::from_raw(*id as i32).unwrap(), Signal::KILL).is_ok());
            }
        }
        let mut lost = 0;
        for outcome in Promise::all_settled(jobs).wait().unwrap() {
            match &outcome {
                Ok(n) => assert_eq!(*n, 2),
                Err(_) => {
                    assert_fault!(outcome, Fault::Crashed { signal: Some(9), .. });
                    lost += 1;
                }
            }
        }
        assert!(kills > 0 && lost <= kills, "{lost} lost by {kills} kills");
        eventually("no zombies", || zombies() == 0);
    });
}
