//! What a job can do, to itself and to others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use thenable::{
    Call, EventLoop, ExecutorExt, Fault, JobPool, JobPoolExt, ProcessPool, Promise, Rejected, Rejection, Shutdown,
    ThreadPool,
};

use crate::support::{
    abort, add, assert_fault, chatter, command, count_to, die_at, eventually, exit, fresh, half, nothing, panics, pid,
    pool, read_input, segfault, sleep, twice, within, zombies,
};

#[test]
fn the_same_line_runs_on_threads_and_processes() {
    within(|| {
        let pools: [Box<dyn JobPool>; 2] = [Box::new(ThreadPool::new(2)), Box::new(pool(2).build().unwrap())];
        for pool in pools {
            assert_eq!(pool.submit_job(add, (1, 2)).wait().unwrap(), 3);
            assert_eq!(pool.submit_job(twice, "ab".into()).wait().unwrap(), "abab");
            let results = Promise::all((0..50).map(|n| pool.submit_job(count_to, n))).wait().unwrap();
            assert_eq!(results, (0..50).collect::<Vec<_>>());
        }
        assert_eq!(add((1, 2)), 3);
    });
}

#[test]
fn a_worker_is_another_process_and_is_used_again() {
    within(|| {
        let pool = pool(1).build().unwrap();
        let first = pool.submit_job(pid, ()).wait().unwrap();
        assert_ne!(first, std::process::id());
        assert_eq!(pool.worker_ids(), [first]);
        for _ in 0..20 {
            assert_eq!(pool.submit_job(pid, ()).wait().unwrap(), first);
        }
        assert_eq!(pool.stats().completed, 21);
        assert_eq!(pool.submit_job(read_input, ()).wait().unwrap(), 0, "standard input is empty");
    });
}

#[test]
fn a_result_is_chained_and_awaited_like_any_other() {
    within(|| {
        let pool = pool(2).build().unwrap();
        let sum = EventLoop::new().run(async {
            let n = pool.submit_job(half, 84).flatten().await?;
            let more = pool.submit_job(add, (n, 8)).map(|n| n * 2).await?;
            thenable::Ok(more)
        });
        assert_eq!(sum.unwrap(), 100);
        let odd = pool.submit_job(half, 7).flatten().wait().unwrap_err();
        assert_eq!(odd.to_string(), "7 is odd");
    });
}

