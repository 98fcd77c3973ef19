//! What policies read of the context, so that no more of it has to be made.

use std::collections::BTreeSet;

use cedar_policy::Policy;
use serde_json::Value;

/// The members of the context that a policy can read; `None` if it may read any.
pub(super) fn of(policy: &Policy) -> Option<BTreeSet<String>> {
    let json = policy.to_json().ok()?;
    let mut found = BTreeSet::new();
    if let Some(conditions) = json.get("conditions") {
        walk(conditions, &mut found)?;
    }
    Some(found)
}

/// Collects the members that are named at the context itself. Any other use of it ends the walk.
fn walk(expression: &Value, found: &mut BTreeSet<String>) -> Option<()> {
    match expression {
        Value::Array(items) => items.iter().try_for_each(|item| walk(item, found)),
        Value::Object(members) => {
            if is_context(expression) {
                return None;
            }
            members.iter().try_for_each(|(name, inner)| {
                if matches!(name.as_str(), "." | "has") && inner.get("left").is_some_and(is_context)
                {
                    // `has a.b.c` is one test with the names as a list.
                    let named = inner.get("attr")?;
                    let first = named.get(0).unwrap_or(named);
                    found.insert(first.as_str()?.to_owned());
                    return Some(());
                }
                walk(inner, found)
            })
        }
        _ => Some(()),
    }
}

fn is_context(expression: &Value) -> bool {
    expression.get("Var").and_then(Value::as_str) == Some("context")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(condition: &str) -> Option<Vec<String>> {
        let text = format!("permit (principal, action, resource) when {{ {condition} }};");
        let found = of(&Policy::parse(None, text).unwrap())?;
        Some(found.into_iter().collect())
    }

    #[test]
    fn members_that_are_named_are_found_wherever_they_stand() {
        for (condition, members) in [
            ("true", &[][..]),
            ("resource has x && resource.x == \"context\"", &[]),
            ("context.a", &["a"]),
            ("context has b && !context.a.b.c", &["a", "b"]),
            ("context has b.c.d && context[\"e f\"] == 1", &["b", "e f"]),
            (
                "if context.a then [context.b].contains(1) else {x: context.c}.x like \"*\"",
                &["a", "b", "c"],
            ),
            (
                "resource == context.a || [1, {\"context\": 2}].contains(context.b)",
                &["a", "b"],
            ),
        ] {
            assert_eq!(
                read(condition),
                Some(members.iter().map(|m| (*m).to_owned()).collect()),
                "{condition}"
            );
        }
    }

    #[test]
    fn whoever_looks_at_the_context_as_a_whole_may_read_all_of_it() {
        for condition in [
            "context == {a: 1}",
            "[context].contains({a: 1})",
            "(if true then context else {a: 1}).a == 1",
            "{x: context}.x.a == 1",
            "principal == resource && {left: context, attr: \"a\"} == {left: {a: 1}, attr: \"a\"}",
        ] {
            assert_eq!(read(condition), None, "{condition}");
        }
    }
}
