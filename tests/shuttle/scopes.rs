//! Scopes whose parts end, fail and are cancelled on other threads.

use crate::kit::{Log, Remote, Tokens, Why, explore, flip, reports, spawn, why, with_loop};
use thenable::{CancelOutcome, ExecutorExt, Promise, ThreadPool, scope};

/// A scope of two children, one of which fails by another thread's hand, while a third thread cancels the scope: it settles
/// when both are over and their values gone, with the failure or the cancellation or the value.
#[test]
fn s49_a_scope_ends_last() {
    explore(|| {
        let (tokens, reports, fails) = (Tokens::default(), reports(), flip());
        with_loop(|event_loop| {
            let (one, settle_one) = Promise::<()>::with_resolvers();
            let (two, settle_two) = Promise::<()>::with_resolvers();
            // The child may be cancelled before it waits for it.
            two.mark_handled();
            let held = [tokens.make(1), tokens.make(2)];
            let children = Log::default();
            let noted = children.clone();
            let work = scope(move |scope| async move {
                let [first, second] = held;
                noted.note(scope.spawn(async move {
                    one.await?;
                    Ok(first.number)
                }));
                noted.note(scope.spawn(async move {
                    let _second = second;
                    two.await?;
                    Ok(2)
                }));
                Ok(7)
            });
            let handle = work.clone();
            let cancelling = spawn(move || handle.cancel("enough") == CancelOutcome::Cancelled);
            let settling = spawn(move || drop(settle_one.resolve(())));
            let failing = spawn(move || match fails {
                true => drop(settle_two.reject("no".into())),
                false => drop(settle_two.resolve(())),
            });
            let outcome = event_loop.run(work);
            assert!(children.notes().iter().all(Promise::is_settled), "a child outlives its scope");
            assert_eq!(tokens.alive(), 0, "a child's future outlives its scope");
            let cancelled = cancelling.join().unwrap();
            match outcome {
                Ok(number) => assert!(number == 7 && !fails),
                Err(reason) if why(&reason) == Why::Cancelled => assert!(cancelled),
                Err(reason) => assert!(fails && why(&reason) == Why::Own, "{reason:?}"),
            }
            [settling, failing].into_iter().for_each(|thread| thread.join().unwrap());
        });
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// Another thread starts a child on a loop of its own while the scope ends: the child belongs to it, and is over first, or it
/// is refused as cancelled.
#[test]
fn s50_a_child_comes_while_the_scope_ends() {
    explore(|| {
        let (tokens, reports) = (Tokens::default(), reports());
        let remote = Remote::start();
        let (handle, made) = (remote.handle.clone(), tokens.clone());
        with_loop(|event_loop| {
            let (told, child) = Promise::<Promise<usize>>::with_resolvers();
            let started = Log::default();
            let noted = started.clone();
            let work = scope(move |scope| async move {
                let token = made.make(1);
                handle.call_soon(move || {
                    let late = scope.spawn(async move { Ok(token.number) });
                    noted.note(late.clone());
                    let _ = child.resolve(late);
                });
                Ok(7)
            });
            assert_eq!(event_loop.run(work).unwrap(), 7);
            let over = started.notes().iter().all(Promise::is_settled);
            match event_loop.run(told).unwrap().wait() {
                Ok(number) => assert!(number == 1),
                Err(reason) => assert_eq!(why(&reason), Why::Cancelled),
            }
            assert!(over, "a child outlives its scope");
        });
        remote.stop();
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// A scope whose child is a job of a pool, which another thread shuts down, and which is itself cancelled: it waits for the
/// job if that runs, and ends with the value or cancelled.
#[test]
fn s51_a_scope_around_a_job() {
    explore(|| {
        let (tokens, reports) = (Tokens::default(), reports());
        let pool = ThreadPool::builder().max_workers(1).build().unwrap();
        let running = Log::default();
        with_loop(|event_loop| {
            let (inside, noted, token) = (pool.clone(), running.clone(), tokens.make(1));
            let work = scope(move |scope| async move {
                let job = scope.run(move || {
                    inside.submit(move || {
                        noted.note(true);
                        let number = { token }.number;
                        noted.note(false);
                        number
                    })
                });
                job.await
            });
            let handle = work.clone();
            let cancelling = spawn(move || handle.cancel("enough") == CancelOutcome::Cancelled);
            let ends = pool.clone();
            let ending = spawn(move || ends.shutdown(thenable::Shutdown::Cancel).wait().unwrap());
            match event_loop.run(work) {
                Ok(number) => assert!(number == 1 && running.notes() == [true, false]),
                Err(reason) => assert!(matches!(why(&reason), Why::Cancelled | Why::PoolClosed), "{reason:?}"),
            }
            cancelling.join().unwrap();
            ending.join().unwrap();
        });
        drop(pool);
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}
