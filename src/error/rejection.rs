//! The dynamic reason.

use super::trace::{Site, Trace, outside_std};
use super::{AggregateError, Fault};
use std::any::Any;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

type Boxed = Box<dyn Error + Send + Sync + 'static>;

/// How many reasons of an [`AggregateError`] the report lists, and how deep it goes into nested ones.
const LISTED: usize = 16;
const NESTED: usize = 4;

/// The dynamic reason: any error, with the way that it took through the chain.
///
/// It is what a `Promise<T>` rejects with. Every `Error + Send + Sync`, every `&str` and `String`, every boxed error and
/// `anyhow::Error` becomes one by `?` or `.into()`. It is an error itself, so `?` also goes on into
/// `Box<dyn Error>`, `anyhow::Error` and a user's enum with `#[from] Rejection`.
///
/// It is one pointer, and a clone shares the error.
///
/// # What it prints
///
/// `Display` prints what the wrapped error prints, and [`source`](Error::source) is the wrapped error's source, so a report
/// that walks the sources prints no message twice. `Debug` prints the whole story, also out of
/// `fn main() -> thenable::Result<()>`: the message, what caused it, and the [`trace`](Rejection::trace).
///
/// ```text
/// the configuration is unreadable
///     caused by: No such file or directory (os error 2)
///     at src/config.rs:14:9
///     at src/main.rs:31:10
/// ```
///
/// # It is not `Unpin`
///
/// `Rejection` is `From` every error and an error itself; that it is not [`Unpin`] is what keeps these two apart for the
/// compiler. Promises of it are `Unpin` all the same. A type of yours that holds a `Rejection` by value, and that is to
/// become a `Rejection` again by `?`, needs one line:
///
/// ```
/// use thenable::Rejection;
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("the upload failed")]
/// struct UploadError(#[from] Rejection);
///
/// impl Unpin for UploadError {}
///
/// fn back(error: UploadError) -> thenable::Result<()> {
///     Err(error)?
/// }
/// assert_eq!(back(UploadError("disk full".into())).unwrap_err().to_string(), "the upload failed");
/// ```
///
/// Without that line `Rejection::new(error)` does the same.
///
/// # Examples
///
/// ```
/// use std::num::ParseIntError;
/// use thenable::Rejection;
///
/// fn parse(text: &str) -> Result<i32, Rejection> {
///     Ok(text.parse::<i32>()?)
/// }
///
/// let why = parse("seven").unwrap_err();
/// assert_eq!(why.to_string(), "invalid digit found in string");
/// assert!(why.is::<ParseIntError>());
/// assert_eq!(why.trace().len(), 1); // the line with the `?`
/// ```
#[derive(Clone)]
pub struct Rejection {
    inner: Arc<Inner>,
}

struct Inner {
    error: Wrapped,
    trace: Trace,
}

/// The error, in the form that costs the fewest blocks.
enum Wrapped {
    /// What the library itself rejects with needs no box.
    Fault(Fault),
    Boxed(Boxed),
    /// The error is the other one's, never itself `Shared`: a trace grew while somebody held a clone.
    Shared(Arc<Inner>),
}

impl Inner {
    fn error(&self) -> &(dyn Error + 'static) {
        match &self.error {
            Wrapped::Fault(fault) => fault,
            Wrapped::Boxed(error) => &**error,
            Wrapped::Shared(owner) => owner.error(),
        }
    }
}

