//! The future of a `run` takes its turns among the loop's tasks, whether there are any or not.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use thenable::{EventLoop, LoopHandle, Promise, Rejection};

use crate::support::{LIMIT, on_loop, watchdog};

/// What an actor does next. The first actor is the run's own future, the others are tasks.
#[derive(Clone, Debug)]
enum Step {
    /// Lets all others go first.
    Yield,
    /// Waits for a timer, or for whoever wakes it earlier.
    Sleep,
    Wake(usize),
    Spawn(usize),
    /// Has a job do this.
    Call(Box<Step>),
}

type Script = Vec<Step>;

/// A few scripts; each but the first is spawned once at most.
fn program(seed: u64) -> Vec<Script> {
    let mut state = seed;
    // SplitMix64, by Guy Steele, Doug Lea and Christine Flood (2014).
    let mut below = move |limit: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % limit
    };
    let actors = 1 + below(5);
    let mut spawned = 1;
    (0..actors)
        .map(|_| {
            (0..below(8))
                .map(|_| {
                    let step = match below(8) {
                        0 | 1 => Step::Yield,
                        2 => Step::Sleep,
                        3 if spawned < actors => {
                            spawned += 1;
                            Step::Spawn(spawned - 1)
                        }
                        _ => Step::Wake(below(actors)),
                    };
                    let is_the_actors_own = matches!(step, Step::Yield | Step::Sleep);
                    if !is_the_actors_own && below(3) == 0 { Step::Call(Box::new(step)) } else { step }
                })
                .collect()
        })
        .collect()
}

struct World {
    scripts: Vec<Script>,
    handle: LoopHandle,
    start: Instant,
    timers: AtomicU32,
    wakers: Mutex<Vec<Option<Waker>>>,
    /// Who was polled, and at which of its steps.
    log: Mutex<Vec<(usize, usize)>>,
}

