//! `Limiter`: so many at a time, whoever asks.
//!
//! The state is a count and an ordered map of those who wait. Only one thread at a time hands out permits, one by one,
//! and settles with no lock held; whoever frees a permit meanwhile leaves it to that thread. So permits go out in the
//! order in which they were asked for, and dropping a permit inside a waker, or a million of them in a row, does not
//! recurse.

use crate::core::Site;
use crate::primitive::sync::{Mutex, MutexGuard};
use crate::{CancelReason, Fault, IntoPromise, Promise, Resolver};
use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Weak};

/// A number of permits that callers share: at most so many of them work at a time, the others wait in line.
///
/// Clones are the same limiter. [`run`](Limiter::run) runs a function when a permit is free;
/// [`acquire`](Limiter::acquire) gives the permit itself, which is given back by dropping it.
///
/// # Ordering
///
/// Permits go out in the order in which they were asked for. Nobody overtakes those who wait, not even
/// [`try_acquire`](Limiter::try_acquire).
///
/// # Threads
///
/// It belongs to no loop: callers on any number of threads may share it. What waits costs no thread and no timer.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use thenable::{EventLoop, Limiter, Promise};
///
/// let event_loop = EventLoop::builder().virtual_clock().build();
/// let start = event_loop.handle().now();
/// event_loop.run(async {
///     let limiter = Limiter::new(2);
///     // Two callers that know nothing of each other, three seconds of work each.
///     let mine = (0..3).map(|n| limiter.run(move || Promise::delay(Duration::from_secs(1), n)));
///     let theirs = (3..6).map(|n| limiter.run(move || Promise::delay(Duration::from_secs(1), n)));
///     assert_eq!(Promise::all(mine.chain(theirs)).await?, [0, 1, 2, 3, 4, 5]);
///     thenable::Ok(())
/// })?;
/// // Six seconds of work, two at a time.
/// assert_eq!(event_loop.handle().now() - start, Duration::from_secs(3));
/// # Ok::<(), thenable::Rejection>(())
/// ```
#[derive(Clone)]
pub struct Limiter {
    shared: Arc<Shared>,
}

/// The right to be one of so many. Dropping it gives it back.
///
/// Made by [`Limiter::acquire`].
#[must_use = "a permit that is dropped at once permits nothing"]
pub struct Permit {
    /// None: it is given back already.
    shared: Option<Arc<Shared>>,
}

struct Shared {
    state: Mutex<State>,
}

struct State {
    permits: usize,
    /// Permits that are out, which may be more than there are: `set_permits` takes none away.
    taken: usize,
    /// Made with no permits, and never given any: nobody is to wait for what cannot come.
    useless: bool,
    /// Somebody hands out permits right now, and will look again before stopping.
    handing_out: bool,
    waiting: BTreeMap<u64, Resolver<Permit>>,
    next: u64,
    /// When so many wait, those that nobody waits for any more are taken out.
    sweep_at: usize,
}

/// Below this it is not worth a look whether those who wait are still there.
const SMALL: usize = 64;

impl State {
    fn has_free(&self) -> bool {
        self.taken < self.permits
    }

    /// Adds somebody to the line, who is known by the number from now on.
    fn wait(&mut self, resolver: Resolver<Permit>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.waiting.insert(number, resolver);
        number
    }

    /// Takes out those who left without a cancellation, for instance the losers of a `race`. Looked for when the line
    /// has doubled only, so that a caller pays the same however long the line is.
    fn sweep(&mut self) -> Vec<Resolver<Permit>> {
        if self.waiting.len() < self.sweep_at {
            return Vec::new();
        }
        let gone = |(number, resolver): (&u64, &Resolver<Permit>)| (!resolver.is_wanted()).then_some(*number);
        let gone: Vec<u64> = self.waiting.iter().filter_map(gone).collect();
        let gone = gone.into_iter().filter_map(|number| self.waiting.remove(&number)).collect();
        self.sweep_at = (2 * self.waiting.len()).max(SMALL);
        gone
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        super::lock(&self.state)
    }