impl Rejection {
    /// Wraps an error.
    ///
    /// `.into()` and `?` do the same. This one also takes types that are not `Unpin`. A `Rejection` is given back as it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    /// use thenable::Rejection;
    ///
    /// let why = Rejection::new(io::Error::from(io::ErrorKind::NotFound));
    /// assert_eq!(why.downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::NotFound);
    /// ```
    #[track_caller]
    pub fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self::open(Box::new(error), outside_std(Location::caller()))
    }

    /// Wraps an error that arose at `at`.
    #[cfg(not(loom))]
    pub(crate) fn made_at(error: impl Error + Send + Sync + 'static, at: Site) -> Self {
        Self::made(Wrapped::Boxed(Box::new(error)), Some(at))
    }

    /// Wraps a cause of the library that arose at `at`.
    pub(crate) fn from_fault(fault: Fault, at: Site) -> Self {
        Self::made(Wrapped::Fault(fault), Some(at))
    }

    /// Takes the rejection out of its box, or wraps the box.
    fn open(error: Boxed, at: Option<Site>) -> Self {
        match error.downcast::<Rejection>() {
            Ok(rejection) => *rejection,
            Err(error) => Self::made(Wrapped::Boxed(error), at),
        }
    }

    fn made(error: Wrapped, at: Option<Site>) -> Self {
        let trace = Trace::new(at);
        Rejection { inner: Arc::new(Inner { error, trace }) }
    }

    /// Adds a place that the rejection passed. The error stays shared with every clone; their traces do not change.
    pub(crate) fn pass(&mut self, at: Site) {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.trace.push(at);
            return;
        }
        let owner = match &self.inner.error {
            Wrapped::Shared(owner) => owner,
            Wrapped::Fault(_) | Wrapped::Boxed(_) => &self.inner,
        };
        let mut trace = self.inner.trace.clone();
        trace.push(at);
        let error = Wrapped::Shared(Arc::clone(owner));
        self.inner = Arc::new(Inner { error, trace });
    }

    /// The wrapped error, if it is an `X`.
    ///
    /// `anyhow::Error` hides the type of its error when it is converted; take it out there with anyhow's own `downcast`
    /// before it becomes a `Rejection`, if the type matters.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::num::ParseIntError;
    /// use thenable::Rejection;
    ///
    /// let why = Rejection::from("x".parse::<i32>().unwrap_err());
    /// assert!(why.downcast_ref::<ParseIntError>().is_some());
    /// assert!(why.downcast_ref::<std::fmt::Error>().is_none());
    /// ```
    pub fn downcast_ref<X: Error + 'static>(&self) -> Option<&X> {
        self.inner.error().downcast_ref()
    }

    /// Whether the wrapped error is an `X`.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::{Fault, Rejection};
    ///
    /// assert!(Rejection::from(Fault::Cycle).is::<Fault>());
    /// assert!(!Rejection::from("no").is::<Fault>());
    /// ```
    pub fn is<X: Error + 'static>(&self) -> bool {
        self.inner.error().is::<X>()
    }

    /// The wrapped error, if the library itself rejected.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use thenable::{Fault, Rejection};
    ///
    /// let why = Rejection::from(Fault::TimedOut { after: Duration::from_secs(5) });
    /// assert!(matches!(why.fault(), Some(Fault::TimedOut { .. })));
    /// assert!(Rejection::from("no").fault().is_none());
    /// ```
    pub fn fault(&self) -> Option<&Fault> {
        self.downcast_ref()
    }

    /// Where it was rejected, then each `then`, `catch` and `finally` that it passed.
    ///
    /// The first place is where the error became a `Rejection`: the line of the `?`, of `.into()` or of
    /// [`Rejection::new`]. Where only a function was passed on, as in `.map_err(Rejection::from)`, that place is not
    /// known and the trace begins with what it passed; write `.map_err(|e| Rejection::from(e))` to have it.
    ///
    /// At most 32 places are kept, the first and the newest ones; `Debug` says how many were left out.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Rejection;
    ///
    /// let why = Rejection::from("no"); let line = line!();
    /// assert_eq!(why.trace()[0].line(), line);
    /// ```
    pub fn trace(&self) -> &[&'static Location<'static>] {
        self.inner.trace.sites()
    }

    /// Writes the whole story: message, causes, reasons of an aggregate, trace.
    pub(super) fn story(&self, out: &mut dyn fmt::Write, depth: usize) -> fmt::Result {
        write!(out, "{self}")?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(Indented(out), "\ncaused by: {error}")?;
            cause = error.source();
        }
        if let Some(AggregateError { errors }) = self.downcast_ref::<AggregateError>() {
            if depth < NESTED {
                for (index, reason) in errors.iter().take(LISTED).enumerate() {
                    write!(out, "\n    {index}: ")?;
                    reason.story(&mut Indented(out), depth + 1)?;
                }
                if errors.len() > LISTED {
                    write!(out, "\n    and {} more", errors.len() - LISTED)?;
                }
            }
        }
        let omitted = self.inner.trace.omitted();
        for (index, site) in self.trace().iter().enumerate() {
            write!(out, "\n    at {site}")?;
            if index == 0 && omitted > 0 {
                write!(out, "\n    ({omitted} more left out)")?;
            }
        }
        Ok(())
    }
}

