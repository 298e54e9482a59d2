//! Memory that goes from thread to thread.

use super::Promise;
use crate::cells::{Cells, must};
use crate::duel::{Right, Round};
use std::sync::mpsc;
use std::thread;

/// The owner allocates while the other one frees what it allocated before.
pub(super) fn free_allocate(random: u32, cells: &'static Cells) -> Round {
    let count = 1 + random % 8;
    let theirs: Vec<Promise> = (0..count).map(|_| Promise::fulfilled(cells.token())).collect();
    Round {
        left: Box::new(move |_| {
            let mut mine: Vec<Promise> = (0..count).map(|_| Promise::fulfilled(cells.token())).collect();
            mine.swap_remove(0);
            0
        }),
        right: Right::Now(Box::new(move |_| {
            for promise in theirs {
                match promise.peek() {
                    Some(Ok(token)) => token.look(),
                    _ => must(false, || "a fulfilled promise is not".into()),
                }
            }
            0
        })),
        check: |_, _, _| {},
    }
}

/// A thread makes promises, gives some away, and ends; the left side frees them meanwhile, the right side waits for its end.
pub(super) fn owner_ends(random: u32, cells: &'static Cells) -> Round {
    let count = 1 + random % 200;
    let (sender, receiver) = mpsc::channel::<Promise>();
    Round {
        left: Box::new(move |_| {
            let mut received = 0;
            for promise in receiver {
                match promise.peek() {
                    Some(Ok(token)) => token.look(),
                    _ => must(false, || "a fulfilled promise is not".into()),
                }
                received += 1;
            }
            received
        }),
        right: Right::Now(Box::new(move |_| {
            let owner = thread::spawn(move || {
                for number in 0..count {
                    let promise = Promise::fulfilled(cells.token());
                    if number % 3 != 0 {
                        must(sender.send(promise).is_ok(), || "nobody receives".into());
                    }
                }
            });
            must(owner.join().is_ok(), || "the owner panicked".into());
            count - count.div_ceil(3)
        })),
        check: |_, received, sent| must(received == sent, || format!("{sent} were sent and {received} received")),
    }
}
