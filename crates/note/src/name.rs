//! How keys are named.

use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// The longest key name. The specification has no limit; ML-DSA cosignatures count names in one
/// byte, so longer ones are of no use anyway.
pub const MAX_KEY_NAME_LEN: usize = 255;

/// The name of a key: not empty, without white space, control characters and `+`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// Why a text cannot name a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyNameError {
    /// There is no name.
    #[error("a key name must not be empty")]
    Empty,
    /// The name is too long.
    #[error("a key name of {got} bytes is longer than the maximum of {MAX_KEY_NAME_LEN}")]
    TooLong {
        /// How many bytes came.
        got: usize,
    },
    /// The name contains a character that would make notes ambiguous.
    #[error(
        "key name `{name}` contains {character:?}: white space, `+` and control characters are not allowed"
    )]
    Character {
        /// The name that came, with the character escaped.
        name: String,
        /// What it must not contain.
        character: char,
    },
}

impl KeyName {
    /// Checks a name.
    pub fn parse(name: &str) -> Result<Self, KeyNameError> {
        if name.is_empty() {
            return Err(KeyNameError::Empty);
        }
        if name.len() > MAX_KEY_NAME_LEN {
            return Err(KeyNameError::TooLong { got: name.len() });
        }
        let is_refused = |char: &char| char.is_whitespace() || *char < ' ' || *char == '+';
        match name.chars().find(is_refused) {
            None => Ok(Self(name.to_owned())),
            Some(character) => Err(KeyNameError::Character {
                name: name.escape_debug().to_string(),
                character,
            }),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = KeyNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::parse(name)
    }
}

impl AsRef<str> for KeyName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The short id that, with the name, says which key made a signature. It identifies; it does not
/// authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 4]);

impl KeyId {
    /// The id that these four bytes are, in big-endian order.
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The four bytes.
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }

    /// The id of a key: `SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4]`.
    pub fn compute(name: &KeyName, type_byte: u8, public_key: &[u8]) -> Self {
        let digest = Sha256::new()
            .chain_update(name.as_str())
            .chain_update([b'\n', type_byte])
            .chain_update(public_key)
            .finalize();
        let [a, b, c, d, ..] = <[u8; 32]>::from(digest);
        Self([a, b, c, d])
    }

    /// Reads eight lower-case hexadecimal digits.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 8 || !text.bytes().all(is_hex) {
            return None;
        }
        let id = u32::from_str_radix(text, 16).ok()?;
        Some(Self(id.to_be_bytes()))
    }
}

/// Eight lower-case hexadecimal digits.
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_be_ambiguous_are_refused() {
        for name in [
            "a b",
            "a+b",
            "a\nb",
            "a\tb",
            "a\u{a0}b",
            "a\u{2003}b",
            "a\u{85}",
            "a\0",
            "a\u{1f}",
            " ",
            "+",
            "\u{2028}",
            "\u{3000}x",
        ] {
            let refused = KeyName::parse(name);
            assert!(
                matches!(refused, Err(KeyNameError::Character { .. })),
                "{name:?}: {refused:?}"
            );
        }
        assert_eq!(KeyName::parse(""), Err(KeyNameError::Empty));
        let got = MAX_KEY_NAME_LEN + 1;
        assert_eq!(
            KeyName::parse(&"x".repeat(got)),
            Err(KeyNameError::TooLong { got })
        );
    }

    #[test]
    fn ordinary_and_foreign_names_are_accepted() {
        for name in [
            "example.com/foo",
            "PeterNeumann",
            "日本.example",
            "a—b",
            "x",
        ] {
            assert_eq!(KeyName::parse(name).unwrap().as_str(), name);
        }
        assert!(KeyName::parse(&"x".repeat(MAX_KEY_NAME_LEN)).is_ok());
    }

    #[test]
    fn ids_are_eight_lower_case_digits() {
        let id = KeyId::from_hex("053d903a").unwrap();
        assert_eq!(id.as_bytes(), &[0x05, 0x3d, 0x90, 0x3a]);
        assert_eq!(id.to_string(), "053d903a");
        for text in [
            "",
            "53d903a",
            "0053d903a",
            "053D903A",
            "+53d903a",
            "053d903g",
            "０53d9",
        ] {
            assert_eq!(KeyId::from_hex(text), None, "{text:?}");
        }
    }
}
