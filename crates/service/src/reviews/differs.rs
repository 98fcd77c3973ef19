//! What differs between two calls of one tool.

use std::collections::BTreeMap;

use countersign_core::json::pointer;
use countersign_wire::ShownDifference;
use serde_json::Value;

use super::show::cut;

/// Most arguments that are compared; of larger calls the rest is not looked at.
const COMPARED: usize = 4_096;
/// Most differences that are shown.
const SHOWN: usize = 32;
/// Longest value that is shown, in bytes.
const VALUE_BYTES: usize = 256;

/// Which arguments differ, in the order of their places. What the earlier call held is told only if
/// `tells_then`.
pub(super) fn differences(then: &Value, now: &Value, tells_then: bool) -> Vec<ShownDifference> {
    let (then, now) = (leaves(then), leaves(now));
    let mut places: Vec<&String> = now.keys().chain(then.keys()).collect();
    places.sort_unstable();
    places.dedup();
    let differing = places
        .into_iter()
        .filter(|at| then.get(*at) != now.get(*at));
    differing
        .take(SHOWN)
        .map(|at| ShownDifference {
            at: at.clone(),
            then: then.get(at).filter(|_| tells_then).map(|it| shown(it)),
            now: now.get(at).map(|it| shown(it)),
        })
        .collect()
}

fn shown(value: &Value) -> String {
    cut(&value.to_string(), VALUE_BYTES)
}

/// Each value that holds no other, by its JSON Pointer.
fn leaves(args: &Value) -> BTreeMap<String, &Value> {
    let mut out = BTreeMap::new();
    walk(args, String::new(), &mut out);
    out
}

fn walk<'v>(value: &'v Value, at: String, out: &mut BTreeMap<String, &'v Value>) {
    if out.len() >= COMPARED {
        return;
    }
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                walk(value, pointer::member(&at, name), out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (n, value) in items.iter().enumerate() {
                walk(value, format!("{at}/{n}"), out);
            }
        }
        leaf => {
            out.insert(at, leaf);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs_is_told_and_of_another_session_not_what_it_was() {
        let then = json!({"to": ["a@b.example"], "subject": "Refund", "cc": []});
        let now = json!({"to": ["a@b.example", "x@y.example"], "subject": "Hi", "cc": []});
        let found = differences(&then, &now, true);
        let told: Vec<_> = found
            .iter()
            .map(|it| (it.at.as_str(), it.then.as_deref(), it.now.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("/subject", Some("\"Refund\""), Some("\"Hi\"")),
                ("/to/1", None, Some("\"x@y.example\"")),
            ]
        );
        let apart = differences(&then, &now, false);
        assert!(apart.iter().all(|it| it.then.is_none()));
        assert!(differences(&now, &now, true).is_empty());
    }
}
