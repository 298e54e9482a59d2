//! Constructors.

use super::{IntoPromise, Promise, Reject, Resolution, Resolve, Resolver};
use crate::core::{self, Site, Step};
use crate::error::{Fault, Rejection, panic};
use std::panic::Location;

/// Constructors with the dynamic reason.
impl<T: 'static> Promise<T> {
    /// Runs `executor` at once with the two functions that decide the promise: JavaScript's `new Promise`.
    ///
    /// Both are called like functions, from any thread, and can be cloned; the first call decides, later ones are ignored.
    /// When the last clone of both goes away without a call, the promise rejects with
    /// [`Fault::Abandoned`](crate::Fault::Abandoned). A panic in `executor` rejects it.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    ///
    /// let text = Promise::new(|resolve, reject| {
    ///     std::thread::spawn(move || match std::fs::read_to_string("Cargo.toml") {
    ///         Ok(text) => resolve(text),
    ///         Err(error) => reject(error.into()),
    ///     });
    /// });
    /// assert!(text.wait().unwrap().contains("thenable"));
    /// ```
    #[track_caller]
    pub fn new(executor: impl FnOnce(Resolve<T>, Reject<T>)) -> Self {
        let site = Location::caller();
        let (promise, resolver) = Self::pending_at(site);
        let on_panic = resolver.clone();
        if let Err(fault) = panic::catch(Some(site), || executor(Resolve(resolver.clone()), Reject(resolver))) {
            on_panic.fault(fault);
        }
        promise
    }

    /// A promise that is fulfilled with `value`.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    /// assert_eq!(Promise::resolve(1).wait().unwrap(), 1);
    /// ```
    #[inline]
    #[track_caller]
    pub fn resolve(value: T) -> Self {
        Self::from_handle(core::settled(Ok(value), Location::caller()))
    }

    /// A promise that is rejected with `reason`: an error, a text, a boxed error, a [`Rejection`].
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    /// let n = Promise::reject("no").catch(|why| Ok(why.to_string().len()));
    /// assert_eq!(n.wait().unwrap(), 2);
    /// ```
    #[track_caller]
    pub fn reject(reason: impl Into<Rejection>) -> Self {
        Self::from_handle(core::settled(Err(reason.into()), Location::caller()))
    }

    /// A pending promise and its resolver.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    /// let (promise, resolver) = Promise::with_resolvers();
    /// std::thread::spawn(move || resolver.resolve("done"));
    /// assert_eq!(promise.wait().unwrap(), "done");
    /// ```
    #[inline]
    #[track_caller]
    pub fn with_resolvers() -> (Self, Resolver<T>) {
        Self::pending_at(Location::caller())
    }

    /// Runs `f` at once and makes a promise of what it returns or of its panic: JavaScript's `Promise.try`.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    /// let n = Promise::attempt(|| Ok("12".parse::<i32>()?));
    /// assert_eq!(n.wait().unwrap(), 12);
    /// ```
    #[track_caller]
    pub fn attempt<R, Via>(f: impl FnOnce() -> R) -> Self
    where
        R: IntoPromise<T, Rejection, Via>,
        T: Send + 'static,
    {
        let site = Location::caller();
        let inner = match panic::catch(Some(site), || f().into_decision().0) {
            Ok(Step::Now(Resolution::Resolve(value))) => return Self::from_handle(core::settled(Ok(value), site)),
            Ok(Step::Now(Resolution::Reject(reason))) => return Self::from_handle(core::settled(Err(reason), site)),
            Ok(Step::Now(Resolution::Adopt(inner))) => inner,
            Ok(Step::InTwoTicks(outcome)) => Self::from_handle(core::settled(outcome, site)),
            Err(fault) => return Self::from_handle(core::faulted(fault, site)),
        };
        let (promise, resolver) = Self::pending_at(site);
        // Nobody else has the resolver, so it is not refused.
        drop(resolver.adopt(inner));
        promise
    }

    /// Runs a future as a task of the current event loop, or of the global one.
    ///
    /// It starts by itself, on a later turn of the loop, in the order of the `spawn` calls. Cancelling the promise drops the
    /// future on its loop; dropping the promise does not. A panic in the future rejects the promise.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    ///
    /// async fn double(n: u32) -> thenable::Result<u32> {
    ///     Ok(Promise::resolve(n).await? * 2)
    /// }
    /// assert_eq!(Promise::spawn(double(21)).wait().unwrap(), 42);
    /// ```
    #[cfg(not(loom))]
    #[track_caller]
    pub fn spawn(future: impl Future<Output = Result<T, Rejection>> + Send + 'static) -> Self
    where
        T: Send + 'static,
    {
        crate::event_loop::spawn(future, Location::caller())
    }
}

