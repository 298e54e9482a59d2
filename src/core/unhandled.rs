//! What becomes of a rejection that goes away unhandled.

use super::hub::Name;
use super::slot::Cause;
use super::type_eq;
use crate::ambient;
use crate::error::{Fault, Rejection, Unhandled, panic};
use std::any::type_name;

/// Reports a rejection whose promise is gone; a cancellation is nobody's fault and is not reported.
pub(super) fn report<E>(cause: Cause<E>, name: Option<Name>) {
    let (reason, site) = match cause {
        Cause::Fault(fault, site) => (Some(Rejection::from_fault(fault, site)), site),
        Cause::Reason(reason, site) => match type_eq::into_rejection(reason) {
            Ok(reason) => (Some(reason), site),
            Err(reason) => {
                panic::drop_quietly(reason);
                (None, site)
            }
        },
    };
    let cancelled = |reason: &Rejection| matches!(reason.fault(), Some(Fault::Cancelled { .. }));
    if reason.as_ref().is_some_and(cancelled) {
        return;
    }
    ambient::report(Unhandled::new(reason, type_name::<E>(), site, name));
}
