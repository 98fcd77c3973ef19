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

/// By UTF-16 code units (RFC 8785 section 3.2.3). That is by bytes, but that the characters from
/// U+E000 to U+FFFF (in UTF-8 from 0xee) come after those beyond (from 0xf0), which are surrogates.
pub(super) fn order(a: &str, b: &str) -> Ordering {
    match a.bytes().zip(b.bytes()).find(|(a, b)| a != b) {
        None => a.len().cmp(&b.len()),
        Some((a, b)) if a >= 0xee && b >= 0xee && (a >= 0xf0) != (b >= 0xf0) => b.cmp(&a),
        Some((a, b)) => a.cmp(&b),
    }
}

#[cfg(test)]
mod tests {
    use super::order;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_order_of_utf_16(
            start in "[a\u{e9}\u{1f600}]{0,3}",
            a in "[ab\u{7f}\u{e9}\u{ea}\u{7ff}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{1f600}\u{10ffff}]{0,3}",
            b in "[ab\u{7f}\u{e9}\u{ea}\u{7ff}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{1f600}\u{10ffff}]{0,3}",
        ) {
            let (a, b) = (format!("{start}{a}"), format!("{start}{b}"));
            prop_assert_eq!(order(&a, &b), a.encode_utf16().cmp(b.encode_utf16()));
        }
    }
}
