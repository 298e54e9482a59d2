//! What the core asks of the loops above it: where to run when no loop is current, and where to report to.

use crate::core::PlaceId;
use crate::error::Unhandled;

/// The global loop's place; the loop is started on first need.
#[cfg(not(loom))]
pub(crate) fn global_place() -> PlaceId {
    crate::event_loop::global_place()
}

/// Hands an unhandled rejection to the reporting loop: the current one, or else the global one.
#[cfg(not(loom))]
pub(crate) fn report(unhandled: Unhandled) {
    crate::event_loop::report(unhandled);
}

#[cfg(loom)]
pub(crate) fn global_place() -> PlaceId {
    crate::core::NOWHERE
}

#[cfg(loom)]
pub(crate) fn report(unhandled: Unhandled) {
    #[cfg(test)]
    crate::core::models::count_report();
    drop(unhandled);
}
