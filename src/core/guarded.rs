//! A future that is dropped under protection: executors abort or unwind where a future's destructor panics.

use crate::error::panic;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll};

/// See the module documentation.
pub(crate) struct Guarded<F> {
    future: ManuallyDrop<F>,
    finished: bool,
}

impl<F> Guarded<F> {
    pub(crate) fn new(future: F) -> Self {
        Self { future: ManuallyDrop::new(future), finished: false }
    }

    /// Drops the future now.
    pub(crate) fn finish(self: Pin<&mut Self>) {
        // SAFETY: nothing is moved out of the pin; the future is dropped in place, once.
        let this = unsafe { self.get_unchecked_mut() };
        this.drop_future();
    }

    fn drop_future(&mut self) {
        if !std::mem::replace(&mut self.finished, true) {
            // SAFETY: dropped once, where it was pinned, and not used afterwards.
            let _ = panic::catch(None, || unsafe { ManuallyDrop::drop(&mut self.future) });
        }
    }
}

impl<F: Future> Future for Guarded<F> {
    type Output = F::Output;

    /// A panic of the future goes through. After `finish` it is pending for ever.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: the field is pinned with the whole: it is dropped in place and never moved.
        let this = unsafe { self.get_unchecked_mut() };
        if this.finished {
            return Poll::Pending;
        }
        // SAFETY: as above.
        unsafe { Pin::new_unchecked(&mut *this.future) }.poll(context)
    }
}

impl<F> Drop for Guarded<F> {
    fn drop(&mut self) {
        self.drop_future();
    }
}

/// What looks after a future that runs as a task.
pub(crate) trait Supervise<F> {
    /// The task's poll. Ready: the task is over.
    fn poll(&mut self, future: Pin<&mut Guarded<F>>, context: &mut Context<'_>) -> Poll<()>;
}

/// A future and its supervisor, in one task. The future is dropped first.
pub(crate) struct Supervised<F, S> {
    future: Guarded<F>,
    supervisor: S,
}

impl<F, S> Supervised<F, S> {
    pub(crate) fn new(future: F, supervisor: S) -> Self {
        Self { future: Guarded::new(future), supervisor }
    }
}

impl<F, S: Supervise<F>> Future for Supervised<F, S> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // SAFETY: `future` is pinned with the whole: it is dropped in place and never moved. `supervisor` is never pinned.
        let (future, supervisor) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), &mut this.supervisor)
        };
        supervisor.poll(future, context)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::Waker;

    /// Counts its polls; its destructor panics.
    struct Counted(u32, #[expect(dead_code, reason = "it is counted")] Arc<()>);

    impl Future for Counted {
        type Output = u32;

        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
            self.0 += 1;
            if self.0 == 2 { Poll::Ready(self.0) } else { Poll::Pending }
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }

    #[test]
    fn a_guarded_future_is_dropped_once_and_quietly() {
        let lives = Arc::new(());
        let context = &mut Context::from_waker(Waker::noop());
        {
            let mut guarded = pin!(Guarded::new(Counted(0, lives.clone())));
            assert!(guarded.as_mut().poll(context).is_pending());
            assert_eq!(guarded.as_mut().poll(context), Poll::Ready(2));
            assert_eq!(Arc::strong_count(&lives), 2);
            guarded.as_mut().finish();
            assert_eq!(Arc::strong_count(&lives), 1);
            guarded.as_mut().finish();
            // Not polled any more.
            assert!(guarded.as_mut().poll(context).is_pending());
        }
        drop(Guarded::new(Counted(0, lives.clone())));
        assert_eq!(Arc::strong_count(&lives), 1);
    }

    #[test]
    fn a_supervisor_decides_when_a_task_is_over() {
        struct Times(u32);
        impl<F: Future<Output = u32>> Supervise<F> for Times {
            fn poll(&mut self, mut future: Pin<&mut Guarded<F>>, context: &mut Context<'_>) -> Poll<()> {
                self.0 += 1;
                future.as_mut().poll(context).map(|polls| assert_eq!(polls, self.0))
            }
        }
        let lives = Arc::new(());
        let context = &mut Context::from_waker(Waker::noop());
        let mut task = pin!(Supervised::new(Counted(0, lives.clone()), Times(0)));
        assert!(task.as_mut().poll(context).is_pending());
        assert!(task.as_mut().poll(context).is_ready());
    }
}
