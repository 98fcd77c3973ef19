//! ML-DSA-44 (FIPS 204), behind the feature `ml-dsa`: without it, keys are read and their signatures
//! are left unchecked.

/// Bytes in a public key.
pub(crate) const PUBLIC_KEY_LEN: usize = 1312;
/// Bytes in a signature.
pub(crate) const SIGNATURE_LEN: usize = 2420;

/// Whether this is the key's pure signature over the message, with an empty context.
#[cfg(feature = "ml-dsa")]
pub(crate) fn is_signed(
    public_key: &[u8; PUBLIC_KEY_LEN],
    message: &[u8],
    signature: &[u8; SIGNATURE_LEN],
) -> bool {
    use aws_lc_rs::signature::{ML_DSA_44, UnparsedPublicKey};
    UnparsedPublicKey::new(&ML_DSA_44, public_key)
        .verify(message, signature)
        .is_ok()
}

/// Nothing is known to be signed without the library.
#[cfg(not(feature = "ml-dsa"))]
pub(crate) fn is_signed(
    _public_key: &[u8; PUBLIC_KEY_LEN],
    _message: &[u8],
    _signature: &[u8; SIGNATURE_LEN],
) -> bool {
    false
}
