//! The async trace of a rejection: where it was made, then one place for each link that it passed.

use thenable::{Promise, Rejection, Resolution};

use crate::common::no;
use crate::support::on_loop;

/// The lines of a trace, all in this file.
#[track_caller]
fn lines(why: &Rejection) -> Vec<u32> {
    for site in why.trace() {
        assert_eq!(site.file(), file!(), "the place is the caller's, not the library's");
    }
    why.trace().iter().map(|site| site.line()).collect()
}

#[test]
fn begins_with_the_place_of_the_rejection() {
    on_loop(|event_loop| {
        let rejected = (Promise::<i32>::reject("no"), line!());
        assert_eq!(lines(&event_loop.run(rejected.0).unwrap_err()), [rejected.1]);

        let (promise, resolver) = Promise::<i32>::with_resolvers();
        let line = line!() + 1;
        resolver.reject("no".into()).unwrap();
        assert_eq!(lines(&event_loop.run(promise).unwrap_err())[0], line);
    });
}

#[test]
fn has_one_place_for_each_link_that_was_passed() {
    on_loop(|event_loop| {
        let first = line!() + 1;
        let chain = Promise::<i32>::reject("no")
            .map(|n| n + 1)
            .then(|n| Ok(n + 1))
            .finally(|| ())
            .tap(|_| ())
            .tap_err(|_| ())
            .catch_if(|_| false, |_| Ok(0));
        let why = event_loop.run(chain).unwrap_err();
        assert_eq!(lines(&why), Vec::from_iter(first..first + 7));
    });
}

#[test]
fn a_handler_that_passes_the_reason_on_is_one_place_too() {
    on_loop(|event_loop| {
        let line = line!() + 1;
        let chain = no("no").catch(Err).then_or(Ok, Err).map(|n| n + 1);
        assert_eq!(lines(&event_loop.run(chain).unwrap_err()), [line; 4]);
    });
}

#[test]
fn begins_with_the_handler_that_failed() {
    on_loop(|event_loop| {
        let first = line!() + 1;
        let chain = Promise::resolve("seven").then(|text| {
            let n: i32 = text.parse()?;
            Ok(n)
        });
        let chain = chain.map(|n| n + 1);
        let lines = lines(&event_loop.run(chain).unwrap_err());
        assert_eq!(lines[0], first + 1, "the `?`");
        assert_eq!(lines[lines.len() - 1], first + 4, "the link behind it");
    });
}

#[test]
fn ends_where_the_rejection_was_caught() {
    on_loop(|event_loop| {
        let chain = no("no").map(|n| n + 1).catch(|why| Ok(i32::try_from(why.trace().len()).unwrap_or(-1)));
        let seen_by_catch = event_loop.run(chain).unwrap();
        assert!((2..=3).contains(&seen_by_catch), "made, passed `map`, came to `catch`: {seen_by_catch}");
        let first = line!() + 1;
        let fresh = no("old").map(|n| n + 1).catch(|_| Err("fresh".into()));
        let lines = lines(&event_loop.run(fresh).unwrap_err());
        assert_eq!(lines[0], first, "a fresh reason begins a trace of its own");
        assert!(lines.len() <= 2, "{lines:?}");
    });
}

#[test]
fn goes_on_through_adopted_promises() {
    on_loop(|event_loop| {
        let inner_line = line!() + 1;
        let inner = || no("inner").map(|n| n + 1);
        let outer = Promise::resolve(0).then(move |_| Resolution::Adopt(inner()));
        let last_line = line!() + 1;
        let why = event_loop.run(outer.map(|n| n + 1)).unwrap_err();
        let lines = lines(&why);
        assert_eq!(lines[..2], [inner_line, inner_line], "made there, passed the link there");
        assert_eq!(lines[lines.len() - 1], last_line);
    });
}

#[test]
fn branches_have_traces_of_their_own() {
    on_loop(|event_loop| {
        let source = no("no");
        let line = line!() + 1;
        let one = source.clone().map(|n| n + 1);
        let two = source.map(|n| n + 1).map(|n| n + 1);
        let (one, two) = (event_loop.run(one).unwrap_err(), event_loop.run(two).unwrap_err());
        assert_eq!(lines(&one)[1..], [line]);
        assert_eq!(lines(&two)[1..], [line + 1, line + 1]);
    });
}

#[test]
fn a_panic_has_a_trace_too() {
    crate::support::quiet_bombs();
    on_loop(|event_loop| {
        let line = line!() + 1;
        let chain = Promise::resolve(1).map(|_| -> i32 { panic!("bomb") });
        let why = event_loop.run(chain.map(|n| n + 1)).unwrap_err();
        assert_eq!(lines(&why), [line, line + 1]);
    });
}

#[test]
fn debug_prints_it() {
    on_loop(|event_loop| {
        let why = event_loop.run(no("no").map(|n| n + 1)).unwrap_err();
        let text = format!("{why:?}");
        for site in why.trace() {
            assert!(text.contains(&format!("at {site}")), "{text}");
        }
        assert!(text.starts_with("no\n"), "{text}");
    });
}
