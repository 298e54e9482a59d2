//! Workers that are none: shell scripts on the other end of the socket, which is their standard input.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use thenable::{Fault, JobPoolExt, ProcessPool, ProcessPoolBuilder, Shutdown};

use crate::support::{assert_fault, count_to, eventually, fresh, nothing, twice, within, zombies};

/// A shell that runs this script as a worker. `$setup` is how many bytes the pool says first, and the functions write and
/// read frames.
fn script(text: &str) -> ProcessPoolBuilder {
    let setup = 9 + 16 + format!("thenable {} worker 1", env!("CARGO_PKG_VERSION")).len();
    let tools = format!(
        r#"
        setup={setup}
        take() {{ head -c "$1" <&0 >/dev/null; }}
        hello() {{ take $setup; printf '\000\000\000\000\003\000\000\000\000' >&0; }}
        start() {{ printf '\000\000\000\000\004\001\000\000\000' >&0; }}
        "#
    );
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(tools + text).stderr(Stdio::null());
    ProcessPool::builder().max_workers(1).worker_command(shell)
}

/// Ends scripts that do not end by themselves, as workers would, when the test's process does.
fn kill(pool: &ProcessPool) {
    pool.shutdown(Shutdown::Deadline(Duration::ZERO)).mark_handled();
    pool.shutdown(Shutdown::Drain).wait().unwrap();
}

#[test]
fn garbage_instead_of_a_greeting() {
    within(|| {
        for garbage in [
            r"\377\377\377\377\377\000\000\000\000",
            r"\000\000\000\000\377\000\000\000\000",
            r"\001\000\000\000\005\000\000\000\000x",
        ] {
            let pool = script(&format!("printf '{garbage}' >&0; sleep 100")).build().unwrap();
            let outcome = pool.submit_job(count_to, 1).wait();
            assert_fault!(outcome, Fault::NoWorker { what } if what.contains("not what a worker says"));
        }
        // One that says why it is of no use.
        let pool =
            script(r"take $setup; printf '\003\000\000\000\014\000\000\000\000old' >&0; exit 1").build().unwrap();
        let outcome = pool.submit_job(count_to, 1).wait();
        assert_fault!(outcome, Fault::NoWorker { what } if what.contains("old") && !what.contains("not what a worker says"));
        eventually("no zombies", || zombies() == 0);
    });
}

#[test]
fn garbage_instead_of_an_answer() {
    within(|| {
        let answer = |garbage: &str| {
            let text = format!("hello; take 9; start; printf '{garbage}' >&0; sleep 100");
            let pool = script(&text).build().unwrap();
            let outcome = pool.submit_job(nothing, ()).wait();
            kill(&pool);
            outcome
        };
        assert_fault!(answer(r"\000\000\000\000\377\001\000\000\000"), Fault::Protocol { what } if what.contains("255"));
        assert_fault!(answer(r"\000\000\000\000\003\001\000\000\000"), Fault::Protocol { .. });
        assert_fault!(answer(r"\377\377\377\377\005\001\000\000\000"), Fault::FrameTooLarge { .. });
        assert_fault!(answer(r"\000\000\000\000\005\002\000\000\000"), Fault::Protocol { what } if what.contains("another job"));
        // The result of a job without one, with a byte in it.
        assert_fault!(answer(r"\001\000\000\000\005\001\000\000\000x"), Fault::Codec { .. });
        assert_eq!(answer(r"\000\000\000\000\005\001\000\000\000").unwrap(), ());
        eventually("no zombies", || zombies() == 0);
    });
}

#[test]
fn garbage_before_the_job_is_not_the_jobs_fault_at_first() {
    within(|| {
        let pool =
            script(r"hello; take 9; printf '\000\000\000\000\377\001\000\000\000' >&0; sleep 100").build().unwrap();
        let start = Instant::now();
        assert_fault!(pool.submit_job(count_to, 1).wait(), Fault::Protocol { .. });
        assert!(start.elapsed() < Duration::from_secs(30), "it is killed, not waited for");
    });
}

