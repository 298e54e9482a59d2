//! A tour of the library: every constructor, chain method and combinator, in the order in which one meets them.
//!
//! `cargo run --example tour` prints the same lines every time. Each line says what happened and, where that is not
//! plain, why it happened then.

use std::collections::BTreeMap;
use std::io;
use std::thread;
use std::time::Duration;

use futures::StreamExt;
use thenable::{
    AbortController, EventLoop, ExecutorExt, Fault, LoopHandle, Promise, Rejection, Resolution, Retry, Shutdown,
    ThreadPool, WaitFor,
};

const SHORT: Duration = Duration::from_millis(1);

fn main() -> thenable::Result<()> {
    // Handlers run on the loop that was current when they were registered: here, all of them on this thread.
    EventLoop::new().run(async {
        making().await?;
        chaining().await?;
        errors().await?;
        order().await?;
        many_consumers().await?;
        combining().await?;
        many_inputs().await?;
        time().await?;
        cancelling().await?;
        pools().await
    })?;
    waiting()
}

async fn making() -> thenable::Result<()> {
    println!("# Making promises");
    let made = Promise::new(|resolve, _reject| {
        println!("new: the function runs at once");
        resolve(1);
        resolve(2); // ignored, as in JavaScript
    });
    println!("new: {made:?}, because the first settle wins");
    println!("resolve: {:?}", Promise::resolve("a value"));
    Promise::<()>::reject("text or any error").catch(|why| println!("reject: {why}")).await?;
    println!("fulfilled: {:?}", Promise::<_, io::Error>::fulfilled(2));
    let rejected = Promise::<(), _>::rejected("a reason of any type");
    println!("rejected: {rejected:?}");
    rejected.mark_handled(); // else its loss would be reported

    let parsed = Promise::attempt(|| Ok("12x".parse::<i32>()?));
    println!("attempt: `?` rejects: {}", parsed.settled().await?.is_err());
    let from = Promise::from("12".parse::<i32>()).err_into::<Rejection>();
    println!("from a Result: {}", from.await?);

    let (later, resolver) = Promise::with_resolvers();
    println!("with_resolvers: {later:?}");
    thread::spawn(move || resolver.resolve("settled by a thread"));
    println!("with_resolvers: {}", later.await?);
    let (typed, resolver) = Promise::<_, io::Error>::pending();
    println!("pending: first {:?}, second {:?} gets its value back", resolver.resolve(1), resolver.resolve(2));
    println!("pending: {}", typed.await?);
    let (outer, resolver) = Promise::with_resolvers();
    let adopted = resolver.adopt(Promise::resolve("the outcome of another promise")).is_ok();
    println!("adopt: {adopted}, then resolve is refused: {:?}", resolver.resolve("too late"));
    println!("adopt: {}", outer.await?);
    let (orphan, resolver) = Promise::<()>::with_resolvers();
    println!("is_wanted: {}", resolver.is_wanted());
    drop(resolver);
    println!("the last resolver went away: {}", reason(orphan.await));

    let spawned = Promise::spawn(async {
        println!("spawn: on a later turn, on the loop");
        Ok(7)
    });
    println!("spawn: this line is first");
    println!("spawn: {}", spawned.await?);
    println!("from_future: {}", Promise::from_future(async { Ok::<_, io::Error>(8) }).await?);
    Ok(())
}

