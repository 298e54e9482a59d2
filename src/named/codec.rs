//! Arguments and results as bytes: postcard, within a limit.

use crate::{CodecStep, Fault};
use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What refuses to grow beyond a limit, so that a value that is too large is not first written down as a whole.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl Flavor for Bounded {
    type Output = Vec<u8>;

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        if data.len() > self.limit - self.bytes.len() {
            return Err(postcard::Error::SerializeBufferFull);
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.bytes)
    }
}

/// Writes a value down.
pub(super) fn encode<T: Serialize>(value: &T, limit: usize, step: CodecStep, name: &str) -> Result<Vec<u8>, Fault> {
    postcard::serialize_with_flavor(value, Bounded { bytes: Vec::new(), limit }).map_err(|why| match why {
        postcard::Error::SerializeBufferFull => Fault::FrameTooLarge { limit },
        why => wrong(step, name, &plain(&why)),
    })
}

/// Reads a value back.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8], step: CodecStep, name: &str) -> Result<T, Fault> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) => Err(wrong(step, name, "bytes are left over, so its type is another one on the other side")),
        Err(why) => Err(wrong(step, name, &plain(&why))),
    }
}

fn wrong(step: CodecStep, name: &str, why: &str) -> Fault {
    Fault::Codec { step, what: format!("{name}: {why}").into() }
}

/// The codec's error, with its most opaque cases in plainer words.
fn plain(why: &postcard::Error) -> String {
    match why {
        postcard::Error::SerdeSerCustom | postcard::Error::SerdeDeCustom => "the type's own code refused it".to_owned(),
        postcard::Error::WontImplement => "the format does not describe itself, as this type needs it to".to_owned(),
        postcard::Error::SerializeSeqLengthUnknown => "a sequence does not know its length in advance".to_owned(),
        why => why.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use crate::CodecStep::{DecodeResult, EncodeArguments};
    use crate::Fault;

    #[test]
    fn what_is_encoded_can_be_decoded() {
        let value = (7_u64, "text".to_owned(), vec![Some(1.5_f64), None]);
        let bytes = encode(&value, 1000, EncodeArguments, "f").unwrap();
        assert_eq!(decode::<(u64, String, Vec<Option<f64>>)>(&bytes, DecodeResult, "f").unwrap(), value);
    }

    #[test]
    fn the_limit_is_exact() {
        let bytes = encode(&"abc", usize::MAX, EncodeArguments, "f").unwrap();
        assert_eq!(encode(&"abc", bytes.len(), EncodeArguments, "f").unwrap(), bytes);
        let limit = bytes.len() - 1;
        let refused = encode(&"abc", limit, EncodeArguments, "f");
        assert!(matches!(refused, Err(Fault::FrameTooLarge { limit: told }) if told == limit));
    }

    #[test]
    fn another_type_is_an_error() {
        let bytes = encode(&(1_u64, 2_u64), 100, EncodeArguments, "f").unwrap();
        let error = decode::<u64>(&bytes, DecodeResult, "f").unwrap_err();
        assert!(matches!(&error, Fault::Codec { step: DecodeResult, what } if what.starts_with("f: ")));
        assert!(error.to_string().contains("left over"), "{error}");
        assert!(matches!(decode::<(u64, u64, u64)>(&bytes, DecodeResult, "f"), Err(Fault::Codec { .. })));
    }

    /// What the codec calls these is a riddle.
    #[test]
    fn opaque_errors_are_put_in_plain_words() {
        let cases = [
            (postcard::Error::SerdeSerCustom, "the type's own code refused it"),
            (postcard::Error::SerdeDeCustom, "the type's own code refused it"),
            (postcard::Error::WontImplement, "the format does not describe itself"),
            (postcard::Error::SerializeSeqLengthUnknown, "a sequence does not know its length"),
            (postcard::Error::DeserializeUnexpectedEnd, "end of buffer"),
        ];
        for (error, words) in cases {
            let told = super::plain(&error);
            assert!(told.to_lowercase().contains(words), "{told}");
        }
    }

    #[test]
    fn an_announced_length_takes_no_memory_by_itself() {
        // A sequence that says it has 2^60 elements, and has none.
        let bytes = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
        assert!(matches!(decode::<Vec<u64>>(&bytes, DecodeResult, "f"), Err(Fault::Codec { .. })));
        assert!(matches!(decode::<String>(&bytes, DecodeResult, "f"), Err(Fault::Codec { .. })));
    }
}