#[test]
fn a_panic_is_told_with_its_message_and_the_worker_goes_on() {
    within(|| {
        let pool = pool(1).build().unwrap();
        let worker = pool.submit_job(pid, ()).wait().unwrap();
        let line = line!() + 1;
        let outcome = pool.submit_job(panics, 7).wait();
        match outcome.as_ref().map_err(Rejection::fault) {
            Err(Some(Fault::Panicked { message, at })) => {
                assert_eq!(message, "no 7");
                let at = at.as_deref().unwrap();
                assert!(at.starts_with(&format!("{}:{line}:", file!())), "{at}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(pool.submit_job(pid, ()).wait().unwrap(), worker);
    });
}

#[test]
fn a_death_rejects_its_own_job_with_its_cause() {
    within(|| {
        let pool = pool(1).build().unwrap();
        let cases = [
            (pool.submit_job(abort, ()), Some(6), None),
            (pool.submit_job(die_at, (0, 0)).map(drop), Some(9), None),
            (pool.submit_job(segfault, ()), Some(11), None),
            (pool.submit_job(exit, 3), None, Some(3)),
            (pool.submit_job(exit, 0), None, Some(0)),
        ];
        // They were queued behind each other: one process, one death after the other.
        let after = pool.submit_job(count_to, 5);
        for (promise, signal, code) in cases {
            match promise.wait().as_ref().map_err(Rejection::fault) {
                Err(Some(Fault::Crashed { signal: s, code: c })) => assert_eq!((*s, *c), (signal, code)),
                other => panic!("{other:?} instead of {signal:?}, {code:?}"),
            }
        }
        assert_eq!(after.wait().unwrap(), 5);
        eventually("no zombies", || zombies() == 0);
    });
}

#[test]
fn a_death_in_one_process_leaves_the_others_alone() {
    within(|| {
        let pool = pool(3).build().unwrap();
        let slow: Vec<_> = (0..2).map(|_| pool.submit_job(sleep, 300)).collect();
        let crash = pool.submit_job(abort, ());
        assert_fault!(crash.wait(), Fault::Crashed { signal: Some(6), .. });
        assert_eq!(Promise::all(slow).wait().unwrap(), [300, 300]);
    });
}

#[test]
fn what_jobs_print_goes_where_the_command_says_and_into_no_frame() {
    within(|| {
        let folder = fresh("chatter");
        let file = folder.join("out");
        let mut worker = command();
        worker.stdout(std::fs::File::create(&file).unwrap());
        let pool = ProcessPool::builder().max_workers(1).worker_command(worker).build().unwrap();
        assert_eq!(pool.submit_job(chatter, "a line".into()).wait().unwrap(), 42);
        assert_eq!(pool.submit_job(add, (1, 2)).wait().unwrap(), 3);
        let printed = std::fs::read(&file).unwrap();
        assert!(printed.ends_with(b"a line\n") && printed.len() > 6000, "{} bytes", printed.len());
        let _ = std::fs::remove_dir_all(folder);
    });
}

/// A pool of pools, which knows nothing of the types.
struct InTurn(Vec<Box<dyn JobPool>>, AtomicUsize);

impl JobPool for InTurn {
    fn dispatch(&self, call: Call) -> Result<(), Rejected<Call>> {
        self.0[self.1.fetch_add(1, Ordering::Relaxed) % self.0.len()].dispatch(call)
    }
}

#[test]
fn a_pool_can_be_made_of_pools() {
    within(|| {
        let threads = ThreadPool::new(1);
        let pools: Vec<Box<dyn JobPool>> = vec![Box::new(threads.clone()), Box::new(pool(1).build().unwrap())];
        let pool = Arc::new(InTurn(pools, AtomicUsize::new(0)));
        let ids = Promise::all((0..4).map(|_| pool.submit_job(pid, ()))).wait().unwrap();
        let me = std::process::id();
        assert_eq!((ids[0], ids[2]), (me, me));
        assert!(ids[1] != me && ids[1] == ids[3]);
        for _ in 0..2 {
            assert_fault!(pool.submit_job(panics, 7).wait(), Fault::Panicked { message, .. } if message == "no 7");
        }
        assert_eq!(threads.stats().completed, 3);

        // What a thread pool throws away is told why, here as well.
        let gate = threads.submit(|| thread::sleep(Duration::from_millis(200)));
        eventually("it runs", || threads.stats().running == 1);
        let late = InTurn(vec![Box::new(threads.clone())], AtomicUsize::new(0)).submit_job(add, (1, 2));
        threads.shutdown(Shutdown::Cancel).wait().unwrap();
        assert_fault!(late.wait(), Fault::Cancelled { .. });
        gate.wait().unwrap();
    });
}

#[test]
fn calls_can_be_passed_on_without_their_types() {
    within(|| {
        let pool = pool(1).build().unwrap();
        let (result, call) = Call::encoded(add.name(), vec![1, 2]);
        pool.dispatch(call).unwrap();
        assert_eq!(result.wait().unwrap(), [3]);
        let (result, call) = Call::encoded("nobody", vec![]);
        pool.dispatch(call).unwrap();
        assert_fault!(result.wait(), Fault::Unregistered { name } if name == "nobody");
        let (result, call) = Call::encoded(add.name(), vec![1]);
        drop(call);
        assert_fault!(result.wait(), Fault::Abandoned { .. });
    });
}

#[test]
fn a_pool_survives_panics_by_the_thousand() {
    within(|| {
        let pool = pool(2).build().unwrap();
        let jobs: Vec<_> = (0..3000)
            .map(|n| if n % 3 == 0 { pool.submit_job(panics, n) } else { pool.submit_job(nothing, ()) })
            .collect();
        for (n, outcome) in Promise::all_settled(jobs).wait().unwrap().into_iter().enumerate() {
            if n % 3 == 0 {
                assert_fault!(outcome, Fault::Panicked { message, .. } if *message == format!("no {n}"));
            } else {
                outcome.unwrap();
            }
        }
        assert_eq!((pool.stats().completed, pool.worker_ids().len()), (3000, 2));
    });
}
