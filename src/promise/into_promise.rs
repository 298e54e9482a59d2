//! What a handler may return.

use super::{Promise, Resolution};
use crate::core::Step;
use crate::error::{Fault, panic};
use std::any::Any;
use std::task::{Context, Poll, Waker};

/// What a handler may return: a `Result`, a promise, a future of a `Result`, a [`Resolution`], or `()`.
///
/// `Via` is inferred and never written: it keeps the implementations apart.
///
/// # Examples
///
/// Handlers of a generic function take any of them:
///
/// ```
/// use thenable::{IntoPromise, Promise, Rejection};
///
/// fn twice<R, Via>(p: Promise<i32>, f: impl FnOnce(i32) -> R + Send + 'static) -> Promise<i32>
/// where
///     R: IntoPromise<i32, Rejection, Via>,
/// {
///     p.then(f).map(|n| n * 2)
/// }
/// assert_eq!(twice(Promise::resolve(1), |n| Ok(n + 1)).wait().unwrap(), 4);
/// assert_eq!(twice(Promise::resolve(1), async |n| Ok(n + 1)).wait().unwrap(), 4);
/// ```
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}` here",
    label = "expected a `Result`, a promise, a future of a `Result`, or `()`",
    note = "for a plain value use `.map(..)` instead of `.then(..)`, or wrap it in `Ok(..)`",
    note = "a future must be `Send + 'static`"
)]
pub trait IntoPromise<T, E, Via>: Sized {
    /// The promise of it.
    fn into_promise(self) -> Promise<T, E>;

    /// The decision that it stands for; a promise only where it has to be waited for.
    #[doc(hidden)]
    fn into_decision(self) -> via::Decision<T, E> {
        Resolution::Adopt(self.into_promise()).into()
    }
}

/// The markers behind `Via`.
pub mod via {
    use crate::core::Step;

    /// What a handler's result comes to.
    #[doc(hidden)]
    pub struct Decision<T, E>(pub(crate) Step<T, E>);

    impl<T, E> From<crate::Resolution<T, E>> for Decision<T, E> {
        #[inline]
        fn from(resolution: crate::Resolution<T, E>) -> Self {
            Self(Step::Now(resolution))
        }
    }

    impl<T, E> std::fmt::Debug for Decision<T, E> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Decision")
        }
    }

    /// A [`Resolution`](crate::Resolution).
    #[derive(Debug)]
    pub enum Resolution {}
    /// A `Result`.
    #[derive(Debug)]
    pub enum Outcome {}
    /// A future of a `Result`, promises among them.
    #[derive(Debug)]
    pub enum Future {}
    /// A future of `()`.
    #[derive(Debug)]
    pub enum UnitFuture {}
    /// `()`.
    #[derive(Debug)]
    pub enum Unit {}
    /// A handler that only panics.
    #[derive(Debug)]
    pub enum Never {}
}

impl<T: 'static, E: 'static> IntoPromise<T, E, via::Resolution> for Resolution<T, E> {
    #[track_caller]
    fn into_promise(self) -> Promise<T, E> {
        match self {
            Self::Resolve(value) => Promise::fulfilled(value),
            Self::Reject(reason) => Promise::rejected(reason),
            Self::Adopt(promise) => promise,
        }
    }

    #[inline]
    fn into_decision(self) -> via::Decision<T, E> {
        self.into()
    }
}

impl<T: 'static, E: 'static> IntoPromise<T, E, via::Outcome> for Result<T, E> {
    #[track_caller]
    fn into_promise(self) -> Promise<T, E> {
        Promise::from(self)
    }

    #[inline]
    fn into_decision(self) -> via::Decision<T, E> {
        Resolution::from(self).into()
    }
}

/// Futures of a `Result`. A [`Promise`] comes in through here too (a second implementation of its own would make `Via`
/// ambiguous), and is told apart by its type, so that following it costs no task.
impl<T, E, F> IntoPromise<T, E, via::Future> for F
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    #[track_caller]
    fn into_promise(self) -> Promise<T, E> {
        match as_promise(self) {
            Ok(promise) => promise,
            Err(future) => start(future),
        }
    }

    fn into_decision(self) -> via::Decision<T, E> {
        let future = match as_promise(self) {
            Ok(promise) => return Resolution::Adopt(promise).into(),
            Err(future) => future,
        };
        // Polled once here and now; a task only if it has to wait. A future that is ready takes the ticks of the settled
        // promise that it is in JavaScript.
        let mut future = Box::pin(future);
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => {
                panic::drop_quietly(future);
                via::Decision(Step::InTwoTicks(outcome))
            }
            Poll::Pending => Resolution::Adopt(start(future)).into(),
        }
    }
}

#[cfg(not(loom))]
#[track_caller]
fn start<T, E>(future: impl Future<Output = Result<T, E>> + Send + 'static) -> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    Promise::from_future(future)
}

#[cfg(loom)]
fn start<T, E>(_: impl Future<Output = Result<T, E>> + Send + 'static) -> Promise<T, E> {
    unreachable!("the models spawn no tasks")
}

/// The future itself if it is a promise of these types.
fn as_promise<T: 'static, E: 'static, F: 'static>(future: F) -> Result<Promise<T, E>, F> {
    let mut future = Some(future);
    if let Some(promise) = (&mut future as &mut dyn Any).downcast_mut::<Option<Promise<T, E>>>() {
        if let Some(promise) = promise.take() {
            return Ok(promise);
        }
    }
    match future {
        Some(future) => Err(future),
        None => unreachable!("only a promise is taken out"),
    }
}

/// A future of `()`, as in `.finally(async || cleanup().await)`.
impl<E, F> IntoPromise<(), E, via::UnitFuture> for F
where
    F: Future<Output = ()> + Send + 'static,
    E: From<Fault> + Send + 'static,
{
    #[track_caller]
    fn into_promise(self) -> Promise<(), E> {
        start(async move {
            self.await;
            Ok(())
        })
    }

    fn into_decision(self) -> via::Decision<(), E> {
        IntoPromise::<(), E, via::Future>::into_decision(async move {
            self.await;
            Ok(())
        })
    }
}

impl<E: 'static> IntoPromise<(), E, via::Unit> for () {
    #[track_caller]
    fn into_promise(self) -> Promise<(), E> {
        Promise::fulfilled(())
    }

    #[inline]
    fn into_decision(self) -> via::Decision<(), E> {
        Resolution::Resolve(()).into()
    }
}

/// `!` cannot be written on stable Rust, but it can be projected.
mod never {
    #[expect(unnameable_types, reason = "needed to project the type, and for nothing else")]
    pub trait Returns {
        type Output;
    }
    impl<R> Returns for fn() -> R {
        type Output = R;
    }
    pub(super) type Never = <fn() -> ! as Returns>::Output;
}

/// A handler that only panics.
impl<T, E> IntoPromise<T, E, via::Never> for never::Never {
    fn into_promise(self) -> Promise<T, E> {
        self
    }
}
