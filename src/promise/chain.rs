//! Chain methods.

#[cfg(not(loom))]
use super::On;
use super::{IntoPromise, Promise, Resolution};
use crate::core::{self, Site, Step};
use crate::error::{Fault, trace_through};
use std::panic::Location;

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: Send + 'static,
{
    /// The one way to chain: all methods are a handler for both outcomes.
    #[inline]
    pub(super) fn link<U, E2, F>(self, site: Site, handler: F) -> Promise<U, E2>
    where
        U: Send + 'static,
        E2: From<Fault> + Send + 'static,
        F: FnOnce(Result<T, E>, Site) -> Step<U, E2> + Send + 'static,
    {
        Promise::from_handle(core::derive(self.into_handle(), core::current_or_global(), site, handler))
    }
}

/// A reason that passes a link.
#[inline]
fn passed<U, E: 'static>(mut reason: E, site: Site) -> Step<U, E> {
    trace_through(&mut reason, site);
    Step::Now(Resolution::Reject(reason))
}

/// The decision of a handler's result.
#[inline]
fn decided<U, E, R: IntoPromise<U, E, Via>, Via>(result: R) -> Step<U, E> {
    result.into_decision().0
}

#[inline]
fn value<U, E>(value: U) -> Step<U, E> {
    Step::Now(Resolution::Resolve(value))
}

#[inline]
fn reason<U, E>(reason: E) -> Step<U, E> {
    Step::Now(Resolution::Reject(reason))
}

