//! futures' extension traits in scope: ours win, theirs remain.

use super::*;
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt};

fn ours_win(p: Promise<i32>, pool: &ThreadPool) {
    let p: Promise<i32> = p.then(|x| Ok(x + 1));
    let p: Promise<i32> = p.map(|x| x + 1);
    let p: Promise<i32, String> = p.map_err(|e| e.to_string());
    let p: Promise<i32> = p.err_into::<Rejection>();
    let p: Promise<i32> = p.map(|x| Promise::resolve(x)).flatten();
    let p: Promise<i32> = p.settled().flatten();
    let p: Promise<i32> = p.on(pool).map(|x| x + 1);
    let p: Promise<i32> = p.timeout(SEC);
    let _ = p.cancel("x");
    p.peek();
    p.state();
}
async fn theirs_remain(a: Promise<i32>, b: Promise<i32>, c: Promise<i32>, d: Promise<i32>, e: Promise<i32>) {
    let x = a.and_then(async |x| Ok(x + 1)).await;
    let y = b.or_else(async |e| Err::<i32, _>(e)).boxed().await;
    let z = c.inspect(|r| println!("{}", r.is_ok())).catch_unwind().await;
    let w = d.map_ok(|x| x + 1).unwrap_or_else(|_| 0).await;
    let v = e.shared().await;
    let n = Promise::resolve(1).now_or_never();
    let s = Promise::resolve(1).into_stream().try_collect::<Vec<_>>().await;
}
async fn macros(mut a: Promise<i32>, b: Promise<i32>) -> Result<(), Rejection> {
    let (x, y) = futures::try_join!(a, b)?;
    let (mut a, b) = (Promise::resolve(1), Promise::resolve("x"));
    futures::future::select(&mut a, b).await;
    let all = futures::future::try_join_all([Promise::resolve(1)]).await?;
    tokio::select! {
        x = &mut a => { x?; }
        y = Promise::resolve(1) => { y?; }
    }
    let (mut a, mut b) = (Promise::resolve(1).fuse(), Promise::resolve("x").fuse());
    futures::select! { x = a => { x?; }, y = b => { y?; } }
    Ok(())
}
