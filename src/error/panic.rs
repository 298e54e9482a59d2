//! The one place that catches panics.
//!
//! A panic of foreign code (a handler, a hook, a destructor, a clone) never leaves the library's own frames: it becomes
//! [`Fault::Panicked`], or is swallowed where nobody could be told. The panic hook has printed it by then. That hook is
//! the user's: it is never replaced here, so the place of the panic is left to it, and the fault says where the handler
//! was registered instead.

use super::Fault;
use std::any::Any;
use std::borrow::Cow;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

/// Runs `f`; a panic becomes a fault that says where `f` was registered.
///
/// What `f` owns is dropped inside as well. The caller must be at rest: nothing of its own may be half done meanwhile.
#[cfg(not(loom))]
#[inline]
pub(crate) fn catch<R>(site: Option<&'static Location<'static>>, f: impl FnOnce() -> R) -> Result<R, Fault> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| panicked(payload, site))
}

/// A model's only panics are findings: they go through.
#[cfg(loom)]
pub(crate) fn catch<R>(_: Option<&'static Location<'static>>, f: impl FnOnce() -> R) -> Result<R, Fault> {
    Ok(f())
}

/// Drops a foreign value; a panic of its destructor ends here.
///
/// It costs nothing where there is no destructor.
#[inline]
pub(crate) fn drop_quietly<T>(value: T) {
    #[cfg(loom)]
    return drop(value);
    #[cfg(not(loom))]
    if mem::needs_drop::<T>() {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
            discard(payload);
        }
    }
}

#[cold]
fn panicked(payload: Box<dyn Any + Send>, site: Option<&'static Location<'static>>) -> Fault {
    let message = match payload.downcast::<&'static str>() {
        Ok(text) => Cow::Borrowed(*text),
        Err(payload) => match payload.downcast::<String>() {
            Ok(text) => Cow::Owned(*text),
            Err(payload) => {
                discard(payload);
                Cow::Borrowed("a value of unknown type")
            }
        },
    };
    let at = site.map(|site| Cow::Owned(site.to_string()));
    Fault::Panicked { message, at }
}

/// Drops what a panic carried. Its destructor may panic in turn; what *that* panic carried is leaked, or it would never end.
#[cold]
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(second);
    }
}
