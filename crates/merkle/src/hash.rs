//! The hash function of the tree, with the domain separation of RFC 6962 section 2.1.

use sha2::{Digest as _, Sha256};
use std::fmt;

/// Bytes in a hash.
pub const HASH_LEN: usize = 32;

/// The root of the tree without leaves: SHA-256 of nothing (RFC 6962 section 2.1).
pub const EMPTY_ROOT: Hash = Hash([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

/// A SHA-256 hash of a leaf, of an inner node, or of a whole tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; HASH_LEN]);

impl Hash {
    /// The hash that these bytes are.
    pub const fn from_bytes(bytes: [u8; HASH_LEN]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; HASH_LEN] {
        &self.0
    }

    /// The hash that a slice of exactly 32 bytes is.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, HashLengthError> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| HashLengthError { got: bytes.len() })
    }
}

impl From<[u8; HASH_LEN]> for Hash {
    fn from(bytes: [u8; HASH_LEN]) -> Self {
        Self(bytes)
    }
}

impl From<Hash> for [u8; HASH_LEN] {
    fn from(hash: Hash) -> Self {
        hash.0
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Lower-case hexadecimal.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// Bytes that cannot be a hash because of their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 32 bytes, got {got}")]
pub struct HashLengthError {
    /// How many bytes came.
    pub got: usize,
}

/// The hash of a leaf: `SHA-256(0x00 ‖ data)`.
pub fn leaf_hash(data: &[u8]) -> Hash {
    let digest = Sha256::new().chain_update([0x00]).chain_update(data);
    Hash(digest.finalize().into())
}

/// The hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let digest = Sha256::new()
        .chain_update([0x01])
        .chain_update(left.0)
        .chain_update(right.0);
    Hash(digest.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_root_is_the_hash_of_nothing() {
        assert_eq!(EMPTY_ROOT.0, <[u8; 32]>::from(Sha256::digest(b"")));
    }

    #[test]
    fn leaf_and_node_are_separate_domains() {
        let (a, b) = (leaf_hash(b"a"), leaf_hash(b"b"));
        let concatenated = [a.as_bytes().as_slice(), b.as_bytes()].concat();
        assert_ne!(node_hash(&a, &b), leaf_hash(&concatenated));
        assert_ne!(node_hash(&a, &b), node_hash(&b, &a));
        // The leaf of nothing is not the empty tree (RFC 6962 section 2.1.3's vectors).
        assert_eq!(
            leaf_hash(b"").to_string(),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
    }

    #[test]
    fn slices_of_another_length_are_refused() {
        assert_eq!(Hash::from_slice(&[0; 31]), Err(HashLengthError { got: 31 }));
        assert_eq!(Hash::from_slice(&[0; 33]), Err(HashLengthError { got: 33 }));
        assert_eq!(Hash::from_slice(EMPTY_ROOT.as_bytes()), Ok(EMPTY_ROOT));
    }

    #[test]
    fn debug_shows_hex() {
        assert_eq!(format!("{EMPTY_ROOT:?}"), format!("Hash({EMPTY_ROOT})"));
        assert!(EMPTY_ROOT.to_string().starts_with("e3b0c442"));
    }
}
