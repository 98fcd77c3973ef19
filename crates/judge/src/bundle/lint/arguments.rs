//! Arguments that nobody asks about, and permits that ask nothing.

use std::collections::BTreeSet;

use countersign_core::document::ArgumentRole;

use super::super::argument_schema::first_name;
use super::{Index, Parts, Rule};
use crate::finding::Finding;

/// Finds identities that no policy looks at, and permits that look at nothing.
pub(super) fn check(
    rules: &[Rule<'_>],
    parts: &Parts<'_>,
    index: &Index<'_>,
    findings: &mut Vec<Finding>,
) {
    for rule in rules.iter().filter(|rule| rule.permits()) {
        permit_of_nothing(rule, findings);
    }
    unread_identities(rules, parts, index, findings);
}

/// Permits of something that changes something, which ask neither for a turn nor for sources.
fn permit_of_nothing(rule: &Rule<'_>, findings: &mut Vec<Finding>) {
    const GROUNDS: [&str; 5] = ["intent", "mentioned", "sources", "text", "asked"];
    let is_grounded = rule.reads.as_ref().is_none_or(|reads| {
        reads.uses(&["target", "sources"])
            || reads
                .members()
                .any(|member| GROUNDS.contains(&member.as_str()))
    });
    if is_grounded {
        return;
    }
    let sink = rule.actions().find(|(_, shape)| shape.is_sink());
    if let Some((action, _)) = sink {
        let text = format!(
            "`{}` permits `{action}` without asking for a turn, or where a value came from",
            rule.id()
        );
        findings.push(rule.warning(text, &["permit"]).hint(
            "add `context.intent.live`, and `context.target.sources` or `context.sources` for what the call acts on",
        ));
    }
}

/// Identities of a sink beside its targets that no policy of its actions looks at.
fn unread_identities(
    rules: &[Rule<'_>],
    parts: &Parts<'_>,
    index: &Index<'_>,
    findings: &mut Vec<Finding>,
) {
    for tool in parts.tools.values().filter(|tool| tool.is_sink()) {
        let targets: Vec<String> = tool
            .parts()
            .flat_map(|part| part.targets)
            .filter_map(|target| first_name(&target.at))
            .collect();
        let identities: Vec<&str> = tool
            .roles()
            .top(ArgumentRole::Identity)
            .filter(|name| !targets.iter().any(|target| target == name))
            .collect();
        if identities.is_empty() {
            continue;
        }
        let of_tool: BTreeSet<usize> = tool
            .parts()
            .filter_map(|part| index.rules.get(part.action.as_str()))
            .flatten()
            .copied()
            .collect();
        let of_tool: Vec<&Rule<'_>> = of_tool.into_iter().filter_map(|n| rules.get(n)).collect();
        if !of_tool.iter().any(|rule| rule.permits()) {
            continue;
        }
        for name in identities {
            let is_read = of_tool
                .iter()
                .any(|rule| rule.uses(&["sources", name]) || rule.uses(&["args", name]));
            if !is_read {
                let text = format!(
                    "no policy asks where `/{name}` of `{}` comes from",
                    tool.manifest().tool
                );
                findings.push(Finding::warning(&tool.file, text).hint(format!(
                    "it is an identity: ask `[\"user\", \"system_field\"].containsAll(context.sources.{name})`, or make it a target"
                )));
            }
        }
    }
}
