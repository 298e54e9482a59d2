//! What goes over the socket: frames of a length (four bytes, little endian), a kind (one byte), the number of the job (four
//! bytes), and so many bytes.
//!
//! ```text
//! pool -> worker   SETUP  once: protocol, frame limit, memory limit
//!                  JOB    length of the name (two bytes), name, arguments
//! worker -> pool   HELLO  once: ready; or FAILED: it cannot be a worker, and why
//!                  START  the job has arrived; what comes now can be its fault
//!                  DONE   the result; or one of the kinds below
//! ```
//!
//! The answers have the number of their job: what a worker says twice (a job may have forked it) is not taken for the answer
//! to the next one.
//!
//! The pool ends a worker by closing its own direction: the worker reads the end of the stream and exits.
//!
//! Neither side trusts the other: a length is checked before anything is read for it, and takes memory only as the bytes
//! come. [`Decoder`] does no input itself, so that it can be given any bytes in any pieces.

use crate::{CodecStep, Fault};
use futures::io::{AsyncBufRead, AsyncBufReadExt};
use std::borrow::Cow;
use std::io::{self, BufRead};

pub(super) const SETUP: u8 = 1;
pub(super) const JOB: u8 = 2;
pub(super) const HELLO: u8 = 3;
pub(super) const START: u8 = 4;
pub(super) const DONE: u8 = 5;
pub(super) const PANICKED: u8 = 6;
pub(super) const UNREGISTERED: u8 = 7;
/// The arguments cannot be decoded.
pub(super) const ARGUMENTS: u8 = 8;
/// The result cannot be encoded.
pub(super) const RESULT: u8 = 9;
pub(super) const TOO_LARGE: u8 = 10;
/// Two functions claim the name.
pub(super) const AMBIGUOUS: u8 = 11;
pub(super) const FAILED: u8 = 12;

/// What both sides must agree on, besides the version of this crate.
const PROTOCOL: &str = concat!("thenable ", env!("CARGO_PKG_VERSION"), " worker 1");

/// How many bytes a frame may have beside arguments or result: a name, or the message of a panic.
pub(super) const EXTRA: usize = 64 << 10;

const HEADER: usize = 9;

/// A frame as it has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    /// Of the job, among those of its worker. Zero: it is about none.
    pub(super) number: u32,
    pub(super) body: Vec<u8>,
}

impl Frame {
    /// The body as text: a message of the other side.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What a worker says of this job.
    ///
    /// # Errors
    ///
    /// It is not an answer, or not to this job.
    pub(super) fn answer(self, name: &str, number: u32, limit: usize) -> Result<Result<Vec<u8>, Fault>, Fault> {
        if self.number != number {
            return Err(Fault::Protocol { what: "an answer to another job".into() });
        }
        let codec = |step, frame: &Self| Fault::Codec { step, what: frame.text().into() };
        Ok(Err(match self.kind {
            DONE => return Ok(Ok(self.body)),
            PANICKED => Fault::Panicked { message: self.text().into(), at: None },
            UNREGISTERED => Fault::Unregistered { name: name.to_owned().into() },
            ARGUMENTS => codec(CodecStep::DecodeArguments, &self),
            RESULT => codec(CodecStep::EncodeResult, &self),
            TOO_LARGE => Fault::FrameTooLarge { limit },
            AMBIGUOUS => Fault::InvalidConfig { what: self.text().into() },
            kind => return Err(Fault::Protocol { what: format!("a frame of the kind {kind} as an answer").into() }),
        }))
    }

    /// The frame that says why a job failed.
    pub(super) fn failure(number: u32, fault: Fault) -> Vec<u8> {
        match fault {
            Fault::Panicked { message, .. } => text(PANICKED, number, &message),
            Fault::Unregistered { .. } => text(UNREGISTERED, number, ""),
            Fault::FrameTooLarge { .. } => text(TOO_LARGE, number, ""),
            Fault::Codec { step: CodecStep::EncodeResult, what } => text(RESULT, number, &what),
            Fault::Codec { what, .. } => text(ARGUMENTS, number, &what),
            Fault::InvalidConfig { what } => text(AMBIGUOUS, number, &what),
            fault => text(PANICKED, number, &fault.to_string()),
        }
    }
}

/// The beginning of a frame whose body is `head` and so many bytes that follow.
pub(super) fn begin(kind: u8, number: u32, head: &[u8], more: usize) -> Result<Vec<u8>, Fault> {
    let length = head.len().saturating_add(more);
    let Ok(length) = u32::try_from(length) else { return Err(Fault::FrameTooLarge { limit: u32::MAX as usize }) };
    let mut bytes = Vec::with_capacity(HEADER + head.len());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.push(kind);
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(head);
    Ok(bytes)
}

/// A frame with a text, cut if need be.
pub(super) fn text(kind: u8, number: u32, text: &str) -> Vec<u8> {
    let mut end = text.len().min(EXTRA);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // It is far from the limit of `begin`.
    begin(kind, number, &text.as_bytes()[..end], 0).unwrap_or_default()
}

