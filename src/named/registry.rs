//! From the name to the function.

use super::{JobFn, codec};
use crate::error::panic;
use crate::{CodecStep, Fault};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;

type Handler = Arc<dyn Fn(&[u8], usize) -> Result<Vec<u8>, Fault> + Send + Sync>;

/// The functions that a worker can run, by name. It is filled by hand: nothing runs before `main`.
///
/// # Examples
///
/// ```
/// use thenable::Registry;
///
/// thenable::job! {
///     fn double(n: u64) -> u64 {
///         2 * n
///     }
/// }
///
/// let registry = Registry::new().add(double);
/// assert_eq!(registry.names().collect::<Vec<_>>(), [double.name()]);
/// assert_eq!(registry.call(double.name(), &[21], 100)?, [42]);
/// # Ok::<(), thenable::Fault>(())
/// ```
#[derive(Clone, Default)]
pub struct Registry {
    jobs: BTreeMap<&'static str, Handler>,
}

impl Registry {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a function. A name that two functions claim belongs to neither: calls of it fail with
    /// [`Fault::InvalidConfig`].
    #[expect(clippy::should_implement_trait, reason = "a registry is no number")]
    pub fn add<A, R>(mut self, job: JobFn<A, R>) -> Self
    where
        A: DeserializeOwned + 'static,
        R: Serialize + 'static,
    {
        match self.jobs.entry(job.name()) {
            Entry::Vacant(place) => {
                place.insert(Arc::new(move |arguments, limit| run(job, arguments, limit)));
            }
            Entry::Occupied(mut place) => {
                let what = format!("two functions are registered as {:?}", job.name());
                place.insert(Arc::new(move |_, _| Err(Fault::InvalidConfig { what: what.clone().into() })));
            }
        }
        self
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.jobs.keys().copied()
    }

    /// Runs a function on encoded arguments and encodes its result, which may have at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`Fault::Unregistered`], [`Fault::Codec`], [`Fault::FrameTooLarge`], [`Fault::Panicked`], and
    /// [`Fault::InvalidConfig`] for a name that was added twice.
    pub fn call(&self, name: &str, arguments: &[u8], limit: usize) -> Result<Vec<u8>, Fault> {
        match self.jobs.get(name) {
            Some(handler) => panic::catch(None, || handler(arguments, limit)).and_then(|outcome| outcome),
            None => Err(Fault::Unregistered { name: name.to_owned().into() }),
        }
    }
}

fn run<A, R>(job: JobFn<A, R>, arguments: &[u8], limit: usize) -> Result<Vec<u8>, Fault>
where
    A: DeserializeOwned,
    R: Serialize,
{
    let arguments = codec::decode(arguments, CodecStep::DecodeArguments, job.name())?;
    let result = job(arguments);
    codec::encode(&result, limit, CodecStep::EncodeResult, job.name())
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.jobs.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Registry;
    use crate::{Fault, JobFn};

    const HALF: JobFn<u64, u64> = JobFn::new("half", |n| n / 2);
    const OTHER: JobFn<u64, u64> = JobFn::new("half", |n| n / 3);
    const LONG: JobFn<usize, String> = JobFn::new("long", |n| "x".repeat(n));
    const BAD: JobFn<(), ()> = JobFn::new("bad", |()| panic!("bad {}", 1));

    #[test]
    fn each_bad_input_has_its_own_error() {
        let registry = Registry::new().add(HALF).add(LONG).add(BAD);
        assert_eq!(registry.call("half", &[8], 10).unwrap(), [4]);
        assert!(matches!(registry.call("third", &[8], 10), Err(Fault::Unregistered { name }) if name == "third"));
        assert!(matches!(registry.call("half", &[], 10), Err(Fault::Codec { .. })));
        assert!(matches!(registry.call("long", &[20], 10), Err(Fault::FrameTooLarge { limit: 10 })));
        assert!(matches!(registry.call("bad", &[], 10), Err(Fault::Panicked { message, .. }) if message == "bad 1"));
    }

    #[test]
    fn it_tells_its_names_in_order() {
        let registry = Registry::new().add(LONG).add(HALF).add(BAD);
        assert_eq!(registry.names().collect::<Vec<_>>(), ["bad", "half", "long"]);
        assert_eq!(format!("{registry:?}"), r#"{"bad", "half", "long"}"#);
    }

    #[test]
    fn a_name_given_twice_is_nobodys() {
        let registry = Registry::new().add(HALF).add(OTHER);
        assert!(matches!(registry.call("half", &[8], 10), Err(Fault::InvalidConfig { .. })));
    }
}
