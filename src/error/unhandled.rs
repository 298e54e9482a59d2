//! Rejections that nobody handled, and the hook that hears of them.

use super::{Rejection, panic};
use crate::primitive::static_value;
use crate::primitive::sync::{Mutex, PoisonError};
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::panic::Location;
use std::sync::Arc;

/// A rejection that nobody handled.
///
/// It goes to the hook of [`on_unhandled_rejection`], or is what a strict loop's `run` returns, in
/// [`Fault::Unhandled`](super::Fault::Unhandled).
///
/// It prints the reason, what caused it, its trace and the place of the promise:
///
/// ```text
/// connection refused
///     at src/client.rs:20:13
///     at src/client.rs:24:10
///     nobody handled the promise `greeting` made at src/client.rs:18:5
/// ```
#[derive(Clone, Debug)]
pub struct Unhandled {
    reason: Option<Rejection>,
    type_name: &'static str,
    created_at: &'static Location<'static>,
    name: Option<Cow<'static, str>>,
}

/// It holds a reason, and must still become a `Rejection` by `?`.
impl Unpin for Unhandled {}

impl Unhandled {
    /// `type_name` is the name of the promise's error type.
    pub(crate) fn new(
        reason: Option<Rejection>,
        type_name: &'static str,
        created_at: &'static Location<'static>,
        name: Option<Cow<'static, str>>,
    ) -> Unhandled {
        Unhandled { reason, type_name, created_at, name }
    }

    /// The reason, if the promise's error type is [`Rejection`].
    pub fn reason(&self) -> Option<&Rejection> {
        self.reason.as_ref()
    }

    /// The name of the promise's error type, as [`std::any::type_name`] gives it.
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// Where the promise was made.
    pub fn created_at(&self) -> &'static Location<'static> {
        self.created_at
    }

    /// The promise's name, if it was given one with `named`.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

impl fmt::Display for Unhandled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) => reason.story(f, 0)?,
            None => write!(f, "a rejection of type {}", self.type_name)?,
        }
        f.write_str("\n    nobody handled the promise")?;
        if let Some(name) = &self.name {
            write!(f, " `{name}`")?;
        }
        write!(f, " made at {}", self.created_at)
    }
}

/// It has no source: what caused the reason is part of what it prints.
impl Error for Unhandled {}

pub(super) type Hook = dyn Fn(&Unhandled) + Send + Sync;

static_value! {
    static HOOK: Mutex<Option<Arc<Hook>>> = Mutex::new(None);
}

/// Sets what is called with each rejection that nobody handled.
///
/// A rejection is unhandled when the promise's last handle goes and nobody chained, awaited, waited for or peeked at it, or
/// called `mark_handled`. It is reported once, after the job queue has run dry. A cancelled promise is not reported.
///
/// There is one hook for the whole process; a new one replaces the old one. Without one the report goes to standard error.
///
/// # Threads
///
/// The hook runs on the thread of the loop that reports, with no lock held: it may make promises, and set another hook. It
/// may run on several threads at once. If it panics, the panic ends there and the report goes to standard error.
///
/// # Examples
///
/// ```
/// thenable::on_unhandled_rejection(|unhandled| {
///     eprintln!("made at {}: {unhandled}", unhandled.created_at());
/// });
/// ```
pub fn on_unhandled_rejection(hook: impl Fn(&Unhandled) + Send + Sync + 'static) {
    replace(&HOOK, Arc::new(hook));
}

/// Hands `unhandled` to the hook. Call it with no lock held; it never panics.
pub(crate) fn report(unhandled: &Unhandled) {
    run(current(&HOOK), unhandled, &mut io::stderr());
}

pub(super) fn replace(slot: &Mutex<Option<Arc<Hook>>>, hook: Arc<Hook>) {
    let mut place = slot.lock().unwrap_or_else(PoisonError::into_inner);
    let old = place.replace(hook);
    // The old hook's destructor is foreign: it runs after the lock is gone.
    drop(place);
    panic::drop_quietly(old);
}

pub(super) fn current(slot: &Mutex<Option<Arc<Hook>>>) -> Option<Arc<Hook>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

pub(super) fn run(hook: Option<Arc<Hook>>, unhandled: &Unhandled, err: &mut dyn Write) {
    if let Some(hook) = hook {
        let done = panic::catch(None, || hook(unhandled));
        panic::drop_quietly(hook);
        match done {
            Ok(()) => return,
            Err(fault) => write(err, &format!("the hook of `on_unhandled_rejection` failed: {fault}")),
        }
    }
    // The reason's own `Display` is foreign too, so the text is made before anything is locked for writing.
    match panic::catch(None, || unhandled.to_string()) {
        Ok(text) => write(err, &format!("unhandled rejection: {text}")),
        Err(_) => write(err, &format!("unhandled rejection of the promise made at {}", unhandled.created_at)),
    }
}

/// One write for the whole text, so that lines of several threads do not mix. Nobody could be told that it failed.
fn write(err: &mut dyn Write, text: &str) {
    let _ = err.write_all(format!("{text}\n").as_bytes());
}
