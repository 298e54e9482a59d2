//! The example `http_server`, driven over TCP as a child process. `cargo test` builds it; for this file alone:
//!
//! ```text
//! cargo build --example http_server && cargo test --test http_server
//! ```
#![cfg(unix)]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

/// The server's pause before each answer.
const PAUSE: Duration = Duration::from_millis(500);
/// Nothing here takes that long, unless it hangs.
const LIMIT: Duration = Duration::from_secs(60);

// ---- the server

struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start() -> Self {
        let mut command = Command::new(binary());
        command.arg("0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let stdout = process.stdout.take().unwrap();
        // Made before anything can fail, so that its drop ends the process.
        let mut server = Self { process, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let line = within(move || BufReader::new(stdout).lines().next().unwrap().unwrap());
        let address = line.strip_prefix("Server started at http://").and_then(|rest| rest.strip_suffix("..."));
        server.address = address.unwrap_or_else(|| panic!("first line: {line}")).parse().unwrap();
        assert_ne!(server.address.port(), 0);
        server
    }

    fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.address).unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Asserts that the process ends, with status 0, and returns what it wrote to standard error.
    fn ended(mut self) -> String {
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status;
            }
            assert!(begin.elapsed() < LIMIT, "the server does not end");
            thread::sleep(Duration::from_millis(5));
        };
        let mut errors = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert!(status.success(), "{status}: {errors}");
        errors
    }

    #[cfg(target_os = "linux")]
    fn threads(&self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap().count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The example's binary: cargo puts it beside the folder of the test binaries.
fn binary() -> PathBuf {
    let test = env::current_exe().unwrap();
    let binary = test.ancestors().nth(2).unwrap().join("examples/http_server");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/http_server.rs");
    let written = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    // Without this, `cargo test --test http_server` could test an old one.
    let is_current = written(&binary).is_some_and(|built| written(&source).is_none_or(|source| source <= built));
    assert!(is_current, "missing or old: run `cargo build --example http_server` first ({})", binary.display());
    binary
}

/// Runs what may block on a thread of its own, and fails if it takes too long.
fn within<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    result.recv_timeout(LIMIT).expect("a result in time")
}

// ---- a client

struct Client {
    stream: BufReader<TcpStream>,
}

#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

