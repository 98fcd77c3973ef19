//! The keys under which the whole text of a field is found.

use countersign_core::document::TargetType;
use serde_json::Value;

use crate::limits::TARGET_BYTES;
use crate::value::text::has_hidden;
use crate::value::{Key, KeyKind, iban, parse, path_key, phone, quantity_keys, token_key};

/// The types whose values differ from their text in the keys that they have.
const READ_AS: [TargetType; 3] = [TargetType::Email, TargetType::Domain, TargetType::Url];

/// The keys of a field's whole text: that of the text itself, and those of what it can be read as.
pub(super) fn keys(text: &str) -> Vec<Key> {
    if text.is_empty() || text.len() > TARGET_BYTES || has_hidden(text) {
        return Vec::new();
    }
    let mut keys = vec![token_key(text)];
    let punctuated = text.contains(['.', '/', ':', '@']);
    if punctuated && !text.contains(char::is_whitespace) {
        for kind in READ_AS {
            for key in parse(kind, text).map_or_else(Vec::new, |parsed| parsed.keys) {
                push(&mut keys, any_scheme(&key));
                push(&mut keys, Some(key));
            }
        }
    }
    if text.contains(['/', '.']) && !text.contains("://") {
        push(&mut keys, path_key(text));
    }
    measures(text, &mut keys);
    keys
}

/// What a text with digits measures, or whose account or line it is.
fn measures(text: &str, keys: &mut Vec<Key>) {
    if !text.bytes().any(|b| b.is_ascii_digit()) {
        return;
    }
    for key in quantity_keys(&Value::String(text.to_owned())) {
        push(keys, Some(key));
    }
    push(
        keys,
        iban::read(text).map(|form| Key::new(KeyKind::Iban, form)),
    );
    push(
        keys,
        phone::read(text).map(|form| Key::new(KeyKind::Phone, form)),
    );
}

/// The keys under which the turn is asked whether it names the field: those that a target with this
/// value has.
pub(super) fn names(text: &str) -> Vec<Key> {
    let mut keys = Vec::new();
    for kind in [TargetType::Id, TargetType::Path] {
        if kind == TargetType::Path && !text.contains('/') {
            continue;
        }
        for key in parse(kind, text).map_or_else(Vec::new, |parsed| parsed.keys) {
            push(&mut keys, Some(key));
        }
    }
    if text.contains(['.', '@']) && !text.contains(char::is_whitespace) {
        for kind in READ_AS {
            for key in parse(kind, text).map_or_else(Vec::new, |parsed| parsed.keys) {
                push(&mut keys, Some(key));
            }
        }
    }
    keys
}

/// A URL with a scheme also stands for the same without one.
fn any_scheme(key: &Key) -> Option<Key> {
    let tail = ["http:", "https:"]
        .iter()
        .find_map(|scheme| key.text.strip_prefix(scheme))?;
    (key.kind == KeyKind::Url && tail.starts_with("//"))
        .then(|| Key::new(KeyKind::UrlOfAnyScheme, tail))
}

fn push(keys: &mut Vec<Key>, key: Option<Key>) {
    if let Some(key) = key
        && !keys.contains(&key)
    {
        keys.push(key);
    }
}
