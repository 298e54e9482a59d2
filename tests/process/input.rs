//! Bad input: each kind has its own error, and none costs a worker.

use std::time::Duration;

use thenable::{CodecStep, EventLoop, Fault, JobFn, JobPoolExt, ProcessPool, Promise, Shutdown};

use crate::support::{
    Huge, MISMATCH, MISPLACED, Unfit, assert_fault, bomb, count_to, eventually, huge, pid, pool, sleep, stranger,
    twice, twin, unfit, within,
};

#[test]
fn settings_that_cannot_work() {
    let assert_invalid = |built: Result<ProcessPool, Fault>, text: &str| match built {
        Err(Fault::InvalidConfig { what }) => assert!(what.contains(text), "{what}"),
        other => panic!("{other:?}"),
    };
    assert_invalid(ProcessPool::new(0), "zero workers");
    assert_invalid(pool(1).memory_limit(0).build(), "memory");
    assert_invalid(pool(1).frame_limit(usize::MAX).build(), "frame limit");
    assert_invalid(pool(1).frame_limit(1 << 31).build(), "frame limit");
    assert!(pool(1).frame_limit((1 << 31) - 1).build().is_ok());
    let frozen = EventLoop::builder().virtual_clock().build();
    assert_invalid(pool(1).event_loop(&frozen.handle()).build(), "virtual clock");
}

#[test]
fn a_builder_and_a_pool_show_their_settings() {
    let text = format!("{:?}", pool(3).queue_limit(70).memory_limit(1 << 30).job_timeout(Duration::from_secs(5)));
    for setting in ["max_workers: Some(3)", "queue_limit: Some(70)", "memory_limit: Some(1073741824)", "5s"] {
        assert!(text.contains(setting), "{text}");
    }
    let text = format!("{:?}", pool(3).build().unwrap());
    assert!(text.contains("max_workers: 3") && text.contains("queued: 0"), "{text}");
}

#[test]
fn jobs_that_cannot_be_found_or_cannot_travel() {
    within(|| {
        let pool = pool(1).build().unwrap();
        let worker = pool.submit_job(pid, ()).wait().unwrap();
        assert_fault!(pool.submit_job(stranger, ()).wait(), Fault::Unregistered { name } if *name == *stranger.name());
        assert_fault!(pool.submit_job(twin, ()).wait(), Fault::InvalidConfig { what } if what.contains("two functions"));
        let long: JobFn<(), ()> = JobFn::new("x".repeat(65_536).leak(), |()| ());
        assert_fault!(pool.submit_job(long, ()).wait(), Fault::InvalidConfig { what } if what.contains("65,535"));

        let outcome = pool.submit_job(unfit, Unfit::in_arguments()).wait();
        assert_fault!(outcome, Fault::Codec { step: CodecStep::EncodeArguments, what } if what.starts_with(unfit.name()));
        let outcome = pool.submit_job(unfit, Unfit::in_result()).wait();
        assert_fault!(outcome, Fault::Codec { step: CodecStep::EncodeResult, .. });
        let outcome = pool.submit_job(MISPLACED, 1).wait();
        assert_fault!(outcome, Fault::Codec { step: CodecStep::DecodeArguments, what } if what.starts_with("misplaced: "));
        let outcome = pool.submit_job(MISMATCH, ()).wait();
        assert_fault!(outcome, Fault::Codec { step: CodecStep::DecodeResult, what } if what.starts_with("mismatch: "));
        // `Serialize` is foreign code, too.
        assert_fault!(pool.submit_job(bomb, Unfit::panics()).wait(), Fault::Panicked { .. });
        assert_eq!(pool.submit_job(pid, ()).wait().unwrap(), worker, "no worker dies of it");
    });
}

#[test]
fn two_gigabytes_of_arguments_are_refused_before_they_are_written_down() {
    within(|| {
        let pool = pool(1).build().unwrap();
        let outcome = pool.submit_job(huge, Huge(2 << 30)).wait();
        assert_fault!(outcome, Fault::FrameTooLarge { limit: 0x400_0000 });
        assert_eq!(pool.stats().workers, 0, "nobody had to hear of it");
    });
}

#[test]
fn a_pool_that_is_shut_down() {
    within(|| {
        let pool = pool(1).build().unwrap();
        pool.shutdown(Shutdown::Drain).wait().unwrap();
        assert_fault!(pool.submit_job(count_to, 1).wait(), Fault::PoolClosed);
        pool.shutdown(Shutdown::Cancel).wait().unwrap();
    });
}

#[test]
fn the_queue_has_a_limit_in_jobs_and_in_bytes() {
    within(|| {
        let small = pool(1).queue_limit(2).build().unwrap();
        let jobs: Vec<_> = (0..4).map(|_| small.submit_job(sleep, 100)).collect();
        let outcomes = Promise::all_settled(jobs).wait().unwrap();
        assert!(outcomes[..3].iter().all(Result::is_ok));
        assert_fault!(outcomes[3], Fault::Full);

        let bytes = pool(1).max_queued_bytes(1000).build().unwrap();
        let running = bytes.submit_job(sleep, 300);
        eventually("it runs", || bytes.stats().running == 1);
        let text = |length| "x".repeat(length);
        let fits = [bytes.submit_job(twice, text(600)), bytes.submit_job(twice, text(300))];
        assert_fault!(bytes.submit_job(twice, text(200)).wait(), Fault::TooManyBytes { limit: 1000 });
        assert_eq!(running.wait().unwrap(), 300);
        assert_eq!(Promise::all(fits).wait().unwrap().iter().map(String::len).sum::<usize>(), 1800);
        // What has left the queue, started or taken back, has left its room.
        for _ in 0..3 {
            let running = bytes.submit_job(sleep, 50);
            eventually("it runs", || bytes.stats().running == 1);
            let (started, taken_back) = (bytes.submit_job(twice, text(500)), bytes.submit_job(twice, text(450)));
            let _ = taken_back.cancel("not needed");
            let other = bytes.submit_job(twice, text(450));
            running.wait().unwrap();
            assert_eq!((started.wait().unwrap().len(), other.wait().unwrap().len()), (1000, 900));
        }
        // A job that has the queue for itself has room.
        assert_eq!(bytes.submit_job(twice, text(5000)).wait().unwrap().len(), 10_000);
    });
}
