//! The entities that a policy names and may look into.
//!
//! `resource == Contact::"x"` compares names: the directory need not be asked. `Contact::"x".status`
//! needs the entity, and so may any use of a literal that is not told to be a comparison.

use std::collections::BTreeSet;

use cedar_policy::{EntityUid, Policy};
use countersign_core::document;
use serde_json::Value;

use super::schema::{ACTOR, CALL};

/// Operators that compare what their operands are, and look into neither.
const COMPARISONS: [&str; 6] = ["==", "!=", "in", "contains", "containsAll", "containsAny"];

/// The directory's entities whose attributes the policy may ask for.
pub(super) fn of(policy: &Policy) -> BTreeSet<document::EntityUid> {
    let all: BTreeSet<_> = policy
        .entity_literals()
        .iter()
        .filter_map(in_directory)
        .collect();
    if all.is_empty() {
        return all;
    }
    let Ok(json) = policy.to_json() else {
        return all;
    };
    let mut found = BTreeSet::new();
    if let Some(conditions) = json.get("conditions") {
        walk(conditions, &mut found);
    }
    all.into_iter().filter(|uid| found.contains(uid)).collect()
}

fn walk(expression: &Value, found: &mut BTreeSet<document::EntityUid>) {
    match expression {
        Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
        Value::Object(members) => {
            if let Some(uid) = literal(expression) {
                found.insert(uid);
                return;
            }
            for (name, inner) in members {
                let operands = (inner.get("left"), inner.get("right"));
                match operands {
                    (Some(left), Some(right)) if COMPARISONS.contains(&name.as_str()) => {
                        for operand in [left, right] {
                            if !is_plain(operand) {
                                walk(operand, found);
                            }
                        }
                    }
                    _ => walk(inner, found),
                }
            }
        }
        _ => {}
    }
}

/// A literal, or a set of such.
fn is_plain(operand: &Value) -> bool {
    operand
        .get("Value")
        .is_some_and(|value| literal(value).is_some())
        || operand
            .get("Set")
            .and_then(Value::as_array)
            .is_some_and(|items| items.iter().all(is_plain))
}

fn literal(value: &Value) -> Option<document::EntityUid> {
    let entity = value.get("__entity")?;
    let text = |name: &str| entity.get(name)?.as_str().map(str::to_owned);
    Some(document::EntityUid {
        kind: text("type")?,
        id: text("id")?,
    })
}

/// The entity as the directory names it; actors, calls and actions are not in the directory.
fn in_directory(uid: &EntityUid) -> Option<document::EntityUid> {
    let kind = uid.type_name().to_string();
    let built_in = [ACTOR, CALL, "Action"].contains(&kind.as_str());
    let id: &str = uid.id().unescaped();
    (!built_in).then(|| document::EntityUid {
        id: id.to_owned(),
        kind,
    })
}
