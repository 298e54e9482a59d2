//! The signal.

use super::AbortController;
use super::root::{Fired, Listener, Ring, Root};
use crate::event_loop::LoopHandle;
use crate::{CancelReason, Subscription};
use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Tells work that it is not wanted any more. Clones are the same signal.
///
/// A signal comes from an [`AbortController`], from [`AbortSignal::timeout`] or from [`AbortSignal::any`]. It aborts
/// once, and stays aborted.
///
/// # Examples
///
/// ```
/// use thenable::AbortController;
///
/// let controller = AbortController::new();
/// let signal = controller.signal();
/// assert!(!signal.aborted());
/// controller.abort("the window was closed");
/// assert!(signal.aborted());
/// assert_eq!(signal.reason().unwrap().to_string(), "the window was closed");
/// ```
#[derive(Clone)]
pub struct AbortSignal {
    roots: Arc<[Arc<Root>]>,
}

impl AbortSignal {
    pub(super) fn of(roots: impl Into<Arc<[Arc<Root>]>>) -> Self {
        AbortSignal { roots: roots.into() }
    }

    /// A controller whose signal follows this one: it aborts with this signal, or by itself.
    ///
    /// Aborting the child leaves this signal alone. The child costs this signal nothing and goes with its last handle.
    ///
    /// # Examples
    ///
    /// ```
    /// use thenable::AbortController;
    ///
    /// let server = AbortController::new();
    /// let (one, two) = (server.signal().child(), server.signal().child());
    /// one.abort("client left");
    /// assert!(one.signal().aborted() && !two.signal().aborted());
    /// server.abort("shutting down");
    /// assert_eq!(one.signal().reason().unwrap().to_string(), "client left");
    /// assert_eq!(two.signal().reason().unwrap().to_string(), "shutting down");
    /// ```
    pub fn child(&self) -> AbortController {
        AbortController::following(&self.roots)
    }

    /// Whether it has aborted. Cheap enough for an inner loop.
    pub fn aborted(&self) -> bool {
        self.roots.iter().any(|root| root.fired().is_some())
    }

    /// Why it has aborted, if it has. The first abort counts.
    pub fn reason(&self) -> Option<CancelReason> {
        // An earlier abort may become visible while the roots are gone through, but not after a later one was seen.
        self.first()?;
        self.first().map(|fired| fired.reason.clone())
    }

    fn first(&self) -> Option<&Fired> {
        self.roots.iter().filter_map(|root| root.fired()).min_by_key(|fired| fired.order)
    }

    /// Calls `f` with the [`reason`](AbortSignal::reason) when the signal aborts; at once, inside this call, if it has
    /// aborted already.
    ///
    /// Listeners run on the thread that aborts, in the order in which they registered, with no lock held. A panic of
    /// one ends there and does not keep the others from running. The registration stays when the returned
    /// [`Subscription`] and the handles of this signal are dropped, for as long as something can still abort the
    /// signal; removing it takes constant time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use thenable::AbortController;
    ///
    /// let (send, told) = mpsc::channel();
    /// let controller = AbortController::new();
    /// let removed = controller.signal().on_abort(|_| unreachable!());
    /// controller.signal().on_abort(move |reason| send.send(reason.to_string()).unwrap());
    /// assert!(removed.remove());
    /// controller.abort("enough");
    /// assert_eq!(told.recv().unwrap(), "enough");
    /// ```
    pub fn on_abort(&self, f: impl FnOnce(&CancelReason) + Send + 'static) -> Subscription {
        let listener = Listener::new(match self.roots.len() {
            0 | 1 => Box::new(f),
            // The root that calls need not be the one that was first.
            _ => {
                let roots: Vec<_> = self.roots.iter().map(Arc::downgrade).collect();
                Box::new(move |reason: &CancelReason| {
                    let signal = AbortSignal::of(roots.iter().filter_map(Weak::upgrade).collect::<Vec<_>>());
                    let first = signal.reason().filter(|_| cfg!(not(thenable_plant = "s20_reason_of_whoever_calls")));
                    f(first.as_ref().unwrap_or(reason));
                })
            }
        });
        for root in self.roots.iter() {
            if !root.insert(&listener) {
                if let Some(reason) = self.reason() {
                    listener.call(&reason);
                }
                break;
            }
        }
        Subscription::new(move || listener.remove())
    }

    /// A signal that aborts by itself after this time, with the reason "timed out".
    ///
    /// The timer belongs to the loop that is current at the call. It is disarmed when nobody can notice any more: when
    /// the last handle of the signal (or of one made from it) and its last listener are gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use thenable::{AbortSignal, EventLoop, delay};
    ///
    /// let event_loop = EventLoop::builder().virtual_clock().build();
    /// event_loop.run(async {
    ///     let signal = AbortSignal::timeout(Duration::from_secs(5));
    ///     delay(Duration::from_secs(4)).await?;
    ///     assert!(!signal.aborted());
    ///     delay(Duration::from_secs(2)).await?;
    ///     assert!(signal.aborted());
    ///     thenable::Ok(())
    /// })?;
    /// # Ok::<(), thenable::Rejection>(())
    /// ```
    #[track_caller]
    pub fn timeout(after: Duration) -> AbortSignal {
        let root = Root::timed();
        let ring = Ring::new(&root);
        let timer = LoopHandle::current_or_global().call_later(after, move || ring.fire("timed out".into()));
        root.set_timer(timer);
        AbortSignal::of([root])
    }

    /// A signal that aborts as soon as one of these does, with its reason.
    ///
    /// If some have aborted already, the first of them in the list gives the reason. Of no signals at all it never
    /// aborts. It costs its sources nothing and goes with its last handle.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use thenable::{AbortController, AbortSignal};
    ///
    /// let user = AbortController::new();
    /// let signal = AbortSignal::any([user.signal(), AbortSignal::timeout(Duration::from_secs(30))]);
    /// user.abort("cancelled by the user");
    /// assert_eq!(signal.reason().unwrap().to_string(), "cancelled by the user");
    /// ```
    pub fn any(signals: impl IntoIterator<Item = AbortSignal>) -> AbortSignal {
        let mut seen = HashSet::new();
        let mut roots = Vec::new();
        for signal in signals {
            if let Some(reason) = signal.reason() {
                let root = Root::new();
                root.fire(reason);
                return AbortSignal::of([root]);
            }
            roots.extend(signal.roots.iter().filter(|root| seen.insert(Arc::as_ptr(root))).cloned());
        }
        AbortSignal::of(roots)
    }
}

impl fmt::Debug for AbortSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortSignal").field("reason", &self.reason()).finish()
    }
}
