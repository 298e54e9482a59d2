use super::*;
use futures_lite::FutureExt;

async fn race_is_theirs_as_a_method(a: Promise<i32>, b: Promise<i32>) {
    let x = a.race(b).await;
    let y = Promise::race([Promise::resolve(1)]).await;
    let z = Promise::resolve(1).or(Promise::resolve(2)).await;
    let p: Promise<i32> = Promise::resolve(1).then(|x| Ok(x));
}
