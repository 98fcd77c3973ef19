//! Declared counters, held to the tools whose calls they count.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::{CounterDeclaration, CounterKey, CounterKind, ToolManifest};
use countersign_core::json::pointer::name_of;
use countersign_core::names::ActionName;
use serde_json::Value;

use super::arguments::resolve;
use super::nearest::nearest;
use super::schema_leaves;
use super::tool::Tool;
use crate::finding::Finding;
use crate::limits::{COUNTER_DECIMALS, COUNTER_NAME_BYTES, COUNTER_WINDOW_S, COUNTERS};

const FILE: &str = "bundle.toml";

/// Says what is wrong with the counters.
pub(super) fn check(
    counters: &[CounterDeclaration],
    manifests: &[ToolManifest],
    tools: &BTreeMap<String, Tool>,
    findings: &mut Vec<Finding>,
) {
    if counters.len() > COUNTERS {
        let text = format!("{} counters are more than {COUNTERS}", counters.len());
        findings.push(Finding::error(FILE, text));
        return;
    }
    let mut names = BTreeSet::new();
    for counter in counters {
        let name = &counter.name;
        if !is_name(name) {
            let shown: String = name.chars().take(COUNTER_NAME_BYTES).collect();
            findings.push(
                Finding::error(FILE, format!("`{shown}` cannot be the name of a counter")).hint(
                    "a name has lower-case letters, digits and `_`, and begins with a letter",
                ),
            );
        }
        if !names.insert(name) {
            let text = format!("two counters have the name `{name}`");
            findings.push(Finding::error(FILE, text));
        }
        check_shape(counter, findings);
        check_actions(counter, manifests, tools, findings);
    }
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    name.len() <= COUNTER_NAME_BYTES
        && chars.next().is_some_and(|c| c.is_ascii_lowercase())
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// What can be told without looking at the tools.
fn check_shape(counter: &CounterDeclaration, findings: &mut Vec<Finding>) {
    let name = &counter.name;
    let mut error = |text: String, hint: &str| {
        findings.push(Finding::error(FILE, text).hint(hint));
    };
    match (counter.kind, &counter.over) {
        (CounterKind::Sum, None) => error(
            format!("the counter `{name}` adds up nothing"),
            "`over = \"/amount\"` names the argument that a sum adds up",
        ),
        (CounterKind::Count, Some(over)) => error(
            format!("the counter `{name}` counts calls, and so cannot be over `{over}`"),
            "`count` needs no `over`; `count_distinct` counts different values, `sum` adds them up",
        ),
        (CounterKind::CountDistinct, None) if counter.key == CounterKey::Target => error(
            format!("the counter `{name}` counts the targets of each target"),
            "name an argument with `over`, or choose another `key`",
        ),
        _ => {}
    }
    if counter.decimals > 0 && counter.kind != CounterKind::Sum {
        let text = format!("the counter `{name}` has decimals, and is no sum");
        error(text, "only a `sum` has decimals");
    }
    if counter.decimals > COUNTER_DECIMALS {
        error(
            format!(
                "the counter `{name}` has {} decimals; allowed are 0 to {COUNTER_DECIMALS}",
                counter.decimals
            ),
            "2 counts cents",
        );
    }
    if let Some(window) = counter.window_s
        && !(1..=COUNTER_WINDOW_S).contains(&window)
    {
        error(
            format!(
                "the window of the counter `{name}` is {window}; allowed are 1 to {COUNTER_WINDOW_S}"
            ),
            "a window is in seconds",
        );
    }
    if counter.actions.is_empty() {
        let text = format!("the counter `{name}` counts no action");
        error(
            text,
            "`actions` names the actions whose approved calls count",
        );
    }
}

fn check_actions(
    counter: &CounterDeclaration,
    manifests: &[ToolManifest],
    tools: &BTreeMap<String, Tool>,
    findings: &mut Vec<Finding>,
) {
    let name = &counter.name;
    // What is wrong with a manifest is found of the manifest.
    let is_declared = |action: &ActionName| {
        manifests.iter().any(|manifest| {
            let mut others = manifest.effects.iter();
            manifest.action == *action || others.any(|effect| effect.action == *action)
        })
    };
    let mut seen = BTreeSet::new();
    for action in &counter.actions {
        let of_action: Vec<&Tool> = tools
            .values()
            .filter(|tool| tool.parts().any(|part| part.action == action))
            .collect();
        if !seen.insert(action) {
            let text = format!("the counter `{name}` names the action `{action}` twice");
            findings.push(Finding::error(FILE, text));
        }
        if of_action.is_empty() && !is_declared(action) {
            let parts = tools.values().flat_map(Tool::parts);
            let hint = match nearest(action.as_str(), parts.map(|part| part.action.as_str())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "actions come from the manifests of the tools".to_owned(),
            };
            let text = format!("the counter `{name}` counts `{action}`, which no tool does");
            findings.push(Finding::error(FILE, text).hint(hint));
        }
        let without_targets = |tool: &&Tool| {
            tool.parts()
                .any(|part| part.action == action && part.targets.is_empty())
        };
        if counter.key == CounterKey::Target
            && let Some(tool) = of_action.iter().copied().find(|tool| without_targets(tool))
        {
            let text = format!(
                "the counter `{name}` is keyed by target, and `{}` has none as `{action}`",
                tool.manifest().tool
            );
            let hint = "choose `actor`, `intent`, `session` or `principal` as its key";
            findings.push(Finding::error(FILE, text).hint(hint));
        }
        for tool in of_action {
            check_over(counter, tool, findings);
        }
    }
}

fn check_over(counter: &CounterDeclaration, tool: &Tool, findings: &mut Vec<Finding>) {
    let Some(over) = &counter.over else {
        return;
    };
    let name = &counter.name;
    let schema = &tool.manifest().arguments;
    let Some(argument) = argument(schema, over) else {
        let known = schema_leaves::pointers(schema);
        let hint = match nearest(over, known.iter().map(String::as_str)) {
            Some(near) if near != over => format!("did you mean `{near}`?"),
            Some(_) => "a counter is over one value, not over the items of a list".to_owned(),
            None => "`over` is the JSON Pointer of an argument, such as `/amount`".to_owned(),
        };
        let text = format!(
            "the counter `{name}` is over `{over}`, which `{}` does not have",
            tool.manifest().tool
        );
        findings.push(Finding::error(FILE, text).hint(hint));
        return;
    };
    let kinds = argument.get("type");
    let is = |wanted: &[&str]| match kinds {
        Some(Value::String(kind)) => wanted.contains(&kind.as_str()),
        Some(Value::Array(kinds)) => kinds
            .iter()
            .filter_map(Value::as_str)
            .all(|kind| kind == "null" || wanted.contains(&kind)),
        _ => false,
    };
    if counter.kind == CounterKind::Sum && !is(&["number", "integer"]) {
        let text = format!(
            "the counter `{name}` adds up `{over}`, which is no number in `{}`",
            tool.manifest().tool
        );
        let hint = "a sum is over an argument of the type `number` or `integer`";
        findings.push(Finding::error(FILE, text).hint(hint));
    }
}

/// The schema of the one value at a pointer.
fn argument<'a>(schema: &'a Value, pointer: &str) -> Option<&'a Value> {
    let mut here = resolve(schema, schema)?;
    for token in pointer.strip_prefix('/')?.split('/') {
        let name = name_of(token);
        here = resolve(schema, here.get("properties")?.get(&name)?)?;
    }
    Some(here)
}
