//! Pools that are none: what a worker does with bytes that no pool says.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use crate::support::{command, within};

const SETUP: u8 = 1;
const JOB: u8 = 2;
const HELLO: u8 = 3;
const START: u8 = 4;
const FAILED: u8 = 12;

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap();
    [&length.to_le_bytes()[..], &[kind], &7_u32.to_le_bytes(), body].concat()
}

fn setup(version: &str) -> Vec<u8> {
    let (frame_limit, memory_limit) = (1000_u64, 0_u64);
    let protocol = format!("thenable {version} worker 1");
    frame(SETUP, &[&frame_limit.to_le_bytes()[..], &memory_limit.to_le_bytes(), protocol.as_bytes()].concat())
}

/// Starts a worker, tells it this and no more, and gives the kinds of the frames that it said, with the text of the last one, and
/// how it ended.
fn tell(bytes: &[u8], is_asked: bool) -> (Vec<u8>, String, Option<i32>) {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut command = command();
    command.stdin(Stdio::from(OwnedFd::from(theirs))).process_group(0);
    if is_asked {
        command.env("THENABLE_WORKER", "1");
    }
    let mut worker = command.spawn().unwrap();
    // It has the other end of the socket, too.
    drop(command);
    // One that was not asked does not read, and may be gone.
    let _ = ours.write_all(bytes);
    let _ = ours.shutdown(Shutdown::Write);
    let status = worker.wait().unwrap();
    // What it has not read makes the end an error.
    let mut said = Vec::new();
    let _ = ours.read_to_end(&mut said);
    let (mut kinds, mut text, mut rest) = (Vec::new(), String::new(), &said[..]);
    while let [a, b, c, d, kind, _, _, _, _, body @ ..] = rest {
        let (body, after) = body.split_at(u32::from_le_bytes([*a, *b, *c, *d]) as usize);
        kinds.push(*kind);
        text = String::from_utf8_lossy(body).into_owned();
        rest = after;
    }
    assert!(rest.is_empty(), "whole frames: {said:?}");
    (kinds, text, status.code())
}

#[test]
fn a_worker_says_what_it_does_not_understand_and_exits() {
    within(|| {
        let setup = setup(env!("CARGO_PKG_VERSION"));
        let refused = |bytes: &[u8], kinds: &[u8], why: &str| {
            let (said, text, code) = tell(bytes, true);
            assert_eq!((said.as_slice(), code), (kinds, Some(1)), "{why}: {text}");
            assert!(text.contains(why), "{why}: {text}");
        };
        refused(&self::setup("0.0.0"), &[FAILED], "different versions");
        refused(&frame(JOB, b"\x01\x00f"), &[FAILED], "different versions");
        refused(&[&setup[..], &frame(77, b"\x01\x00f")].concat(), &[HELLO, FAILED], "the unknown kind 77");
        // Of a job its beginning is said before its name is looked at.
        refused(&[&setup[..], &frame(JOB, b"\x09\x00f")].concat(), &[HELLO, START, FAILED], "cannot be read");
        refused(&[&setup[..], &[0xff; 9]].concat(), &[HELLO, FAILED], "1000 bytes");
    });
}

#[test]
fn a_worker_that_is_told_nothing_more_exits() {
    within(|| {
        let setup = setup(env!("CARGO_PKG_VERSION"));
        assert_eq!(tell(&setup, true), (vec![HELLO], String::new(), Some(0)), "there are no more jobs");
        for end in [0, 1, setup.len() - 1] {
            let (said, _, code) = tell(&setup[..end], true);
            assert_eq!((said, code), (vec![], Some(1)), "after {end} bytes of the setup");
        }
    });
}

#[test]
fn a_program_that_nobody_asked_is_no_worker_whatever_its_input_is() {
    within(|| {
        let (said, _, code) = tell(&setup(env!("CARGO_PKG_VERSION")), false);
        assert_eq!((said, code), (vec![], Some(0)));
    });
}
