//! Keys of values that are no targets: how much and when, and who or what.

use serde_json::Value;

use super::{Key, KeyKind, iban, moment, number, parse, phone, token_key};
use crate::limits::TARGET_BYTES;
use countersign_core::document::TargetType;

/// The keys of a quantity: somebody's words ground it if they hold one of them.
///
/// A number has the key of its value, however it is spelt. A string has that of the number, the date,
/// the time or both that it is, and that of the whole word or quotation.
pub(crate) fn quantity_keys(value: &Value) -> Vec<Key> {
    match value {
        Value::Number(number) => number::of_json(number)
            .map(|form| Key::new(KeyKind::Number, form))
            .into_iter()
            .collect(),
        Value::String(text) if text.len() <= TARGET_BYTES && !super::text::has_hidden(text) => {
            let mut keys = vec![token_key(text)];
            keys.extend(measure(text));
            keys
        }
        _ => Vec::new(),
    }
}

/// What a string measures.
fn measure(text: &str) -> Option<Key> {
    if let Some(form) = number::read(text, false) {
        return Some(Key::new(KeyKind::Number, form));
    }
    if let Some(amount) = crate::mention::whole_amount(text) {
        return Some(Key::new(KeyKind::Number, amount));
    }
    if let Some((_, _, whole)) = moment::date_time(text) {
        return Some(Key::new(KeyKind::DateTime, whole));
    }
    if let Some(form) = moment::time(text) {
        return Some(Key::new(KeyKind::Time, form));
    }
    moment::date(text)
        .or_else(|| crate::mention::whole_date(text))
        .map(|form| Key::new(KeyKind::Date, form))
}

/// The keys of a value that says who, where or which: of whatever type it could be.
pub(crate) fn plain_keys(value: &Value) -> Vec<Key> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
        _ => return Vec::new(),
    };
    if super::text::has_hidden(&text) {
        return Vec::new();
    }
    let types = [
        TargetType::Id,
        TargetType::Email,
        TargetType::Domain,
        TargetType::Url,
        TargetType::Path,
    ];
    // A plain word is no URL whose spelling has a key: `4821` is an address that nobody reads in it.
    let is_word = |text: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        text.bytes().all(plain) && !text.eq_ignore_ascii_case("localhost")
    };
    let is_word = is_word(&text);
    let mut keys: Vec<Key> = types
        .into_iter()
        .filter(|kind| !(is_word && *kind == TargetType::Url))
        .filter_map(|kind| parse(kind, &text))
        .flat_map(|parsed| parsed.keys)
        .collect();
    keys.extend(iban::read(&text).map(|form| Key::new(KeyKind::Iban, form)));
    keys.extend(phone::read(&text).map(|form| Key::new(KeyKind::Phone, form)));
    keys.sort();
    keys.dedup();
    keys
}
