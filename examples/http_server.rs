//! An HTTP server on the event loop, on one thread: what `aiohttp` is to asyncio, hyper is to this loop.
//!
//! ```text
//! cargo run --release --example http_server            # port 8000; or give a port as argument, 0 for any that is free
//! curl http://127.0.0.1:8000/hello/World
//! ```
//!
//! It is a translation of a small Python program. The comments that are code are that program, above what they became.
//! It answers as the original does, with two differences: a name cannot smuggle HTML into the page, and Ctrl-C lets open
//! requests finish.

use std::convert::Infallible;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::pin::pin;
use std::time::Duration;
use std::{env, io};

use async_io::Async;
use async_signal::{Signal, Signals};
use futures::StreamExt;
use futures::future::{Either, select};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use smol_hyper::rt::FuturesIo;
use thenable::{EventLoop, Promise, Rejection, Resolver};

/// The pause before every answer, for want of real work.
const PAUSE: Duration = Duration::from_millis(500);
/// How long open requests may take after Ctrl-C.
const GRACE: Duration = Duration::from_secs(5);
/// The pause after an error of `accept`, which is as a rule: too many open files.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

// async def index(request):
//     await asyncio.sleep(0.5)
//     return web.Response(body=b'<h1>Index</h1>', content_type="text/html")
async fn index() -> thenable::Result<Response<String>> {
    thenable::delay(PAUSE).await?;
    Ok(html("<h1>Index</h1>".into()))
}

// async def hello(request):
//     await asyncio.sleep(0.5)
//     text = '<h1>hello, %s!</h1>' % request.match_info['name']
//     return web.Response(body=text.encode('utf-8'), content_type="text/html")
async fn hello(name: &str) -> thenable::Result<Response<String>> {
    thenable::delay(PAUSE).await?;
    let name = percent_decode_str(name).decode_utf8_lossy();
    Ok(html(format!("<h1>hello, {}!</h1>", escape(&name))))
}

// app = web.Application(loop=loop)
// app.router.add_route('GET', '/', index)
// app.router.add_route('GET', '/hello/{name}', hello)
async fn answer(request: Request<Incoming>) -> thenable::Result<Response<String>> {
    let path = request.uri().path();
    // As in aiohttp, `{name}` is one segment of the path, and not empty. It is decoded later: a `%2F` separates nothing.
    let name = path.strip_prefix("/hello/").filter(|name| !name.is_empty() && !name.contains('/'));
    if path != "/" && name.is_none() {
        return Ok(failure(StatusCode::NOT_FOUND));
    }
    // `GET` alone, and not `HEAD` along with it.
    if request.method() != Method::GET {
        let mut response = failure(StatusCode::METHOD_NOT_ALLOWED);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return Ok(response);
    }
    match name {
        Some(name) => hello(name).await,
        None => index().await,
    }
}

// async def init(loop):
//     ...
//     srv = await loop.create_server(app.make_handler(), '127.0.0.1', 8000)
//     print('Server started at http://127.0.0.1:8000...')
//     return srv
async fn serve(port: u16) -> thenable::Result<()> {
    let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, port))?;
    // Windows knows Ctrl-C only.
    let mut signals = Signals::new(if cfg!(unix) { &[Signal::Int, Signal::Term][..] } else { &[Signal::Int] })?;
    println!("Server started at http://{}...", listener.get_ref().local_addr()?);

    // One promise that all connections wait for: each has a clone.
    let stop = Promise::spawn(async move {
        signals.next().await;
        Ok(())
    });
    // And one that settles when all of them are closed: each has a clone of the resolver, and when the last is dropped
    // nobody is left to resolve the promise, which rejects it.
    let (closed, open) = Promise::<()>::with_resolvers();

    let accepting = Promise::spawn(accept(listener, stop.clone(), open));
    stop.await?;
    // Drops the task, and with it the listener: new connections are refused from here on.
    accepting.cancel("the server stops");
    if closed.settled().timeout(GRACE).await.is_err() {
        eprintln!("Gave up on requests that were still open after {} s.", GRACE.as_secs());
    }
    Ok(())
}

/// Accepts connections and spawns each on the loop, until the task is cancelled.
async fn accept(listener: Async<TcpListener>, stop: Promise<()>, open: Resolver<()>) -> thenable::Result<Infallible> {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let connection = Promise::spawn(converse(stream, stop.clone(), open.clone())).catch(complain);
                // Nobody waits for it. What is cut off when the loop closes was given up on before.
                connection.mark_handled();
            }
            // asyncio waits as well, or else the loop would spin: the connection is still there to be accepted.
            Err(why) => {
                eprintln!("Cannot accept a connection: {why}");
                thenable::delay(ACCEPT_AGAIN).await?;
            }
        }
    }
}

/// Answers the requests of one connection, one after the other, until either side has enough.
async fn converse(stream: Async<TcpStream>, stop: Promise<()>, _open: Resolver<()>) -> thenable::Result<()> {
    stream.get_ref().set_nodelay(true)?;
    let connection = http1::Builder::new().serve_connection(FuturesIo::new(stream), service_fn(answer));
    let mut connection = pin!(connection);
    if let Either::Left((outcome, _)) = select(connection.as_mut(), stop).await {
        return Ok(outcome?);
    }
    // Answers the request that is under way, if there is one, and closes the connection.
    connection.as_mut().graceful_shutdown();
    Ok(connection.await?)
}

/// What ended a connection badly. A client that hangs up or talks nonsense is no news here; a handler that fails is.
fn complain(why: Rejection) -> thenable::Result<()> {
    let is_the_client = why.downcast_ref::<hyper::Error>().is_some_and(|why| !why.is_user());
    if !is_the_client && !why.is::<io::Error>() {
        eprintln!("{why:?}");
    }
    Ok(())
}

fn html(body: String) -> Response<String> {
    page(StatusCode::OK, "text/html; charset=utf-8", body)
}

/// `404: Not Found` and the like.
fn failure(status: StatusCode) -> Response<String> {
    let body = format!("{}: {}", status.as_str(), status.canonical_reason().unwrap_or_default());
    page(status, "text/plain; charset=utf-8", body)
}

fn page(status: StatusCode, content_type: &'static str, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Text as HTML shows it.
fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

// loop = asyncio.get_event_loop()
// loop.run_until_complete(init(loop))
// loop.run_forever()
fn main() -> thenable::Result<()> {
    let port = env::args().nth(1).map_or(Ok(8000), |port| port.parse())?;
    EventLoop::new().run(serve(port))
}