    /// Hands out what is free, unless somebody is at it already.
    fn hand_out(self: &Arc<Self>) {
        let mut state = self.lock();
        if std::mem::replace(&mut state.handing_out, true) {
            return;
        }
        while state.has_free() {
            let Some((_, resolver)) = state.waiting.pop_first() else { break };
            state.taken += 1;
            drop(state);
            let refused = if resolver.is_wanted() {
                resolver.resolve(Permit { shared: Some(Arc::clone(self)) })
            } else {
                Err(Permit { shared: Some(Arc::clone(self)) })
            };
            // Cancelled at the same time, or nobody's any more. Dropping the permit would come back here.
            let came_back = refused.is_err_and(|mut permit| permit.shared.take().is_some());
            give_up(resolver);
            state = self.lock();
            #[cfg(not(thenable_plant = "s45_permit_lost"))]
            {
                state.taken -= usize::from(came_back);
            }
        }
        #[cfg(thenable_plant = "s45_looked_before_done")]
        {
            drop(state);
            state = self.lock();
        }
        state.handing_out = false;
    }

    fn give_back(self: &Arc<Self>) {
        self.lock().taken -= 1;
        self.hand_out();
    }

    fn leave(&self, number: u64) {
        let resolver = self.lock().waiting.remove(&number);
        drop(resolver);
    }
}

/// Drops the resolver of a promise that nobody has: not a thing to report.
fn give_up(resolver: Resolver<Permit>) {
    resolver.fault(Fault::Cancelled { reason: CancelReason::from("nobody waits for the permit") });
}

impl Limiter {
    /// A limiter with so many permits.
    ///
    /// With zero it is of no use: as [`map_limit`](Promise::map_limit) does, `acquire` and `run` reject with
    /// [`Fault::InvalidConfig`] until [`set_permits`](Limiter::set_permits) is called.
    pub fn new(permits: usize) -> Self {
        let state = State {
            permits,
            taken: 0,
            useless: permits == 0,
            handing_out: false,
            waiting: BTreeMap::new(),
            next: 0,
            sweep_at: SMALL,
        };
        Limiter { shared: Arc::new(Shared { state: Mutex::new(state) }) }
    }

    /// A promise for a permit: settled already if one is free and nobody waits.
    ///
    /// # Errors
    ///
    /// It rejects with [`Fault::InvalidConfig`] if the limiter was made without permits.
    ///
    /// # Cancel safety
    ///
    /// Cancelling the promise takes it out of the line, in logarithmic time; so does a [`timeout`](Promise::timeout)
    /// or an [`abort_on`](Promise::abort_on) of it. If nobody holds the promise any more when its turn comes, the
    /// permit goes to the next one. A permit that is already in the promise is given back when the promise is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::{EventLoop, Limiter};
    ///
    /// let limiter = Limiter::new(1);
    /// EventLoop::new().run(async move {
    ///     let permit = limiter.acquire().await?;
    ///     let next = limiter.acquire();
    ///     assert!(next.is_pending() && limiter.waiting() == 1);
    ///     drop(permit);
    ///     assert!(next.is_fulfilled());
    ///     thenable::Ok(())
    /// })?;
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    #[track_caller]
    pub fn acquire(&self) -> Promise<Permit> {
        self.acquire_at(Location::caller())
    }

    fn acquire_at(&self, site: Site) -> Promise<Permit> {
        let mut state = self.shared.lock();
        if state.useless {
            drop(state);
            let what = "a limiter of no permits: nothing would ever run".into();
            return Promise::faulted_at(Fault::InvalidConfig { what }, site);
        }
        if let Some(permit) = self.take(&mut state) {
            drop(state);
            return Promise::fulfilled(permit);
        }
        let (promise, resolver) = Promise::pending_at(site);
        let gone = state.sweep();
        let number = state.wait(resolver.clone());
        drop(state);
        gone.into_iter().for_each(give_up);
        // Weak, because the line holds the promise: a limiter that nobody can use any more ends those who wait.
        let shared: Weak<Shared> = Arc::downgrade(&self.shared);
        resolver.on_cancel(move |_| {
            if let Some(shared) = shared.upgrade() {
                shared.leave(number);
            }
        });
        promise
    }

