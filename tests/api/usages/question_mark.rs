use super::*;

fn in_sync_closures(p: Promise<String>) {
    p.then(|s| {
        let n: i32 = s.parse()?;
        let m = std::fs::read_to_string("x")?;
        Ok(n + m.len() as i32)
    })
    .then(|n| if n > 0 { Ok(n) } else { Err("negative".into()) })
    .then(|n| if n > 0 { Ok(n) } else { Err(format!("{n}").into()) })
    .then(|n| if n > 0 { Ok(n) } else { Err("negative")? })
    .then(|n| if n > 0 { Ok(n) } else { return Err(std::io::Error::other("x").into()) })
    .then(|n| Ok(n));
}
fn in_async_closures(p: Promise<String>) {
    p.then(async |s| {
        let n: i32 = s.parse()?;
        let t = fetch(1).await?;
        Ok(n + t.len() as i32)
    })
    .then(async move |n| if n > 0 { Ok(n) } else { Err("negative".into()) })
    .then(async |n| {
        Promise::resolve(()).await?;
        thenable::delay(SEC).await?;
        Ok(n)
    })
    .catch(async |e| {
        let t = fetch(2).await?;
        Ok(t.len() as i32)
    })
    .finally(async || Ok(()))
    .finally(async || cleanup().await)
    .finally(async || {
        cleanup().await;
        fetch(1).await?;
        Ok(())
    })
    .then(|n| async move { Ok(n) });
}
fn out_into_box(p: Promise<i32>) -> Result<i32, Box<dyn Error>> {
    let q = Promise::resolve(2).wait()?;
    Ok(p.wait()? + q)
}
fn out_into_box_send(p: Promise<i32>) -> Result<i32, Box<dyn Error + Send + Sync>> {
    Ok(p.wait()?)
}
fn out_into_anyhow(p: Promise<i32>) -> anyhow::Result<i32> {
    use anyhow::Context;
    Ok(p.wait().context("while waiting")?)
}
fn out_into_eyre(p: Promise<i32>) -> eyre::Result<i32> {
    Ok(p.wait()?)
}
fn out_into_thiserror(p: Promise<i32>) -> Result<i32, Wrapped> {
    Ok(p.wait()?)
}
fn in_from_anyhow(p: Promise<i32>) {
    let checked = |x: i32| {
        anyhow::ensure!(x > 0, "negative");
        anyhow::Ok(x)
    };
    p.then(move |x| Ok(checked(x)?)).then(move |x| checked(x).map_err(Rejection::from));
}
fn in_from_box(p: Promise<i32>, f: fn() -> Result<i32, Box<dyn Error + Send + Sync>>) {
    p.then(move |x| Ok(f()? + x));
}
fn between_rejections(p: Promise<i32>, f: fn() -> Result<i32, Rejection>) {
    p.then(move |x| Ok(f()? + x));
}
fn aggregate_becomes_rejection() -> Result<i32, Rejection> {
    Ok(Promise::any([Promise::resolve(1)]).wait()?)
}
fn main_with_rejection() -> Result<(), Rejection> {
    Promise::resolve(1).wait()?;
    Ok(())
}
