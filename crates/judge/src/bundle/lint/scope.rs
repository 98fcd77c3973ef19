//! Policies that decide nothing, by their scope alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cedar_policy::{PrincipalConstraint, ResourceConstraint};

use super::{Index, Parts, Rule};
use crate::finding::Finding;

/// Most comparisons of a permit with the forbids that may shadow it.
const COMPARISONS: usize = 2_000_000;

/// Finds permits that a forbid shadows, actions that nothing permits, and counters that no policy asks for.
pub(super) fn check(
    rules: &[Rule<'_>],
    parts: &Parts<'_>,
    index: &Index<'_>,
    findings: &mut Vec<Finding>,
) {
    shadowed(rules, findings);
    unpermitted(rules, parts, index, findings);
    for counter in &parts.content.counters {
        let name = counter.name.as_str();
        let places: [&[&str]; 2] = [&["counters", name], &["target", "counters", name]];
        let is_read = rules
            .iter()
            .any(|rule| places.iter().any(|place| rule.uses(place)));
        if !is_read {
            let text = format!("no policy asks for the counter `{name}`");
            findings.push(Finding::warning("bundle.toml", text).hint(format!(
                "a policy asks for it as `context.counters.{name}.after`, or `context.target.counters.{name}.after` where it is keyed by target"
            )));
        }
    }
}

/// Actions in the scope of no permit, where every permit has some: one that has none was found by itself.
fn unpermitted(
    rules: &[Rule<'_>],
    parts: &Parts<'_>,
    index: &Index<'_>,
    findings: &mut Vec<Finding>,
) {
    let permits = |n: &usize| rules.get(*n).is_some_and(Rule::permits);
    let mut all = rules.iter().filter(|rule| rule.permits()).peekable();
    if all.peek().is_none() || all.any(|rule| rule.pairs.is_empty()) {
        return;
    }
    let mut seen = BTreeSet::new();
    for manifest in &parts.content.tools {
        let others = manifest.effects.iter().map(|effect| &effect.action);
        for action in std::iter::once(&manifest.action).chain(others) {
            let of_action = index.rules.get(action.as_str());
            let is_open = of_action.is_some_and(|rules| rules.iter().any(permits));
            if is_open || !seen.insert(action) {
                continue;
            }
            let file = format!("tools/{}.json", manifest.tool);
            let text = format!("no rule permits `{action}`: each such call is rejected");
            findings.push(Finding::warning(&file, text).hint(format!(
                "write a `permit` with `action == Action::\"{action}\"` in its scope"
            )));
        }
    }
}

/// Permits of which every request is forbidden by one policy without a condition.
fn shadowed(rules: &[Rule<'_>], findings: &mut Vec<Finding>) {
    let mut blankets: HashMap<String, &Rule<'_>> = HashMap::new();
    for rule in rules {
        if !rule.permits() && !rule.read.escalates && !has_conditions(rule) && is_by_type(rule) {
            let scope = format!(
                "{:?} {:?}",
                rule.read.policy.action_constraint(),
                rule.read.policy.resource_constraint()
            );
            blankets.entry(scope).or_insert(rule);
        }
    }
    let blankets: BTreeMap<&str, &Rule<'_>> = blankets
        .into_values()
        .map(|rule| (rule.id(), rule))
        .collect();
    let mut left = COMPARISONS;
    for permit in rules
        .iter()
        .filter(|rule| rule.permits() && !rule.pairs.is_empty())
    {
        for forbid in blankets.values() {
            left = left.saturating_sub(permit.pairs.len());
            if left == 0 {
                return;
            }
            if covers(forbid, permit) {
                let (id, other) = (permit.id(), forbid.id());
                let text = format!(
                    "the permit `{id}` decides nothing: `{other}` forbids all that it permits"
                );
                findings.push(permit.warning(text, &["permit"]).hint(format!(
                    "`{other}` stands in {}:{}, and has no condition",
                    forbid.read.text.file, forbid.read.text.line
                )));
                break;
            }
        }
    }
}

fn has_conditions(rule: &Rule<'_>) -> bool {
    let conditions = rule.json.get("conditions").and_then(|all| all.as_array());
    conditions.is_some_and(|all| !all.is_empty())
}

/// Whether the scope says no more than actions and the type of the resource.
fn is_by_type(rule: &Rule<'_>) -> bool {
    let policy = &rule.read.policy;
    matches!(
        policy.principal_constraint(),
        PrincipalConstraint::Any | PrincipalConstraint::Is(_)
    ) && matches!(
        policy.resource_constraint(),
        ResourceConstraint::Any | ResourceConstraint::Is(_)
    )
}

/// Whether every request that the one can apply to is one that the other applies to. Pairs come in
/// the same order in all policies.
fn covers(wider: &Rule<'_>, rule: &Rule<'_>) -> bool {
    let mut others = wider
        .pairs
        .iter()
        .map(|(action, _, resource)| (action, resource));
    rule.pairs
        .iter()
        .all(|(action, _, resource)| others.any(|other| other == (action, resource)))
}
