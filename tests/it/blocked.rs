//! The watchdog: who blocks a loop is named while it does.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use thenable::{Blocked, EventLoop, Promise};

use crate::support::{LIMIT, quiet_bombs, watchdog};

const THRESHOLD: Duration = Duration::from_millis(20);
/// So long that a crowded machine does not take the processor away from a step for it.
const LONG_THRESHOLD: Duration = Duration::from_millis(1500);

fn watched() -> (EventLoop, Receiver<Blocked>) {
    watched_for(THRESHOLD)
}

fn watched_for(threshold: Duration) -> (EventLoop, Receiver<Blocked>) {
    let (tell, told) = channel();
    let event_loop = EventLoop::builder().name("watched").watchdog(threshold, move |blocked| {
        let _ = tell.send(blocked.clone());
    });
    (event_loop.build(), told)
}

#[test]
fn a_handler_is_named_while_it_blocks() {
    watchdog(LIMIT, || {
        let (event_loop, told) = watched();
        let _entered = event_loop.enter();
        let line = line!() + 1;
        let handler = Promise::resolve(()).map(move |()| (told.recv().unwrap(), told));
        // The handler cannot end before the hook has been called.
        let (blocked, told) = event_loop.run(handler).unwrap();
        let site = blocked.site.unwrap();
        assert_eq!((site.file(), site.line()), (file!(), line));
        assert!(blocked.since >= THRESHOLD);
        assert_eq!(blocked.event_loop.as_deref(), Some("watched"));
        let text = blocked.to_string();
        assert!(text.starts_with("the event loop `watched` has been blocked for "), "{text}");
        assert!(text.ends_with(&format!("{site}")), "{text}");
        assert_eq!(told.try_recv().ok().map(|blocked| blocked.site), None, "once");
    });
}

#[test]
fn a_task_is_named_by_its_spawn_and_each_step_is_reported_once() {
    watchdog(LIMIT, || {
        let (event_loop, told) = watched();
        let line = line!() + 1;
        let task = event_loop.handle().spawn(async move {
            let first = told.recv()?;
            thread::sleep(3 * THRESHOLD);
            let again = told.try_recv();
            // Another turn, another step.
            thenable::delay(Duration::from_millis(1)).await?;
            Ok((first, again, told.recv()?))
        });
        let (first, again, second) = event_loop.run(task).unwrap();
        assert_eq!(first.site.map(|site| site.line()), Some(line));
        assert!(again.is_err());
        assert_eq!(second.site.map(|site| site.line()), Some(line));
    });
}

#[test]
fn what_has_no_site_is_reported_without() {
    watchdog(LIMIT, || {
        let (event_loop, told) = watched();
        let handle = event_loop.handle();
        let (pass, next) = channel();
        drop(handle.call_soon(move || {
            let blocked = told.recv().unwrap();
            pass.send((blocked, told)).unwrap();
        }));
        event_loop.run_until_idle().unwrap();
        let (blocked, told) = next.recv().unwrap();
        assert_eq!(blocked.site, None);
        assert!(blocked.to_string().ends_with("by a timer, a `call_soon` or the future of `run`"), "{blocked}");

        let (pass, next) = channel();
        drop(handle.call_later(Duration::from_millis(1), move || pass.send((told.recv().unwrap(), told)).unwrap()));
        event_loop.run_until_idle().unwrap();
        let (blocked, told) = next.recv().unwrap();
        assert_eq!(blocked.site, None);

        let blocked = event_loop.run(async { thenable::Ok(told.recv()?) }).unwrap();
        assert_eq!(blocked.site, None);
    });
}

#[test]
fn a_pumped_loop_and_a_virtual_clock_are_watched_too() {
    watchdog(LIMIT, || {
        let (tell, told) = channel();
        let hook = move |blocked: &Blocked| tell.send(blocked.clone()).unwrap();
        let event_loop = EventLoop::builder().virtual_clock().watchdog(THRESHOLD, hook).build();
        let _entered = event_loop.enter();
        let handler = Promise::resolve(()).map(move |()| told.recv().unwrap());
        while event_loop.run_ready(Duration::from_millis(1)) {}
        let site = handler.peek().unwrap().unwrap().site;
        assert_eq!(site.map(|site| site.file()), Some(file!()));
    });
}

#[test]
fn a_busy_or_a_sleeping_loop_is_not_blocked() {
    watchdog(LIMIT, || {
        let (event_loop, told) = watched_for(LONG_THRESHOLD);
        event_loop
            .run(async {
                // Sleeps for longer than the threshold, and then has short steps for as long.
                thenable::delay(LONG_THRESHOLD + LONG_THRESHOLD / 4).await?;
                let start = Instant::now();
                while start.elapsed() < LONG_THRESHOLD + LONG_THRESHOLD / 4 {
                    Promise::resolve(()).await?;
                    Promise::resolve(()).map(|()| ()).await?;
                }
                thenable::Ok(())
            })
            .unwrap();
        assert!(told.try_recv().is_err());
        // The watcher ends with its loop, and drops the hook.
        drop(event_loop);
        assert!(matches!(told.recv_timeout(LIMIT), Err(RecvTimeoutError::Disconnected)));
    });
}

#[test]
fn a_hook_that_panics_is_called_the_next_time() {
    watchdog(LIMIT, || {
        quiet_bombs();
        let (tell, told) = channel();
        let event_loop = EventLoop::builder().watchdog(THRESHOLD, move |_| {
            tell.send(()).unwrap();
            panic!("bomb: in the hook");
        });
        let event_loop = event_loop.build();
        let _entered = event_loop.enter();
        let twice = Promise::resolve(told).map(|told| told.recv().map(|()| told).unwrap());
        let twice = twice.map(|told| told.recv().unwrap());
        event_loop.run(twice).unwrap();
    });
}
