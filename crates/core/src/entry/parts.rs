//! Content longer than a leaf, in `part` entries.

use base64::Engine as _;

use super::kind::entry_kind;
use crate::limits::PART_BYTES;
use crate::refs::Sha256;

entry_kind! {
    #[doc = "A piece of content that is longer than a leaf. Content-addressed: the entry that needs it names the SHA-256 of its bytes, and a piece that the log already holds is not repeated."]
    Part = "part" {
        #[doc = "SHA-256 of the whole content that the piece was first part of."]
        of: Sha256,
        #[doc = "The piece's number in that content, from 0."]
        n: u32,
        #[doc = "How many pieces that content has."]
        total: u32,
        #[doc = "The piece's bytes, base64 with padding; at most 43,008 bytes before coding."]
        bytes: PartBytes,
    }
}

/// The bytes of a piece; base64 with padding in JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct PartBytes(Vec<u8>);

impl PartBytes {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What the entry that needs the piece names.
    pub fn digest(&self) -> Sha256 {
        Sha256::of(&self.0)
    }
}

impl std::fmt::Debug for PartBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl serde::Serialize for PartBytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(&self.0))
    }
}

impl<'de> serde::Deserialize<'de> for PartBytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(text)
            .map_err(|_| serde::de::Error::custom("a part's bytes are base64 with padding"))?;
        if bytes.len() > PART_BYTES {
            return Err(serde::de::Error::custom(
                "a part holds at most 43,008 bytes",
            ));
        }
        Ok(Self(bytes))
    }
}

/// Splits content into its parts, in order.
pub fn split(content: &[u8]) -> Vec<Part> {
    let of = Sha256::of(content);
    let pieces: Vec<&[u8]> = content.chunks(PART_BYTES).collect();
    let total = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
    (0u32..)
        .zip(pieces)
        .map(|(n, piece)| Part {
            of,
            n,
            total,
            bytes: PartBytes(piece.to_vec()),
        })
        .collect()
}
