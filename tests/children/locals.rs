//! Promises, resolvers, loops and pools in thread-locals, which go in any order while their thread ends.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use thenable::{EventLoop, ExecutorExt, LoopHandle, Promise, Resolver, ThreadPool};

use crate::support::{eventually, in_child};

/// Lives in a thread-local and does everything at once when the thread ends.
struct LastWords {
    resolver: Resolver<u8>,
    promise: Promise<u8>,
    handle: LoopHandle,
    pool: ThreadPool,
    done: Arc<AtomicUsize>,
}

impl Drop for LastWords {
    fn drop(&mut self) {
        let count = |done: &Arc<AtomicUsize>| {
            let done = Arc::clone(done);
            move || {
                done.fetch_add(1, Ordering::SeqCst);
            }
        };
        assert!(self.resolver.resolve(1).is_ok());
        let (chained, fresh, called) = (count(&self.done), count(&self.done), count(&self.done));
        drop(self.promise.clone().map(move |_| chained()));
        drop(self.promise.on_settled(count(&self.done)));
        drop(Promise::resolve(1).map(move |_| fresh()));
        drop(self.handle.call_soon(called));
        let spawned = count(&self.done);
        drop(Promise::spawn(async move {
            spawned();
            Ok(())
        }));
        assert_eq!(self.promise.clone().wait().unwrap(), 1);
        // A pool's job, waited for here, and one whose handler runs elsewhere.
        let (job, after) = (count(&self.done), count(&self.done));
        self.pool.submit(job).wait().unwrap();
        drop(self.pool.submit(|| 1).map(move |_| after()));
        drop(self.pool.submit(|| 1).timeout(Duration::from_secs(3600)));
        drop(Promise::all([Promise::resolve(1), self.promise.clone()]));
        let _ = LoopHandle::current();
    }
}

#[test]
fn thread_local_destructors_may_use_everything() {
    thread_local! {
        static WORDS: RefCell<Option<LastWords>> = const { RefCell::new(None) };
        static OWN_LOOP: RefCell<Option<EventLoop>> = const { RefCell::new(None) };
    }
    in_child(|| {
        // Destructors run in an order that depends on who was first: ours or the library's.
        for library_first in [true, false] {
            let done = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&done);
            let thread = thread::spawn(move || {
                let warm_up = || {
                    let event_loop = EventLoop::new();
                    let outcome = event_loop.run(async { Promise::resolve(1).map(|n| n + 1).await });
                    assert_eq!(outcome.unwrap(), 2);
                    event_loop
                };
                if library_first {
                    drop(warm_up());
                }
                let (promise, resolver) = Promise::with_resolvers();
                let words = LastWords {
                    resolver,
                    promise,
                    handle: LoopHandle::global(),
                    pool: ThreadPool::new(1),
                    done: counter,
                };
                WORDS.set(Some(words));
                let event_loop = warm_up();
                drop(event_loop.handle().call_soon(|| unreachable!("nobody runs this loop any more")));
                OWN_LOOP.set(Some(event_loop));
            });
            thread.join().unwrap();
            eventually(|| done.load(Ordering::SeqCst) == 7);
        }
    });
}

/// The same in a worker's thread-local, with the pool that the worker belongs to.
#[test]
fn the_destructors_of_a_workers_locals_may_use_its_pool() {
    thread_local! {
        static WORDS: RefCell<Option<LastWords>> = const { RefCell::new(None) };
    }
    in_child(|| {
        let done = Arc::new(AtomicUsize::new(0));
        let (counter, pool) = (Arc::clone(&done), ThreadPool::new(1));
        let other = ThreadPool::new(1);
        pool.submit(move || {
            let (promise, resolver) = Promise::with_resolvers();
            let handle = LoopHandle::global();
            WORDS.set(Some(LastWords { resolver, promise, handle, pool: other, done: counter }));
        })
        .wait()
        .unwrap();
        drop(pool);
        eventually(|| done.load(Ordering::SeqCst) == 7);
    });
}

/// A loop whose thread goes, with everything that was asked of it: nothing of it may run, and nothing may hang.
#[test]
fn a_loop_in_a_thread_local_rejects_what_it_owned() {
    thread_local! {
        static OWN: RefCell<Option<EventLoop>> = const { RefCell::new(None) };
    }
    in_child(|| {
        let (derived, spawned, delayed, handle) = thread::spawn(|| {
            let event_loop = EventLoop::new();
            let current = event_loop.enter();
            let derived = Promise::resolve(1).map(|n: u8| n);
            let spawned = Promise::spawn(futures::future::pending::<Result<(), thenable::Rejection>>());
            let delayed = thenable::delay(Duration::from_secs(3600));
            drop(current);
            let handle = event_loop.handle();
            OWN.set(Some(event_loop));
            (derived, spawned, delayed, handle)
        })
        .join()
        .unwrap();
        assert!(handle.is_closed());
        assert_fault!(derived.wait(), thenable::Fault::LoopClosed);
        assert_fault!(spawned.wait(), thenable::Fault::LoopClosed);
        assert_fault!(delayed.wait(), thenable::Fault::LoopClosed);
    });
}