impl World {
    fn wake(&self, actor: usize) {
        let waker = self.wakers.lock().unwrap()[actor].clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn take(self: &Arc<Self>, step: &Step) {
        match step {
            Step::Wake(actor) => self.wake(*actor),
            Step::Spawn(number) => {
                self.handle.spawn(Actor { number: *number, at: 0, world: self.clone() }).mark_handled()
            }
            Step::Call(step) => {
                let (world, step) = (self.clone(), step.clone());
                drop(self.handle.call_soon(move || world.take(&step)));
            }
            Step::Yield | Step::Sleep => unreachable!("an actor's own business"),
        }
    }
}

struct Actor {
    number: usize,
    at: usize,
    world: Arc<World>,
}

impl Future for Actor {
    type Output = Result<(), Rejection>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let world = self.world.clone();
        let number = self.number;
        world.log.lock().unwrap().push((number, self.at));
        world.wakers.lock().unwrap()[number] = Some(context.waker().clone());
        while let Some(step) = world.scripts[number].get(self.at) {
            self.at += 1;
            match step {
                Step::Yield => {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Step::Sleep => {
                    // No two timers are due at the same time, and each one is later than all before it.
                    let after = Duration::from_secs(world.timers.fetch_add(1, Ordering::Relaxed).into());
                    let woken = world.clone();
                    drop(world.handle.call_at(world.start + after, move || woken.wake(number)));
                    return Poll::Pending;
                }
                step => world.take(step),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Runs the program's first actor and tells who was polled when. `keeper`: a task is there all the time, which does nothing.
fn polls(scripts: &[Script], keeper: bool) -> Vec<(usize, usize)> {
    let event_loop = EventLoop::builder().virtual_clock().build();
    let handle = event_loop.handle();
    if keeper {
        handle.spawn(std::future::pending::<Result<(), Rejection>>()).mark_handled();
    }
    let world = Arc::new(World {
        scripts: scripts.to_vec(),
        start: handle.now(),
        handle,
        timers: AtomicU32::new(1),
        wakers: Mutex::new(vec![None; scripts.len()]),
        log: Mutex::default(),
    });
    event_loop.run(Actor { number: 0, at: 0, world: world.clone() }).unwrap();
    let log = world.log.lock().unwrap().clone();
    // The loop's tasks know the world, and it knows their wakers.
    world.wakers.lock().unwrap().clear();
    log
}

/// Where a task is there all the time the future goes through the executor's queue, where it stands as a task does.
#[test]
fn its_order_among_the_tasks_is_that_of_a_task() {
    watchdog(LIMIT, || {
        for seed in 0..20_000 {
            let scripts = program(seed);
            assert_eq!(polls(&scripts, false), polls(&scripts, true), "seed {seed}: {scripts:?}");
        }
    });
}

/// Whoever yields lets those go first that were spawned before; and a future that was woken goes before those that were spawned
/// after.
#[test]
fn it_takes_its_turn_in_the_order_of_wake_ups() {
    use Step::{Call, Sleep, Spawn, Wake, Yield};
    let call = |step| Call(Box::new(step));
    for keeper in [false, true] {
        let yields = [vec![Spawn(1), Spawn(2), Yield, Yield], vec![Yield], vec![]];
        assert_eq!(polls(&yields, keeper), [(0, 0), (1, 0), (2, 0), (0, 3), (1, 1), (0, 4)]);
        let woken_first = [vec![call(Wake(0)), call(Spawn(1)), Sleep, Yield], vec![]];
        assert_eq!(polls(&woken_first, keeper), [(0, 0), (0, 3), (1, 0), (0, 4)]);
        let spawned_first = [vec![call(Spawn(1)), call(Wake(0)), Sleep, Yield], vec![]];
        assert_eq!(polls(&spawned_first, keeper), [(0, 0), (1, 0), (0, 3), (0, 4)]);
    }
}

/// What a thread spawns after it has woken the future comes after it, whether the loop slept or not.
#[test]
fn another_threads_wake_ups_and_spawns_keep_their_order() {
    watchdog(LIMIT, || {
        for round in 0..400_u32 {
            let event_loop = EventLoop::new();
            let handle = event_loop.handle();
            if round % 2 == 0 {
                handle.spawn(std::future::pending::<Result<(), Rejection>>()).mark_handled();
            }
            let (promise, resolver) = Promise::<()>::with_resolvers();
            let ran = Arc::new(AtomicU32::new(0));
            let runs = ran.clone();
            let other = thread::spawn(move || {
                // Asleep, falling asleep, or not begun.
                thread::sleep(Duration::from_micros(u64::from(round % 10) * 20));
                assert!(resolver.resolve(()).is_ok());
                let task = async move {
                    runs.store(1, Ordering::Relaxed);
                    Ok(())
                };
                handle.spawn(task).mark_handled();
            });
            let before = event_loop.run(async {
                // The poll that finds the outcome is the one that was asked for.
                let mut promise = promise;
                let mut polls = 0;
                std::future::poll_fn(|context| {
                    polls += 1;
                    Pin::new(&mut promise).poll(context)
                })
                .await?;
                thenable::Ok((polls, ran.load(Ordering::Relaxed)))
            });
            other.join().unwrap();
            let (polls, ran) = before.unwrap();
            // If it was settled before the first poll, the task may be first in line.
            assert!(ran == 0 || polls == 1, "round {round}: {polls} polls");
        }
    });
}

/// What the hook of a loop knows may know the waker of the loop's future.
#[test]
fn a_waker_keeps_no_hook_alive() {
    struct App {
        kept: Mutex<Vec<Waker>>,
    }
    for keeper in [false, true] {
        let app = Arc::new(App { kept: Mutex::default() });
        let (weak, known) = (Arc::downgrade(&app), app.clone());
        let event_loop = EventLoop::builder().on_wake(move || drop(known.kept.lock())).build();
        if keeper {
            event_loop.handle().spawn(std::future::pending::<Result<(), Rejection>>()).mark_handled();
        }
        let handle = event_loop.handle();
        let stopped = event_loop.run(std::future::poll_fn(|context| {
            app.kept.lock().unwrap().push(context.waker().clone());
            context.waker().wake_by_ref();
            handle.stop();
            Poll::<Result<(), Rejection>>::Pending
        }));
        assert!(stopped.is_err());
        drop((event_loop, handle, app));
        assert!(weak.upgrade().is_none(), "keeper: {keeper}");
    }
}

/// A future that is woken all the time leaves room for timers.
#[test]
fn it_does_not_starve_timers() {
    on_loop(|event_loop| {
        let rung = event_loop.run(async {
            let bell = thenable::delay(Duration::from_millis(5));
            while bell.is_pending() {
                let mut yielded = false;
                std::future::poll_fn(|context| {
                    context.waker().wake_by_ref();
                    if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
            }
            bell.await
        });
        assert!(rung.is_ok());
    });
}

/// The reactor calls wakers on the loop's own thread, where that sleeps: the future is polled all the same.
#[test]
fn io_that_the_loop_itself_polls_wakes_it() {
    on_loop(|event_loop| {
        let polls = event_loop.run(async {
            for _ in 0..20 {
                async_io::Timer::after(Duration::from_millis(1)).await;
            }
            thenable::Ok(20)
        });
        assert_eq!(polls.unwrap(), 20);
    });
}

/// A waker that outlives its run, and its loop, wakes nobody.
#[test]
fn a_waker_may_outlive_the_run() {
    for keeper in [false, true] {
        let wakes = Arc::new(AtomicU32::new(0));
        let counted = wakes.clone();
        let event_loop = EventLoop::builder().on_wake(move || _ = counted.fetch_add(1, Ordering::Relaxed)).build();
        let (promise, resolver) = Promise::<()>::with_resolvers();
        if keeper {
            event_loop.handle().spawn(promise.clone()).mark_handled();
        }
        let waker = event_loop.run(async {
            let mut polls = 0;
            std::future::poll_fn(|context| {
                polls += 1;
                context.waker().wake_by_ref();
                // The second and third waker may be another one.
                if polls < 3 { Poll::Pending } else { Poll::Ready(thenable::Ok(context.waker().clone())) }
            })
            .await
        });
        let waker = waker.unwrap();
        while event_loop.run_ready(Duration::ZERO) {}
        let before = wakes.load(Ordering::Relaxed);
        waker.wake_by_ref();
        assert_eq!(wakes.load(Ordering::Relaxed), before, "nothing is to be done");
        drop(resolver);
        while event_loop.tick() {}
        drop(event_loop);
        waker.wake_by_ref();
    }
}
