//! Where aborts start, and what listens to them.

use crate::error::panic;
use crate::primitive::static_value;
use crate::primitive::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use crate::{CancelReason, TimerHandle};
use std::collections::HashMap;
use std::sync::{Arc, Weak};

static_value! {
    /// The number of aborts so far. Held while a root fires, so that whoever sees a later abort sees all earlier ones.
    static ABORTS: Mutex<u64> = Mutex::new(0);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place where an abort can start: a controller, or a timer.
pub(super) struct Root {
    fired: OnceLock<Fired>,
    listeners: Mutex<Listeners>,
    /// Fired by a timer, which does not own the root.
    timed: bool,
    timer: OnceLock<TimerHandle>,
}

/// An abort that happened.
pub(super) struct Fired {
    /// Its place among all aborts.
    pub(super) order: u64,
    pub(super) reason: CancelReason,
}

#[derive(Default)]
struct Listeners {
    entries: HashMap<u64, Arc<Listener>>,
    next: u64,
    /// A timed root with listeners owns itself, because its timer does not: `AbortSignal::timeout(d).on_abort(f)` must
    /// work although nobody keeps the signal. Undone when the last listener goes, or the timer.
    own: Option<Arc<Root>>,
}

impl Root {
    /// A root for a controller.
    pub(super) fn new() -> Arc<Root> {
        Root::make(false)
    }

    /// A root for a timer.
    pub(super) fn timed() -> Arc<Root> {
        Root::make(true)
    }

    fn make(timed: bool) -> Arc<Root> {
        let listeners = Mutex::new(Listeners::default());
        Arc::new(Root { fired: OnceLock::new(), listeners, timed, timer: OnceLock::new() })
    }

    pub(super) fn set_timer(&self, timer: TimerHandle) {
        // There is only one.
        let _ = self.timer.set(timer);
    }

    pub(super) fn fired(&self) -> Option<&Fired> {
        self.fired.get()
    }

    /// Aborts, once, and calls the listeners in the order in which they registered. No lock is held meanwhile.
    pub(super) fn fire(&self, reason: CancelReason) {
        let (entries, own) = {
            let mut listeners = lock(&self.listeners);
            let mut aborts = lock(&ABORTS);
            if self.fired.set(Fired { order: *aborts, reason: reason.clone() }).is_err() {
                return;
            }
            *aborts += 1;
            listeners.take()
        };
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.sort_unstable_by_key(|(id, _)| *id);
        for (_, listener) in entries {
            listener.call(&reason);
        }
        drop(own);
    }

    /// Registers a listener. False if it is too late for that.
    pub(super) fn insert(self: &Arc<Self>, listener: &Arc<Listener>) -> bool {
        #[cfg(thenable_plant = "s22_looked_before_locked")]
        let fired = self.fired.get().is_some();
        let id = {
            let mut listeners = lock(&self.listeners);
            #[cfg(not(thenable_plant = "s22_looked_before_locked"))]
            let fired = self.fired.get().is_some();
            if fired {
                return false;
            }
            let id = listeners.next;
            listeners.next += 1;
            listeners.entries.insert(id, Arc::clone(listener));
            if self.timed {
                listeners.own.get_or_insert_with(|| Arc::clone(self));
            }
            id
        };
        if !listener.add_place(Arc::downgrade(self), id) {
            // Another root fired it meanwhile.
            self.remove(id);
        }
        true
    }

    /// Removes a listener in constant time.
    fn remove(&self, id: u64) {
        let removed = {
            let mut listeners = lock(&self.listeners);
            let entry = listeners.entries.remove(&id);
            let own = if listeners.entries.is_empty() { listeners.own.take() } else { None };
            (entry, own)
        };
        drop(removed);
    }

    /// The timer will never fire: its loop is gone.
    fn lose_timer(&self) {
        let (entries, own) = lock(&self.listeners).take();
        for listener in entries.into_values() {
            listener.remove();
        }
        drop(own);
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.get() {
            timer.cancel();
        }
    }
}

impl Listeners {
    fn take(&mut self) -> (HashMap<u64, Arc<Listener>>, Option<Arc<Root>>) {
        (std::mem::take(&mut self.entries), self.own.take())
    }
}

/// What a timer holds of its root.
pub(super) struct Ring(Weak<Root>);

impl Ring {
    pub(super) fn new(root: &Arc<Root>) -> Self {
        Ring(Arc::downgrade(root))
    }

    pub(super) fn fire(self, reason: CancelReason) {
        if let Some(root) = self.0.upgrade() {
            root.fire(reason);
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        if let Some(root) = self.0.upgrade() {
            root.lose_timer();
        }
    }
}

type Call = Box<dyn FnOnce(&CancelReason) + Send>;

/// A function to call at the first abort of any of its roots.
pub(super) struct Listener {
    slot: Mutex<Slot>,
}

struct Slot {
    call: Option<Call>,
    places: Vec<(Weak<Root>, u64)>,
}

impl Listener {
    pub(super) fn new(call: Call) -> Arc<Listener> {
        Arc::new(Listener { slot: Mutex::new(Slot { call: Some(call), places: Vec::new() }) })
    }

    /// Notes where it is registered. False if it is spent.
    fn add_place(&self, root: Weak<Root>, id: u64) -> bool {
        let mut slot = lock(&self.slot);
        if slot.call.is_some() {
            slot.places.push((root, id));
        }
        slot.call.is_some()
    }

    /// Whoever gets the function runs it or drops it; it is registered nowhere any more.
    fn take(&self) -> Option<Call> {
        let (call, places) = {
            let mut slot = lock(&self.slot);
            (slot.call.take(), std::mem::take(&mut slot.places))
        };
        for (root, id) in places {
            if let Some(root) = root.upgrade() {
                root.remove(id);
            }
        }
        call
    }

    /// Runs it, unless it has run or was removed. Its panic ends here, so that the next listener gets its turn.
    pub(super) fn call(&self, reason: &CancelReason) {
        if let Some(call) = self.take() {
            let _ = panic::catch(None, || call(reason));
        }
    }

    /// Removes it. False if it has run.
    pub(super) fn remove(&self) -> bool {
        let call = self.take();
        let removed = call.is_some();
        panic::drop_quietly(call);
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    fn counting(calls: &Arc<AtomicUsize>) -> Arc<Listener> {
        let calls = Arc::clone(calls);
        Listener::new(Box::new(move |_| {
            calls.fetch_add(1, SeqCst);
        }))
    }

    fn registered(root: &Root) -> usize {
        lock(&root.listeners).entries.len()
    }

    #[test]
    fn a_listener_of_many_roots_runs_once_and_leaves_all_of_them() {
        let roots = [Root::new(), Root::new(), Root::new()];
        let calls = Arc::new(AtomicUsize::new(0));
        let listener = counting(&calls);
        for root in &roots {
            assert!(root.insert(&listener));
        }
        roots[1].fire("second".into());
        roots[0].fire("first".into());
        assert_eq!(calls.load(SeqCst), 1);
        assert_eq!(roots.each_ref().map(|root| registered(root)), [0, 0, 0]);
        assert!(!listener.remove());
    }

    #[test]
    fn removing_a_listener_leaves_the_others() {
        let root = Root::new();
        let (gone, kept) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (first, second) = (counting(&gone), counting(&kept));
        assert!(root.insert(&first) && root.insert(&second));
        assert!(first.remove());
        assert_eq!(registered(&root), 1);
        root.fire("now".into());
        assert_eq!((gone.load(SeqCst), kept.load(SeqCst)), (0, 1));
    }

    #[test]
    fn a_timed_root_lives_as_long_as_it_has_listeners() {
        let root = Root::timed();
        let weak = Arc::downgrade(&root);
        let listener = counting(&Arc::default());
        assert!(root.insert(&listener));
        drop(root);
        assert!(weak.upgrade().is_some());
        assert!(listener.remove());
        assert!(weak.upgrade().is_none());
    }

    #[test]
    fn a_timed_root_whose_timer_is_lost_goes() {
        let root = Root::timed();
        let weak = Arc::downgrade(&root);
        let calls = Arc::new(AtomicUsize::new(0));
        assert!(root.insert(&counting(&calls)));
        let ring = Ring::new(&root);
        drop(root);
        drop(ring);
        assert!(weak.upgrade().is_none());
        assert_eq!(calls.load(SeqCst), 0);
    }

    #[test]
    fn a_second_abort_changes_nothing_and_later_listeners_are_told() {
        let root = Root::new();
        root.fire("first".into());
        root.fire("second".into());
        assert_eq!(root.fired().map(|fired| fired.reason.to_string()).as_deref(), Some("first"));
        assert!(!root.insert(&counting(&Arc::default())));
    }
}
