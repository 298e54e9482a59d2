//! Several chains at once: the order in which they print, against Node's.

use thenable::{Fault, LoopHandle, Promise, Rejection, Resolution};

use crate::common::{Seen, assert_log, no, on_tick};

type Log = Seen<&'static str>;

fn done() -> Promise<()> {
    Promise::resolve(())
}

/// `p.then(() => log(a)).then(() => log(b))...`
fn logs<T, E, const N: usize>(log: &Log, promise: Promise<T, E>, entries: [&'static str; N])
where
    T: Send + 'static,
    E: From<Fault> + Send + 'static,
{
    let mut entries = entries.into_iter().map(|entry| log.noting(entry));
    let first = entries.next().unwrap();
    let chain = promise.map(move |_| first(()));
    drop(entries.fold(chain, |chain, note| chain.map(note)));
}

#[test]
fn two_chains_alternate() {
    // js: Promise.resolve().then(() => log('a1')).then(() => log('a2')).then(() => log('a3'));
    // js: Promise.resolve().then(() => log('b1')).then(() => log('b2')).then(() => log('b3'))
    assert_log(["a1", "b1", "a2", "b2", "a3", "b3"], |log| {
        logs(log, done(), ["a1", "a2", "a3"]);
        logs(log, done(), ["b1", "b2", "b3"]);
    });
}

#[test]
fn a_returned_promise_takes_two_extra_turns() {
    // js: Promise.resolve().then(() => { log('0'); return Promise.resolve('4') }).then(log);
    // js: Promise.resolve().then(() => log('1')).then(() => log('2')).then(() => log('3'))
    // js:     .then(() => log('5')).then(() => log('6'))
    assert_log(["0", "1", "2", "3", "4", "5", "6"], |log| {
        let zero = log.noting("0");
        let four = log.clone();
        drop(done().then(|()| Promise::resolve(zero("4"))).map(move |text| four.add(text)));
        logs(log, done(), ["1", "2", "3", "5", "6"]);
    });
}

#[test]
fn a_chained_promise_a_finally_and_a_catch() {
    // js: Promise.resolve().finally(() => log('f1')).then(() => log('f2'));
    // js: Promise.reject('no').catch(() => log('c1')).then(() => log('c2')).then(() => log('c3'));
    // js: Promise.resolve().then(() => log('t1')).then(() => log('t2')).then(() => log('t3')).then(() => log('t4'))
    assert_log(["f1", "c1", "t1", "c2", "t2", "c3", "t3", "f2", "t4"], |log| {
        let f1 = log.noting("f1");
        logs(log, done().finally(move || f1(())), ["f2"]);
        let c1 = log.clone();
        logs(log, Promise::<()>::reject("no").catch(move |_| c1.add("c1")), ["c2", "c3"]);
        logs(log, done(), ["t1", "t2", "t3", "t4"]);
    });
}

#[test]
fn a_rejection_walks_down_while_others_run() {
    // js: Promise.reject('no').then(() => log('never')).then(() => log('never')).catch(() => log('caught'));
    // js: Promise.resolve().then(() => log('1')).then(() => log('2')).then(() => log('3')).then(() => log('4'))
    assert_log(["1", "2", "caught", "3", "4"], |log| {
        let caught = log.clone();
        let never = Promise::<()>::reject("no").map(log.noting("never")).map(log.noting("never"));
        drop(never.catch(move |_| caught.add("caught")));
        logs(log, done(), ["1", "2", "3", "4"]);
    });
}

#[test]
fn call_soon_takes_its_place_among_the_handlers() {
    // js: queueMicrotask(() => log('m1'));
    // js: Promise.resolve().then(() => { log('t1'); queueMicrotask(() => log('m3')) }).then(() => log('t2'));
    // js: queueMicrotask(() => { log('m2'); Promise.resolve().then(() => log('t3')) })
    assert_log(["m1", "t1", "m2", "m3", "t2", "t3"], |log| {
        let soon = |entry| {
            let noted = log.noting(entry);
            move || drop(LoopHandle::current().unwrap().call_soon(move || noted(())))
        };
        soon("m1")();
        let (t1, m3) = (log.noting("t1"), soon("m3"));
        logs(log, done().map(move |()| (t1(()), m3()).1), ["t2"]);
        let (m2, t3) = (log.noting("m2"), log.clone());
        drop(LoopHandle::current().unwrap().call_soon(move || {
            m2(());
            logs(&t3, done(), ["t3"]);
        }));
    });
}

#[test]
fn a_handler_registered_in_a_handler_goes_last() {
    // js: const p = Promise.resolve();
    // js: p.then(() => { p.then(() => log('3')); log('1') });
    // js: p.then(() => log('2'))
    assert_log(["1", "2", "3"], |log| {
        let p = done();
        let (inner, again) = (log.clone(), p.clone());
        drop(p.clone().map(move |()| {
            logs(&inner, again, ["3"]);
            inner.add("1");
        }));
        logs(log, p, ["2"]);
    });
}

#[test]
fn settled_in_a_handler_of_another_chain() {
    // js: const d = deferred();
    // js: d.promise.then(() => log('d1')).then(() => log('d2'));
    // js: Promise.resolve().then(() => { d.resolve(); log('t1') }).then(() => log('t2')).then(() => log('t3'))
    assert_log(["t1", "d1", "t2", "d2", "t3"], |log| {
        let (promise, resolver) = Promise::with_resolvers();
        logs(log, promise, ["d1", "d2"]);
        let t1 = log.clone();
        let first = done().map(move |()| {
            resolver.resolve(()).unwrap();
            t1.add("t1");
        });
        logs(log, first, ["t2", "t3"]);
    });
}

#[test]
fn adopting_against_a_chain() {
    // js: const d = deferred(); d.resolve(Promise.resolve());
    // js: d.promise.then(() => log('d1')).then(() => log('d2'));
    // js: Promise.resolve().then(() => log('t1')).then(() => log('t2')).then(() => log('t3')).then(() => log('t4'))
    assert_log(["t1", "t2", "d1", "t3", "d2", "t4"], |log| {
        let (promise, resolver) = Promise::with_resolvers();
        resolver.adopt(done()).unwrap();
        logs(log, promise, ["d1", "d2"]);
        logs(log, done(), ["t1", "t2", "t3", "t4"]);
    });
}

#[test]
fn recursion_beside_a_chain() {
    // js: const step = n => { log('step ' + n); return Promise.resolve(n).then(n => n == 0 ? 0 : step(n - 1)) };
    // js: step(2).then(() => log('end'));
    // js: Promise.resolve().then(() => log('1')).then(() => log('2')).then(() => log('3')).then(() => log('4'))
    // js:     .then(() => log('5')).then(() => log('6')).then(() => log('7'))
    fn step(log: Log, n: usize) -> Promise<usize> {
        log.add(["step 0", "step 1", "step 2"][n]);
        Promise::resolve(n).then(move |n| match n {
            0 => Resolution::Resolve(0),
            _ => Resolution::Adopt(step(log, n - 1)),
        })
    }
    assert_log(["step 2", "step 1", "1", "step 0", "2", "3", "4", "5", "end", "6", "7"], |log| {
        logs(log, step(log.clone(), 2), ["end"]);
        logs(log, done(), ["1", "2", "3", "4", "5", "6", "7"]);
    });
}

#[test]
fn all_between_the_handlers_of_its_members() {
    // js: const p = Promise.resolve();
    // js: p.then(() => log('1')).then(() => log('3'));
    // js: Promise.all([p]).then(() => log('4')).then(() => log('6'));
    // js: p.then(() => log('2')).then(() => log('5'))
    assert_log(["1", "2", "3", "4", "5", "6"], |log| {
        let p = done();
        logs(log, p.clone(), ["1", "3"]);
        logs(log, Promise::all([p.clone()]), ["4", "6"]);
        logs(log, p, ["2", "5"]);
    });
}

#[test]
fn all_settled_between_the_handlers_of_its_members() {
    // js: const p = Promise.resolve(), q = Promise.reject('no');
    // js: p.then(() => log('p1')).then(() => log('p2')).then(() => log('p3'));
    // js: Promise.allSettled([p, q]).then(() => log('all'));
    // js: q.catch(() => log('q1')).then(() => log('q2')).then(() => log('q3'))
    assert_log(["p1", "q1", "p2", "all", "q2", "p3", "q3"], |log| {
        let (p, q) = (done(), Promise::<()>::reject("no"));
        logs(log, p.clone(), ["p1", "p2", "p3"]);
        logs(log, Promise::all_settled([p, q.clone()]), ["all"]);
        let q1 = log.clone();
        logs(log, q.catch(move |_| q1.add("q1")), ["q2", "q3"]);
    });
}

#[test]
fn any_passes_over_the_rejections() {
    // js: const p = Promise.reject('no'), q = Promise.resolve();
    // js: p.catch(() => log('p1')).then(() => log('p2')).then(() => log('p3'));
    // js: Promise.any([p, q.then(() => log('q1'))]).then(() => log('any'));
    // js: q.then(() => log('q2')).then(() => log('q3')).then(() => log('q4'))
    assert_log(["p1", "q1", "q2", "p2", "q3", "p3", "any", "q4"], |log| {
        let (p, q) = (Promise::<()>::reject("no"), done());
        let p1 = log.clone();
        logs(log, p.clone().catch(move |_| p1.add("p1")), ["p2", "p3"]);
        logs(log, Promise::any([p, q.clone().map(log.noting("q1"))]), ["any"]);
        logs(log, q, ["q2", "q3", "q4"]);
    });
}

#[test]
fn race_of_equals_goes_to_the_first_member() {
    // js: const p = Promise.resolve('p'), q = Promise.resolve('q');
    // js: Promise.race([q, p]).then(log);
    // js: Promise.race([p, q]).then(log);
    // js: Promise.race([p.then(v => v), q]).then(log)
    assert_log(["q", "p", "q"], |log| {
        let (p, q) = (Promise::resolve("p"), Promise::resolve("q"));
        let tell = |race: Promise<&'static str>| {
            let log = log.clone();
            drop(race.map(move |winner| log.add(winner)));
        };
        tell(Promise::race([q.clone(), p.clone()]));
        tell(Promise::race([p.clone(), q.clone()]));
        tell(Promise::race([p.map(|v| v), q]));
    });
}

#[test]
fn combinators_side_by_side() {
    // js: const p = Promise.resolve();
    // js: Promise.race([p]).then(() => log('race'));
    // js: Promise.all([p, p]).then(() => log('all'));
    // js: Promise.any([p]).then(() => log('any'));
    // js: Promise.allSettled([p, p, p]).then(() => log('allSettled'));
    // js: Promise.all([]).then(() => log('empty'));
    // js: p.then(() => log('1')).then(() => log('2')).then(() => log('3'))
    assert_log(["empty", "1", "race", "all", "any", "allSettled", "2", "3"], |log| {
        let p = done();
        logs(log, Promise::race([p.clone()]), ["race"]);
        logs(log, Promise::all([p.clone(), p.clone()]), ["all"]);
        logs(log, Promise::any([p.clone()]), ["any"]);
        logs(log, Promise::all_settled([p.clone(), p.clone(), p.clone()]), ["allSettled"]);
        logs(log, Promise::<i32>::all([]), ["empty"]);
        logs(log, p, ["1", "2", "3"]);
    });
}

#[test]
fn finally_that_waits_holds_the_chain() {
    // js: const d = deferred(); onTick(4, () => { log('open'); d.resolve() });
    // js: Promise.resolve().finally(() => d.promise).then(() => log('after'));
    // js: Promise.resolve().then(() => log('1')).then(() => log('2')).then(() => log('3')).then(() => log('4'))
    // js:     .then(() => log('5')).then(() => log('6')).then(() => log('7'))
    assert_log(["1", "2", "3", "open", "4", "5", "6", "after", "7"], |log| {
        let (gate, resolver) = Promise::with_resolvers();
        let open = log.clone();
        on_tick(4, move || {
            open.add("open");
            resolver.resolve(()).unwrap();
        });
        logs(log, done().finally(move || gate), ["after"]);
        logs(log, done(), ["1", "2", "3", "4", "5", "6", "7"]);
    });
}

#[test]
fn branches_of_a_rejection_run_in_registration_order() {
    // js: const p = Promise.reject('no');
    // js: p.catch(() => { log('a'); throw 'again' }).catch(() => log('d'));
    // js: p.then(() => log('never'), () => log('b')).finally(() => log('e'));
    // js: p.catch(() => log('c'))
    assert_log(["a", "b", "c", "d", "e"], |log| {
        let p = no("no");
        let told = |entry| {
            let log = log.clone();
            move |_: Rejection| {
                log.add(entry);
                Ok(0)
            }
        };
        let (a, d) = (log.clone(), told("d"));
        let again = p.clone().catch(move |why| {
            a.add("a");
            Err(why)
        });
        drop(again.catch(d));
        let (never, e) = (log.noting("never"), log.noting("e"));
        drop(p.clone().then_or(|n| Ok(never(n)), told("b")).finally(move || e(())));
        drop(p.catch(told("c")));
    });
}

#[test]
fn async_code_is_translated_link_by_link() {
    // js: const f = async tag => { log(tag + '1'); await null; log(tag + '2'); await null; log(tag + '3') };
    // js: f('a').then(() => log('a4')); f('b').then(() => log('b4'))
    fn f(log: &Log, entries: [&'static str; 3]) -> Promise<()> {
        log.add(entries[0]);
        done().map(log.noting(entries[1])).map(log.noting(entries[2]))
    }
    assert_log(["a1", "b1", "a2", "b2", "a3", "b3", "a4", "b4"], |log| {
        logs(log, f(log, ["a1", "a2", "a3"]), ["a4"]);
        logs(log, f(log, ["b1", "b2", "b3"]), ["b4"]);
    });
}
