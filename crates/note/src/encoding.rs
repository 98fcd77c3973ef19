//! The two encodings that all the texts share, each with exactly one spelling per value.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_merkle::Hash;

/// Standard padded base64 (RFC 4648 section 4).
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The same, at the end of a text.
pub(crate) fn push_base64(bytes: &[u8], text: &mut String) {
    STANDARD.encode_string(bytes, text);
}

/// Reads padded base64; refuses stray bits, missing padding and white space.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Reads the base64 of a SHA-256 hash.
pub(crate) fn hash_from_base64(text: &str) -> Option<Hash> {
    Hash::from_slice(&from_base64(text)?).ok()
}

/// Reads an ASCII decimal without sign and without leading zeroes.
pub(crate) fn from_decimal(text: &str) -> Option<u64> {
    let is_canonical = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    // An overflow ends as `None` in `parse`.
    is_canonical.then(|| text.parse().ok()).flatten()
}

/// The first character that neither a note nor a checkpoint may contain: a control character
/// below U+0020 other than newline.
pub(crate) fn control_character(text: &str) -> Option<char> {
    text.chars().find(|char| *char < ' ' && *char != '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_one_spelling() {
        assert_eq!(from_base64("AQI="), Some(vec![1, 2]));
        for text in [
            "AQI", "AQJ=", "AQI=\n", " AQI=", "AQI==", "A_I=", "AQI=AQI=",
        ] {
            assert_eq!(from_base64(text), None, "{text:?}");
        }
    }

    #[test]
    fn decimals_have_one_spelling() {
        assert_eq!(from_decimal("0"), Some(0));
        assert_eq!(from_decimal("18446744073709551615"), Some(u64::MAX));
        for text in [
            "",
            "00",
            "01",
            "+1",
            "-0",
            " 1",
            "1 ",
            "1_0",
            "٣",
            "18446744073709551616",
        ] {
            assert_eq!(from_decimal(text), None, "{text:?}");
        }
    }
}
