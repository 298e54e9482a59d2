//! What the promises of a program hold: plain types, and types that count their instances.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use thenable::{Fault, Promise, Rejection, Resolution};

/// Values of a program: a bare number, or one whose instances are counted.
pub(crate) trait Value: Clone + Send + Sync + 'static {
    fn new(number: i64) -> Self;
    fn number(&self) -> i64;
}

/// Reasons of a program.
pub(crate) trait Reason: From<Fault> + Clone + Send + Sync + 'static {
    fn new(text: &str) -> Self;
    fn text(&self) -> String;
    fn attempt<T: Value>(f: impl FnOnce() -> Resolution<T, Self>) -> Promise<T, Self>;
}

impl Value for i64 {
    fn new(number: i64) -> Self {
        number
    }
    fn number(&self) -> i64 {
        *self
    }
}

impl Reason for Rejection {
    fn new(text: &str) -> Self {
        text.into()
    }
    fn text(&self) -> String {
        self.fault().map_or_else(|| self.to_string(), fault_text)
    }
    fn attempt<T: Value>(f: impl FnOnce() -> Resolution<T, Self>) -> Promise<T, Self> {
        Promise::attempt(f)
    }
}

fn fault_text(fault: &Fault) -> String {
    match fault {
        Fault::Abandoned { .. } => "abandoned".into(),
        Fault::Cancelled { .. } => "cancelled".into(),
        Fault::Cycle => "cycle".into(),
        Fault::Panicked { .. } => "panicked".into(),
        fault => fault.to_string(),
    }
}

thread_local! {
    /// Instances of `Counted` that live, by what is in them.
    static ALIVE: RefCell<BTreeMap<usize, String>> = const { RefCell::new(BTreeMap::new()) };
    static NEXT: Cell<usize> = const { Cell::new(0) };
}

/// Drops exactly once, or the test fails.
pub(crate) struct Counted<X> {
    content: X,
    number: usize,
}

impl<X: ToString> Counted<X> {
    fn count(content: X) -> Self {
        let number = NEXT.try_with(|next| next.replace(next.get() + 1)).expect("the thread lives");
        ALIVE.try_with(|alive| alive.borrow_mut().insert(number, content.to_string())).expect("the thread lives");
        Self { content, number }
    }
}

impl<X: ToString + Clone> Clone for Counted<X> {
    fn clone(&self) -> Self {
        Self::count(self.content.clone())
    }
}

impl<X> Drop for Counted<X> {
    fn drop(&mut self) {
        let removed = ALIVE.try_with(|alive| alive.borrow_mut().remove(&self.number)).expect("the thread lives");
        assert!(removed.is_some(), "dropped twice");
    }
}

impl Value for Counted<i64> {
    fn new(number: i64) -> Self {
        Self::count(number)
    }
    fn number(&self) -> i64 {
        self.content
    }
}

impl Reason for Counted<String> {
    fn new(text: &str) -> Self {
        Self::count(text.into())
    }
    fn text(&self) -> String {
        self.content.clone()
    }
    /// `Promise::attempt` is for the dynamic reason alone.
    fn attempt<T: Value>(f: impl FnOnce() -> Resolution<T, Self>) -> Promise<T, Self> {
        let decided = catch_unwind(AssertUnwindSafe(f));
        match decided.unwrap_or_else(|_| Resolution::Reject(Self::new("panicked"))) {
            Resolution::Resolve(value) => Promise::fulfilled(value),
            Resolution::Reject(reason) => Promise::rejected(reason),
            Resolution::Adopt(inner) => {
                let (promise, resolver) = Promise::pending();
                assert!(resolver.adopt(inner).is_ok(), "nobody else has the resolver");
                promise
            }
        }
    }
}

impl From<Fault> for Counted<String> {
    fn from(fault: Fault) -> Self {
        Self::count(fault_text(&fault))
    }
}

/// What is in the instances of `Counted` that live, which are then forgotten.
pub(crate) fn take_alive() -> Vec<String> {
    ALIVE.try_with(RefCell::take).expect("the thread lives").into_values().collect()
}
