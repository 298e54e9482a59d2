use super::*;

fn plain() {
    Promise::resolve(1).then(|x| Ok(x + 1)).then(|x| println_it(x));
    Promise::resolve(1).map(|x| x + 1);
    Promise::resolve("a").then(|x| {
        println!("{x}");
    });
    Promise::resolve(()).finally(|| println!("done"));
    Promise::resolve(3).then(|x| Promise::resolve(x)).catch(|e| Ok(0));
    Promise::resolve(3).tap(|x| println!("{x}")).tap_err(|e| eprintln!("{e}"));
    Promise::<()>::reject("no").catch(|e| eprintln!("{e}"));
    Promise::reject("no").catch(|_| Ok(1));
    Promise::reject(std::io::Error::other("x")).catch(|_| Ok(1));
    Promise::attempt(|| Ok(1)).then(|x| Ok(x * 2));
    Promise::attempt(|| {
        let n: i32 = "1".parse()?;
        Ok(n)
    });
    Promise::attempt(|| println!("ran"));
    Promise::attempt(|| Promise::resolve(1));
    Promise::attempt(async || Ok(fetch(1).await?));
    Promise::spawn(async { Ok(1) });
    Promise::spawn(async {
        let text = fetch(1).await?;
        let n: i32 = text.parse()?;
        Ok(n)
    });
}
fn paths_as_handlers() {
    Promise::resolve(1).then(Promise::resolve).then(Ok).then(thenable::Ok).map(drop);
    Promise::resolve(1).then(fetch).map(String::into_bytes);
    Promise::resolve(1).then(fetch).then(fetch_len).catch(|_| Ok(0)).map(Some).map(Option::unwrap);
    Promise::resolve(1).catch(Promise::reject).catch(Err);
}
async fn fetch_len(s: String) -> thenable::Result<usize> {
    Ok(s.len())
}
fn generic<T: Send + 'static, E: From<Fault> + Send + 'static>(p: Promise<T, E>) -> Promise<(T, u8), E> {
    p.then(|x| Ok((x, 1))).catch(|e| Err(e)).finally(|| ()).then(async |x| Ok(x))
}
fn generic_handler<R, Via>(p: Promise<i32>, f: impl FnOnce(i32) -> R + Send + 'static) -> Promise<u8>
where
    R: thenable::IntoPromise<u8, Rejection, Via>,
{
    p.then(|n| Ok(n + 1)).then(f).then(|n| Ok(n))
}
fn println_it(x: i32) {
    println!("{x}");
}

fn with_resolvers() {
    let (p, r) = Promise::with_resolvers();
    p.then(|x| Ok(x + 1));
    let _ = r.resolve(5);

    let (p, r) = Promise::with_resolvers();
    std::thread::spawn(move || r.resolve(String::new()));
    p.map(|s: String| s.len());
    // the parameter needs no annotation when the settle stands first
    let (p, r) = Promise::with_resolvers();
    std::thread::spawn(move || r.resolve(String::new()));
    p.map(|s| s.len());
}

fn executor_closures() {
    Promise::new(|resolve, _| resolve(1)).map(|x| x + 1);
    Promise::new(|resolve, reject| if true { resolve("a") } else { reject("b".into()) });
    Promise::new(|resolve, reject| {
        let again = resolve.clone();
        std::thread::spawn(move || {
            again(1);
            resolve(2);
            reject(std::fmt::Error.into());
        });
    })
    .map(|x| x + 1);
    Promise::new(|resolve, _| {
        let f = move |x: u8| resolve(x);
        f(1);
    });
    Promise::<u8>::new(|_, reject| reject(format!("no {}", 1).into()));
    Promise::new(|_, reject| reject("no".into())).catch(|_| Ok(1));
    Promise::new(|resolve, _| resolve(())).finally(|| ());
    Promise::<u32>::new(|_, _| panic!("executor"));
}
