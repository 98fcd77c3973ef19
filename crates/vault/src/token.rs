//! What is stored of an API token.

use std::str::FromStr;

use aws_lc_rs::{constant_time, hmac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::framing::frame;
use countersign_core::hex;

/// Hashes API tokens: HMAC-SHA-256 under a key of its own, so that a stolen database alone does
/// not even tell whether a guess is right.
pub struct TokenHasher {
    key: hmac::Key,
}

impl TokenHasher {
    /// A hasher with this key.
    pub fn new(key: &Zeroizing<[u8; 32]>) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()),
        }
    }

    /// The hash of a credential's secret.
    pub fn hash(&self, credential: &str, secret: &[u8]) -> TokenHash {
        let fields = [credential.as_bytes(), secret];
        let framed = Zeroizing::new(frame("countersign/api-token/v1\n", &fields));
        let mut bytes = [0u8; 32];
        let tag = hmac::sign(&self.key, &framed);
        for (to, from) in bytes.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        TokenHash(bytes)
    }
}

/// What is stored of a token; as text, 64 lower-case hex digits. Compared in constant time.
#[derive(Debug, Clone, Copy)]
pub struct TokenHash([u8; 32]);

/// Text that is no token hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a token hash: allowed are 64 lower-case hex digits")]
pub struct TokenHashError;

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for TokenHash {}

impl std::fmt::Display for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl FromStr for TokenHash {
    type Err = TokenHashError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: Option<Vec<u8>> = text.bytes().map(nibble).collect();
        let digits = digits.filter(|digits| digits.len() == 64);
        let mut bytes = [0u8; 32];
        for (to, pair) in bytes
            .iter_mut()
            .zip(digits.ok_or(TokenHashError)?.chunks_exact(2))
        {
            if let [high, low] = pair {
                *to = (high << 4) | low;
            }
        }
        Ok(Self(bytes))
    }
}

impl Serialize for TokenHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TokenHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_depends_on_key_credential_and_secret() {
        let hasher = TokenHasher::new(&Zeroizing::new([7; 32]));
        let hash = hasher.hash("A", b"secret");
        assert_eq!(hash, hasher.hash("A", b"secret"));
        assert_ne!(hash, hasher.hash("B", b"secret"));
        assert_ne!(hash, hasher.hash("A", b"secreT"));
        assert_ne!(hash, hasher.hash("As", b"ecret"));
        let other = TokenHasher::new(&Zeroizing::new([8; 32]));
        assert_ne!(hash, other.hash("A", b"secret"));
    }

    #[test]
    fn a_hash_has_one_text() {
        let hasher = TokenHasher::new(&Zeroizing::new([7; 32]));
        let hash = hasher.hash("A", b"secret");
        let text = hash.to_string();
        assert_eq!(text.parse::<TokenHash>().unwrap(), hash);
        for bad in [
            text.to_uppercase(),
            text.get(1..).unwrap().to_owned(),
            format!("{text}0"),
            String::new(),
            text.replacen(char::is_alphanumeric, "g", 1),
        ] {
            assert!(bad.parse::<TokenHash>().is_err(), "{bad}");
        }
    }
}
