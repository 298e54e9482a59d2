//! A registration that can be taken back.

use crate::core::Watch;
use std::fmt;

/// A registration that can be removed. Dropping it keeps the registration.
///
/// # Examples
///
/// ```
/// use thenable::Promise;
/// let (promise, _resolver) = Promise::<()>::with_resolvers();
/// let subscription = promise.on_settled(|| println!("repaint"));
/// assert!(subscription.remove());
/// ```
pub struct Subscription {
    kind: Kind,
}

enum Kind {
    Promise(Option<Watch>),
    Other(Box<dyn FnOnce() -> bool + Send + Sync>),
}

impl Subscription {
    pub(super) fn of_promise(watch: Option<Watch>) -> Self {
        Self { kind: Kind::Promise(watch) }
    }

    pub(crate) fn new(remove: impl FnOnce() -> bool + Send + Sync + 'static) -> Self {
        Self { kind: Kind::Other(Box::new(remove)) }
    }

    /// Removes the registration and drops its closure. False: it is too late, the closure runs or has run.
    pub fn remove(self) -> bool {
        match self.kind {
            Kind::Promise(watch) => watch.is_some_and(Watch::remove),
            Kind::Other(remove) => remove(),
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription")
    }
}
