//! What the public types say of themselves under `{:?}`.

use std::fmt::Debug;
use std::time::Duration;

use thenable::{
    AbortController, EventLoop, Fault, Limiter, Promise, Rejection, Resolution, Retry, ThreadPool, as_settled,
    interval, scope,
};

#[track_caller]
fn assert_says(value: impl Debug, expected: &str) {
    assert_eq!(format!("{value:?}"), expected);
}

#[test]
fn promises_and_resolvers() {
    assert_says(Promise::resolve(1), "Promise { 1 }");
    let rejected = Promise::<u8, &str>::rejected("no");
    assert_says(&rejected, r#"Promise { <rejected> "no" }"#);
    let (promise, resolver) = Promise::<u8>::with_resolvers();
    assert_says(&promise, "Promise { <pending> }");
    assert_says(&resolver, "Resolver { wanted: true, settled: false }");
    assert_says(promise.named("page"), "Promise { <pending> } (page)");
    assert_says(&resolver, "Resolver { wanted: false, settled: false }");
    assert!(resolver.resolve(1).is_ok());
    assert_says(&resolver, "Resolver { wanted: false, settled: true }");
    let made = Promise::<u8>::new(|resolve, reject| {
        assert_says(&resolve, "Resolve");
        assert_says(&reject, "Reject");
        resolve(1);
    });
    assert!(made.is_fulfilled());
    assert_says(Promise::resolve(1).cancel_on_drop(), "CancelOnDrop(Promise { 1 })");
    assert_says(Resolution::<u8, Rejection>::Resolve(1), "Resolve(1)");
    assert_says(Resolution::<u8, &str>::Reject("no"), r#"Reject("no")"#);
    assert_says(Resolution::<u8, Rejection>::Adopt(Promise::resolve(1)), "Adopt(Promise { 1 })");
    let pool = ThreadPool::new(1);
    assert_says(Promise::resolve(1).on(&pool), "On { state: Fulfilled, .. }");
}

#[test]
fn loops_and_their_handles() {
    let builder = EventLoop::builder().name("main").virtual_clock().on_wake(|| ());
    let settings = r#"EventLoopBuilder { name: Some("main"), virtual_clock: true, strict: false, on_wake: true, "#;
    let said = format!("{builder:?}");
    assert!(said.starts_with(settings), "{said}");
    let event_loop = builder.build();
    assert_says(&event_loop, r#"EventLoop { name: Some("main"), .. }"#);
    assert_says(event_loop.enter(), "EnterGuard");
    let handle = event_loop.handle();
    assert_says(&handle, r#"LoopHandle { name: Some("main"), closed: false }"#);
    let call = handle.call_soon(|| ());
    assert_says(&call, "CallHandle { waiting: true }");
    let timer = handle.call_later(Duration::from_secs(1), || ());
    assert_says(&timer, &format!("TimerHandle {{ when: {:?}, .. }}", timer.when()));
    event_loop.run_until_idle().unwrap();
    assert_says(&call, "CallHandle { waiting: false }");
    event_loop.close();
    assert_says(&handle, r#"LoopHandle { name: Some("main"), closed: true }"#);
}

#[test]
fn combinators_and_signals() {
    let limiter = Limiter::new(2);
    let permit = limiter.try_acquire().unwrap();
    assert_says(&limiter, "Limiter { permits: 2, available: 1, waiting: 0 }");
    assert_says(permit, "Permit");
    let settled = as_settled([Promise::resolve(1), Promise::resolve(2)]);
    assert_says(&settled, "AsSettled { left: 2 }");
    assert_says(settled.into_blocking(), "Blocking { left: 2 }");
    let controller = AbortController::new();
    assert_says(controller.signal(), "AbortSignal { reason: None }");
    assert_says(&controller, "AbortController { signal: AbortSignal { reason: None } }");
    let retry = Retry::times(3).delay(Duration::from_secs(1)).abort_on(&controller.signal());
    assert_says(
        retry,
        "Retry { attempts: 3, pause: Fixed(1s), max_delay: 18446744073709551615.999999999s, jitter: false, \
         signal: Some(AbortSignal { reason: None }) }",
    );
    let event_loop = EventLoop::builder().virtual_clock().build();
    let said = event_loop.run(async {
        assert!(format!("{:?}", interval(Duration::from_secs(1))).starts_with("Interval { period: 1s, next: "));
        scope(async |scope| Ok(format!("{scope:?}"))).await
    });
    assert_eq!(said.unwrap(), "Scope { running: 1, ending: false }");
}

#[test]
fn pools() {
    let builder = ThreadPool::builder().max_workers(2).initializer(|| ());
    let said = format!("{builder:?}");
    assert!(
        said.starts_with("ThreadPoolBuilder { max_workers: Some(2), ") && said.contains("initializer: true"),
        "{said}"
    );
    let pool = builder.build().unwrap();
    let stats = "PoolStats { workers: 0, idle: 0, running: 0, queued: 0, completed: 0 }";
    assert_says(&pool, &format!("ThreadPool {{ max_workers: 2, stats: {stats}, .. }}"));
    let refused = thenable::Rejected { job: (), fault: Fault::PoolClosed };
    assert_says(refused, "Rejected { fault: PoolClosed, .. }");
}
