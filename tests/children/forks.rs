//! A process that has used promises and forks. The child has the forking thread alone, and the memory of all the others as
//! it was; `Command` runs `pre_exec` in it, which is the one place where safe Rust lets a test look.
#![expect(unsafe_code, reason = "`pre_exec` is unsafe, because the forked child may wait for a lock that nobody holds")]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use thenable::{EventLoop, ExecutorExt, LoopHandle, Promise, ThreadPool};

use crate::support::in_child;

/// Uses every thread that the library has: the global loop's, its timers', a pool's.
fn use_everything() -> ThreadPool {
    let pool = ThreadPool::new(2);
    pool.submit(|| 1).map(|n| n + 1).wait().unwrap();
    thenable::delay(Duration::from_millis(1)).wait().unwrap();
    // It sleeps in the middle of the program, with a timer set.
    drop(LoopHandle::global().call_later(Duration::from_secs(3600), || ()));
    pool
}

/// Forks, and runs `work` in the child, which then becomes `true` or tells this process its error.
fn forked(work: impl FnMut() -> io::Result<()> + Send + Sync + 'static) -> io::Result<()> {
    let mut command = Command::new("true");
    // SAFETY: what `work` may do in a forked child is what these tests are about. The harness, whose locks the child might
    // find taken, runs this test alone and on this thread.
    unsafe { command.pre_exec(work) };
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("the child ended with {status}"))) }
}

/// Fails the child with a number that the parent sees.
fn fail(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

#[test]
fn a_child_that_executes_another_program() {
    in_child(|| {
        let pool = use_everything();
        for _ in 0..20 {
            forked(|| Ok(())).unwrap();
        }
        assert_eq!(pool.submit(|| 5).map(|n| n + 1).wait().unwrap(), 6, "the parent goes on");
    });
}

#[test]
fn a_child_that_exits_at_once() {
    in_child(|| {
        let pool = use_everything();
        let (promise, resolver) = Promise::<u8>::with_resolvers();
        for _ in 0..20 {
            // The error ends the child by `_exit`, with all promises as they are.
            assert_eq!(forked(|| Err(fail(7))).unwrap_err().raw_os_error(), Some(7));
        }
        assert!(resolver.resolve(5).is_ok());
        assert_eq!(promise.map(|n| n + 1).wait().unwrap(), 6, "the parent goes on");
        drop(pool);
    });
}

#[test]
fn a_child_with_a_loop_of_its_own_gets_work_done() {
    in_child(|| {
        let _pool = use_everything();
        forked(|| {
            let event_loop = EventLoop::new();
            let _current = event_loop.enter();
            let (promise, resolver) = Promise::<u64>::with_resolvers();
            let all = Promise::all((0..100).map(|n| promise.clone().map(move |m| m + n)));
            let sum = all.map(|all| all.iter().sum::<u64>());
            let task = Promise::spawn(async move { Ok(sum.await? + 1) });
            resolver.resolve(1).map_err(|_| fail(1))?;
            event_loop.run_until_idle().map_err(|_| fail(2))?;
            if task.peek().and_then(Result::ok) == Some(&5_051) { Ok(()) } else { Err(fail(3)) }
        })
        .unwrap();
    });
}

#[test]
fn a_child_with_a_virtual_clock_gets_timers_done() {
    in_child(|| {
        let _pool = use_everything();
        forked(|| {
            let event_loop = EventLoop::builder().virtual_clock().build();
            let _current = event_loop.enter();
            let late = thenable::delay(Duration::from_secs(3600)).map(|()| 5);
            event_loop.run_until_idle().map_err(|_| fail(2))?;
            if late.peek().and_then(Result::ok) == Some(&5) { Ok(()) } else { Err(fail(3)) }
        })
        .unwrap();
    });
}

/// The parent had no reactor, so the child makes its own.
#[test]
fn a_child_of_a_process_without_timers_may_have_its_own() {
    in_child(|| {
        assert_eq!(ThreadPool::new(1).submit(|| 5).wait().unwrap(), 5);
        forked(|| {
            let event_loop = EventLoop::new();
            let _current = event_loop.enter();
            let late = thenable::delay(Duration::from_millis(1)).map(|()| 5);
            match event_loop.run(late) {
                Ok(5) => Ok(()),
                _ => Err(fail(3)),
            }
        })
        .unwrap();
    });
}
