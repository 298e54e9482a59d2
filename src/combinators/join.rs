//! `join`: `all` for a tuple, whose members may have different types.
//!
//! The slab of `gather` wants one type, so a tuple keeps its promises itself: each member has a place that holds the
//! promise while it waits and the value after. A member that settles runs as a job; it takes the outcome out of its
//! promise and settles the result in the same job, which costs the two ticks of every combinator.

use super::sealed::Sealed;
use crate::core::{self, Site};
use crate::error::panic;
use crate::primitive::sync::{Mutex, MutexGuard};
use crate::{Fault, Promise, Resolver, Subscription};
use std::panic::Location;
use std::sync::Arc;

/// A tuple of promises with one reason type: what [`Promise::join`] takes.
///
/// Implemented for tuples of one to twelve promises. It cannot be implemented elsewhere.
pub trait JoinTuple<Output, E>: Sealed {
    #[doc(hidden)]
    fn join(self, site: Site) -> Promise<Output, E>;
}

/// One member.
enum Place<T, E> {
    /// Its job is being registered.
    Coming,
    /// Its job ran before that was done, and has to run again.
    Missed,
    Waiting(Promise<T, E>),
    Done(T),
    /// Being looked at, or let go.
    Empty,
}

impl<T, E> Place<T, E> {
    /// The promise, if the member still waits.
    fn take_waiting(&mut self) -> Option<Promise<T, E>> {
        match std::mem::replace(self, Place::Empty) {
            Place::Waiting(promise) => Some(promise),
            Place::Coming | Place::Missed => {
                *self = Place::Missed;
                None
            }
            other => {
                *self = other;
                None
            }
        }
    }

    fn take_done(self) -> Option<T> {
        match self {
            Place::Done(value) => Some(value),
            Place::Coming | Place::Missed | Place::Waiting(_) | Place::Empty => None,
        }
    }
}

/// What the members of one `join` share. `P` is the tuple of places, `None` once the result is settled.
struct Shared<P, Output, E> {
    state: Mutex<State<P>>,
    resolver: Resolver<Output, E>,
    site: Site,
}

struct State<P> {
    places: Option<P>,
    missing: usize,
    watches: Vec<Subscription>,
}

impl<P, Output, E: From<Fault>> Shared<P, Output, E> {
    fn lock(&self) -> MutexGuard<'_, State<P>> {
        super::lock(&self.state)
    }

    /// Looks at the promise of one place, outside the lock. True if it was the last one.
    fn settled<T>(&self, place: impl Fn(&mut P) -> &mut Place<T, E>) -> bool {
        let waiting = self.lock().places.as_mut().and_then(|places| place(places).take_waiting());
        let Some(promise) = waiting else { return false };
        // A value that others share is cloned here, which is foreign code.
        let taken = match panic::catch(Some(self.site), || super::take_settled(promise)) {
            Ok(taken) => taken,
            Err(fault) => Ok(Err(E::from(fault))),
        };
        match taken {
            Ok(Ok(value)) => {
                let mut state = self.lock();
                let Some(places) = state.places.as_mut() else {
                    drop(state);
                    drop(value);
                    return false;
                };
                *place(places) = Place::Done(value);
                state.missing -= 1;
                state.missing == 0
            }
            Ok(Err(reason)) => {
                let _ = self.resolver.reject(reason);
                drop(self.end());
                false
            }
            Err(promise) => {
                if let Some(places) = self.lock().places.as_mut() {
                    *place(places) = Place::Waiting(promise);
                }
                false
            }
        }
    }

    /// Takes everything out: nothing is watched any more, and what the places hold is the caller's to drop.
    fn end(&self) -> Option<P> {
        let (places, watches) = {
            let mut state = self.lock();
            (state.places.take(), std::mem::take(&mut state.watches))
        };
        for watch in watches {
            watch.remove();
        }
        places
    }

    /// Every value is there.
    fn fulfil(&self, values: impl FnOnce(P) -> Option<Output>) {
        if let Some(values) = self.end().and_then(values) {
            let _ = self.resolver.resolve(values);
        }
    }
}

