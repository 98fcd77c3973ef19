//! The order of members in canonical JSON.

use std::cmp::Ordering;

use serde_json::{Map, Value};

/// Puts the members of every object of a value in canonical order: a value that [`super::parse`]
/// gave is then what parsing its canonical JSON gives.
pub fn sort_members(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(sort_members),
        Value::Object(members) => {
            members.values_mut().for_each(sort_members);
            if !members.keys().is_sorted_by(|a, b| order(a, b).is_lt()) {
                let mut unsorted: Vec<(String, Value)> =
                    std::mem::take(members).into_iter().collect();
                unsorted.sort_by(|(a, _), (b, _)| order(a, b));
                *members = Map::from_iter(unsorted);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// By UTF-16 code units (RFC 8785 section 3.2.3), which is by bytes unless a character from U+E000
/// on is there: those sort after surrogates.
pub(super) fn order(a: &str, b: &str) -> Ordering {
    let is_low = |text: &str| text.bytes().all(|byte| byte < 0xee);
    if is_low(a) && is_low(b) {
        return a.cmp(b);
    }
    a.encode_utf16().cmp(b.encode_utf16())
}
