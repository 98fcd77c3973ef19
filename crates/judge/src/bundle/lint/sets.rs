//! Tests of sets that hold where their author did not mean them to: `containsAll` of an empty set,
//! and `contains` of one value among several.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::actions::ActionShape;
use super::super::arguments::{ArgType, resolve};
use super::super::reads::{Path, path};
use super::{Index, Rule, operands, texts, written};
use crate::finding::Finding;

/// Finds tests of sets that hold of too much.
pub(super) fn check(rule: &Rule<'_>, index: &Index<'_>, findings: &mut Vec<Finding>) {
    let mut tests = Tests::default();
    rule.visit(&mut |operator, inner, grants| tests.see(operator, inner, grants));
    if rule.permits() && !is_grounded(rule, &tests, index) {
        for place in &tests.subsets {
            if !is_guarded(place, rule, &tests) && may_be_empty(place, rule, index) {
                findings.push(may_be_of_nothing(place, rule));
            }
        }
        if tests.has_literal_nothing {
            let text = "`containsAll([])` always holds".to_owned();
            findings.push(rule.warning(text, &["containsAll"]));
        }
    }
    for (place, operator, words) in &tests.overlaps {
        if is_of_several(place, rule, index) {
            findings.push(holds_of_one(place, operator, words, rule));
        }
    }
}

/// What a policy tests, where it grants more by it.
#[derive(Default)]
struct Tests {
    /// Places whose every value is tested: what stands in the parentheses of `containsAll`.
    subsets: BTreeSet<Path>,
    /// Whether an empty list stands there.
    has_literal_nothing: bool,
    /// Places of which one value is tested: the operator, and the words.
    overlaps: BTreeSet<(Path, String, Vec<String>)>,
    /// Places that are tested not to be empty, or of which one value is tested.
    filled: BTreeSet<Path>,
}

impl Tests {
    fn see(&mut self, operator: &str, inner: &Value, grants: Option<bool>) {
        if operator == "isEmpty" {
            // `unless { x.isEmpty() }` and `when { !x.isEmpty() }` both guard.
            self.filled.extend(inner.get("arg").and_then(path));
            return;
        }
        let Some((left, right)) = operands(inner).filter(|_| grants == Some(true)) else {
            return;
        };
        match operator {
            "containsAll" => {
                self.subsets.extend(path(right));
                let items = right.get("Set").and_then(Value::as_array);
                self.has_literal_nothing |= items.is_some_and(Vec::is_empty);
                if items.is_some_and(|items| !items.is_empty()) {
                    self.filled.extend(path(left));
                }
            }
            "contains" | "containsAny" => {
                for (one, other) in [(left, right), (right, left)] {
                    if let Some(place) = path(one) {
                        self.filled.insert(place.clone());
                        let words = match super::text(other) {
                            Some(word) => BTreeSet::from([word]),
                            None => texts(other).unwrap_or_default(),
                        };
                        let words = words.into_iter().map(str::to_owned).collect();
                        self.overlaps.insert((place, operator.to_owned(), words));
                    }
                }
            }
            _ => {}
        }
    }
}

/// Whether the policy also asks something that no call without values fulfils.
fn is_grounded(rule: &Rule<'_>, tests: &Tests, index: &Index<'_>) -> bool {
    let is = |place: &Path, names: &[&str]| place.iter().eq(names);
    tests
        .filled
        .iter()
        .any(|place| is(place, &["target", "sources"]) || is(place, &["target", "named_in"]))
        || tests
            .subsets
            .iter()
            .any(|place| is(place, &["target", "sources"]) || !may_be_empty(place, rule, index))
}

fn is_guarded(place: &Path, rule: &Rule<'_>, tests: &Tests) -> bool {
    let is_targets = place.iter().eq(["targets"]);
    tests.filled.contains(place)
        || (is_targets && (rule.uses(&["has_targets"]) || rule.uses(&["target_count"])))
}

/// Whether the set that stands at this place can be empty.
fn may_be_empty(place: &Path, rule: &Rule<'_>, index: &Index<'_>) -> bool {
    let names: Vec<&str> = place.iter().map(String::as_str).collect();
    match names.as_slice() {
        ["target", "sources"] => false,
        ["targets"] => rule.pairs.iter().any(|(_, shape, _)| shape.bare),
        ["sources", argument] => rule.actions().any(|(action, shape)| {
            !is_required(shape, argument) || is_list(index, action, argument)
        }),
        _ => true,
    }
}

fn is_required(shape: &ActionShape, argument: &str) -> bool {
    shape
        .sources
        .get(argument)
        .is_none_or(|member| member.required)
}

/// Whether an argument can hold several values, in any tool of an action.
fn is_list(index: &Index<'_>, action: &str, argument: &str) -> bool {
    let mut tools = index.tools.get(action).into_iter().flatten();
    tools.any(
        |tool| match tool.args.get(argument).map(|member| &member.kind) {
            Some(ArgType::Set(_) | ArgType::Record(_)) => true,
            Some(_) => false,
            // What policies cannot see as an argument: whatever may be several is.
            None => {
                let schema = &tool.manifest().arguments;
                let property = resolve(schema, schema)
                    .and_then(|root| root.get("properties")?.get(argument))
                    .and_then(|property| resolve(schema, property));
                property.is_some_and(|property| {
                    let kind = property.get("type");
                    !kind.is_some_and(|kind| kind == "number" || kind == "string")
                })
            }
        },
    )
}

fn may_be_of_nothing(place: &Path, rule: &Rule<'_>) -> Finding {
    let place = written(place);
    let hint = match place.as_str() {
        "context.targets" => "ask `context.has_targets` first".to_owned(),
        _ => format!("ask `!{place}.isEmpty()` first, or for the sources of the targets"),
    };
    let text = format!("`{place}` may be empty, and then `containsAll` holds of anything");
    rule.warning(text, &[&format!("containsAll({place})"), &place])
        .hint(hint)
}

/// Whether the place holds one source for each of several values.
fn is_of_several(place: &Path, rule: &Rule<'_>, index: &Index<'_>) -> bool {
    let names: Vec<&str> = place.iter().map(String::as_str).collect();
    match names.as_slice() {
        ["text", "sources"] => true,
        ["sources", argument] => rule
            .actions()
            .any(|(action, _)| is_list(index, action, argument)),
        _ => false,
    }
}

fn holds_of_one(place: &Path, operator: &str, words: &[String], rule: &Rule<'_>) -> Finding {
    let place = written(place);
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    let words = if words.is_empty() {
        "…".to_owned()
    } else {
        words.join(", ")
    };
    let text = format!(
        "`{place}` has a source for each of several values, and `{operator}` holds if one of them fits"
    );
    rule.warning(text, &[&format!("{place}.{operator}"), &place])
        .hint(format!(
            "`[{words}].containsAll({place})` holds if all of them fit"
        ))
}