/// Registers the job of one member, with nothing held meanwhile: registering may wake a loop, and that may run the job.
fn shared_watch<P, Output, T, E>(
    shared: &Shared<P, Output, E>,
    promise: Promise<T, E>,
    place: impl Fn(&mut P) -> &mut Place<T, E>,
    look: impl Fn() + Clone + Send + 'static,
) where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    let watch = promise.on_settled(look.clone());
    let mut state = shared.lock();
    let Some(places) = state.places.as_mut() else {
        // Another member has ended it meanwhile.
        drop(state);
        watch.remove();
        return drop(promise);
    };
    let missed = matches!(place(places), Place::Missed);
    *place(places) = Place::Waiting(promise);
    state.watches.push(watch);
    drop(state);
    if missed {
        core::post(core::current_or_global(), look);
    }
}

macro_rules! join_tuple {
    ($len:literal: $($t:ident $index:tt),+) => {
        impl<E, $($t),+> Sealed for ($(Promise<$t, E>,)+) {}

        impl<E, $($t),+> JoinTuple<($($t,)+), E> for ($(Promise<$t, E>,)+)
        where
            E: From<Fault> + Send + 'static,
            $($t: Send + 'static,)+
        {
            fn join(self, site: Site) -> Promise<($($t,)+), E> {
                let (promise, resolver) = Promise::pending_at(site);
                $(self.$index.mark_handled();)+
                let values = |places: ($(Place<$t, E>,)+)| Some(($(places.$index.take_done()?,)+));
                let places = Some(($(Place::<$t, E>::Coming,)+));
                let state = Mutex::new(State { places, missing: $len, watches: Vec::with_capacity($len) });
                let shared = Arc::new(Shared { state, resolver, site });
                let again = Arc::clone(&shared);
                // Cancelling the result lets go of the members and cancels those that nobody else waits for: in a job, for
                // a member may be a `join` too, and so on. The weak link keeps the result from owning itself.
                let (weak, home) = (Arc::downgrade(&shared), core::current_or_global());
                shared.resolver.on_cancel(move |reason| {
                    let Some(shared) = weak.upgrade() else { return };
                    let reason = reason.clone();
                    core::post(home, move || {
                        if let Some(mut places) = shared.end() {
                            $(if let Some(member) = places.$index.take_waiting() {
                                crate::cancel::cancel_if_unwatched(member, reason.clone());
                            })+
                        }
                    });
                });
                $({
                    let shared = Arc::clone(&shared);
                    let look = move || {
                        if shared.settled(|places| &mut places.$index) {
                            shared.fulfil(values);
                        }
                    };
                    shared_watch(&again, self.$index, |places| &mut places.$index, look);
                })+
                promise
            }
        }
    };
}
join_tuple!(1: A 0);
join_tuple!(2: A 0, B 1);
join_tuple!(3: A 0, B 1, C 2);
join_tuple!(4: A 0, B 1, C 2, D 3);
join_tuple!(5: A 0, B 1, C 2, D 3, F 4);
join_tuple!(6: A 0, B 1, C 2, D 3, F 4, G 5);
join_tuple!(7: A 0, B 1, C 2, D 3, F 4, G 5, H 6);
join_tuple!(8: A 0, B 1, C 2, D 3, F 4, G 5, H 6, I 7);
join_tuple!(9: A 0, B 1, C 2, D 3, F 4, G 5, H 6, I 7, J 8);
join_tuple!(10: A 0, B 1, C 2, D 3, F 4, G 5, H 6, I 7, J 8, K 9);
join_tuple!(11: A 0, B 1, C 2, D 3, F 4, G 5, H 6, I 7, J 8, K 9, L 10);
join_tuple!(12: A 0, B 1, C 2, D 3, F 4, G 5, H 6, I 7, J 8, K 9, L 10, M 11);

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    /// As [`all`](Promise::all), for a tuple of up to twelve promises that may have different value types.
    ///
    /// The first rejection in time rejects the result; the other members are let go and go on.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Promise;
    ///
    /// let both = Promise::join((Promise::resolve("answer"), Promise::resolve(42)));
    /// let line = both.map(|(name, number)| format!("{name}: {number}"));
    /// assert_eq!(line.wait()?, "answer: 42");
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    #[track_caller]
    pub fn join<J>(promises: J) -> Promise<T, E>
    where
        J: JoinTuple<T, E>,
    {
        promises.join(Location::caller())
    }
}
