//! `all_keyed`: `all` for maps.

use super::all::All;
use super::sealed::Sealed;
use crate::core::{Collect, gather};
use crate::error::panic;
use crate::{Fault, Promise};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};
use std::ops::ControlFlow;
use std::panic::Location;

/// A map of promises: what [`Promise::all_keyed`] takes.
///
/// Implemented for [`HashMap`] with any hasher that has a default, and for [`BTreeMap`]. It cannot be implemented
/// elsewhere.
pub trait Keyed<T, E>: Sealed {
    /// The same map with values in the place of the promises.
    type Output: Send + 'static;

    #[doc(hidden)]
    type Keys: Send + 'static;

    #[doc(hidden)]
    fn split(self) -> (Self::Keys, Vec<Promise<T, E>>);

    #[doc(hidden)]
    fn build(keys: Self::Keys, values: Vec<T>) -> Self::Output;
}

impl<K, V, S> Sealed for HashMap<K, V, S> {}
impl<K, V> Sealed for BTreeMap<K, V> {}

impl<K, T, E, S> Keyed<T, E> for HashMap<K, Promise<T, E>, S>
where
    K: Eq + Hash + Send + 'static,
    T: Send + 'static,
    S: BuildHasher + Default + Send + 'static,
{
    type Output = HashMap<K, T, S>;
    type Keys = Vec<K>;

    fn split(self) -> (Vec<K>, Vec<Promise<T, E>>) {
        self.into_iter().unzip()
    }

    fn build(keys: Vec<K>, values: Vec<T>) -> HashMap<K, T, S> {
        keys.into_iter().zip(values).collect()
    }
}

impl<K, T, E> Keyed<T, E> for BTreeMap<K, Promise<T, E>>
where
    K: Ord + Send + 'static,
    T: Send + 'static,
{
    type Output = BTreeMap<K, T>;
    type Keys = Vec<K>;

    fn split(self) -> (Vec<K>, Vec<Promise<T, E>>) {
        self.into_iter().unzip()
    }

    fn build(keys: Vec<K>, values: Vec<T>) -> BTreeMap<K, T> {
        keys.into_iter().zip(values).collect()
    }
}

/// `All` that puts the keys back.
struct AllKeyed<T, E, K, M> {
    keys: K,
    build: fn(K, Vec<T>) -> M,
    all: All<T, E>,
}

impl<T, E, K, M> Collect<T, E> for AllKeyed<T, E, K, M>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
    K: Send + 'static,
    M: Send + 'static,
{
    type Value = M;
    type Reason = E;

    fn member(&mut self, index: usize, outcome: Result<T, E>) -> ControlFlow<()> {
        self.all.put(index, outcome)
    }

    fn finish(self, _rest: &mut dyn Iterator<Item = (usize, Promise<T, E>)>) -> Result<M, E> {
        Ok((self.build)(self.keys, self.all.into_values()?))
    }
}

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    /// As [`all`](Promise::all), for a map: waits for every promise and gives the same map with their values.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use thenable::Promise;
    ///
    /// let sizes = Promise::all_keyed(HashMap::from([
    ///     ("readme", Promise::resolve(120)),
    ///     ("licence", Promise::resolve(11)),
    /// ]));
    /// let sizes = sizes.wait()?;
    /// assert_eq!(sizes["readme"] + sizes["licence"], 131);
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    #[track_caller]
    pub fn all_keyed<M>(promises: M) -> Promise<M::Output, E>
    where
        M: Keyed<T, E>,
    {
        let site = Location::caller();
        let (keys, members) = promises.split();
        if members.is_empty() {
            return match panic::catch(Some(site), || M::build(keys, Vec::new())) {
                Ok(empty) => Promise::fulfilled(empty),
                Err(fault) => Promise::rejected(fault.into()),
            };
        }
        let all = All::new(members.len());
        gather(members, AllKeyed { keys, build: M::build, all }, site)
    }
}
