//! Is a generic `E` the type `Rejection`? Answered without a `'static` bound.
//!
//! The method is that of the `typeid` crate: the id is asked through a trait object whose lifetime is extended, which
//! changes nothing about the answer. `Rejection` has no lifetime parameter, so an equal id means the same type.

use crate::error::Rejection;
use std::any::TypeId;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};

trait Identified {
    fn id(&self) -> TypeId
    where
        Self: 'static;
}

impl<E: ?Sized> Identified for PhantomData<E> {
    fn id(&self) -> TypeId
    where
        Self: 'static,
    {
        TypeId::of::<E>()
    }
}

/// Whether `E` is [`Rejection`].
#[inline]
pub(crate) fn is_rejection<E>() -> bool {
    let marker = PhantomData::<E>;
    // SAFETY: only the lifetime bound of the object changes, and `id` does not look at the value.
    let marker = unsafe { mem::transmute::<&dyn Identified, &(dyn Identified + 'static)>(&marker) };
    marker.id() == TypeId::of::<Rejection>()
}

/// The reason as a `Rejection`, if it is one.
pub(crate) fn into_rejection<E>(reason: E) -> Result<Rejection, E> {
    if is_rejection::<E>() {
        let reason = ManuallyDrop::new(reason);
        // SAFETY: the same type, moved once.
        Ok(unsafe { mem::transmute_copy::<E, Rejection>(&reason) })
    } else {
        Err(reason)
    }
}

/// The `Rejection` as an `E`, if that is the same type.
pub(crate) fn from_rejection<E>(reason: Rejection) -> Result<E, Rejection> {
    if is_rejection::<E>() {
        let reason = ManuallyDrop::new(reason);
        // SAFETY: the same type, moved once.
        Ok(unsafe { mem::transmute_copy::<Rejection, E>(&reason) })
    } else {
        Err(reason)
    }
}