#[test]
fn an_idle_worker_that_speaks_is_replaced() {
    within(|| {
        let done = r"printf '\000\000\000\000\005\001\000\000\000' >&0";
        let pool = script(&format!("hello; take 9; start; {done}; {done}; sleep 100")).build().unwrap();
        // Each time the second one is not taken for the answer to the next job.
        for _ in 0..5 {
            pool.submit_job(nothing, ()).wait().unwrap();
        }
        eventually("the last one is gone", || pool.worker_ids().is_empty());
    });
}

#[test]
fn a_worker_that_begins_an_earlier_job_again_is_replaced() {
    within(|| {
        let (read, done) =
            ("dd bs=4096 count=1 <&0 >/dev/null 2>&1", r"printf '\000\000\000\000\005\001\000\000\000' >&0");
        // It says of every job that it is its first.
        let pool = script(&format!("hello; while true; do {read}; start; {done}; done")).build().unwrap();
        pool.submit_job(nothing, ()).wait().unwrap();
        let first = pool.worker_ids();
        pool.submit_job(nothing, ()).wait().unwrap();
        assert_ne!(pool.worker_ids(), first, "the second job is the first one of another worker");
        kill(&pool);
        eventually("no zombies", || zombies() == 0);
    });
}

#[test]
fn a_worker_that_never_reads_runs_into_the_time_limit() {
    within(|| {
        let pool = script("hello; sleep 100").job_timeout(Duration::from_millis(200)).build().unwrap();
        let outcome = pool.submit_job(twice, "x".repeat(10 << 20)).wait();
        assert_fault!(outcome, Fault::TimedOut { .. });
        eventually("no zombies", || zombies() == 0);
    });
}

#[test]
fn a_child_that_holds_the_socket_does_not_hide_a_death() {
    within(|| {
        let pool = script("hello; take 9; start; exec 3<&0; sleep 100 & kill -9 $$").build().unwrap();
        assert_fault!(pool.submit_job(count_to, 1).wait(), Fault::Crashed { signal: Some(9), code: None });
        // Nor does it hide the answer before the death.
        let text = r"hello; take 9; start; printf '\000\000\000\000\005\001\000\000\000' >&0; exec 3<&0; sleep 100 & kill -9 $$";
        let pool = script(text).build().unwrap();
        assert_eq!(pool.submit_job(nothing, ()).wait().unwrap(), ());
        kill(&pool);
        eventually("no zombies", || zombies() == 0);
    });
}

#[test]
fn a_closed_socket_is_a_death() {
    within(|| {
        // It is not killed while it comes to its end.
        let pool = script("hello; take 9; start; exec </dev/null; sleep 0.2; exit 3").build().unwrap();
        assert_fault!(pool.submit_job(count_to, 1).wait(), Fault::Crashed { signal: None, code: Some(3) });
        // One that goes on without it is killed after a while.
        let pool = script("hello; take 9; start; exec </dev/null; sleep 100").build().unwrap();
        assert_fault!(pool.submit_job(count_to, 1).wait(), Fault::Crashed { signal: Some(9), .. });
        eventually("no zombies", || zombies() == 0);
    });
}

#[test]
fn an_idle_worker_that_closes_its_socket_may_come_to_its_end() {
    within(|| {
        let folder = fresh("last-words");
        // With bytes that it has not read its end is an error, without any the end of the stream.
        for (name, read) in [("reset", "take 9"), ("closed", "dd bs=4096 count=1 <&0 >/dev/null 2>&1")] {
            let words = folder.join(name);
            let done = r"printf '\000\000\000\000\005\001\000\000\000' >&0";
            let text = format!("hello; {read}; start; {done}; exec </dev/null; sleep 0.2; echo >{}", words.display());
            let pool = script(&text).build().unwrap();
            pool.submit_job(nothing, ()).wait().unwrap();
            eventually("it is gone", || pool.worker_ids().is_empty() && zombies() == 0);
            assert!(words.exists(), "{name}: it was not killed before");
        }
        let _ = std::fs::remove_dir_all(folder);
    });
}
