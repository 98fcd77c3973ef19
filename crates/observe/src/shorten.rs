//! Long text made short, with a mark where something is left out.

use serde_json::Value;

/// Most characters of a turn that a report shows.
pub(super) const TURN_SHOWN: usize = 400;
/// Most characters of a call's arguments that a report shows.
pub(super) const ARGS_SHOWN: usize = 1_200;
/// Most characters of one value that a report shows.
pub(super) const VALUE_SHOWN: usize = 160;

/// A number of things: `1 call`, `2 calls`.
pub fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// At most so many characters.
pub fn text(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

/// At most so many bytes, cut between characters.
pub(super) fn bytes(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// JSON on one line. Long texts within are cut first, so that every member is still seen.
pub(super) fn json(value: &Value) -> String {
    let cut = serde_json::to_string(&cut(value, 0)).unwrap_or_default();
    text(&cut, ARGS_SHOWN)
}

/// How deep, and how many items of a list or object, a report shows.
const DEPTH: usize = 6;
const ITEMS: usize = 24;

fn cut(value: &Value, depth: usize) -> Value {
    match value {
        Value::String(one) => Value::String(text(one, VALUE_SHOWN)),
        Value::Array(_) | Value::Object(_) if depth == DEPTH => Value::String("…".to_owned()),
        Value::Array(items) => items
            .iter()
            .take(ITEMS)
            .map(|item| cut(item, depth + 1))
            .collect(),
        Value::Object(members) => {
            let members = members.iter().take(ITEMS);
            Value::Object(
                members
                    .map(|(name, item)| (text(name, VALUE_SHOWN), cut(item, depth + 1)))
                    .collect(),
            )
        }
        other => other.clone(),
    }
}
