//! `map_limit`: many at a time, but not too many.
//!
//! The work runs in lanes. A lane starts an input, waits for its promise, and goes on with the next input that nobody
//! has started; there are as many lanes as may be pending at a time, and fewer if the inputs run out first. The result
//! is `all` of the lanes.

use super::lock;
use crate::core::Site;
use crate::error::panic;
use crate::primitive::sync::Mutex;
use crate::{Fault, IntoPromise, Promise};
use std::panic::Location;
use std::sync::Arc;

/// What the lanes share.
struct Lanes<I, F, T> {
    /// `None` while a lane draws from it, and for good once it ran out, failed or panicked.
    source: Mutex<Option<Box<Source<I, F>>>>,
    values: Mutex<Vec<Option<T>>>,
    site: Site,
}

struct Source<I, F> {
    inputs: I,
    f: F,
    /// The place of the next input.
    next: usize,
}

impl<I, F, T> Lanes<I, F, T>
where
    I: Iterator + Send + 'static,
    F: Send + 'static,
    T: Send + 'static,
{
    /// Starts the next input. The iterator and `f` run without a lock; if one of them panics, the source is gone and
    /// nothing more is started.
    fn start<E, R, Via>(&self) -> Option<(usize, Promise<T, E>)>
    where
        F: FnMut(I::Item) -> R,
        R: IntoPromise<T, E, Via>,
    {
        let mut source = lock(&self.source).take()?;
        let input = source.inputs.next()?;
        let place = source.next;
        source.next += 1;
        let promise = (source.f)(input).into_promise();
        *lock(&self.source) = Some(source);
        Some((place, promise))
    }

    /// Waits for what was started in a lane, then starts the next one.
    fn lane<E, R, Via>(self: Arc<Self>, place: usize, promise: Promise<T, E>) -> Promise<(), E>
    where
        F: FnMut(I::Item) -> R,
        R: IntoPromise<T, E, Via>,
        E: From<Fault> + Send + 'static,
    {
        let site = self.site;
        promise.handle_at(site, move |outcome| match outcome {
            Ok(value) => {
                self.put(place, value);
                match self.start() {
                    Some((place, promise)) => self.lane(place, promise),
                    None => Promise::fulfilled(()),
                }
            }
            Err(reason) => {
                let source = lock(&self.source).take();
                drop(source);
                Promise::from(Err(reason))
            }
        })
    }

    fn put(&self, place: usize, value: T) {
        let mut values = lock(&self.values);
        if values.len() <= place {
            values.resize_with(place + 1, || None);
        }
        values[place] = Some(value);
    }

    fn take_values(&self) -> Vec<T> {
        let values = std::mem::take(&mut *lock(&self.values));
        values.into_iter().flatten().collect()
    }
}

impl<T, E> Promise<T, E>
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    /// Calls `f` for each input, with at most `limit` of its promises pending at a time.
    ///
    /// Inputs start in their order, the values come in input order whatever finished first. The iterator is drawn from
    /// only when there is room, so it may be endless or expensive. The first rejection, or a panic of `f` or of the
    /// iterator, rejects the result and nothing more is started; what is under way goes on, and its own rejections
    /// count as handled. A `limit` of zero rejects with [`Fault::InvalidConfig`].
    ///
    /// `f` never runs inside this call; it runs as jobs of the loop that is current here. Cancelling the result cancels
    /// what is under way and starts nothing more.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use thenable::{EventLoop, LoopHandle, Promise};
    ///
    /// let event_loop = EventLoop::builder().virtual_clock().build();
    /// let start = event_loop.handle().now();
    /// // Six pauses of a second, three at a time: two seconds.
    /// let pages: Vec<i32> = event_loop.run(async {
    ///     Promise::map_limit(0..6, 3, |n| Promise::delay(Duration::from_secs(1), n * 10)).await
    /// })?;
    /// assert_eq!(pages, [0, 10, 20, 30, 40, 50]);
    /// assert_eq!(event_loop.handle().now() - start, Duration::from_secs(2));
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    ///
    /// A closure that names no error needs the type on the left, or [`thenable::Ok`](fn@crate::Ok):
    ///
    /// ```
    /// # use thenable::Promise;
    /// let doubled = Promise::<_>::map_limit(0..4, 2, async |n| Ok(n * 2));
    /// assert_eq!(doubled.wait()?, [0, 2, 4, 6]);
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    #[track_caller]
    pub fn map_limit<I, R, Via>(
        inputs: I,
        limit: usize,
        f: impl FnMut(I::Item) -> R + Send + 'static,
    ) -> Promise<Vec<T>, E>
    where
        I: IntoIterator<IntoIter: Send + 'static>,
        R: IntoPromise<T, E, Via>,
    {
        let site = Location::caller();
        if limit == 0 {
            let fault = Fault::InvalidConfig { what: "the limit of `map_limit` is zero".into() };
            return Promise::rejected(fault.into());
        }
        let inputs = match panic::catch(Some(site), || inputs.into_iter()) {
            Ok(inputs) => inputs,
            Err(fault) => return Promise::rejected(fault.into()),
        };
        let source = Mutex::new(Some(Box::new(Source { inputs, f, next: 0 })));
        let lanes = Arc::new(Lanes { source, values: Mutex::new(Vec::new()), site });
        Promise::<(), E>::fulfilled(()).handle_at(site, move |_| {
            let mut open = Vec::new();
            while open.len() < limit {
                let Some((place, promise)) = lanes.start() else { break };
                open.push(Arc::clone(&lanes).lane(place, promise));
            }
            Promise::all(open).map(move |_| lanes.take_values())
        })
    }
}
