//! Values that count, panic, re-enter, or have an odd shape.

use std::cell::Cell;
use std::marker::PhantomData;
use std::panic;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::thread::{self, ThreadId};

use super::eventually;

const LIVE: u64 = 0x11fe_70ce_2042_1234;
const DEAD: u64 = 0xdead_70ce_2042_4321;

/// The account of all tokens that one test made.
#[derive(Clone, Default)]
pub(crate) struct Ledger {
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    created: AtomicUsize,
    dropped: AtomicUsize,
    corrupt: AtomicUsize,
    last_thread: Mutex<Option<ThreadId>>,
}

impl Ledger {
    pub(crate) fn token(&self) -> Token {
        self.counts.created.fetch_add(1, Ordering::SeqCst);
        Token { ledger: self.clone(), canary: LIVE }
    }

    pub(crate) fn created(&self) -> usize {
        self.counts.created.load(Ordering::SeqCst)
    }

    pub(crate) fn dropped(&self) -> usize {
        self.counts.dropped.load(Ordering::SeqCst)
    }

    /// The thread that dropped a token last.
    pub(crate) fn last_thread(&self) -> Option<ThreadId> {
        *self.counts.last_thread.lock().unwrap()
    }

    /// Every token was dropped, each once. For tests on one thread.
    #[track_caller]
    pub(crate) fn assert_balanced(&self, what: &str) {
        assert_eq!(self.dropped(), self.created(), "{what}: tokens dropped, tokens created");
        assert_eq!(self.counts.corrupt.load(Ordering::SeqCst), 0, "{what}: a token was dropped twice or overwritten");
    }

    /// As [`Ledger::assert_balanced`], but gives other threads time to drop theirs.
    #[track_caller]
    pub(crate) fn assert_balanced_soon(&self, what: &str) {
        eventually(what, || self.dropped() >= self.created());
        self.assert_balanced(what);
    }
}

/// A value whose life is on record.
pub(crate) struct Token {
    ledger: Ledger,
    canary: u64,
}

impl Clone for Token {
    fn clone(&self) -> Self {
        self.ledger.token()
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let counts = &self.ledger.counts;
        if self.canary != LIVE {
            counts.corrupt.fetch_add(1, Ordering::SeqCst);
        }
        self.canary = DEAD;
        // A poisoned lock cannot matter here, and a drop must not panic by accident.
        *counts.last_thread.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(thread::current().id());
        counts.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

/// Panics, unless the thread unwinds already: a second panic would abort whatever the library does.
pub(super) fn detonate(message: &'static str) {
    if !thread::panicking() {
        panic!("{message}");
    }
}

/// Panics when dropped.
pub(crate) struct BombDrop {
    _token: Token,
}

impl BombDrop {
    pub(crate) fn new(token: Token) -> Self {
        Self { _token: token }
    }
}

impl Drop for BombDrop {
    fn drop(&mut self) {
        detonate("bomb: drop");
    }
}

/// Panics at the `k`-th clone, counted over all copies of one original. The first is number 1.
pub(crate) struct BombClone {
    token: Token,
    fuse: Arc<AtomicUsize>,
    k: usize,
}

impl BombClone {
    pub(crate) fn new(token: Token, k: usize) -> Self {
        Self { token, fuse: Arc::default(), k }
    }
}

impl Clone for BombClone {
    fn clone(&self) -> Self {
        if self.fuse.fetch_add(1, Ordering::SeqCst) + 1 == self.k {
            detonate("bomb: clone");
        }
        Self { token: self.token.clone(), fuse: Arc::clone(&self.fuse), k: self.k }
    }
}

/// A panic payload that panics when it is dropped.
pub(crate) struct BombPayload;

impl Drop for BombPayload {
    fn drop(&mut self) {
        detonate("bomb: payload");
    }
}

/// Runs a closure when dropped.
pub(crate) struct ReentrantDrop(Option<Box<dyn FnOnce() + Send + Sync>>);

impl ReentrantDrop {
    pub(crate) fn new(f: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(f)))
    }
}

impl Drop for ReentrantDrop {
    fn drop(&mut self) {
        if let Some(f) = self.0.take() {
            f();
        }
    }
}

/// No bytes at all, but a drop that counts.
pub(crate) struct Zst;

/// How many [`Zst`] were dropped. One test uses it.
pub(crate) static ZST_DROPS: AtomicUsize = AtomicUsize::new(0);

impl Drop for Zst {
    fn drop(&mut self) {
        ZST_DROPS.fetch_add(1, Ordering::SeqCst);
    }
}

/// Aligned more strictly than any allocator does by itself.
#[derive(Clone, Debug, PartialEq)]
#[repr(align(128))]
pub(crate) struct Align128(pub(crate) u8);

/// A page of bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Big4K(pub(crate) [u8; 4096]);

/// Stays on its thread.
pub(crate) struct NotSend(pub(crate) u8, PhantomData<Rc<()>>);

impl NotSend {
    pub(crate) fn new(number: u8) -> Self {
        Self(number, PhantomData)
    }
}

/// May move to another thread, but not be looked at from two.
#[derive(Debug, PartialEq)]
pub(crate) struct NotSync(pub(crate) Cell<u8>);

/// Keeps the panics of this module out of the log: a table of bombs would fill it.
pub(crate) fn quiet_bombs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let payload = info.payload();
            let text = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
            if !payload.is::<BombPayload>() && !text.is_some_and(|text| text.starts_with("bomb")) {
                before(info);
            }
        }));
    });
}
