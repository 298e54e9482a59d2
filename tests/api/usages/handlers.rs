use super::*;

fn catch_returns(p: Promise<i32>) {
    p.catch(|_| Ok(1))
        .catch(|e| Err(e))
        .catch(|_| Err("other".into()))
        .catch(|_| Promise::resolve(1))
        .catch(|_| Promise::reject("again"))
        .catch(async |_| Ok(1))
        .catch(|_| panic!("in catch"))
        .catch_if(|e| e.is::<std::io::Error>(), |_| Ok(1))
        .catch_if(|e| matches!(e.fault(), Some(Fault::TimedOut { .. })), |e| Err(e))
        .then_or(|x| Ok(x.to_string()), |e| Ok(e.to_string()))
        .then_or(|x| Promise::resolve(x), async |e| Ok(e.to_string()));
}
fn finally_returns(p: Promise<i32>) {
    p.finally(|| ())
        .finally(|| Ok(()))
        .finally(|| Err("x".into()))
        .finally(|| Promise::resolve(()))
        .finally(|| thenable::delay(SEC))
        .finally(|| println!("x"))
        .finally(|| {
            std::fs::remove_file("x")?;
            Ok(())
        })
        .finally(|| panic!("in finally"));
}
fn never(p: Promise<i32>) {
    p.then(|_| -> Result<i32, Rejection> { panic!("typed") })
        .then(|x| if x > 0 { Ok(x) } else { panic!("one arm") })
        .then(|_| panic!("bare"))
        .catch(|_| Ok(1));
    let p: Promise<u8> = Promise::resolve(1).then(|_| panic!("bare"));
    let p: Promise<u8> = Promise::resolve(1).then(|_| todo!());
    Promise::resolve(1).map(|_: i32| -> u8 { panic!("in map") });
}
fn capture_and_move(p: Promise<i32>) {
    let name = String::from("n");
    let twice = vec![1, 2];
    p.then(move |x| Ok((x, name))).then(async move |(x, name)| Ok(x + twice.len() as i32 + name.len() as i32));
}
fn a_promise_in_a_handler(p: Promise<u32>) {
    p.then(|n| Promise::resolve(n).then(|n| Ok(n * 2)))
        .then(|n| Promise::spawn(fetch(n)))
        .then(|s| fetch(s.len() as u32))
        .then(|s| Promise::delay(SEC, s))
        .then(|s| if s.is_empty() { Promise::resolve(1) } else { Promise::reject("no") })
        .then(|n| Box::pin(async move { Ok(n) }));
}
fn recursion(n: u64) -> Promise<u64> {
    Promise::resolve(n).then(|n| if n == 0 { Promise::resolve(0) } else { recursion(n - 1) })
}
fn flatten(p: Promise<i32>) {
    let q: Promise<i32> = p.map(|x| if x > 0 { Ok(x) } else { Err("no") }).flatten();
    let q: Promise<i32> = q.map(|x| Promise::resolve(x)).flatten();
    let r: Promise<Result<i32, Rejection>> = q.settled();
    let s: Promise<i32> = r.flatten();
}
fn on(p: Promise<i32>, pool: &ThreadPool, handle: &LoopHandle) {
    p.on(pool)
        .map(|n| n + 1)
        .on(handle)
        .then(|n| Ok(n))
        .on(pool)
        .catch(|_| Ok(1))
        .on(&|job: thenable::Job| {
            std::thread::spawn(job);
        })
        .finally(|| ());
}
fn turbofish(p: Promise<i32>) {
    p.then::<u8, _, _>(|_| panic!("x"));
    p_then_unit();
}
fn p_then_unit() {
    Promise::resolve(1).then::<(), _, _>(|_| panic!("x"));
}
