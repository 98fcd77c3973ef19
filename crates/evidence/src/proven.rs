//! Ed25519 signatures over what the root key states.

use ed25519_dalek::{Signature, VerifyingKey};

/// Whether the key has signed the message.
pub(crate) fn is_signed(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = <&[u8; 32]>::try_from(public_key)
        .ok()
        .and_then(|bytes| VerifyingKey::from_bytes(bytes).ok());
    let signature = Signature::from_slice(signature).ok();
    // Strict: small-order keys and malleable encodings prove nothing (RFC 8032 section 5.1.7).
    match (key, signature) {
        (Some(key), Some(signature)) => key.verify_strict(message, &signature).is_ok(),
        _ => false,
    }
}