    fn take(&self, state: &mut State) -> Option<Permit> {
        let free = state.has_free() && state.waiting.is_empty();
        state.taken += usize::from(free);
        free.then(|| Permit { shared: Some(Arc::clone(&self.shared)) })
    }

    /// A permit if one is free and nobody waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Limiter;
    ///
    /// let limiter = Limiter::new(1);
    /// let permit = limiter.try_acquire();
    /// assert!(permit.is_some() && limiter.try_acquire().is_none());
    /// ```
    pub fn try_acquire(&self) -> Option<Permit> {
        let mut state = self.shared.lock();
        self.take(&mut state)
    }

    /// Calls `f` when a permit is free, and keeps the permit until the promise of its result has settled.
    ///
    /// `f` returns what a handler may return: a `Result`, a promise, a future. It never runs inside this call; it runs
    /// as a job of the loop that is current here. The permit is free again when the outcome is handed on, whatever the
    /// outcome is, a panic of `f` included.
    ///
    /// # Errors
    ///
    /// Those of `f`, and [`Fault::InvalidConfig`] if the limiter was made without permits.
    ///
    /// # Cancel safety
    ///
    /// Cancelling the promise takes it out of the line, and `f` is dropped; if `f` has run, its promise is cancelled and
    /// the permit is free.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::{ExecutorExt, Limiter, Promise, ThreadPool};
    ///
    /// let (pool, disk) = (ThreadPool::new(8), Limiter::new(2));
    /// let sizes = ["Cargo.toml", "README.md"].map(|path| {
    ///     let pool = pool.clone();
    ///     disk.run(move || pool.attempt(move || thenable::Ok(std::fs::metadata(path)?.len())))
    /// });
    /// assert_eq!(Promise::all(sizes).wait()?.len(), 2);
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    #[track_caller]
    pub fn run<T, E, R, Via>(&self, f: impl FnOnce() -> R + Send + 'static) -> Promise<T, E>
    where
        R: IntoPromise<T, E, Via>,
        T: Send + 'static,
        E: From<Fault> + Send + 'static,
    {
        let site = Location::caller();
        self.acquire_at(site).handle_at(site, move |acquired| match acquired {
            Ok(permit) => f().into_promise().handle_at(site, move |outcome| {
                drop(permit);
                outcome
            }),
            // A line ends early only with its limiter.
            Err(why) => {
                let fault = why.fault().cloned().unwrap_or(Fault::Abandoned { created_at: site });
                Promise::faulted_at(fault, site)
            }
        })
    }

    /// How many permits are free.
    pub fn available(&self) -> usize {
        let state = self.shared.lock();
        state.permits.saturating_sub(state.taken)
    }

    /// How many wait in line.
    pub fn waiting(&self) -> usize {
        self.shared.lock().waiting.len()
    }

    /// How many permits there are, free or not.
    pub fn permits(&self) -> usize {
        self.shared.lock().permits
    }

    /// Changes how many permits there are.
    ///
    /// More permits go to those who wait, at once. With fewer of them, nobody loses a permit: the next ones go out when
    /// enough have come back. Zero, set on purpose, is a pause: whoever asks waits until there are permits again.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::Limiter;
    ///
    /// let limiter = Limiter::new(2);
    /// let both = (limiter.try_acquire(), limiter.try_acquire());
    /// let third = limiter.acquire();
    /// limiter.set_permits(3);
    /// assert!(third.is_fulfilled());
    /// limiter.set_permits(0);
    /// drop((both, third));
    /// assert!(limiter.available() == 0 && limiter.acquire().is_pending());
    /// ```
    pub fn set_permits(&self, permits: usize) {
        {
            let mut state = self.shared.lock();
            state.permits = permits;
            state.useless = false;
        }
        self.shared.hand_out();
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (permits, available) = (self.permits(), self.available());
        f.debug_struct("Limiter")
            .field("permits", &permits)
            .field("available", &available)
            .field("waiting", &self.waiting())
            .finish()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.give_back();
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}
