//! The promise and its resolvers.

mod chain;
mod construct;
mod future;
mod into_promise;
mod look;
#[cfg(not(loom))]
mod on;
mod resolution;
mod resolver;
mod subscription;
#[cfg(not(loom))]
mod wait;

pub use into_promise::{IntoPromise, via};
pub use look::State;
#[cfg(not(loom))]
pub use on::On;
pub use resolution::Resolution;
pub(crate) use resolver::Ending;
pub use resolver::{Reject, Resolve, Resolver};
pub use subscription::Subscription;

use crate::core::Handle;
use crate::error::Rejection;
use std::panic::{RefUnwindSafe, UnwindSafe};

/// One handle of a promise: a value of type `T` that is there, will be there later, or never will for a reason of type
/// `E`.
///
/// Chain handlers with [`then`](Promise::then), [`map`](Promise::map), [`catch`](Promise::catch) and
/// [`finally`](Promise::finally); `.await` it in any executor; [`wait`](Promise::wait) for it on a plain thread; look at it
/// with [`peek`](Promise::peek).
///
/// A promise runs by itself: dropping every handle of it cancels nothing
/// ([`cancel_on_drop`](Promise::cancel_on_drop) opts in). A rejection that nobody handles is reported, see
/// [`on_unhandled_rejection`](crate::on_unhandled_rejection).
///
/// # Several consumers
///
/// Chain methods and `.await` use the handle up and move the value. Where `T` and `E` are `Clone + Sync` the handle can be
/// cloned: each consumer gets a clone of the outcome, and the last one the outcome itself.
///
/// # Threads
///
/// A handle may go to another thread where `T` and `E` are `Send`. Handlers run on the event loop that was current on the
/// thread that registered them, or else on the global one. The value is dropped on the thread of whoever gives up the last
/// handle, handler or resolver.
///
/// # Examples
///
/// ```
/// use thenable::Promise;
///
/// let total = Promise::resolve("20")
///     .then(|text| Ok(text.parse::<i32>()?))
///     .map(|n| n + 22);
/// assert_eq!(total.wait().unwrap(), 42);
/// ```
pub struct Promise<T, E = Rejection> {
    handle: Handle<T, E>,
}

/// A promise is a pointer: it may move, whatever `T` and `E` are.
impl<T, E> Unpin for Promise<T, E> {}
impl<T, E> UnwindSafe for Promise<T, E> {}
impl<T, E> RefUnwindSafe for Promise<T, E> {}

impl<T, E> Promise<T, E> {
    #[inline(always)]
    pub(crate) fn from_handle(handle: Handle<T, E>) -> Self {
        Self { handle }
    }

    #[inline(always)]
    pub(crate) fn into_handle(self) -> Handle<T, E> {
        self.handle
    }

    pub(crate) fn is_consumed(&self) -> bool {
        self.handle.is_consumed()
    }
}

/// The second handle of a promise. What makes it sound to hand `&T` to several threads is `Sync`.
impl<T: Clone + Sync, E: Clone + Sync> Clone for Promise<T, E> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone_with(T::clone, E::clone) }
    }
}
