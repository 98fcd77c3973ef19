//! Ed25519 signatures of statements inside entries.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::names::KeyText;
use countersign_note::{SignatureType, VerifierKey};
use ed25519_dalek::{Signature, VerifyingKey};

/// Whether the signature, unpadded base64url, is the key's over the message.
pub(crate) fn is_signed(public_key: &[u8], message: &[u8], signature: &KeyText) -> bool {
    let Some(key) = <&[u8; 32]>::try_from(public_key)
        .ok()
        .and_then(|bytes| VerifyingKey::from_bytes(bytes).ok())
    else {
        return false;
    };
    let Some(signature) = decode::<64>(signature) else {
        return false;
    };
    // Strict: small-order keys and malleable encodings prove nothing (RFC 8032 section 5.1.7).
    key.verify_strict(message, &Signature::from_bytes(&signature))
        .is_ok()
}

/// Exactly so many bytes from unpadded base64url.
pub(crate) fn decode<const N: usize>(text: &KeyText) -> Option<[u8; N]> {
    let bytes = URL_SAFE_NO_PAD.decode(text.as_str()).ok()?;
    bytes.try_into().ok()
}

/// A verifier key that an entry holds, of the one type that signs statements and checkpoints.
pub(crate) fn verifier_key(text: &KeyText) -> Option<VerifierKey> {
    let key = VerifierKey::parse(text.as_str()).ok()?;
    (key.signature_type() == SignatureType::Ed25519).then_some(key)
}
