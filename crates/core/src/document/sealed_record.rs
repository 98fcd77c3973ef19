//! A sealed document as it is stored: whoever holds only this learns its kind and length.

use crate::refs::Sha256;

/// One document, encrypted under a key of its own, with that key wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRecord {
    /// The document's commitment.
    pub reference: Sha256,
    /// The document's kind.
    pub kind: String,
    /// Which key-encryption key wraps the record's key.
    pub key_id: String,
    /// The record's key, wrapped.
    pub wrapped_key: Vec<u8>,
    /// The nonce of the encryption.
    pub nonce: Vec<u8>,
    /// The document's canonical JSON, encrypted and authenticated.
    pub ciphertext: Vec<u8>,
}