/// The error behind it is never changed, and a panic of its own methods leaves it to itself.
impl UnwindSafe for Rejection {}
impl RefUnwindSafe for Rejection {}

/// The message, what caused it, and the trace, a line each.
impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.story(f, 0)
    }
}

/// What the wrapped error prints.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.inner.error(), f)
    }
}

/// The source is the wrapped error's source: the wrapped error itself speaks through `Display` already.
impl Error for Rejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.inner.error().source()
    }
}

mod reason {
    #[diagnostic::on_unimplemented(
        message = "a type that holds a `Rejection` by value does not become a `Rejection` by `?` or `.into()`",
        label = "give the type an `impl Unpin for .. {{}}`, or wrap it with `Rejection::new`"
    )]
    #[expect(unnameable_types, reason = "nobody is to name it: it only holds the bound below unsatisfied")]
    pub trait Unsatisfied {}
    #[expect(unnameable_types, reason = "nobody is to name it: it only holds the bound below unsatisfied")]
    #[derive(Debug)]
    pub struct Nothing<'a>(std::marker::PhantomData<&'a ()>);
}

/// `Rejection` is the one reason that is not `Unpin`. That is what keeps the blanket `From` below apart from
/// `impl<T> From<T> for T`. (The bound is never satisfied; the lifetime keeps the compiler from saying so.)
impl<'a> Unpin for Rejection where reason::Nothing<'a>: reason::Unsatisfied {}

/// Errors, `&str`, `String`, `Cow<str>`, `Box<dyn Error + Send + Sync>`, `anyhow::Error`: one impl.
///
/// A box that holds a `Rejection` is opened, not wrapped: the trace goes on.
///
/// # Examples
///
/// ```
/// use std::error::Error;
/// use thenable::Rejection;
///
/// let why = Rejection::from("no");
/// let boxed: Box<dyn Error + Send + Sync> = why.into();
/// let back = Rejection::from(boxed);
/// assert_eq!(back.to_string(), "no");
/// assert_eq!(back.trace().len(), 1);
/// ```
impl<X> From<X> for Rejection
where
    X: Into<Boxed> + Unpin,
{
    #[track_caller]
    fn from(error: X) -> Self {
        // Called through a function pointer, the "caller" is the line above: then the place is not known.
        let (at, pointer) = (Location::caller(), line!() - 2);
        let here = at.line() == pointer && at.file() == file!();
        Self::open(error.into(), if here { None } else { outside_std(at) })
    }
}

/// Adds `at` to the trace of `reason`, if the reason is a [`Rejection`].
#[inline]
pub(crate) fn trace_through<E: 'static>(reason: &mut E, at: &'static Location<'static>) {
    if let Some(rejection) = (reason as &mut dyn Any).downcast_mut::<Rejection>() {
        rejection.pass(at);
    }
}

/// Four blanks after each line break.
struct Indented<'a>(&'a mut dyn fmt::Write);

impl fmt::Write for Indented<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for line in text.split_inclusive('\n') {
            self.0.write_str(line)?;
            if line.ends_with('\n') {
                self.0.write_str("    ")?;
            }
        }
        Ok(())
    }
}
