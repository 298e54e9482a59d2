//! How a pool ends, and what its own end leaves behind: nothing.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use thenable::{EventLoop, Fault, JobPoolExt, Promise, Shutdown};

use crate::support::{
    alive, assert_fault, child, count_to, endless, eventually, fresh, grandchild, is_child, pool, sleep, stop, within,
    zombies,
};

#[test]
fn shutdown_drains_cancels_or_ends_by_a_deadline() {
    within(|| {
        let drained = pool(2).build().unwrap();
        let jobs: Vec<_> = (0..6).map(|_| drained.submit_job(sleep, 20)).collect();
        drained.shutdown(Shutdown::Drain).wait().unwrap();
        assert!(jobs.iter().all(Promise::is_fulfilled));
        assert_eq!(drained.stats().workers, 0);

        let cancelled = pool(1).build().unwrap();
        let (running, queued) = (cancelled.submit_job(sleep, 200), cancelled.submit_job(sleep, 200));
        eventually("it runs", || cancelled.stats().running == 1);
        cancelled.shutdown(Shutdown::Cancel).wait().unwrap();
        assert_eq!(running.wait().unwrap(), 200);
        assert_fault!(queued.wait(), Fault::Cancelled { .. });

        let late = pool(1).build().unwrap();
        let (running, queued) = (late.submit_job(endless, ()), late.submit_job(sleep, 1));
        eventually("it runs", || late.stats().running == 1);
        let end = late.shutdown(Shutdown::Deadline(Duration::from_millis(100)));
        assert_fault!(end.wait(), Fault::TimedOut { .. });
        assert_fault!(running.wait(), Fault::Cancelled { .. });
        assert_fault!(queued.wait(), Fault::Cancelled { .. });
        late.shutdown(Shutdown::Drain).wait().unwrap();

        let in_time = pool(1).build().unwrap();
        let job = in_time.submit_job(sleep, 10);
        in_time.shutdown(Shutdown::Deadline(Duration::from_secs(60))).wait().unwrap();
        assert!(job.is_fulfilled());
        pool(1).build().unwrap().shutdown(Shutdown::Drain).wait().unwrap();
        eventually("no zombies", || zombies() == 0);
    });
}

#[test]
fn a_dropped_pool_finishes_its_jobs_and_ends_its_workers() {
    within(|| {
        let pool = pool(2).build().unwrap();
        let jobs: Vec<_> = (0..6).map(|_| pool.submit_job(sleep, 30)).collect();
        eventually("they run", || pool.worker_ids().len() == 2);
        let workers = pool.worker_ids();
        let other = pool.clone();
        drop(pool);
        drop(other);
        assert!(jobs.iter().any(Promise::is_pending), "the drop does not wait");
        assert_eq!(Promise::all(jobs).wait().unwrap(), [30; 6]);
        eventually("they are gone", || !workers.iter().copied().any(alive));
        eventually("no zombies", || zombies() == 0);
    });
}

#[test]
fn a_deadline_of_zero_kills_and_reaps_now() {
    within(|| {
        let pool = pool(2).build().unwrap();
        let jobs: Vec<_> = (0..5).map(|_| pool.submit_job(endless, ())).collect();
        eventually("they run", || pool.worker_ids().len() == 2);
        let workers = pool.worker_ids();
        // Who cancels the promise of the end does not stop it.
        let end = pool.shutdown(Shutdown::Deadline(Duration::ZERO));
        let _ = end.cancel("never mind");
        end.mark_handled();
        for outcome in Promise::all_settled(jobs).wait().unwrap() {
            assert_fault!(outcome, Fault::Cancelled { .. });
        }
        pool.shutdown(Shutdown::Drain).wait().unwrap();
        assert!(!workers.iter().copied().any(alive));
    });
}

#[test]
fn a_loop_that_closes_takes_the_pool_with_it() {
    within(|| {
        let event_loop = EventLoop::new();
        let pool = pool(1).event_loop(&event_loop.handle()).build().unwrap();
        let (running, queued) = (pool.submit_job(endless, ()), pool.submit_job(count_to, 1));
        let running_now = async {
            while pool.worker_ids().is_empty() {
                thenable::delay(Duration::from_millis(1)).await?;
            }
            thenable::Ok(())
        };
        event_loop.run(running_now).unwrap();
        let worker = pool.worker_ids()[0];
        drop(event_loop);
        assert_fault!(running.wait(), Fault::LoopClosed);
        assert_fault!(queued.wait(), Fault::LoopClosed);
        assert_fault!(pool.submit_job(count_to, 1).wait(), Fault::LoopClosed);
        pool.shutdown(Shutdown::Drain).wait().unwrap();
        eventually("it is gone", || !alive(worker));
        eventually("no zombies", || zombies() == 0);
    });
}

/// The process that dies: a pool with a worker that is busy, one that is stopped, one that is idle, and a grandchild.
fn parent_to_be_killed(folder: &Path) {
    let pool = pool(3).build().unwrap();
    let (idle, stopped) = (pool.submit_job(sleep, 100), pool.submit_job(stop, ()));
    let note = folder.join("grandchild").to_str().unwrap().to_owned();
    let busy = pool.submit_job(grandchild, note.clone());
    idle.wait().unwrap();
    eventually("the grandchild runs", || std::fs::read_to_string(&note).is_ok_and(|text| text.ends_with('\n')));
    let ids: Vec<_> = pool.worker_ids().iter().map(u32::to_string).collect();
    std::fs::write(folder.join("part"), ids.join(" ")).unwrap();
    std::fs::rename(folder.join("part"), folder.join("workers")).unwrap();
    let _ = (busy.wait(), stopped);
}

#[test]
fn a_dead_parent_leaves_no_orphans() {
    let test = "ends::a_dead_parent_leaves_no_orphans";
    if is_child(test) {
        return parent_to_be_killed(Path::new(&std::env::var("FOLDER").unwrap()));
    }
    within(move || {
        let folder = fresh("orphans");
        let mut parent = child(test).env("FOLDER", &folder).stdout(Stdio::null()).spawn().unwrap();
        eventually("it has workers", || folder.join("workers").exists());
        let read = |name| std::fs::read_to_string(folder.join(name)).unwrap();
        let mut ids: Vec<u32> = read("workers").split(' ').map(|id| id.parse().unwrap()).collect();
        assert_eq!(ids.len(), 3);
        ids.push(read("grandchild").trim().parse().unwrap());
        assert!(ids.iter().copied().all(alive));
        parent.kill().unwrap();
        parent.wait().unwrap();
        eventually("they are gone", || !ids.iter().copied().any(alive));
        let _ = std::fs::remove_dir_all(folder);
    });
}
