//! A named job under way, whatever its types.

use super::{JobFn, codec};
use crate::error::panic;
use crate::{CancelReason, CodecStep, Fault, Promise, Resolver};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::fmt;
use std::panic::Location;

type Site = &'static Location<'static>;
type Name = Cow<'static, str>;

/// What a [`JobPool`](super::JobPool) gets: a name, the encoded arguments, and a promise to settle.
///
/// One that is dropped rejects its promise with [`Fault::Abandoned`].
pub struct Call {
    name: Name,
    arguments: Vec<u8>,
    site: Site,
    promise: Box<dyn Typed>,
}

impl Call {
    /// A call whose arguments are encoded already, for the promise of its encoded result. So a program that gets calls
    /// over a network passes them on to a pool of its own.
    ///
    /// A [`ThreadPool`](crate::ThreadPool) cannot run it, because it knows no function by its name.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::{Call, Fault, JobPool, Promise};
    ///
    /// fn pass_on(pool: &dyn JobPool, name: String, arguments: Vec<u8>) -> Promise<Vec<u8>> {
    ///     let (promise, call) = Call::encoded(name, arguments);
    ///     if let Err(refused) = pool.dispatch(call) {
    ///         refused.job.reject(refused.fault);
    ///     }
    ///     promise
    /// }
    ///
    /// let why = pass_on(&thenable::ThreadPool::new(1), "count".into(), vec![10]).wait().unwrap_err();
    /// assert!(matches!(why.fault(), Some(Fault::Unregistered { .. })));
    /// ```
    #[track_caller]
    pub fn encoded(name: impl Into<Name>, arguments: Vec<u8>) -> (Promise<Vec<u8>>, Call) {
        let site = Location::caller();
        let (promise, resolver) = Promise::pending_at(site);
        (promise, Call { name: name.into(), arguments, site, promise: Box::new(Encoded(resolver)) })
    }

    /// Encodes the arguments; `None` if that failed, which is what the promise has been told.
    pub(super) fn new<A, R>(job: JobFn<A, R>, arguments: A, limit: usize, site: Site) -> (Promise<R>, Option<Call>)
    where
        A: Serialize + DeserializeOwned + 'static,
        R: DeserializeOwned + Send + 'static,
    {
        let (promise, resolver) = Promise::pending_at(site);
        let name = job.name();
        let encoded = panic::catch(Some(site), || {
            let arguments = arguments;
            codec::encode(&arguments, limit, CodecStep::EncodeArguments, name)
        });
        match encoded.and_then(|outcome| outcome) {
            Ok(arguments) => {
                let promise_of_it = Box::new(Typical { job, resolver });
                (promise, Some(Call { name: name.into(), arguments, site, promise: promise_of_it }))
            }
            Err(fault) => {
                resolver.fault(fault);
                (promise, None)
            }
        }
    }

    /// The job's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The arguments.
    pub fn arguments(&self) -> &[u8] {
        &self.arguments
    }

    /// False once nobody can observe the outcome any more. Such a call need not be started.
    pub fn is_wanted(&self) -> bool {
        self.promise.is_wanted()
    }

    /// Runs `f` if the promise is cancelled, see [`Resolver::on_cancel`].
    pub fn on_cancel(&self, f: impl FnOnce(&CancelReason) + Send + 'static) {
        self.promise.on_cancel(Box::new(f));
    }

    /// Fulfils the promise with an encoded result, or rejects it if that cannot be decoded.
    pub fn fulfil(self, result: Vec<u8>) {
        self.promise.fulfil(result, &self.name, self.site);
    }

    /// Rejects the promise. A panic is told with the place that submitted the job, which no worker knows.
    pub fn reject(self, fault: Fault) {
        let fault = match fault {
            Fault::Panicked { message, at: None } => {
                Fault::Panicked { message, at: Some(Cow::Owned(self.site.to_string())) }
            }
            fault => fault,
        };
        self.promise.reject(fault);
    }

    /// Runs the function in this process, and tells its promise after `conclude`.
    pub(super) fn run(self, conclude: fn()) {
        self.promise.run(&self.arguments, &self.name, self.site, conclude);
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("name", &self.name).field("bytes", &self.arguments.len()).finish_non_exhaustive()
    }
}

/// The promise of a result whose type the pool does not know.
trait Typed: Send + Sync {
    fn is_wanted(&self) -> bool;
    fn on_cancel(&self, f: Box<dyn FnOnce(&CancelReason) + Send>);
    fn fulfil(&self, result: Vec<u8>, name: &str, site: Site);
    fn reject(&self, fault: Fault);
    fn run(&self, arguments: &[u8], name: &str, site: Site, conclude: fn());
}

struct Typical<A, R> {
    job: JobFn<A, R>,
    resolver: Resolver<R>,
}

impl<A, R> Typical<A, R> {
    fn settle(&self, outcome: Result<Result<R, Fault>, Fault>) {
        match outcome.and_then(|outcome| outcome) {
            Ok(value) => panic::drop_quietly(self.resolver.resolve(value)),
            Err(fault) => {
                self.resolver.fault(fault);
            }
        }
    }
}