async fn chaining() -> thenable::Result<()> {
    println!("\n# Chaining");
    let chain = Promise::resolve(2)
        .tap(|n| println!("tap: sees {n}, passes it on"))
        .map(|n| n + 1)
        .tap(|n| println!("map: a plain value, {n}"))
        .then(|n| Ok(n * 10))
        .tap(|n| println!("then: a Result, {n}"))
        .then(|n| Promise::resolve(n + 1))
        .tap(|n| println!("then: a promise is followed, {n}"))
        .then(async |n| Ok(n + Promise::resolve(1).await?))
        .tap(|n| println!("then: so is a future, {n}"))
        .then(|n| if n > 0 { Resolution::Resolve(n) } else { Resolution::Adopt(Promise::resolve(0)) })
        .tap(|n| println!("then: a Resolution decides at run time, {n}"))
        .finally(|| println!("finally: runs in any case and sees nothing"))
        .named("chain");
    println!("nothing has run yet: a handler never runs inside the call that registers it");
    println!("{}", chain.await?);
    println!("flatten: {}", Promise::resolve(Promise::resolve("one layer less")).flatten().await?);
    Ok(())
}

async fn errors() -> thenable::Result<()> {
    println!("\n# Errors");
    Promise::resolve("x7")
        .then(|text| Ok(text.parse::<i32>()?))
        .tap(|_| println!("never printed: a rejection passes by the handlers of values"))
        .tap_err(|why| println!("tap_err: {why}"))
        .catch_if(|why| why.is::<io::Error>(), |_| Ok(0))
        .tap_err(|_| println!("catch_if: that was no io::Error, so it goes on"))
        .catch(|_| Ok(0))
        .tap(|n| println!("catch: {n} instead, and the chain is fulfilled again"))
        .await?;
    let both = |input: Promise<i32>| input.then_or(|n| Ok(format!("value {n}")), |why| Ok(format!("reason {why}")));
    println!("then_or: {} and {}", both(Promise::resolve(1)).await?, both(Promise::reject("no")).await?);
    let handled = Promise::reject("no").handle(|outcome: thenable::Result<i32>| thenable::Ok(outcome.is_ok()));
    println!("handle: one handler for both outcomes, was it fulfilled? {}", handled.await?);
    let settled = Promise::<i32>::reject("no").settled().await?;
    println!("settled: fulfils with the outcome; is that an Err? {}", settled.is_err());
    let typed = Promise::<i32>::reject("no").map_err(|why| format!("<{why}>"));
    println!("map_err: another type of reason, {:?}", typed.await);
    let boxed = Promise::<i32>::reject("no").err_into::<Box<dyn std::error::Error + Send + Sync>>();
    println!("err_into: by `From`; is it an Err? {}", boxed.await.is_err());

    let printing = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {})); // the panic below is meant
    let panicked = Promise::resolve(1).then(|_| -> thenable::Result<()> { panic!("boom") }).await;
    std::panic::set_hook(printing);
    println!("a panic is a rejection: {}", reason(panicked));

    thenable::on_unhandled_rejection(|report| {
        println!("on_unhandled_rejection: {}", report.reason().map_or_else(String::new, ToString::to_string));
    });
    drop(Promise::<()>::reject("nobody listened"));
    println!("unhandled: not reported yet, a handler could still come in this turn");
    thenable::delay(SHORT).await
}

async fn order() -> thenable::Result<()> {
    println!("\n# Order: ticks of the job queue, as in ECMAScript");
    let follows = Promise::resolve(()).then(|()| Promise::resolve(())).map(|()| println!("a followed promise: tick 4"));
    let mut steps = Promise::resolve(());
    for tick in 1..=5 {
        steps = steps.map(move |()| println!("a chain of plain values: tick {tick}"));
    }
    if let Some(handle) = LoopHandle::current() {
        handle.call_soon(|| println!("call_soon: the same queue, tick 1"));
        handle.call_soon(|| println!("never printed: cancelled")).cancel();
    }
    println!("the code that registers them goes first");
    Promise::join((follows, steps)).map(|_| ()).await
}

