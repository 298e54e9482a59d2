//! Loops and pools that end or sleep while somebody brings them work.

use super::{Promise, Resolver, watch};
use crate::cells::{CLOSED, Cells, Token, VALUE, Why, must};
use crate::duel::{LocalAct, Right, Round};
use std::sync::{Arc, OnceLock};
use std::thread;
use thenable::{EventLoop, ExecutorExt, Fault, LoopHandle, Rejection, Shutdown, ThreadPool};

/// What a promise of the standard reason has come to.
fn seen(outcome: &Result<Token, Rejection>) -> u32 {
    match outcome {
        Ok(token) => {
            token.look();
            VALUE
        }
        Err(why) => match why.fault() {
            Some(Fault::LoopClosed) => CLOSED,
            Some(Fault::PoolClosed) => 64,
            Some(Fault::Cancelled { .. }) => 128,
            _ => 256,
        },
    }
}

fn wait_until_settled<T, E>(promise: &thenable::Promise<T, E>) {
    while promise.is_pending() {
        thread::yield_now();
    }
}

/// A slot by which the right side gives the left one what it has made on its own thread.
type Given<T> = Arc<OnceLock<T>>;

fn given<T: Clone>(slot: &Given<T>) -> T {
    match slot.get() {
        Some(content) => content.clone(),
        None => {
            must(false, || "nothing was given".into());
            unreachable!()
        }
    }
}

pub(super) fn settle_close(random: u32, cells: &'static Cells) -> Round {
    let (promise, resolver): (Promise, Resolver) = Promise::pending();
    let value = cells.token();
    let runs = random & 1 == 0;
    Round {
        left: Box::new(move |_| resolver.resolve(value).is_ok().into()),
        right: Right::After(Box::new(move || {
            let event_loop = EventLoop::new();
            let derived = {
                let _current = event_loop.enter();
                watch(promise, cells)
            };
            let act: LocalAct = Box::new(move |_| {
                if runs {
                    event_loop.tick();
                }
                event_loop.close();
                wait_until_settled(&derived);
                match derived.peek() {
                    Some(Ok(_)) => VALUE,
                    Some(Err(Why::Fault(Fault::LoopClosed))) => CLOSED,
                    _ => 0,
                }
            });
            act
        })),
        check: |cells, resolved, seen| {
            must(resolved == 1, || "a resolve was refused".into());
            must(seen == VALUE || seen == CLOSED, || "neither the value nor `LoopClosed`".into());
            cells.must_have_run(u32::from(seen == VALUE), VALUE);
        },
    }
}

pub(super) fn spawn_close(random: u32, cells: &'static Cells) -> Round {
    let slot: Given<LoopHandle> = Arc::default();
    let (theirs, captured, value) = (slot.clone(), cells.token(), cells.token());
    let runs = random & 1 == 0;
    Round {
        left: Box::new(move |_| {
            let handle = given(&slot);
            let called = cells.token();
            handle.call_soon(move || drop(called));
            let promise = handle.spawn(async move {
                captured.look();
                cells.ran(VALUE);
                Ok(value)
            });
            wait_until_settled(&promise);
            promise.mark_handled();
            seen(&promise.wait())
        }),
        right: Right::After(Box::new(move || {
            let event_loop = EventLoop::new();
            let _ = theirs.set(event_loop.handle());
            let act: LocalAct = Box::new(move |_| {
                if runs {
                    event_loop.tick();
                }
                event_loop.close();
                0
            });
            act
        })),
        check: |cells, seen, _| {
            must(seen == VALUE || seen == CLOSED, || format!("neither the value nor `LoopClosed`: {seen}"));
            must(seen != VALUE || cells.runs() == 1, || "a value from nowhere".into());
        },
    }
}

/// A loop that goes to sleep when it has nothing to do, until its one job has run.
pub(super) fn call_sleep(random: u32, cells: &'static Cells) -> Round {
    let slot: Given<LoopHandle> = Arc::default();
    let (theirs, captured) = (slot.clone(), cells.token());
    let jobs = 1 + random % 3;
    Round {
        left: Box::new(move |_| {
            let handle = given(&slot);
            // A loop needs a while until it is about to sleep.
            for _ in 0..random % 4096 {
                std::hint::spin_loop();
            }
            for _ in 1..jobs {
                handle.call_soon(|| cells.ran(VALUE));
            }
            let stopper = handle.clone();
            handle.call_soon(move || {
                captured.look();
                cells.ran(VALUE);
                stopper.stop();
            });
            jobs
        }),
        right: Right::After(Box::new(move || {
            let event_loop = EventLoop::new();
            let _ = theirs.set(event_loop.handle());
            let act: LocalAct = Box::new(move |_| {
                must(event_loop.run_forever().is_ok(), || "a loop ended badly".into());
                0
            });
            act
        })),
        check: |cells, jobs, _| cells.must_have_run(jobs, VALUE),
    }
}

/// One input has come on the combinator's loop, which closes while the other one settles.
pub(super) fn all_close(random: u32, cells: &'static Cells) -> Round {
    let (early, first) = Promise::pending();
    let (late, second) = Promise::pending();
    let value = cells.token();
    let runs = random & 1 == 0;
    Round {
        left: Box::new(move |_| second.resolve(value).is_ok().into()),
        right: Right::After(Box::new(move || {
            let event_loop = EventLoop::new();
            let all = {
                let _current = event_loop.enter();
                Promise::all([early, late])
            };
            must(first.resolve(cells.token()).is_ok(), || "a resolve was refused".into());
            let act: LocalAct = Box::new(move |_| {
                event_loop.tick();
                if runs {
                    event_loop.tick();
                }
                event_loop.close();
                wait_until_settled(&all);
                match all.peek() {
                    Some(Ok(values)) => {
                        values.iter().for_each(Token::look);
                        VALUE
                    }
                    Some(Err(Why::Fault(Fault::LoopClosed))) => CLOSED,
                    _ => 0,
                }
            });
            act
        })),
        check: |_, resolved, seen| {
            must(resolved == 1, || "a resolve was refused".into());
            must(seen == VALUE || seen == CLOSED, || "neither the values nor `LoopClosed`".into());
        },
    }
}

pub(super) fn submit_shutdown(random: u32, cells: &'static Cells) -> Round {
    let pool = Arc::new(ThreadPool::new(1 + (random & 1) as usize));
    let theirs = pool.clone();
    let (captured, value) = (cells.token(), cells.token());
    let cancels = random & 2 == 0;
    Round {
        left: Box::new(move |_| {
            let promise = pool.submit(move || {
                captured.look();
                cells.ran(VALUE);
                value
            });
            drop(pool);
            seen(&promise.wait())
        }),
        right: Right::Now(Box::new(move |_| {
            let how = if cancels { Shutdown::Cancel } else { Shutdown::Drain };
            let ended = theirs.shutdown(how).wait();
            must(ended.is_ok(), || "a shutdown was rejected".into());
            cancels.into()
        })),
        check: |cells, seen, cancels| {
            let allowed = [VALUE, 64, if cancels == 1 { 128 } else { VALUE }];
            must(allowed.contains(&seen), || format!("another outcome: {seen}"));
            must(seen != VALUE || cells.runs() == 1, || "a value from nowhere".into());
        },
    }
}