/// The methods that `Promise` and `On` share; `link` is where they differ.
macro_rules! chain_methods {
    ($type:ident) => {
        impl<T, E> $type<T, E>
        where
            T: Send + 'static,
            E: From<Fault> + Send + 'static,
        {
            /// Registers a handler for the value and makes the promise of its result.
            ///
            /// The handler returns a `Result`, a promise or a future of a `Result` (an `async` closure does), a
            /// [`Resolution`], or `()`; for a plain value use [`map`](Promise::map). A promise or a future is waited for.
            /// A rejection passes by. A panic in the handler rejects the promise made here with
            /// [`Fault::Panicked`](crate::Fault::Panicked).
            ///
            /// # Ordering
            ///
            /// The handler never runs inside this call, even if the promise is settled. Handlers of one promise run in
            /// registration order, one tick after it settles; a promise that a handler returns takes two ticks more, as
            /// in JavaScript.
            ///
            /// # Threads
            ///
            /// It runs on the event loop that is current here, or else on the global one.
            ///
            /// # Examples
            ///
            /// ```
            /// use thenable::Promise;
            ///
            /// let n = Promise::resolve("5")
            ///     .then(|text| Ok(text.parse::<i32>()?))
            ///     .then(async |n| Ok(n + 1))
            ///     .then(|n| Promise::resolve(n * 2));
            /// assert_eq!(n.wait().unwrap(), 12);
            /// ```
            #[inline]
            #[track_caller]
            pub fn then<U, R, Via>(self, f: impl FnOnce(T) -> R + Send + 'static) -> Promise<U, E>
            where
                R: IntoPromise<U, E, Via>,
                U: Send + 'static,
            {
                self.link(Location::caller(), move |outcome, site| match outcome {
                    Ok(value) => decided(f(value)),
                    Err(reason) => passed(reason, site),
                })
            }

            /// Registers a handler for each outcome: JavaScript's `then` with two arguments.
            ///
            /// `on_rejected` sees the rejection of this promise, not an error of `on_fulfilled`.
            ///
            /// # Examples
            ///
            /// ```
            /// use thenable::Promise;
            /// let text = Promise::<i32>::reject("no").then_or(|n| Ok(n.to_string()), |why| Ok(why.to_string()));
            /// assert_eq!(text.wait().unwrap(), "no");
            /// ```
            #[track_caller]
            pub fn then_or<U, R, Via, R2, Via2>(
                self,
                on_fulfilled: impl FnOnce(T) -> R + Send + 'static,
                on_rejected: impl FnOnce(E) -> R2 + Send + 'static,
            ) -> Promise<U, E>
            where
                R: IntoPromise<U, E, Via>,
                R2: IntoPromise<U, E, Via2>,
                U: Send + 'static,
            {
                self.link(Location::caller(), move |outcome, site| match outcome {
                    Ok(value) => decided(on_fulfilled(value)),
                    Err(mut reason) => {
                        trace_through(&mut reason, site);
                        decided(on_rejected(reason))
                    }
                })
            }

            /// Registers one handler for both outcomes; value and reason type may change together.
            ///
            /// # Examples
            ///
            /// ```
            /// use thenable::Promise;
            /// let n: Promise<usize, String> = Promise::resolve("four")
            ///     .handle(|outcome| outcome.map(str::len).map_err(|why| why.to_string()));
            /// assert_eq!(n.wait(), Ok(4));
            /// ```
            #[track_caller]
            pub fn handle<U, E2, R, Via>(self, f: impl FnOnce(Result<T, E>) -> R + Send + 'static) -> Promise<U, E2>
            where
                R: IntoPromise<U, E2, Via>,
                U: Send + 'static,
                E2: From<Fault> + Send + 'static,
            {
                self.handle_at(Location::caller(), f)
            }

            /// `handle` with a site from elsewhere.
            #[inline]
            pub(crate) fn handle_at<U, E2, R, Via>(
                self,
                site: Site,
                f: impl FnOnce(Result<T, E>) -> R + Send + 'static,
            ) -> Promise<U, E2>
            where
                R: IntoPromise<U, E2, Via>,
                U: Send + 'static,
                E2: From<Fault> + Send + 'static,
            {
                self.link(site, move |mut outcome, site| {
                    if let Err(reason) = &mut outcome {
                        trace_through(reason, site);
                    }
                    decided(f(outcome))
                })
            }

            /// Registers a handler for the reason. Returns what [`then`](Promise::then)'s handler may return, of the same
            /// value type; a value passes by.
            ///
            /// # Examples
            ///
            /// ```
            /// use thenable::Promise;
            /// let n = Promise::<i32>::reject("no").catch(|_| Ok(0));
            /// assert_eq!(n.wait().unwrap(), 0);
            /// ```
            #[track_caller]
            pub fn catch<R, Via>(self, f: impl FnOnce(E) -> R + Send + 'static) -> Promise<T, E>
            where
                R: IntoPromise<T, E, Via>,
            {
                self.link(Location::caller(), move |outcome, site| match outcome {
                    Ok(value) => self::value(value),
                    Err(mut reason) => {
                        trace_through(&mut reason, site);
                        decided(f(reason))
                    }
                })
            }

            /// Registers a handler for the reasons that `predicate` accepts; the others pass by.
            ///
            /// # Examples
            ///
            /// ```
            /// use thenable::Promise;
            /// let n = Promise::<i32>::reject(std::io::Error::other("disk"))
            ///     .catch_if(|why| why.is::<std::io::Error>(), |_| Ok(-1));
            /// assert_eq!(n.wait().unwrap(), -1);
            /// ```
            #[track_caller]
            pub fn catch_if<R, Via>(
                self,
                predicate: impl FnOnce(&E) -> bool + Send + 'static,
                f: impl FnOnce(E) -> R + Send + 'static,
            ) -> Promise<T, E>
            where
                R: IntoPromise<T, E, Via>,
            {
                self.link(Location::caller(), move |outcome, site| match outcome {
                    Ok(value) => self::value(value),
                    Err(mut reason) => {
                        trace_through(&mut reason, site);
                        if predicate(&reason) { decided(f(reason)) } else { self::reason(reason) }
                    }
                })
            }

            /// Registers a handler that runs in either case and passes the outcome on.
            ///
            /// It gets no argument. Its value is ignored, but a promise or future of `()` that it returns is waited for, and
            /// an error of its own (or a panic) takes the outcome's place. To wait for a promise of something else, end it
            /// with `.map(drop)`.
            ///
            /// # Examples
            ///
            /// ```
            /// use thenable::Promise;
            /// let n = Promise::resolve(1).finally(|| println!("done"));
            /// assert_eq!(n.wait().unwrap(), 1);
            /// ```
            #[track_caller]
            pub fn finally<R, Via>(self, f: impl FnOnce() -> R + Send + 'static) -> Promise<T, E>
            where
                R: IntoPromise<(), E, Via>,
            {
                self.link(Location::caller(), move |mut outcome, site| {
                    if let Err(reason) = &mut outcome {
                        trace_through(reason, site);
                    }
                    let done = match decided(f()) {
                        Step::Now(Resolution::Resolve(())) => return Step::InTwoTicks(outcome),
                        // An error of the handler itself rejects at once.
                        Step::Now(Resolution::Reject(reason)) => return self::reason(reason),
                        Step::Now(Resolution::Adopt(done)) => done,
                        // A future that was ready: the settled promise that it is in JavaScript.
                        Step::InTwoTicks(done) => Promise::from_handle(core::settled(done, site)),
                    };
                    Step::Now(Resolution::Adopt(done.link(site, move |done: Result<(), E>, _| match done {
                        Ok(()) => Step::Now(outcome.into()),
                        Err(reason) => self::reason(reason),
                    })))
                })
            }

            /// Registers a handler for the value that returns a plain value.
            ///
            /// # Examples
            ///
            /// ```
            /// use thenable::Promise;
            /// assert_eq!(Promise::resolve(1).map(|n| n + 1).wait().unwrap(), 2);
            /// ```
            #[inline]
            #[track_caller]
            pub fn map<U>(self, f: impl FnOnce(T) -> U + Send + 'static) -> Promise<U, E>
            where
                U: Send + 'static,
            {
                self.link(Location::caller(), move |outcome, site| match outcome {
                    Ok(value) => self::value(f(value)),
                    Err(reason) => passed(reason, site),
                })
            }

            /// Looks at the value on its way.
            ///
            /// # Examples
            ///
            /// ```
            /// use thenable::Promise;
            /// assert_eq!(Promise::resolve(1).tap(|n| println!("{n}")).wait().unwrap(), 1);
            /// ```
            #[track_caller]
            pub fn tap(self, f: impl FnOnce(&T) + Send + 'static) -> Promise<T, E> {
                self.link(Location::caller(), move |outcome, site| match outcome {
                    Ok(value) => {
                        f(&value);
                        self::value(value)
                    }
                    Err(reason) => passed(reason, site),
                })
            }

            /// Looks at the reason on its way; it stays a rejection.
            ///
            /// # Examples
            ///
            /// ```
            /// use thenable::Promise;
            /// let p = Promise::<i32>::reject("no").tap_err(|why| eprintln!("{why}"));
            /// assert!(p.wait().is_err());
            /// ```
            #[track_caller]
            pub fn tap_err(self, f: impl FnOnce(&E) + Send + 'static) -> Promise<T, E> {
                self.link(Location::caller(), move |outcome, site| match outcome {
                    Ok(value) => self::value(value),
                    Err(mut reason) => {
                        trace_through(&mut reason, site);
                        f(&reason);
                        self::reason(reason)
                    }
                })
            }
        }

        /// The way from a foreign error type into a chain: here `E` itself needs no `From<Fault>`, the new type does.
        impl<T, E> $type<T, E>
        where
            T: Send + 'static,
            E: Send + 'static,
        {
            /// Changes the reason's type.
            ///
            /// # Examples
            ///
            /// ```
            /// use thenable::Promise;
            /// let p: Promise<(), String> = Promise::<()>::reject("no").map_err(|why| format!("so: {why}"));
            /// assert_eq!(p.wait(), Err("so: no".to_string()));
            /// ```
            #[track_caller]
            pub fn map_err<E2>(self, f: impl FnOnce(E) -> E2 + Send + 'static) -> Promise<T, E2>
            where
                E2: From<Fault> + Send + 'static,
            {
                self.link(Location::caller(), move |outcome, site| match outcome {
                    Ok(value) => self::value(value),
                    Err(mut reason) => {
                        trace_through(&mut reason, site);
                        self::reason(f(reason))
                    }
                })
            }
        }
    };
}

chain_methods!(Promise);
#[cfg(not(loom))]
chain_methods!(On);

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: Send + 'static,
{
    /// Changes the reason's type by `From`.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::{Promise, Rejection};
    /// let n: Promise<i32> = Promise::from("5".parse::<i32>()).err_into::<Rejection>();
    /// assert_eq!(n.wait().unwrap(), 5);
    /// ```
    #[track_caller]
    pub fn err_into<E2>(self) -> Promise<T, E2>
    where
        E2: From<E> + From<Fault> + Send + 'static,
    {
        self.map_err(E2::from)
    }
}

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    /// The outcome as a value: this promise does not reject because the outcome is a rejection.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    /// let outcome = Promise::<i32>::reject("no").settled().wait().unwrap();
    /// assert!(outcome.is_err());
    /// ```
    #[track_caller]
    pub fn settled(self) -> Promise<Result<T, E>, E> {
        self.link(Location::caller(), |outcome, _| value(outcome))
    }
}

impl<T, E, E2> Promise<Result<T, E2>, E>
where
    T: Send + 'static,
    E: From<E2> + From<Fault> + Send + 'static,
    E2: Send + 'static,
{
    /// A result inside the value becomes the outcome.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    /// let n = Promise::resolve("5").map(|text| text.parse::<i32>()).flatten();
    /// assert_eq!(n.wait().unwrap(), 5);
    /// ```
    #[track_caller]
    pub fn flatten(self) -> Promise<T, E> {
        self.link(Location::caller(), |outcome, site| match outcome {
            Ok(Ok(value)) => self::value(value),
            Ok(Err(reason)) => self::reason(reason.into()),
            Err(reason) => passed(reason, site),
        })
    }
}

impl<T, E> Promise<Promise<T, E>, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    /// A promise inside the value is followed.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    /// let n = Promise::resolve(1).map(|n| Promise::resolve(n + 1)).flatten();
    /// assert_eq!(n.wait().unwrap(), 2);
    /// ```
    #[track_caller]
    pub fn flatten(self) -> Promise<T, E> {
        self.link(Location::caller(), |outcome, site| match outcome {
            Ok(promise) => Step::Now(Resolution::Adopt(promise)),
            Err(reason) => passed(reason, site),
        })
    }
}