async fn many_consumers() -> thenable::Result<()> {
    println!("\n# Many consumers, and looking without waiting");
    let (shared, resolver) = Promise::with_resolvers();
    let lengths = shared.clone().map(|text: String| println!("first handler: {} bytes", text.len()));
    let upper = shared.clone().map(|text: String| println!("second handler: {}", text.to_uppercase()));
    let _stays = shared.on_settled(|| println!("on_settled: in its place among the handlers"));
    shared.on_settled(|| println!("never printed: removed")).remove();
    println!("{:?}, {:?}, {:?}", shared.state(), shared.peek().is_some(), shared.is_pending());
    resolver.settle(Ok("text".to_string())).ok();
    println!("{:?}, {:?}, handlers still to come", shared.state(), shared.peek().and_then(Result::ok));
    Promise::join((lengths, upper)).await?;
    println!("awaited late, as often as you like: {} {}", shared.clone().await?, shared.await?);
    Ok(())
}

async fn combining() -> thenable::Result<()> {
    println!("\n# Combining");
    let (one, two, no) = (Promise::resolve(1), Promise::resolve(2), Promise::<i32>::reject("no"));
    let (never, _resolver) = Promise::<i32>::with_resolvers();
    println!("all: {:?}, in input order", Promise::all([one.clone(), two.clone()]).await?);
    let failed = Promise::all([one.clone(), no.clone(), never.clone()]).await;
    println!("all: {}, the first rejection ends it", reason(failed));
    let outcomes = Promise::all_settled([one.clone(), no.clone()]).await?;
    println!("all_settled: fulfilled? {:?}", outcomes.iter().map(Result::is_ok).collect::<Vec<_>>());
    println!("any: {}, the first value wins", Promise::any([no.clone(), two.clone()]).await?);
    let none = Promise::any([no.clone(), no.clone()]).await;
    println!("any: or all {} reasons", none.err().map_or(0, |why| why.errors.len()));
    println!("race: {}, whatever settles first", Promise::race([never.clone(), two.clone()]).await?);
    println!("some: {:?}, the first so many", Promise::some(2, [one.clone(), no.clone(), two.clone()]).await?);
    println!("join: {:?}, a tuple of any types", Promise::join((one.clone(), Promise::resolve("b"))).await?);
    let map = BTreeMap::from([("a", one.clone()), ("b", two.clone())]);
    println!("all_keyed: {:?}", Promise::all_keyed(map).await?);
    let first = thenable::wait_for([never, one.clone()], WaitFor::FirstSettled).await?;
    println!("wait_for: done {}, still pending {}", first.done.len(), first.pending.len());
    let slow = Promise::delay(SHORT, 9);
    let finished: Vec<_> = thenable::as_settled([slow, one]).filter_map(async |outcome| outcome.ok()).collect().await;
    println!("as_settled: {finished:?}, in the order of settling");
    Ok(())
}

async fn many_inputs() -> thenable::Result<()> {
    println!("\n# Many inputs");
    let doubled: Vec<i32> = Promise::<_>::map_limit(1..=4, 2, |n| {
        println!("map_limit: starts {n}, at most two are under way");
        Promise::resolve(n * 2)
    })
    .await?;
    println!("map_limit: {doubled:?}, in input order");
    println!("series: {:?}, one after the other", Promise::<i32>::series(1..=3, |n| Ok(n * n)).await?);
    println!("reduce: {}", Promise::<i32>::reduce(1..=4, 0, |sum, n| Ok(sum + n)).await?);
    let mut tries = 0;
    let third_time = Promise::<i32>::retry(Retry::times(5).delay(SHORT), move |_| {
        tries += 1;
        if tries < 3 { Err("not yet".into()) } else { Ok(tries) }
    });
    println!("retry: try number {} did it", third_time.await?);
    Ok(())
}

async fn time() -> thenable::Result<()> {
    println!("\n# Time");
    println!("delay: {}", Promise::delay(SHORT, "a value, later").await?);
    let (never, _resolver) = Promise::<()>::with_resolvers();
    println!("timeout: {}", reason(never.timeout(SHORT).await));
    println!("interval: {:?}", thenable::interval(50 * SHORT).take(3).collect::<Vec<_>>().await);
    let called = Promise::new(|resolve, _| {
        if let Some(handle) = LoopHandle::current() {
            handle.call_later(SHORT, || println!("never printed: cancelled")).cancel();
            handle.call_at(handle.now() + SHORT, move || resolve("call_at: a plain callback, made a promise"));
        }
    });
    println!("{}", called.await?);
    Ok(())
}

