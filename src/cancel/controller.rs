//! The controller.

use super::AbortSignal;
use super::root::Root;
use crate::CancelReason;
use std::fmt;
use std::sync::Arc;

/// The end of an [`AbortSignal`] that aborts it. Clones are the same controller.
///
/// Dropping a controller aborts nothing.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use thenable::{AbortController, delay};
///
/// let controller = AbortController::new();
/// let slept = delay(Duration::from_secs(60)).abort_on(&controller.signal());
/// controller.abort("enough");
/// assert_eq!(slept.wait().unwrap_err().to_string(), "cancelled: enough");
/// ```
#[derive(Clone)]
pub struct AbortController {
    root: Arc<Root>,
    signal: AbortSignal,
}

impl AbortController {
    /// A controller with a signal of its own.
    pub fn new() -> Self {
        AbortController::following(&[])
    }

    /// A controller whose signal follows these roots too.
    pub(super) fn following(roots: &[Arc<Root>]) -> Self {
        let root = Root::new();
        let all: Arc<[_]> = std::iter::once(&root).chain(roots).cloned().collect();
        AbortController { root, signal: AbortSignal::of(all) }
    }

    /// The signal to hand out.
    pub fn signal(&self) -> AbortSignal {
        self.signal.clone()
    }

    /// Aborts the signal and runs its listeners. The second time it does nothing.
    pub fn abort(&self, reason: impl Into<CancelReason>) {
        self.root.fire(reason.into());
    }
}

impl Default for AbortController {
    fn default() -> Self {
        AbortController::new()
    }
}

impl fmt::Debug for AbortController {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortController").field("signal", &self.signal).finish()
    }
}
