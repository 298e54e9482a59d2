//! Timers and signals against settles and cancels.

use crate::kit::{Log, Token, Tokens, Why, explore, reports, spawn, why, with_loop};
use std::time::Duration;
use thenable::{AbortController, AbortSignal, CancelOutcome, EventLoop, Promise, delay};

const MOMENT: Duration = Duration::from_millis(5);

/// (A closure that only looks at the number would not own the token.)
fn number_of(token: Token) -> usize {
    token.number
}

/// A delay that a controller on another thread aborts while it fires: it fulfils or is cancelled, and its timer is gone.
#[test]
fn s19_abort_against_a_timer() {
    explore(|| {
        let (tokens, reports) = (Tokens::default(), reports());
        let controller = AbortController::new();
        let signal = controller.signal();
        let aborting = spawn(move || controller.abort("enough"));
        with_loop(|event_loop| {
            let slept = Promise::delay(MOMENT, tokens.make(7)).abort_on(&signal);
            match event_loop.run(slept) {
                Ok(token) => assert_eq!(token.number, 7),
                Err(reason) => assert!(why(&reason) == Why::Cancelled && signal.aborted()),
            }
            event_loop.run_until_idle().unwrap();
        });
        aborting.join().unwrap();
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// A signal of a controller and a timer, which abort on two threads: the listener runs once, with the reason that the signal
/// gives ever after, and a listener that comes late runs with the same.
#[test]
fn s20_any_signal_has_one_reason() {
    explore(|| {
        let reports = reports();
        let controller = AbortController::new();
        let log = Log::default();
        with_loop(|event_loop| {
            let signal = AbortSignal::any([controller.signal(), AbortSignal::timeout(MOMENT)]);
            let noted = log.clone();
            signal.on_abort(move |reason| noted.note(reason.to_string()));
            let aborting = spawn(move || controller.abort("by hand"));
            let (late, watched) = (log.clone(), signal.clone());
            let looking = spawn(move || {
                let first = watched.reason();
                watched.on_abort(move |reason| late.note(reason.to_string()));
                let second = watched.reason();
                first.is_none_or(|first| second.is_some_and(|second| first.as_str() == second.as_str()))
            });
            event_loop.run(delay(2 * MOMENT)).unwrap();
            aborting.join().unwrap();
            assert!(looking.join().unwrap(), "the reason changed");
            let reason = signal.reason().unwrap().to_string();
            assert_eq!(log.notes(), [reason.clone(), reason]);
        });
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// `timeout` against a settle and a cancel of the result: a value in time, a timeout that asks the producer to stop, or a
/// cancellation, and the timer is disarmed by each.
#[test]
fn s21_timeout_against_settle_and_cancel() {
    explore(|| {
        let (tokens, reports, stopped) = (Tokens::default(), reports(), Log::default());
        with_loop(|event_loop| {
            let (promise, resolver) = Promise::with_resolvers();
            let noted = stopped.clone();
            resolver.on_cancel(move |reason| noted.note(reason.to_string()));
            let timed = promise.timeout(MOMENT);
            let handle = timed.clone();
            let token = tokens.make(7);
            let settling = spawn(move || resolver.resolve(token).is_ok());
            let cancelling = spawn(move || handle.cancel("enough") == CancelOutcome::Cancelled);
            let outcome = event_loop.run(timed);
            let (resolved, cancelled) = (settling.join().unwrap(), cancelling.join().unwrap());
            match outcome {
                Ok(token) => assert!(resolved && !cancelled && token.number == 7),
                Err(reason) => assert_eq!(cancelled, why(&reason) == Why::Cancelled, "{reason:?}"),
            }
            // Whoever was told to stop was refused, or had nobody to settle for any more.
            assert!(stopped.count() <= 1 && !(resolved && stopped.count() == 1), "{stopped:?}");
            event_loop.run_until_idle().unwrap();
        });
        tokens.assert_gone();
        assert_eq!(reports.notes(), [""; 0]);
    });
}

/// A listener that one thread removes while another aborts and a third registers a second one: removed means that it never
/// runs, and whoever registers, early or late, is called once.
#[test]
fn s22_listeners_against_abort() {
    explore(|| {
        let controller = AbortController::new();
        let (signal, log, tokens) = (controller.signal(), Log::default(), Tokens::default());
        let listener = |number, token| {
            let noted = log.clone();
            signal.on_abort(move |_| {
                noted.note(number);
                drop(token);
            })
        };
        let first = listener(1, tokens.make(1));
        let removing = spawn(move || first.remove());
        let aborting = spawn(move || controller.abort("enough"));
        drop(listener(2, tokens.make(2)));
        aborting.join().unwrap();
        let removed = removing.join().unwrap();
        let mut notes = log.notes();
        notes.sort_unstable();
        assert_eq!(notes, if removed { vec![2] } else { vec![1, 2] });
        tokens.assert_gone();
    });
}

/// `call_later` that is cancelled from another thread while the loop fires it, beside a timer that a third thread sets for
/// sooner: cancelled means that it does not run, and the sleeping loop sees the new timer.
#[test]
fn s23_timers_from_other_threads() {
    explore(|| {
        let (tokens, log) = (Tokens::default(), Log::default());
        let event_loop = EventLoop::new();
        let (noted, token) = (log.clone(), tokens.make(1));
        let timer = event_loop.handle().call_later(2 * MOMENT, move || noted.note(number_of(token)));
        let cancelling = spawn(move || timer.cancel());
        let (done, resolver) = Promise::<()>::with_resolvers();
        let handle = event_loop.handle();
        let setting = spawn(move || drop(handle.call_later(MOMENT, move || drop(resolver.resolve(())))));
        event_loop.run(done).unwrap();
        setting.join().unwrap();
        let cancelled = cancelling.join().unwrap();
        event_loop.run_until_idle().unwrap();
        assert_eq!(log.count(), usize::from(!cancelled));
        event_loop.close();
        tokens.assert_gone();
    });
}

/// A loop that is watched for long steps runs, is woken by another thread and closes: its watcher sees the end of it.
#[test]
fn s24_a_watched_loop_closes() {
    explore(|| {
        let event_loop = EventLoop::builder().watchdog(MOMENT, |_| ()).build();
        let (promise, resolver) = Promise::<()>::with_resolvers();
        let settling = spawn(move || drop(resolver.resolve(())));
        event_loop.run(promise).unwrap();
        settling.join().unwrap();
        event_loop.close();
    });
}
