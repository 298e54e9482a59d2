//! A loop that a GUI pumps: when `on_wake` is called, and what is done then.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use thenable::{EventLoop, LoopHandle, Promise};

use crate::support::{LIMIT, scaled, watchdog};

const FRAME: Duration = Duration::from_millis(4);

/// A loop with the number of its wake-ups.
fn pumped() -> (EventLoop, Arc<AtomicUsize>) {
    let wakes = Arc::new(AtomicUsize::new(0));
    let counted = wakes.clone();
    let event_loop = EventLoop::builder().on_wake(move || _ = counted.fetch_add(1, SeqCst)).build();
    (event_loop, wakes)
}

/// Gives the loop something to do, which counts in `done`.
type News = fn(&LoopHandle, &Arc<AtomicUsize>) -> Box<dyn FnOnce() + Send>;

fn count(done: &Arc<AtomicUsize>) -> impl FnOnce() + Send + 'static {
    let done = done.clone();
    move || _ = done.fetch_add(1, SeqCst)
}

/// On the loop's thread what is to be prepared, then maybe elsewhere what is the news.
const NEWS: [(&str, News); 5] = [
    ("a call", |handle, done| {
        let (handle, count) = (handle.clone(), count(done));
        Box::new(move || drop(handle.call_soon(count)))
    }),
    ("a settle", |_, done| {
        let (promise, resolver) = Promise::<()>::with_resolvers();
        let count = count(done);
        drop(promise.map(move |()| count()));
        Box::new(move || _ = resolver.resolve(()))
    }),
    ("a spawn", |handle, done| {
        let (handle, count) = (handle.clone(), count(done));
        Box::new(move || {
            let task = async move {
                count();
                thenable::Ok(())
            };
            handle.spawn(task).mark_handled();
        })
    }),
    ("a task that is woken", |handle, done| {
        let (promise, resolver) = Promise::<()>::with_resolvers();
        let count = count(done);
        let task = async move {
            promise.await?;
            count();
            thenable::Ok(())
        };
        handle.spawn(task).mark_handled();
        Box::new(move || _ = resolver.resolve(()))
    }),
    ("a timer that is due", |handle, done| {
        let (handle, count) = (handle.clone(), count(done));
        Box::new(move || drop(handle.call_later(Duration::ZERO, count)))
    }),
];

#[test]
fn each_kind_of_news_wakes_an_idle_loop_once() {
    watchdog(LIMIT, || {
        for (what, news) in NEWS {
            for elsewhere in [false, true] {
                let (event_loop, wakes) = pumped();
                let _entered = event_loop.enter();
                let done = Arc::new(AtomicUsize::new(0));
                for round in 1..=3 {
                    let [first, second] = [(); 2].map(|()| news(&event_loop.handle(), &done));
                    while event_loop.run_ready(FRAME) {}
                    wakes.store(0, SeqCst);
                    for (news, text) in [(first, "woken"), (second, "not twice")] {
                        if elsewhere {
                            thread::scope(|scope| scope.spawn(news).join().unwrap());
                        } else {
                            news();
                        }
                        assert_eq!(wakes.load(SeqCst), 1, "{what}, round {round}, elsewhere {elsewhere}: {text}");
                    }
                    while event_loop.run_ready(FRAME) {}
                    assert_eq!(done.load(SeqCst), 2 * round, "{what}, round {round}, elsewhere {elsewhere}");
                    assert_eq!(wakes.load(SeqCst), 1, "not from inside");
                }
            }
        }
    });
}

/// What is said to be called "possibly inside of a user's call" holds no lock, its own or that of the executor below.
#[test]
fn the_hook_may_use_the_loop_whatever_woke_it() {
    watchdog(LIMIT, || {
        for (what, news) in NEWS {
            for elsewhere in [false, true] {
                let hooked = Arc::new(OnceLock::<(LoopHandle, Arc<AtomicUsize>)>::new());
                let known = hooked.clone();
                let event_loop = EventLoop::builder()
                    .on_wake(move || {
                        if let Some((handle, done)) = known.get() {
                            for (_, news) in NEWS {
                                news(handle, done)();
                            }
                        }
                    })
                    .build();
                let _entered = event_loop.enter();
                let done = Arc::new(AtomicUsize::new(0));
                let trigger = news(&event_loop.handle(), &done);
                while event_loop.run_ready(FRAME) {}
                assert!(hooked.set((event_loop.handle(), done.clone())).is_ok());
                if elsewhere {
                    // Handlers that the hook registers there run on the global loop.
                    thread::scope(|scope| scope.spawn(trigger).join().unwrap());
                } else {
                    trigger();
                }
                let start = Instant::now();
                while done.load(SeqCst) < 1 + NEWS.len() {
                    while event_loop.run_ready(FRAME) {}
                    assert!(start.elapsed() < scaled(LIMIT), "{what}, elsewhere {elsewhere}: {done:?}");
                }
            }
        }
    });
}

/// Between its making and its time the loop is idle; then it is woken, by a thread of the reactor.
#[test]
fn a_timer_wakes_the_pumper_when_it_is_due() {
    watchdog(LIMIT, || {
        let (event_loop, wakes) = pumped();
        let done = Arc::new(AtomicUsize::new(0));
        let start = Instant::now();
        drop(event_loop.handle().call_later(Duration::from_millis(30), count(&done)));
        while event_loop.run_ready(FRAME) {}
        wakes.store(0, SeqCst);
        while wakes.load(SeqCst) == 0 {
            assert!(start.elapsed() < scaled(LIMIT), "the pumper was not woken");
            thread::sleep(Duration::from_millis(1));
        }
        assert!(start.elapsed() >= Duration::from_millis(30));
        while event_loop.run_ready(FRAME) {}
        assert_eq!(done.load(SeqCst), 1);
    });
}

/// True as long as it is to be called again: what is ready is more than a frame can take.
#[test]
fn a_frame_ends_in_time_and_says_that_there_is_more() {
    let (event_loop, _) = pumped();
    let done = Arc::new(AtomicUsize::new(0));
    for _ in 0..5 {
        let count = count(&done);
        let slow = move || {
            thread::sleep(Duration::from_millis(2));
            count();
        };
        drop(event_loop.handle().call_soon(slow));
    }
    assert!(event_loop.run_ready(Duration::from_millis(1)));
    assert_eq!(done.load(SeqCst), 1, "a job is longer than the frame");
    assert!(event_loop.run_ready(Duration::ZERO), "one at least");
    assert_eq!(done.load(SeqCst), 2);
    while event_loop.run_ready(Duration::from_millis(1)) {}
    assert_eq!(done.load(SeqCst), 5);
    assert!(!event_loop.run_ready(FRAME));
}

#[test]
fn a_frame_that_has_time_ends_when_nothing_is_left() {
    watchdog(LIMIT, || {
        let event_loop = EventLoop::new();
        let handle = event_loop.handle();
        let steps = Arc::new(AtomicUsize::new(0));
        // Each task is ready again after each of its steps, and leaves a job.
        for _ in 0..3 {
            let (handle_of_task, steps) = (handle.clone(), steps.clone());
            let task = async move {
                for _ in 0..10 {
                    drop(handle_of_task.call_soon(count(&steps)));
                    smol::future::yield_now().await;
                }
                thenable::Ok(())
            };
            handle.spawn(task).mark_handled();
        }
        assert!(!event_loop.run_ready(LIMIT), "one call does all of it");
        assert_eq!(steps.load(SeqCst), 30);
    });
}
