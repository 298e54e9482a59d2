use super::*;

fn run() -> Result<(), Rejection> {
    let event_loop = EventLoop::new();
    let x: i32 = event_loop.run(Promise::resolve(1))?;
    let x: Result<i32, Rejection> = event_loop.run(async { Ok(1) });
    event_loop.run(async {
        fetch(1).await?;
        thenable::Ok(())
    })?;
    let s = event_loop.run(fetch_typed(1)).map_err(|e| e.to_string())?;
    event_loop.run(async {
        // borrows, is not Send, and may ask the loop it runs on
        let rc = std::rc::Rc::new(1);
        event_loop.handle().call_soon(|| ());
        fetch(*rc).await
    })?;
    event_loop.run_until_idle()?;
    let guard = event_loop.enter();
    let handle = LoopHandle::current().unwrap();
    handle.call_later(SEC, || println!("later"));
    handle.call_at(handle.now() + SEC, || ()).cancel();
    handle.spawn(async { Ok(()) });
    handle.spawn(async {
        fetch(1).await?;
        Ok(())
    });
    drop(guard);
    let n: i32 = thenable::block_on(async { 5 });
    event_loop.close();
    Ok(())
}
fn main_of_a_program() -> Result<(), Box<dyn Error>> {
    let event_loop = EventLoop::builder().virtual_clock().strict().name("main").on_wake(|| ()).build();
    event_loop.run(async {
        let s = fetch(1).await?;
        let n: i32 = s.parse()?;
        thenable::delay(SEC).await?;
        thenable::Ok(())
    })?;
    Ok(())
}
fn pools(pool: ThreadPool) {
    pool.submit(|| 1 + 1).map(|n| n);
    pool.attempt(|| Ok(std::fs::read_to_string("x")?)).map_err(|e: Rejection| e);
    pool.attempt(|| std::fs::read_to_string("x")).map(|s| s.len()).catch(|e| Err(e));
    pool.submit_with(|signal| while !signal.aborted() {});
    pool.map(vec![1, 2], |n| n * 2).map(|v| v.len());
    match pool.try_submit(|| 1) {
        Ok(p) => drop(p.map(|n| n)),
        Err(refused) => drop((refused.job)()),
    }
    pool.submit_wait(|| 1).flatten().map(|n| n);
    pool.shutdown(thenable::Shutdown::Deadline(SEC)).then(|()| Ok(()));
    let bare = |job: thenable::Job| {
        std::thread::spawn(job);
    };
    bare.submit(|| 1).map(|n| n);
    let dynamic: std::sync::Arc<dyn thenable::Executor> = std::sync::Arc::new(bare);
    dynamic.submit(|| 1);
    Promise::resolve(1).on(&dynamic).map(|n| n);
    let boxed: Vec<std::sync::Arc<dyn thenable::Executor>> =
        vec![std::sync::Arc::new(pool), std::sync::Arc::new(LoopHandle::global())];
    for x in &boxed {
        x.submit(|| 1);
    }
}
fn cancel(p: Promise<i32>) {
    let c = thenable::AbortController::new();
    let p = p.abort_on(&c.signal());
    c.abort("enough");
    let done = p.cancel("enough") == thenable::CancelOutcome::AlreadySettled;
    p.cancel(format!("because {}", 1));
    let held = p.cancel_on_drop();
    let any = thenable::AbortSignal::any([c.signal(), thenable::AbortSignal::timeout(SEC)]);
}
