//! The compact form (RFC 7515 section 7.1), read strictly.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::json::parse_as;
use serde::{Deserialize, Serialize};

/// The header's `typ` (RFC 8725 section 3.11): no other kind of token can pass for a permit.
pub const TYPE: &str = "countersign-permit+jwt";
/// The header's `alg` (RFC 8037 section 3.1), and the only one.
pub const ALGORITHM: &str = "EdDSA";
/// Most bytes of a token; an ordinary permit has about 900, one with the longest names and address
/// about 11,000.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The header, all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) alg: String,
    pub(crate) kid: String,
    pub(crate) typ: String,
}

/// A token taken apart; nothing in it is checked yet.
pub(crate) struct Parts<'a> {
    pub(crate) header: Header,
    /// What the signature covers: the first two segments as they came.
    pub(crate) signed: &'a str,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: [u8; 64],
}

/// Takes a token apart, or says what is wrong with its form.
pub(crate) fn split(token: &str) -> Result<Parts<'_>, String> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(format!(
            "a token of {} bytes is over the limit of {MAX_TOKEN_BYTES}",
            token.len()
        ));
    }
    let shape = || "a token is three segments joined by dots".to_owned();
    let (signed, signature) = token.rsplit_once('.').ok_or_else(shape)?;
    let (header, payload) = signed.split_once('.').ok_or_else(shape)?;
    if payload.contains('.') {
        return Err(shape());
    }
    let header = parse_as(&decode(header, "header")?, MAX_TOKEN_BYTES)
        .map_err(|error| format!("the header: {error}"))?;
    let signature = decode(signature, "signature")?
        .try_into()
        .map_err(|_| "an ed25519 signature has 64 bytes".to_owned())?;
    Ok(Parts {
        header,
        signed,
        payload: decode(payload, "payload")?,
        signature,
    })
}

/// Unpadded base64url in its one spelling.
fn decode(segment: &str, what: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD
        .decode(segment)
        .map_err(|_| format!("the {what} is not unpadded base64url"))
}

/// Unpadded base64url.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// 32 bytes from unpadded base64url.
pub(crate) fn decode32(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}