async fn cancelling() -> thenable::Result<()> {
    println!("\n# Cancelling");
    let (work, producer) = Promise::<()>::with_resolvers();
    let told = Promise::new(|resolve, _| producer.on_cancel(move |why| resolve(why.to_string())));
    let outcome = work.cancel("enough");
    println!("cancel: {}", reason(work.await));
    println!("cancel: {outcome:?}; on a settled promise: {:?}", Promise::resolve(1).cancel("too late"));
    println!("on_cancel: the producer is told: {}", told.await?);
    let controller = AbortController::new();
    let (work, _producer) = Promise::<()>::with_resolvers();
    let work = work.abort_on(&controller.signal());
    controller.abort("the user left");
    println!("abort_on: {}", reason(work.await));
    let (work, producer) = Promise::<()>::with_resolvers();
    drop(work.cancel_on_drop());
    println!("cancel_on_drop: still wanted? {}", producer.is_wanted());
    Ok(())
}

async fn pools() -> thenable::Result<()> {
    println!("\n# Pools");
    let pool = ThreadPool::new(2);
    let here = thread::current().id();
    let elsewhere = pool.submit(move || thread::current().id() != here);
    println!("submit: a job is a promise; on another thread? {}", elsewhere.await?);
    let parsed = pool.attempt(|| "x".parse::<u8>().map_err(Rejection::new));
    println!("attempt: a job with a Result: {}", reason(parsed.await));
    println!("map: {:?}", pool.map(1..=4, |n| n * n).await?);
    let there_and_back = Promise::resolve(1)
        .on(&pool)
        .map(move |_| thread::current().id() != here)
        .map(move |elsewhere| (elsewhere, thread::current().id() == here));
    println!("on: one handler on the pool, the next on the loop: {:?}", there_and_back.await?);
    println!("submit_wait: a place in the queue, then the result: {}", pool.submit_wait(|| 5).flatten().await?);
    println!("submit_with: the job may ask its signal: {}", pool.submit_with(|signal| signal.aborted()).await?);
    pool.shutdown(Shutdown::Drain).await?;
    println!("shutdown: {}", reason(pool.submit(|| 1).await));
    Ok(())
}

/// The blocking way out, for threads that run no loop. The handlers run on the global background loop.
fn waiting() -> thenable::Result<()> {
    println!("\n# Waiting on a plain thread");
    println!("wait: {}", Promise::spawn(async { Ok(5) }).map(|n| n + 1).wait()?);
    let (never, _resolver) = Promise::<()>::with_resolvers();
    println!("wait_timeout: {}", reason(never.wait_timeout(SHORT)));
    let (never, _resolver) = Promise::<()>::with_resolvers();
    let nested = thenable::block_on(async { never.wait() });
    println!("wait on a loop's own thread: {}", reason(nested));
    Ok(())
}

/// The reason in a word or two.
fn reason<T>(outcome: thenable::Result<T>) -> String {
    let Err(why) = outcome else { return "there is none".into() };
    match why.fault() {
        Some(Fault::Abandoned { .. }) => "Fault::Abandoned".into(),
        Some(Fault::Cancelled { reason }) => format!("Fault::Cancelled, {reason}"),
        Some(Fault::Panicked { message, .. }) => format!("Fault::Panicked, {message}"),
        Some(Fault::TimedOut { .. }) => "Fault::TimedOut".into(),
        Some(Fault::WouldDeadlock) => "Fault::WouldDeadlock".into(),
        Some(Fault::PoolClosed) => "Fault::PoolClosed".into(),
        _ => why.to_string(),
    }
}