impl Client {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    fn send(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn request(&mut self, method: &str, path: &str) {
        self.send(&format!("{method} {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.strip_suffix("\r\n").unwrap_or_else(|| panic!("the head of the answer ends early: {line:?}")).to_owned()
    }

    fn answer(&mut self, has_body: bool) -> Answer {
        let first = self.line();
        let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(':') else {
                assert_eq!(line, "");
                break;
            };
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: String::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; if has_body { length } else { 0 }];
        self.stream.read_exact(&mut body).unwrap();
        answer.body = String::from_utf8(body).unwrap();
        answer
    }

    fn get(&mut self, path: &str) -> Answer {
        self.request("GET", path);
        self.answer(true)
    }

    /// Asserts that the server closes the connection and sends nothing more.
    fn closed(mut self) {
        match self.stream.read(&mut [0]) {
            Ok(read) => assert_eq!(read, 0),
            Err(why) => assert_eq!(why.kind(), ErrorKind::ConnectionReset),
        }
    }
}

fn assert_page(answer: &Answer, body: &str) {
    assert_eq!((answer.status, answer.body.as_str()), (200, body));
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
}

// ---- routes

#[test]
fn both_routes_on_one_connection() {
    let server = Server::start();
    let mut client = server.connect();
    let begin = Instant::now();
    assert_page(&client.get("/"), "<h1>Index</h1>");
    assert_page(&client.get("/hello/Bob"), "<h1>hello, Bob!</h1>");
    assert_page(&client.get("/?a=/hello/x"), "<h1>Index</h1>");
    assert!(begin.elapsed() >= 3 * PAUSE, "never before the pause is over");
    // One after the other, in order, also if they are all sent at once.
    client.request("GET", "/hello/1");
    client.request("GET", "/hello/2");
    assert_page(&client.answer(true), "<h1>hello, 1!</h1>");
    assert_page(&client.answer(true), "<h1>hello, 2!</h1>");
}

#[test]
fn names() {
    let server = Server::start();
    let names = [
        ("two%20words", "two words"),
        ("%3Cb%3E", "&lt;b&gt;"),
        ("&%22'%26amp;", "&amp;&quot;&#39;&amp;amp;"),
        ("%3Cscript%3Ealert(1)%3C%2Fscript%3E", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("gr%C3%B6%C3%9Fe", "größe"),
        ("not-utf-8-%FF", "not-utf-8-\u{fffd}"),
        ("a%2Fb", "a/b"),
        ("100%", "100%"),
        ("x?y=z", "x"),
    ];
    let mut clients: Vec<Client> = names.iter().map(|_| server.connect()).collect();
    for (client, (path, _)) in clients.iter_mut().zip(names) {
        client.request("GET", &format!("/hello/{path}"));
    }
    for (client, (_, shown)) in clients.iter_mut().zip(names) {
        assert_page(&client.answer(true), &format!("<h1>hello, {shown}!</h1>"));
    }
    // Bytes that no address may have never get as far as a page.
    let refused = server.connect().get("/hello/<b>");
    assert_eq!((refused.status, refused.body.as_str()), (400, ""));
}

#[test]
fn unknown_paths_and_other_methods() {
    let server = Server::start();
    let mut client = server.connect();
    for path in
        ["/unknown", "/hello", "/hello/", "/hello/a/b", "/hello/a/", "/hello//", "//", "/Hello/a", "/index.html"]
    {
        for method in ["GET", "POST"] {
            client.request(method, path);
            let answer = client.answer(true);
            assert_eq!((answer.status, answer.body.as_str()), (404, "404: Not Found"), "{method} {path}");
        }
    }
    for path in ["/", "/hello/Bob"] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"] {
            client.request(method, path);
            let answer = client.answer(method != "HEAD");
            assert_eq!((answer.status, answer.header("allow")), (405, Some("GET")), "{method} {path}");
            let body = if method == "HEAD" { "" } else { "405: Method Not Allowed" };
            assert_eq!(answer.body, body, "{method} {path}");
        }
    }
    // A body that nobody reads does not end up in the next request.
    client.send("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 16\r\n\r\nGET / HTTP/1.1\r\n");
    assert_eq!(client.answer(true).status, 405);
    assert_eq!(client.get("/hello/a/b").status, 404);
    // What is not HTTP ends its own connection and no other.
    let mut other = server.connect();
    other.send("hello\r\n\r\n");
    assert_eq!(other.answer(true).status, 400);
    other.closed();
    assert_page(&client.get("/"), "<h1>Index</h1>");
    server.signal(Signal::INT);
    assert_eq!(server.ended(), "", "none of this is worth a message");
}

// ---- many at a time

#[test]
fn requests_overlap() {
    const CLIENTS: u32 = 20;
    let server = Server::start();
    let start = Arc::new(Barrier::new(CLIENTS as usize + 1));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| {
            let (mut client, start) = (server.connect(), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                assert_page(&client.get(&format!("/hello/{n}")), &format!("<h1>hello, {n}!</h1>"));
            })
        })
        .collect();
    start.wait();
    let begin = Instant::now();
    for client in clients {
        client.join().unwrap();
    }
    // Four times as long as needed, and a quarter of what they take one after the other.
    let took = begin.elapsed();
    assert!(took < PAUSE * CLIENTS / 4, "{CLIENTS} requests took {took:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn two_thousand_connections_on_one_thread() {
    const CONNECTIONS: usize = 2000;
    let limit = getrlimit(Resource::Nofile);
    let wanted = CONNECTIONS as u64 + 200;
    if limit.maximum.is_some_and(|maximum| maximum < wanted) {
        eprintln!("skipped: this process may not open {wanted} files");
        return;
    }
    if limit.current.is_some_and(|current| current < wanted) {
        // For this process and, inherited, for the server.
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }).unwrap();
    }
    let server = Server::start();
    assert_page(&server.connect().get("/"), "<h1>Index</h1>");
    let threads = server.threads();
    assert!(threads <= 3, "the loop's, async-io's, and no pool: {threads}");

    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| server.connect()).collect();
    // Each is served twice, and all of them stay open.
    for round in 0..2 {
        let begin = Instant::now();
        for (n, client) in clients.iter_mut().enumerate() {
            client.request("GET", &format!("/hello/{n}-{round}"));
        }
        for (n, client) in clients.iter_mut().enumerate() {
            assert_page(&client.answer(true), &format!("<h1>hello, {n}-{round}!</h1>"));
            assert!(begin.elapsed() < LIMIT, "they are served one after the other");
        }
        assert_eq!(server.threads(), threads);
    }
    server.signal(Signal::TERM);
    for client in clients {
        client.closed();
    }
    assert_eq!(server.ended(), "");
}

// ---- the end

#[test]
fn shutdown_answers_what_is_under_way() {
    for signal in [Signal::INT, Signal::TERM] {
        let server = Server::start();
        let mut client = server.connect();
        assert_page(&client.get("/"), "<h1>Index</h1>");
        client.request("GET", "/hello/late");
        thread::sleep(PAUSE / 5);
        server.signal(signal);
        // The listener goes first, ...
        let begin = Instant::now();
        while TcpStream::connect(server.address).is_ok() {
            assert!(begin.elapsed() < LIMIT, "the server still accepts connections");
            thread::sleep(Duration::from_millis(1));
        }
        // ... the answer still comes, and says that it is the last.
        let answer = client.answer(true);
        assert_page(&answer, "<h1>hello, late!</h1>");
        assert_eq!(answer.header("connection"), Some("close"));
        client.closed();
        assert_eq!(server.ended(), "");
    }
}

#[test]
fn shutdown_does_not_wait_for_idle_connections() {
    let server = Server::start();
    let mut kept_alive = server.connect();
    assert_page(&kept_alive.get("/"), "<h1>Index</h1>");
    let unused = server.connect();
    // A later connection has been served, so the unused one has been accepted.
    assert_eq!(server.connect().get("/unknown").status, 404);
    server.signal(Signal::INT);
    kept_alive.closed();
    unused.closed();
    assert_eq!(server.ended(), "", "it did not have to give up on anybody");
}

#[test]
fn shutdown_does_not_wait_for_ever() {
    let server = Server::start();
    let mut endless = server.connect();
    endless.send("GET / HTTP/1.1\r\nHost: te");
    assert_eq!(server.connect().get("/unknown").status, 404);
    server.signal(Signal::INT);
    endless.closed();
    assert_eq!(server.ended(), "Gave up on requests that were still open after 5 s.\n");
}

#[test]
fn a_port_in_use_is_an_error() {
    let server = Server::start();
    let port = server.address.port().to_string();
    let output = Command::new(binary()).arg(port).stdin(Stdio::null()).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("in use"), "{errors}");
}
