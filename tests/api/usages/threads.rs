use super::*;

fn assert_send<T: Send>(_: T) {}
fn assert_sync<T: Sync>(_: T) {}
fn assert_unpin<T: Unpin>() {}

fn auto_traits() {
    assert_send(Promise::resolve(1));
    assert_sync(Promise::resolve(1));
    let (p, r) = Promise::<std::cell::Cell<i32>>::with_resolvers();
    assert_send(p);
    assert_send(r.clone());
    assert_sync(r);
    assert_unpin::<Promise<std::marker::PhantomPinned, Rejection>>();
    assert_send(LoopHandle::current());
    assert_sync(LoopHandle::current());
    assert_send(Promise::resolve(1).cancel("x"));
    assert_send(thenable::as_settled([Promise::resolve(1)]));
}
fn clones(p: Promise<String>) {
    let q = p.clone();
    std::thread::spawn(move || q.wait());
    p.map(|s| s.len());
}
fn not_clone_values_move(p: Promise<Box<dyn FnOnce() + Send>>) {
    p.map(|f| f());
}
fn resolver_into_threads() {
    let (p, r) = Promise::with_resolvers();
    for n in 0..3 {
        let r = r.clone();
        std::thread::spawn(move || r.resolve(n));
    }
    p.then(|n| Ok(n + 1));
    drop(r);
}
fn resolve_into_threads() -> Promise<i32> {
    Promise::new(|resolve, reject| {
        for n in 0..3 {
            let resolve = resolve.clone();
            std::thread::spawn(move || resolve(n));
        }
        std::thread::spawn(move || reject("late".into()));
    })
}
fn stored() {
    struct Waiting {
        resolver: Option<Resolver<String>>,
        promise: Promise<String>,
    }
    let (promise, resolver) = Promise::with_resolvers();
    let w = Waiting { resolver: Some(resolver), promise };
}
