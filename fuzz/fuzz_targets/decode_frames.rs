//! Bytes become a stream as a worker process may send it, and go through the decoder of frames in pieces of several sizes.

#![no_main]

#[path = "../../tests/process/frames.rs"]
mod frames;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| frames::check(bytes));
