use super::*;

fn chain(p: Promise<String, AppError>) -> Promise<i32, AppError> {
    p.then(|s| Ok(s.parse::<i32>()?))
        .then(|n| if n > 0 { Ok(n) } else { Err(AppError::Io(std::io::Error::other("x"))) })
        .then(async |n| {
            let s = fetch_typed(1).await?;
            std::fs::read("x")?;
            Ok(n + s.len() as i32)
        })
        .catch(|e| match e {
            AppError::Fault(Fault::TimedOut { .. }) => Ok(0),
            other => Err(other),
        })
        .catch(|e| Promise::fulfilled(1))
        .then(|n| Promise::fulfilled(n))
        .timeout(SEC)
}
fn rejection_to_typed_and_back(p: Promise<i32>) {
    p.map_err(|e| AppError::Io(std::io::Error::other(e.to_string())))
        .then(|n| Ok(n + 1))
        .map_err(|e| e.to_string())
        .then(|n| if n > 0 { Ok(n) } else { Err(String::from("x")) })
        .map_err(Rejection::from)
        .then(|n| Ok(n))
        .err_into::<Box<dyn Error + Send + Sync>>()
        .then(|n| Ok("5".parse::<i32>()? + n))
        .err_into::<Rejection>()
        .err_into::<anyhow::Error>()
        .then(|n| anyhow::Ok(n))
        .map_err(|e| std::io::Error::other(e.to_string()))
        .then(|n| {
            std::fs::read("x")?;
            Ok(n)
        });
}
fn inside_a_dynamic_chain(p: Promise<u32>) {
    p.then(async |n| {
        let s = fetch_typed(n).await?;
        Ok(s)
    });
}
fn typed_constructors() {
    let (p, r) = Promise::<i32, AppError>::pending();
    let _ = r.reject(AppError::Io(std::io::Error::other("x")));
    let p: Promise<i32, String> = Promise::fulfilled(1);
    let p: Promise<i32, AppError> = Ok(1).into();
    let p = Promise::from("5".parse::<i32>()).map_err(AppError::from).then(|n| Ok(n));
    let p = Promise::from(std::fs::read("x")).err_into::<Rejection>().map(|b| b.len());
    let p: Promise<i32, AppError> = Promise::from_future(async { Ok("5".parse::<i32>()?) });
    let p = Promise::<i32, AppError>::from_future(async { Ok("5".parse::<i32>()?) });
    let p = Promise::from_future(fetch_typed(1));
    let p: Promise<(), i32> = Promise::rejected(7);
}
fn looking_needs_no_bounds(p: &Promise<std::rc::Rc<i32>, std::rc::Rc<i32>>) {
    p.state();
    p.is_settled();
    p.mark_handled();
    if let Some(Ok(v)) = p.peek() {
        println!("{v}");
    }
}
