//! The action gate: whether a turn can ask for an action at all, and what it may be used for.

use super::{Index, Rule};
use crate::finding::Finding;

/// Finds uses of `context.asked` that cannot hold, or that carry a permit alone.
pub(super) fn check(rules: &[Rule<'_>], index: &Index<'_>, findings: &mut Vec<Finding>) {
    for rule in rules {
        let Some(reads) = &rule.reads else {
            continue;
        };
        if !reads.uses(&["asked"]) && !reads.members().any(|member| member == "asked") {
            continue;
        }
        without_words(rule, findings);
        if rule.permits() {
            alone(rule, index, findings);
        }
    }
}

/// Of an action without words, no turn ever asks.
fn without_words(rule: &Rule<'_>, findings: &mut Vec<Finding>) {
    let all = rule.actions().all(|(_, shape)| !shape.has_words);
    let silent: Vec<String> = rule
        .actions()
        .filter(|(_, shape)| !shape.has_words && (all || shape.is_sink()))
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    let Some(first) = silent.first() else {
        return;
    };
    let names = match silent.len() {
        1 => first.clone(),
        2..=8 => silent.join(", "),
        more => format!("{first} and {} more", more - 1),
    };
    let text = format!("no turn can ask for {names}: no manifest gives words for it");
    findings.push(rule.error(text, &["context.asked"]).hint(
        "give the tool words, as in `\"words\": {\"en\": {\"verbs\": [\"send\"], \"nouns\": [\"mail\"]}}`",
    ));
}

/// That somebody spoke of sending does not say what, nor to whom.
fn alone(rule: &Rule<'_>, index: &Index<'_>, findings: &mut Vec<Finding>) {
    const SECOND: [&str; 7] = [
        "asked",
        "intent",
        "tool",
        "effect",
        "time",
        "has_targets",
        "target_count",
    ];
    let more = rule.reads.as_ref().is_none_or(|reads| {
        reads
            .members()
            .any(|member| !SECOND.contains(&member.as_str()))
    });
    let looks_at_resource = rule.json.to_string().contains(r#"{"Var":"resource"}"#);
    if more || looks_at_resource {
        return;
    }
    // Another policy may hold the values to their sources.
    let open = rule.actions().find(|(action, shape)| {
        let has_values = !shape.entities.is_empty() || !shape.sources.is_empty();
        shape.is_sink() && has_values && !index.held.contains(action)
    });
    if let Some((action, _)) = open {
        let text = format!(
            "`{}` permits `{action}` because a turn speaks of such an action, whatever it acts on",
            rule.id()
        );
        findings.push(rule.warning(text, &["context.asked"]).hint(
            "`context.asked` is a second factor: ask for sources too, as in `context.target.sources.contains(\"user\")`",
        ));
    }
}
