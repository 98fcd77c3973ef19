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
        let text = text::nfc(without_hash(value));
        vec![
            Key::new(KeyKind::Token, text.clone()),
            Key::new(KeyKind::HashToken, text),
        ]
    };
    Some(Parsed {
        lookups: vec![lookup],
        keys,
        members: Vec::new(),
        skeleton: Some(text::skeleton(value)),
    })
}

/// The key of a whole word or quotation.
pub(crate) fn token_key(token: &str) -> Key {
    let kind = match without_hash(token) {
        rest if rest.len() < token.len() => KeyKind::HashToken,
        _ => KeyKind::Token,
    };
    Key::new(kind, text::nfc(without_hash(token)))
}

fn without_hash(token: &str) -> &str {
    match token.strip_prefix('#') {
        Some(rest) if rest.starts_with(char::is_alphanumeric) => rest,
        _ => token,
    }
}
