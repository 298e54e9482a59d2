//! `as_settled`: outcomes as they come.
//!
//! No loop is needed: the stream polls its members by their wakers, and settling wakes in settling order.

use crate::{Fault, Promise, Rejection};
use futures::stream::FuturesUnordered;
use futures_core::Stream;
use futures_core::stream::FusedStream;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// The outcomes of many promises in the order in which they settle, as a stream.
///
/// Promises that have settled already come first, in input order; those that settle during the first poll may come in any
/// order among themselves. The work is under way whether the stream is polled
/// or not; dropping the stream lets go of the promises that are still pending and cancels nothing.
///
/// # Examples
///
/// ```
/// use futures::StreamExt;
/// use std::time::Duration;
/// use thenable::{EventLoop, Promise, as_settled};
///
/// let event_loop = EventLoop::builder().virtual_clock().build();
/// event_loop.run(async {
///     let promises = [3, 1, 2].map(|secs| Promise::delay(Duration::from_secs(secs), secs));
///     let mut settled = as_settled(promises);
///     let mut order = Vec::new();
///     while let Some(outcome) = settled.next().await {
///         order.push(outcome?);
///     }
///     assert_eq!(order, [1, 2, 3]);
///     thenable::Ok(())
/// })?;
/// # Ok::<(), thenable::Rejection>(())
/// ```
pub fn as_settled<T, E, I>(promises: I) -> AsSettled<T, E>
where
    I: IntoIterator<Item = Promise<T, E>>,
{
    AsSettled { members: promises.into_iter().collect() }
}

/// The stream of [`as_settled`].
#[must_use = "streams do nothing unless polled"]
pub struct AsSettled<T, E = Rejection> {
    members: FuturesUnordered<Promise<T, E>>,
}

impl<T, E> Unpin for AsSettled<T, E> {}

impl<T, E> AsSettled<T, E> {
    /// The same as an iterator that blocks the thread.
    ///
    /// It waits as [`Promise::wait`] does: on the thread of an event loop it yields [`Fault::WouldDeadlock`] in place
    /// of waiting, and ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use thenable::{Promise, as_settled};
    ///
    /// let promises = [30, 1].map(|ms| Promise::delay(Duration::from_millis(ms), ms));
    /// let order: Result<Vec<_>, _> = as_settled(promises).into_blocking().collect();
    /// assert_eq!(order?, [1, 30]);
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    pub fn into_blocking(self) -> Blocking<T, E> {
        Blocking { settled: self }
    }
}

impl<T, E> Stream for AsSettled<T, E> {
    type Item = Result<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.members).poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.members.len(), Some(self.members.len()))
    }
}

impl<T, E> FusedStream for AsSettled<T, E> {
    fn is_terminated(&self) -> bool {
        self.members.is_empty()
    }
}

impl<T, E> fmt::Debug for AsSettled<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsSettled").field("left", &self.members.len()).finish()
    }
}

/// The blocking iterator of [`AsSettled::into_blocking`].
#[must_use = "iterators do nothing unless advanced"]
pub struct Blocking<T, E = Rejection> {
    settled: AsSettled<T, E>,
}

impl<T, E: From<Fault>> Iterator for Blocking<T, E> {
    type Item = Result<T, E>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Poll::Ready(item) = self.poll(Waker::noop()) {
            return item;
        }
        loop {
            // A promise for the wake-up: waiting for it brings along whatever `wait` knows about the thread it is on.
            let (woken, resolver) = Promise::<(), Fault>::pending();
            // Given up below when an item is there after all, which is nobody's error.
            woken.mark_handled();
            let waker = Waker::from(Arc::new(Unpark(resolver)));
            if let Poll::Ready(item) = self.poll(&waker) {
                return item;
            }
            if let Err(fault) = woken.wait() {
                self.settled.members.clear();
                return Some(Err(fault.into()));
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.settled.size_hint()
    }
}

impl<T, E> Blocking<T, E> {
    fn poll(&mut self, waker: &Waker) -> Poll<Option<Result<T, E>>> {
        Pin::new(&mut self.settled).poll_next(&mut Context::from_waker(waker))
    }
}

impl<T, E> fmt::Debug for Blocking<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocking").field("left", &self.settled.members.len()).finish()
    }
}

/// Ends the wait of the iterator.
struct Unpark(crate::Resolver<(), Fault>);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Refused when it was woken before.
        let _ = self.0.resolve(());
    }
}
