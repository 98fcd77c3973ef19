//! Opaque ids: compared as they are.

use super::{Key, KeyKind, Parsed, text};

pub(super) fn parse(value: &str) -> Option<Parsed> {
    if value.chars().any(char::is_control) {
        return None;
    }
    let lookup = text::lenient(value);
    let lookup = without_hash(lookup.trim()).to_owned();
    if lookup.is_empty() {
        return None;
    }
    let keys = if text::has_hidden(value) {
        Vec::new()
    } else {
        vec![token_key(value)]
    };
    Some(Parsed {
        lookups: vec![lookup],
        keys,
        members: Vec::new(),
        skeleton: Some(text::skeleton(value)),
    })
}

/// The key of a whole word or quotation: `#4821` and `4821` are one.
pub(crate) fn token_key(token: &str) -> Key {
    Key::new(KeyKind::Token, text::nfc(without_hash(token)))
}

fn without_hash(token: &str) -> &str {
    match token.strip_prefix('#') {
        Some(rest) if rest.starts_with(char::is_alphanumeric) => rest,
        _ => token,
    }
}
