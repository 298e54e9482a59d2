//! A promise is a future.

use super::Promise;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Awaits the outcome, on any executor; no event loop is needed.
///
/// # Panics
///
/// When it is polled again after it gave its outcome away: await a clone to await twice. (A handle that was cloned gives a
/// clone of the outcome away while others exist, and can be awaited again.)
///
/// # Cancel safety
///
/// Dropping the promise instead of awaiting it to the end loses nothing but this handle: what it stands for goes on.
impl<T, E> Future for Promise<T, E> {
    type Output = Result<T, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T, E>> {
        match self.get_mut().handle.poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(outcome)) => Poll::Ready(outcome),
            Poll::Ready(None) => polled_again(),
        }
    }
}

#[cold]
fn polled_again() -> ! {
    panic!("this promise was awaited before and gave its outcome away: clone it to await it twice");
}
