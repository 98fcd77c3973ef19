//! The keys of a recipient.
//!
//! The public key is a text that a person can paste: `csrecipient1_`, 64 hex digits, `_`, and 8 hex
//! digits that tell a mistyped one. One double-click selects it whole.

use std::fmt;
use std::str::FromStr;

use ::hpke::kem::X25519HkdfSha256;
use ::hpke::{Deserializable as _, Kem, Serializable as _};
use countersign_core::hex;
use countersign_core::refs::Sha256;
use zeroize::Zeroizing;

/// Bytes of either key (RFC 9180 section 7.1: `Npk` and `Nsk` of DHKEM(X25519, HKDF-SHA256)).
pub(crate) const KEY_BYTES: usize = 32;
/// What the text of a public key begins with.
const PREFIX: &str = "csrecipient1_";
/// Bytes of the checksum at its end.
const CHECK_BYTES: usize = 4;

pub(crate) type Public = <X25519HkdfSha256 as Kem>::PublicKey;
pub(crate) type Private = <X25519HkdfSha256 as Kem>::PrivateKey;

/// A recipient's public key: what is sealed to it, only the recipient opens.
#[derive(Clone, PartialEq, Eq)]
pub struct RecipientKey {
    key: Public,
    bytes: [u8; KEY_BYTES],
}

/// A recipient's private key. It is overwritten when dropped, and is never shown.
pub struct RecipientSecret(Private);

/// Why a text is no recipient's key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipientKeyError {
    /// It begins otherwise.
    #[error("a recipient's key begins with `{PREFIX}`, and this is {0}")]
    OtherKind(&'static str),
    /// It has not the form.
    #[error("a recipient's key is `{PREFIX}`, 64 hex digits, `_` and 8 hex digits")]
    Form,
    /// A digit is wrong, or one was lost.
    #[error("the key's last 8 digits do not fit the others: it was mistyped or cut")]
    Checksum,
    /// Nothing can be sealed to such a point: the secret would be known to everybody.
    #[error("the key is a point of small order, to which nothing can be sealed")]
    SmallOrder,
}

impl RecipientKey {
    /// A key by its bytes. Points of small order are refused.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Result<Self, RecipientKeyError> {
        let key = Public::from_bytes(&bytes).map_err(|_| RecipientKeyError::Form)?;
        // RFC 9180 section 7.1.4: a shared secret of zeroes is refused; so it is known at once.
        if crate::hpke::is_small_order(&key) {
            return Err(RecipientKeyError::SmallOrder);
        }
        Ok(Self { key, bytes })
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }

    pub(crate) fn key(&self) -> &Public {
        &self.key
    }
}

impl fmt::Display for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let check = checksum(&self.bytes);
        write!(f, "{PREFIX}{}_{check}", hex(&self.bytes))
    }
}

impl fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RecipientKey {
    type Err = RecipientKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let rest = text
            .strip_prefix(PREFIX)
            .ok_or_else(|| RecipientKeyError::OtherKind(looks_like(text)))?;
        let (digits, check) = rest.split_once('_').ok_or(RecipientKeyError::Form)?;
        // The digits of a ref are read by one strict piece of code.
        let bytes: Sha256 = format!("sha256:{digits}")
            .parse()
            .map_err(|_| RecipientKeyError::Form)?;
        let bytes = *bytes.as_bytes();
        if check.len() != 2 * CHECK_BYTES {
            return Err(RecipientKeyError::Form);
        }
        if check != checksum(&bytes) {
            return Err(RecipientKeyError::Checksum);
        }
        Self::from_bytes(bytes)
    }
}

impl RecipientSecret {
    /// A key by its bytes, which are random.
    pub fn from_bytes(bytes: &Zeroizing<[u8; KEY_BYTES]>) -> Option<Self> {
        Private::from_bytes(bytes.as_slice()).ok().map(Self)
    }

    /// Its public half.
    pub fn public(&self) -> RecipientKey {
        let key = X25519HkdfSha256::sk_to_pk(&self.0);
        let bytes: [u8; KEY_BYTES] = key.to_bytes().into();
        RecipientKey { key, bytes }
    }

    pub(crate) fn key(&self) -> &Private {
        &self.0
    }
}

fn checksum(bytes: &[u8; KEY_BYTES]) -> String {
    let mut message = b"countersign/recipient-key/v1\n".to_vec();
    message.extend_from_slice(bytes);
    let digest = Sha256::of(&message);
    digest
        .as_bytes()
        .iter()
        .take(CHECK_BYTES)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What somebody has pasted in place of a recipient's key. A secret is named and never shown.
fn looks_like(text: &str) -> &'static str {
    if text.contains("countersign-key/v1") {
        return "a file of a private key, which belongs to nobody else";
    }
    if text.split('+').count() >= 3 {
        return "a verifier key, which checks signatures";
    }
    if text.starts_with("cs_") || text.starts_with("csgn_") {
        return "a token";
    }
    if text.starts_with("age1") {
        return "a key of age";
    }
    if text.starts_with("-----BEGIN") || text.starts_with("ssh-") {
        return "a key of another program";
    }
    "something else"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> RecipientSecret {
        RecipientSecret::from_bytes(&Zeroizing::new([byte; 32])).unwrap()
    }

    #[test]
    fn a_key_survives_being_pasted_and_a_mistyped_one_is_noticed() {
        let key = secret(7).public();
        let text = key.to_string();
        assert_eq!(format!(" {text}\n").parse::<RecipientKey>().unwrap(), key);
        for at in 0..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[at] = if wrong[at] == b'0' { b'1' } else { b'0' };
            let wrong = String::from_utf8(wrong).unwrap();
            assert!(wrong.parse::<RecipientKey>().is_err(), "{wrong}");
            let cut: String = text.chars().take(at).collect();
            assert!(cut.parse::<RecipientKey>().is_err(), "{at}");
        }
    }

    #[test]
    fn keys_of_other_kinds_are_refused_by_name() {
        for (text, name) in [
            ("log.example/acme/1+0d7ba2ea+AWqe", "a verifier key"),
            ("countersign-key/v1 recipient 0011\n", "a private key"),
            ("age1qqqq", "a key of age"),
            ("", "something else"),
        ] {
            let error = text.parse::<RecipientKey>().unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn points_of_small_order_are_no_keys() {
        // RFC 7748 section 6.1, and the well-known points of order 1, 2, 4 and 8.
        let eight = [
            0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f,
            0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16,
            0x5f, 0x49, 0xb8, 0x00,
        ];
        let mut one = [0; 32];
        one[0] = 1;
        let mut minus_one = [0xff; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        for point in [[0; 32], one, minus_one, eight] {
            let refused = RecipientKey::from_bytes(point);
            assert_eq!(refused, Err(RecipientKeyError::SmallOrder));
        }
    }
}
