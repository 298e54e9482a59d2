//! The decoder of frames against a plain one: what the fuzzer (`fuzz/fuzz_targets/decode_frames.rs`) and its corpus do here.
//!
//! The first bytes of an input say how large a frame may be, in what pieces it comes, and what the others are: the stream
//! itself, or the recipe of one.

use std::fs;
use std::path::Path;
use thenable::Fault;
use thenable::process::decode_frames;

/// What a frame may have beyond the limit.
const EXTRA: usize = 64 << 10;
const LIMITS: [usize; 8] = [0, 1, 10, 255, 1000, 1 << 20, u32::MAX as usize, usize::MAX];

type Frames = Vec<(u8, Vec<u8>)>;

/// Decodes an input in several ways, which must agree.
pub(crate) fn check(input: &[u8]) {
    let [how, piece, rest @ ..] = input else { return };
    let limit = LIMITS[usize::from(how & 7)];
    let (stream, frames) = if how & 8 == 0 { (rest.to_vec(), None) } else { cook(rest) };
    let (expected, refused) = decode_plainly(&stream, limit);
    if let Some(frames) = frames
        && !refused
    {
        // A recipe may end with half a frame, and the others arrive as they were sent.
        assert_eq!(expected, frames, "the plain decoder");
    }
    for piece in [usize::from(*piece), 1, stream.len()] {
        let (found, fault) = decode_frames(&stream, limit, piece);
        assert_eq!(found, expected, "in pieces of {piece}");
        assert_eq!(fault.is_some(), refused, "in pieces of {piece}: {fault:?}");
        if let Some(fault) = fault {
            assert!(matches!(fault, Fault::FrameTooLarge { limit: told } if told == limit), "{fault:?}");
        }
    }
}

/// Frames of a recipe: for each the kind, the length of its body, and a byte that the body is made of. A length of 255 is
/// the last one: its frame is cut off.
fn cook(recipe: &[u8]) -> (Vec<u8>, Option<Frames>) {
    let (mut stream, mut frames) = (Vec::new(), Vec::new());
    for step in recipe.chunks_exact(3) {
        let [kind, length, seed] = [step[0], step[1], step[2]];
        let body: Vec<u8> = (0..length).map(|at| seed.wrapping_mul(31).wrapping_add(at)).collect();
        stream.extend_from_slice(&u32::from(length).to_le_bytes());
        stream.push(kind);
        stream.extend_from_slice(&u32::from(seed).to_le_bytes());
        if length == u8::MAX {
            stream.extend_from_slice(&body[..usize::from(seed).min(body.len() - 1)]);
            break;
        }
        stream.extend_from_slice(&body);
        frames.push((kind, body));
    }
    (stream, Some(frames))
}

/// The frames that are whole, and whether one that is too large ends them.
fn decode_plainly(mut stream: &[u8], limit: usize) -> (Frames, bool) {
    let mut frames = Vec::new();
    while let Some((header, rest)) = stream.split_first_chunk::<9>() {
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
        if length > limit.saturating_add(EXTRA) {
            return (frames, true);
        }
        let Some((body, rest)) = rest.split_at_checked(length) else { break };
        frames.push((header[4], body.to_vec()));
        stream = rest;
    }
    (frames, false)
}

#[test]
fn the_corpus_of_the_fuzzer_is_decoded() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    if !fuzz.exists() {
        // The published package is without it.
        return;
    }
    let mut inputs = 0;
    for entry in fs::read_dir(fuzz.join("corpus/decode_frames")).expect("the corpus") {
        check(&fs::read(entry.expect("the corpus").path()).expect("a file of the corpus"));
        inputs += 1;
    }
    assert!(inputs > 10, "only {inputs} inputs");
}

#[test]
fn streams_made_by_recipe_are_decoded() {
    let mut x = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..5000 {
        let input: Vec<u8> = (0..x % 60)
            .map(|_| {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                (x >> 32) as u8
            })
            .collect();
        x = x.wrapping_add(1);
        check(&input);
        let by_recipe: Vec<u8> = [8 | input.first().map_or(0, |how| how & 7), 3].into_iter().chain(input).collect();
        check(&by_recipe);
    }
}