/// Constructors for any reason type.
impl<T: 'static, E: 'static> Promise<T, E> {
    /// A promise that is fulfilled with `value`, for any reason type.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    /// let promise: Promise<i32, String> = Promise::fulfilled(1);
    /// assert_eq!(promise.wait(), Ok(1));
    /// ```
    #[inline]
    #[track_caller]
    pub fn fulfilled(value: T) -> Self {
        Self::from_handle(core::settled(Ok(value), Location::caller()))
    }

    /// A promise that is rejected with `reason`, of any type.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    /// let promise: Promise<(), String> = Promise::rejected("no".to_string());
    /// assert_eq!(promise.wait(), Err("no".to_string()));
    /// ```
    #[track_caller]
    pub fn rejected(reason: E) -> Self {
        Self::from_handle(core::settled(Err(reason), Location::caller()))
    }

    /// A pending promise and its resolver, for any reason type that a [`Fault`] can become.
    ///
    /// The conversion is needed because the promise rejects with [`Fault::Abandoned`] when its last resolver goes away
    /// without a decision.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    /// let (promise, resolver) = Promise::<i32, String>::pending();
    /// drop(resolver);
    /// assert!(promise.wait().unwrap_err().contains("abandoned"));
    /// ```
    #[inline]
    #[track_caller]
    pub fn pending() -> (Self, Resolver<T, E>)
    where
        E: From<Fault>,
    {
        Self::pending_at(Location::caller())
    }

    /// `pending` with a creation site from elsewhere.
    #[inline]
    pub(crate) fn pending_at(site: Site) -> (Self, Resolver<T, E>)
    where
        E: From<Fault>,
    {
        let (handle, producer) = core::pending(site);
        (Self::from_handle(handle), Resolver::new(producer))
    }

    /// A promise that nothing but a cancellation settles.
    #[cfg(not(loom))]
    pub(crate) fn never_at(site: Site) -> Self
    where
        E: From<Fault>,
    {
        Self::from_handle(core::never(site))
    }

    /// A promise that is rejected with a fault.
    #[cfg(not(loom))]
    pub(crate) fn faulted_at(fault: Fault, site: Site) -> Self
    where
        E: From<Fault>,
    {
        Self::from_handle(core::faulted(fault, site))
    }

    /// Runs a future as a task of the current event loop, or of the global one: [`spawn`](Promise::spawn) for any reason
    /// type.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    ///
    /// async fn read() -> Result<String, std::io::Error> {
    ///     std::fs::read_to_string("Cargo.toml")
    /// }
    /// assert!(Promise::from_future(read()).wait().is_ok());
    /// ```
    #[cfg(not(loom))]
    #[track_caller]
    pub fn from_future(future: impl Future<Output = Result<T, E>> + Send + 'static) -> Self
    where
        T: Send + 'static,
        E: From<Fault> + Send + 'static,
    {
        crate::event_loop::spawn(future, Location::caller())
    }
}

impl<T: 'static, E: 'static> From<Result<T, E>> for Promise<T, E> {
    #[track_caller]
    fn from(outcome: Result<T, E>) -> Self {
        Self::from_handle(core::settled(outcome, Location::caller()))
    }
}
