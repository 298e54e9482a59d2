use super::*;

fn all(p1: Promise<i32>, p2: Promise<i32>) {
    Promise::all([p1, p2]).map(|v| v.len());
    Promise::all(vec![Promise::resolve(1), Promise::resolve(2)]).then(|v| Ok(v.iter().sum::<i32>()));
    Promise::all((0..3).map(|n| Promise::resolve(n))).map(|v| v[0]);
    Promise::all((0..3).map(Promise::resolve));
    Promise::all((0..3).map(|n| Promise::spawn(fetch(n)))).then(|v| Ok(v.join(",")));
    Promise::all((0..3).map(|n| Promise::from_future(fetch_typed(n)))).catch(|e| Err(e));
    Promise::all(Some(Promise::resolve(1)));
    Promise::<i32>::all([]);
    Promise::all([] as [Promise<i32>; 0]);
    Promise::all(Vec::<Promise<i32>>::new());
    Promise::all_settled([Promise::resolve(1), Promise::reject("x")]).map(|v| v.iter().filter(|r| r.is_ok()).count());
}
fn any_and_race() {
    Promise::any([Promise::resolve(1), Promise::reject("x")])
        .then(|x| Ok(x))
        .catch(|e| if e.errors.len() > 1 { Ok(0) } else { Err(e) })
        .err_into::<Rejection>();
    Promise::any((0..3).map(|n| Promise::from_future(fetch_typed(n)))).map(|s| s.len());
    Promise::race([Promise::resolve(1), Promise::delay(SEC, 2)]).map(|x| x);
    Promise::some(2, [Promise::resolve(1), Promise::resolve(2)]).map(|v| v.len());
}
fn join() {
    Promise::join((Promise::resolve(1), Promise::resolve("a"))).map(|(n, s)| s.len() + n);
    Promise::join((Promise::resolve(1), Promise::spawn(fetch(1)), thenable::delay(SEC)))
        .then(|(n, s, ())| Ok(s.len() + n));
    Promise::join((Promise::from_future(fetch_typed(1)), Promise::fulfilled(1))).map(|(s, n)| s.len() + n);
    Promise::join((Promise::resolve(1),)).map(|(n,)| n + 1);
}
fn keyed() {
    Promise::all_keyed(HashMap::from([("a", Promise::resolve(1))])).map(|m| m["a"] + 1);
    Promise::all_keyed(BTreeMap::from([(1, Promise::resolve("x"))])).map(|m| m[&1].len());
    let many: HashMap<String, _> = (0..3).map(|n| (n.to_string(), Promise::spawn(fetch(n)))).collect();
    Promise::all_keyed(many).then(|m| Ok(m.len()));
}
fn many() -> Result<(), Rejection> {
    // E comes from the handler's promise ...
    Promise::map_limit(0..10, 3, |n| Promise::delay(SEC, n * 2)).map(|v: Vec<i32>| v.len());
    Promise::map_limit(0..10, 3, |n| fetch(n)).map(|v| v.len());
    Promise::map_limit(vec!["a"], 3, async |s| thenable::Ok(s.len())).map(|v| v.len());
    Promise::map_limit(vec![1], 3, |n| Promise::from_future(fetch_typed(n)));
    Promise::series(0..3, |n| fetch(n)).map(|v| v.len());
    Promise::reduce(0..3, 0, |sum, n| Promise::resolve(sum + n)).map(|x| x);
    Promise::retry(Retry::times(3).exponential(SEC), |n| fetch(n)).map(|s| s.len());
    // ... or from an annotation
    Promise::<_>::map_limit(0..10, 3, async |n| Ok(n * 2));
    Promise::<_>::series(0..10, async |n| {
        fetch(n).await?;
        Ok(n)
    });
    let v: Vec<u32> = Promise::<_>::map_limit(0..10, 3, async |n| Ok(n * 2)).wait()?;
    let all: Promise<Vec<u32>> = Promise::map_limit(0..10, 3, async |n| Ok(n * 2));
    Ok(())
}
async fn waiting(a: Promise<i32>, b: Promise<i32>) -> Result<(), Rejection> {
    use futures::StreamExt;
    let w = thenable::wait_for([a, b], WaitFor::FirstSettled).await?;
    for (index, outcome) in &w.done {
        println!("{index} {:?}", outcome.as_ref().ok());
    }
    let rest = w.pending.into_iter().map(|(_, p)| p);
    let mut settled = thenable::as_settled(rest);
    while let Some(outcome) = settled.next().await {
        outcome?;
    }
    let first: Vec<_> = thenable::as_settled([Promise::resolve(1)]).collect().await;
    let mut ticks = thenable::interval(SEC).take(3);
    while let Some(n) = ticks.next().await {}
    Ok(())
}
