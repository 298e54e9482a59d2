//! The pairs: operations that may meet on two threads, and what must hold whichever comes first.

mod blocks;
mod cancelling;
mod following;
mod loops;
mod settling;

use crate::cells::{Cells, Token, Why};
use crate::duel::{FIRST, LARGEST_BATCH, Round};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

pub(crate) type Promise = thenable::Promise<Token, Why>;
pub(crate) type Resolver = thenable::Resolver<Token, Why>;

/// A pair, left against right.
pub(crate) struct Pair {
    pub(crate) name: &'static str,
    /// Makes a round, given a random number.
    pub(crate) make: fn(u32, &'static Cells) -> Round,
    /// How many rounds are made at a time.
    pub(crate) batch: usize,
    /// Of how many rounds it gets how many, by what one costs.
    pub(crate) share: u32,
    /// Both threads have their loops current.
    pub(crate) entered: bool,
}

const fn pair(name: &'static str, make: fn(u32, &'static Cells) -> Round) -> Pair {
    Pair { name, make, batch: LARGEST_BATCH, share: 1000, entered: true }
}

/// One that makes loops or threads.
const fn dear(name: &'static str, make: fn(u32, &'static Cells) -> Round, share: u32) -> Pair {
    Pair { name, make, batch: 32, share, entered: false }
}

pub(crate) const PAIRS: &[Pair] = &[
    pair("subscribe/settle", settling::subscribe_settle),
    pair("poll/settle", settling::poll_settle),
    pair("poll, drop/settle", settling::poll_drop_settle),
    pair("drop handle/settle", settling::drop_handle_settle),
    pair("drop resolver/settle", settling::drop_resolver_settle),
    pair("drop resolver/drop resolver", settling::drop_resolver_twice),
    pair("resolve/reject", settling::resolve_reject),
    pair("clone, drop/drop", settling::clone_drop),
    pair("clone, peek/settle", settling::clone_settle),
    pair("take/take", settling::take_take),
    Pair { entered: false, ..pair("wait/settle", settling::wait_settle) },
    pair("cancel/settle", cancelling::cancel_settle),
    pair("cancel/subscribe", cancelling::cancel_subscribe),
    pair("cancel/drop handle", cancelling::cancel_drop),
    pair("cancel/on_cancel", cancelling::cancel_hook),
    pair("remove/settle", cancelling::remove_settle),
    pair("abort/settle", cancelling::abort_settle),
    pair("adopt/settle inner", following::adopt_settle),
    pair("drop outer/settle inner", following::drop_outer),
    pair("cancel outer/settle inner", following::cancel_outer),
    pair("race is over/loser settles", following::race_loser),
    pair("all/its inputs", following::all_inputs),
    pair("free/allocate", blocks::free_allocate),
    dear("thread ends/its blocks are freed", blocks::owner_ends, 20),
    dear("settle/loop closes", loops::settle_close, 100),
    dear("spawn/loop closes", loops::spawn_close, 100),
    dear("call_soon/loop sleeps", loops::call_sleep, 100),
    dear("all's input/loop closes", loops::all_close, 100),
    dear("submit/pool shuts down", loops::submit_shutdown, 20),
];

/// `FIRST` if this holds.
fn first(holds: bool) -> u32 {
    if holds { FIRST } else { 0 }
}

/// A handler on both outcomes that counts, holds a token, and hands the outcome on.
fn watch(promise: Promise, cells: &'static Cells) -> Promise {
    let captured = cells.token();
    promise.handle(move |outcome| {
        captured.look();
        cells.saw(&outcome);
        outcome
    })
}

/// A task that knows how often it was woken.
struct Bell(AtomicU32);

impl Bell {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU32::new(0)))
    }

    /// Waits until it was woken.
    fn wait(&self) {
        let mut tries = 0;
        while self.0.load(Ordering::Acquire) == 0 {
            tries += 1;
            if tries < 200 { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

fn poll(promise: &mut Promise, bell: &Arc<Bell>) -> Option<Result<Token, Why>> {
    match Pin::new(promise).poll(&mut Context::from_waker(&Waker::from(bell.clone()))) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}