impl<A, R> Typed for Typical<A, R>
where
    A: DeserializeOwned + 'static,
    R: DeserializeOwned + Send + 'static,
{
    fn is_wanted(&self) -> bool {
        self.resolver.is_wanted()
    }

    fn on_cancel(&self, f: Box<dyn FnOnce(&CancelReason) + Send>) {
        self.resolver.on_cancel(f);
    }

    fn fulfil(&self, result: Vec<u8>, name: &str, site: Site) {
        self.settle(panic::catch(Some(site), || codec::decode(&result, CodecStep::DecodeResult, name)));
    }

    fn reject(&self, fault: Fault) {
        self.resolver.fault(fault);
    }

    fn run(&self, arguments: &[u8], name: &str, site: Site, conclude: fn()) {
        let run = || Ok((self.job)(codec::decode(arguments, CodecStep::DecodeArguments, name)?));
        let outcome = panic::catch(Some(site), run);
        conclude();
        self.settle(outcome);
    }
}

struct Encoded(Resolver<Vec<u8>>);

impl Typed for Encoded {
    fn is_wanted(&self) -> bool {
        self.0.is_wanted()
    }

    fn on_cancel(&self, f: Box<dyn FnOnce(&CancelReason) + Send>) {
        self.0.on_cancel(f);
    }

    fn fulfil(&self, result: Vec<u8>, _: &str, _: Site) {
        let _ = self.0.resolve(result);
    }

    fn reject(&self, fault: Fault) {
        self.0.fault(fault);
    }

    fn run(&self, _: &[u8], name: &str, _: Site, conclude: fn()) {
        conclude();
        self.0.fault(Fault::Unregistered { name: name.to_owned().into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const DOUBLE: JobFn<u64, u64> = JobFn::new("double", |n| 2 * n);

    /// A call whose result has a type, and one whose result has none; with its promise, as one of `()`.
    fn calls() -> [(Promise<()>, Call); 2] {
        let ((number, call), (encoded, other)) = (typed(), Call::encoded("double", vec![4]));
        [(number.map(drop), call), (encoded.map(drop), other)]
    }

    #[test]
    fn it_tells_what_it_is() {
        for (promise, call) in calls() {
            assert_eq!((call.name(), call.arguments()), ("double", &[4][..]));
            assert_eq!(format!("{call:?}"), r#"Call { name: "double", bytes: 1, .. }"#);
            assert!(call.is_wanted());
            drop(promise);
        }
        assert_eq!(format!("{DOUBLE:?}"), r#"JobFn("double")"#);
    }

    fn typed() -> (Promise<u64>, Call) {
        let (promise, call) = Call::new(DOUBLE, 4, 100, Location::caller());
        (promise, call.unwrap())
    }

    #[test]
    fn a_cancelled_one_is_unwanted() {
        fn assert_hears<R: Send + 'static>((promise, call): (Promise<R>, Call)) {
            let heard = Arc::new(AtomicUsize::new(0));
            let counts = heard.clone();
            call.on_cancel(move |reason| {
                assert_eq!(reason.to_string(), "enough");
                counts.fetch_add(1, Ordering::Relaxed);
            });
            promise.cancel("enough");
            promise.mark_handled();
            assert_eq!((call.is_wanted(), heard.load(Ordering::Relaxed)), (false, 1));
        }
        assert_hears(typed());
        assert_hears(Call::encoded("double", vec![4]));
    }

    #[test]
    fn each_end_is_told() {
        static CONCLUDED: AtomicUsize = AtomicUsize::new(0);
        fn conclude() {
            CONCLUDED.fetch_add(1, Ordering::Relaxed);
        }
        let (promise, call) = typed();
        call.fulfil(vec![9]);
        assert_eq!(promise.wait().unwrap(), 9);
        let (promise, call) = typed();
        call.fulfil(vec![]);
        assert!(matches!(
            promise.wait().unwrap_err().fault(),
            Some(Fault::Codec { step: CodecStep::DecodeResult, .. })
        ));
        let (promise, call) = typed();
        call.reject(Fault::Cycle);
        assert!(matches!(promise.wait().unwrap_err().fault(), Some(Fault::Cycle)));
        let (promise, call) = typed();
        call.run(conclude);
        assert_eq!((promise.wait().unwrap(), CONCLUDED.load(Ordering::Relaxed)), (8, 1));

        let (promise, call) = Call::encoded("double", vec![4]);
        call.fulfil(vec![9]);
        assert_eq!(promise.wait().unwrap(), [9]);
        let (promise, call) = Call::encoded("double", vec![4]);
        call.reject(Fault::Cycle);
        assert!(matches!(promise.wait().unwrap_err().fault(), Some(Fault::Cycle)));
        let (promise, call) = Call::encoded("double", vec![4]);
        call.run(conclude);
        let why = promise.wait().unwrap_err();
        assert!(matches!(why.fault(), Some(Fault::Unregistered { name }) if name == "double"));
        assert_eq!(CONCLUDED.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_panic_is_told_with_the_place_of_the_call() {
        let panicked = |at| Fault::Panicked { message: "no".into(), at };
        for (known, expected) in [(None, file!()), (Some(Cow::Borrowed("there")), "there")] {
            let (promise, call) = Call::encoded("double", vec![]);
            call.reject(panicked(known));
            let why = promise.wait().unwrap_err();
            assert!(
                matches!(why.fault(), Some(Fault::Panicked { at: Some(at), .. }) if at.contains(expected)),
                "{why:?}"
            );
        }
    }
}
