//! Frames: the journey, and bytes that are none.

use super::{DONE, Decoder, EXTRA, FAILED, Frame, JOB, START, Setup, begin, decode_all, job, parse_job, text};
use crate::{CodecStep, Fault};
use std::io::{self, BufRead, ErrorKind, Read};

fn read(bytes: &[u8], limit: usize) -> Result<Frame, ErrorKind> {
    let blocking = Decoder::default().read_blocking(&mut &*bytes, limit).map_err(|why| why.kind());
    let mut input = bytes;
    let polled = futures::executor::block_on(Decoder::default().read(&mut input, limit)).map_err(|why| why.kind());
    assert_eq!(blocking, polled, "both sides read the same");
    polled
}

#[test]
fn frames_survive_the_journey() {
    let mut bytes = job(7, "a name", 3).unwrap();
    bytes.extend_from_slice(&[1, 2, 3]);
    let frame = read(&bytes, 3).unwrap();
    assert_eq!((frame.kind, frame.number), (JOB, 7));
    assert_eq!(parse_job(&frame.body), Some(("a name", &[1, 2, 3][..])));
    let setup = Setup { frame_limit: 7, memory_limit: u64::MAX };
    assert_eq!(Setup::decode(&read(&setup.encode(), 0).unwrap()), Some(setup));
    assert_eq!(Setup::decode(&read(&text(FAILED, 0, "no"), 0).unwrap()), None);
}

#[test]
fn a_setup_is_one_by_its_kind_and_by_its_version() {
    let setup = Setup { frame_limit: 7, memory_limit: 0 };
    let whole = read(&setup.encode(), 0).unwrap();
    assert_eq!(Setup::decode(&Frame { kind: START, ..whole.clone() }), None);
    let mut other = whole.clone();
    *other.body.last_mut().unwrap() ^= 1;
    assert_eq!(Setup::decode(&other), None);
    for length in 0..whole.body.len() {
        assert_eq!(
            Setup::decode(&Frame { body: whole.body[..length].to_vec(), ..whole.clone() }),
            None,
            "{length} bytes"
        );
    }
    assert_eq!(Setup::decode(&whole), Some(setup));
}

#[test]
fn each_failure_arrives_as_it_was_sent() {
    let codec = |step| Fault::Codec { step, what: "f: why".into() };
    let faults = [
        Fault::Panicked { message: "boom".into(), at: None },
        Fault::Unregistered { name: "f".into() },
        Fault::FrameTooLarge { limit: 9 },
        codec(CodecStep::DecodeArguments),
        codec(CodecStep::EncodeResult),
        Fault::InvalidConfig { what: "why".into() },
    ];
    for fault in faults {
        let sent = format!("{fault:?}");
        let frame = read(&Frame::failure(7, fault), 0).unwrap();
        assert_eq!(format!("{:?}", frame.answer("f", 7, 9).unwrap().unwrap_err()), sent);
    }
    assert_eq!(read(&begin(DONE, 7, b"42", 0).unwrap(), 2).unwrap().answer("f", 7, 9).unwrap().unwrap(), b"42");
    let late = read(&begin(DONE, 6, b"42", 0).unwrap(), 2).unwrap().answer("f", 7, 9);
    assert!(matches!(late, Err(Fault::Protocol { what }) if what.contains("another job")));
    assert!(read(&begin(START, 7, &[], 0).unwrap(), 2).unwrap().answer("f", 7, 9).is_err());
}

#[test]
fn every_shorter_input_is_an_early_end() {
    let bytes = begin(DONE, 7, b"result", 0).unwrap();
    for end in 0..bytes.len() {
        assert_eq!(read(&bytes[..end], 10).unwrap_err(), ErrorKind::UnexpectedEof, "{end} bytes");
    }
}

#[test]
fn a_read_that_a_signal_interrupts_is_done_again_and_one_that_fails_is_not() {
    struct Source<'a>(&'a [u8], Vec<ErrorKind>);

    impl Read for Source<'_> {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            unreachable!("frames are read from the buffer");
        }
    }

    impl BufRead for Source<'_> {
        fn fill_buf(&mut self) -> io::Result<&[u8]> {
            self.1.pop().map_or(Ok(self.0), |kind| Err(kind.into()))
        }

        fn consume(&mut self, bytes: usize) {
            self.0 = &self.0[bytes..];
        }
    }

    let bytes = begin(DONE, 7, b"", 0).unwrap();
    let read = |errors| Decoder::default().read_blocking(&mut Source(&bytes, errors), 0);
    assert_eq!(read(vec![ErrorKind::Interrupted; 2]).unwrap().number, 7);
    assert_eq!(read(vec![ErrorKind::ConnectionReset]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn the_announced_length_is_checked_before_anything_is_read() {
    let bytes = begin(DONE, 7, b"", EXTRA + 11).unwrap();
    assert_eq!(read(&bytes, 10).unwrap_err(), ErrorKind::InvalidData);
    assert_eq!(read(&[0xff; 9], 10).unwrap_err(), ErrorKind::InvalidData);
}

#[test]
fn an_announced_length_takes_no_memory_by_itself() {
    let mut decoder = Decoder::default();
    let head = begin(DONE, 7, &[], u32::MAX as usize).unwrap();
    assert_eq!(decoder.feed(&mut &*head, u32::MAX as usize).unwrap(), None);
    assert_eq!(decoder.feed(&mut &[0; 100][..], u32::MAX as usize).unwrap(), None);
    assert!(decoder.body.capacity() < 4096, "{}", decoder.body.capacity());
}

#[test]
fn a_job_that_is_cut_short_is_refused() {
    assert_eq!(parse_job(&[]), None);
    assert_eq!(parse_job(&[5, 0, b'a']), None);
    assert_eq!(parse_job(&[1, 0, 0xff]), None);
    assert!(matches!(job(1, &"x".repeat(65_536), 0), Err(Fault::InvalidConfig { .. })));
}

#[test]
fn a_long_text_is_cut_at_a_character() {
    let frame = read(&text(FAILED, 0, &"ä".repeat(EXTRA)), 0).unwrap();
    assert!(frame.body.len() <= EXTRA && frame.text().chars().all(|c| c == 'ä'));
    let frame = read(&text(FAILED, 0, &format!("a{}", "ä".repeat(EXTRA))), 0).unwrap();
    assert_eq!(frame.body.len(), EXTRA - 1);
}

/// Bytes of a seeded generator, whose frames are mostly short.
fn noise(seed: u64) -> Vec<u8> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    };
    let mut bytes = Vec::new();
    for _ in 0..next() % 20 {
        let length = next() % 300;
        let announced = if next() % 8 == 0 { next() as u32 } else { length as u32 };
        bytes.extend_from_slice(&announced.to_le_bytes());
        bytes.extend((0..length + 5).map(|_| (next() % 24) as u8));
    }
    bytes
}

#[test]
fn any_bytes_in_any_pieces_make_the_same_frames() {
    let mut refused = 0;
    for seed in 0..2000 {
        let bytes = noise(seed);
        let (whole, fault) = decode_all(&bytes, 1000, bytes.len());
        refused += usize::from(fault.is_some());
        for piece in [1, 2, 5, 7, 64] {
            let (frames, other) = decode_all(&bytes, 1000, piece);
            assert_eq!(frames, whole, "seed {seed}, pieces of {piece}");
            assert_eq!(other.is_some(), fault.is_some(), "seed {seed}, pieces of {piece}");
        }
    }
    assert!((100..1900).contains(&refused), "both cases occur: {refused}");
}
