//! What belongs to a whole process: its panics, and the hook for unhandled rejections.

use std::sync::{Arc, Mutex};

use thenable::{EventLoop, Fault, LoopHandle, Promise};

use crate::support::in_child;

#[test]
fn a_panic_in_a_handler_never_aborts() {
    in_child(|| {
        for round in 0..100 {
            let why = Promise::resolve(round).map(|n: i32| -> i32 { panic!("round {n}") }).wait().unwrap_err();
            assert!(matches!(why.fault(), Some(Fault::Panicked { .. })), "{why:?}");
            drop(LoopHandle::global().call_soon(|| panic!("called")));
            assert_fault!(Promise::<()>::spawn(async { panic!("task") }).wait(), Fault::Panicked { .. });
        }
        assert_eq!(Promise::resolve(1).map(|n| n + 1).wait().unwrap(), 2, "the global loop goes on");
    });
}

/// In a child, because the hook belongs to the whole process.
#[test]
fn unhandled_rejections_are_reported_once() {
    in_child(|| {
        type Reports = Arc<Mutex<Vec<(String, u32)>>>;
        let reports: Reports = Arc::default();
        let sink = Arc::clone(&reports);
        thenable::on_unhandled_rejection(move |unhandled| {
            let text = unhandled.reason().map_or_else(String::new, ToString::to_string);
            sink.lock().unwrap().push((text, unhandled.created_at().line()));
        });
        let event_loop = EventLoop::new();
        let _current = event_loop.enter();

        let line = line!() + 1;
        drop(Promise::<u8>::reject("lost"));
        assert!(reports.lock().unwrap().is_empty(), "not before the job queue has drained");
        event_loop.run_until_idle().unwrap();
        event_loop.run_until_idle().unwrap();
        assert_eq!(*reports.lock().unwrap(), [("lost".to_owned(), line)]);
        reports.lock().unwrap().clear();

        // One branch is caught, its sibling is not.
        let source = Promise::<u8>::reject("branch");
        drop(source.clone().catch(|_| Ok(0)));
        drop(source.map(|n| n + 1));
        event_loop.run_until_idle().unwrap();
        assert_eq!(reports.lock().unwrap().len(), 1);
        assert_eq!(reports.lock().unwrap()[0].0, "branch");
        reports.lock().unwrap().clear();

        // Each of these is somebody's business.
        let marked = Promise::<u8>::reject("marked");
        marked.mark_handled();
        drop(marked);
        let peeked = Promise::<u8>::reject("peeked");
        assert!(peeked.peek().is_some());
        drop(peeked);
        assert!(event_loop.run(Promise::<u8>::reject("awaited")).is_err());
        drop(Promise::<u8>::reject("caught").catch(|_| Ok(0)));
        let (cancelled, resolver) = Promise::<u8>::with_resolvers();
        cancelled.cancel("not wanted");
        drop((cancelled, resolver));
        drop(Promise::all([Promise::<u8>::reject("member"), Promise::reject("other member")]).catch(|_| Ok(vec![])));
        let held = Promise::<u8>::reject("held");
        event_loop.run_until_idle().unwrap();
        assert_eq!(*reports.lock().unwrap(), []);
        drop(held);
        event_loop.run_until_idle().unwrap();
        assert_eq!(reports.lock().unwrap().len(), 1, "reported when the last handle goes");
    });
}