/// What a worker is told first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setup {
    pub(super) frame_limit: usize,
    /// Zero is no limit.
    pub(super) memory_limit: u64,
}

impl Setup {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut body = (self.frame_limit as u64).to_le_bytes().to_vec();
        body.extend_from_slice(&self.memory_limit.to_le_bytes());
        body.extend_from_slice(PROTOCOL.as_bytes());
        begin(SETUP, 0, &body, 0).unwrap_or_default()
    }

    /// `None`: it is from another version, or from somebody else.
    pub(super) fn decode(frame: &Frame) -> Option<Self> {
        let (frame_limit, rest) = frame.body.split_first_chunk()?;
        let (memory_limit, protocol) = rest.split_first_chunk()?;
        if frame.kind != SETUP || protocol != PROTOCOL.as_bytes() {
            return None;
        }
        let frame_limit = usize::try_from(u64::from_le_bytes(*frame_limit)).ok()?;
        Some(Self { frame_limit, memory_limit: u64::from_le_bytes(*memory_limit) })
    }
}

/// The beginning of a job; its arguments follow.
pub(super) fn job(number: u32, name: &str, arguments: usize) -> Result<Vec<u8>, Fault> {
    let Ok(length) = u16::try_from(name.len()) else {
        let what = Cow::from("a job whose name has more than 65,535 bytes");
        return Err(Fault::InvalidConfig { what });
    };
    let mut head = length.to_le_bytes().to_vec();
    head.extend_from_slice(name.as_bytes());
    begin(JOB, number, &head, arguments)
}

/// Name and arguments.
pub(super) fn parse_job(body: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = body.split_first_chunk()?;
    let (name, arguments) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    Some((std::str::from_utf8(name).ok()?, arguments))
}

/// Makes frames of bytes, in whatever pieces they come.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    header: [u8; HEADER],
    /// How much of the header is there.
    filled: usize,
    body: Vec<u8>,
}

impl Decoder {
    /// Takes from the front of `input` what belongs to the current frame, and gives that when it is whole.
    ///
    /// A frame for arguments or a result of more than `limit` bytes is an error. There is no way to go on from that.
    pub(super) fn feed(&mut self, input: &mut &[u8], limit: usize) -> Result<Option<Frame>, Fault> {
        while self.filled < HEADER {
            let Some((byte, rest)) = input.split_first() else { return Ok(None) };
            self.header[self.filled] = *byte;
            self.filled += 1;
            *input = rest;
        }
        let [a, b, c, d, kind, number @ ..] = self.header;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length > limit.saturating_add(EXTRA) {
            return Err(Fault::FrameTooLarge { limit });
        }
        let missing = length - self.body.len();
        let (part, rest) = input.split_at(missing.min(input.len()));
        self.body.extend_from_slice(part);
        *input = rest;
        if part.len() < missing {
            return Ok(None);
        }
        self.filled = 0;
        Ok(Some(Frame { kind, number: u32::from_le_bytes(number), body: std::mem::take(&mut self.body) }))
    }

    /// Reads a frame. An end of the stream, also in the middle of a frame, is [`io::ErrorKind::UnexpectedEof`]; a frame
    /// that is too large is [`io::ErrorKind::InvalidData`]. Dropping the future loses nothing.
    pub(super) async fn read(&mut self, from: &mut (impl AsyncBufRead + Unpin), limit: usize) -> io::Result<Frame> {
        loop {
            let input = from.fill_buf().await?;
            let (frame, used) = self.take(input, limit)?;
            from.consume_unpin(used);
            if let Some(frame) = frame {
                return Ok(frame);
            }
        }
    }

    /// As [`read`](Self::read), for the worker, which blocks.
    pub(super) fn read_blocking(&mut self, from: &mut impl BufRead, limit: usize) -> io::Result<Frame> {
        loop {
            let input = match from.fill_buf() {
                Ok(input) => input,
                Err(why) if why.kind() == io::ErrorKind::Interrupted => continue,
                Err(why) => return Err(why),
            };
            let (frame, used) = self.take(input, limit)?;
            from.consume(used);
            if let Some(frame) = frame {
                return Ok(frame);
            }
        }
    }

    fn take(&mut self, input: &[u8], limit: usize) -> io::Result<(Option<Frame>, usize)> {
        if input.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut rest = input;
        let frame = self.feed(&mut rest, limit).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        Ok((frame, input.len() - rest.len()))
    }
}

/// All frames in these bytes, read in pieces of so many, with what their bodies say, up to the first error.
pub(super) fn decode_all(bytes: &[u8], limit: usize, piece: usize) -> (Vec<(u8, Vec<u8>)>, Option<Fault>) {
    let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
    for mut input in bytes.chunks(piece.max(1)) {
        while !input.is_empty() {
            match decoder.feed(&mut input, limit) {
                Ok(Some(frame)) => {
                    let _ = (Setup::decode(&frame), parse_job(&frame.body), frame.clone().answer("", 1, limit));
                    frames.push((frame.kind, frame.body));
                }
                Ok(None) => {}
                Err(fault) => return (frames, Some(fault)),
            }
        }
    }
    (frames, None)
}

#[cfg(test)]
mod tests;
