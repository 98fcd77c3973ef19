//! The rules that decided, with their text.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::entry::{Body, PolicyPhase};
use countersign_core::names::ReasonId;
use countersign_core::refs::PolicyRef;

use super::words::{file_line, time};
use crate::case::{CallMade, Case};
use crate::format::bundle_name;
use crate::page::{Block, Line, Tone};
use crate::text::short;

pub(super) fn rules(case: &Case<'_>, calls: &[CallMade<'_>]) -> Vec<Block> {
    let mut by_bundle: BTreeMap<PolicyRef, BTreeSet<&ReasonId>> = BTreeMap::new();
    for call in calls {
        by_bundle
            .entry(call.decision.policy_ref)
            .or_default()
            .extend(&call.decision.reasons);
    }
    if by_bundle.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![Block::Heading("The rules".to_owned())];
    for (policy, reasons) in by_bundle {
        blocks.push(Block::Facts(bundle_facts(case, policy)));
        let bundle = case.bundles.get(&policy).and_then(Option::as_ref);
        for id in reasons {
            let text = bundle.and_then(|bundle| bundle.policy_text(id));
            if let Some(text) = text {
                blocks.push(Block::Card {
                    tone: Tone::Plain,
                    title: Line::default()
                        .code(id)
                        .text(", ")
                        .outside(&text.file)
                        .text(format!(" line {}", text.line)),
                    blocks: vec![Block::Code(text.text)],
                });
            } else if id.is_builtin() {
                blocks.push(Block::Para(
                    Line::default()
                        .code(id)
                        .text(" is built in and has no text in the bundle: ")
                        .text(super::words::reason_text(None, id)),
                ));
            }
        }
    }
    blocks
}

fn bundle_facts(case: &Case<'_>, policy: PolicyRef) -> Vec<(&'static str, Line)> {
    let name = case
        .bundles
        .get(&policy)
        .and_then(Option::as_ref)
        .map(|bundle| bundle.bundle().content.name.clone());
    let file = bundle_name(&policy.into());
    let mut line = Line::default().file(file, short(&policy));
    if let Some(name) = name {
        line = line.text(", named ").outside(&name);
    }
    let mut facts = vec![("Bundle", line)];
    for (index, at, body) in case.chosen.bodies() {
        let (Body::Policy(entry), Some(id)) = (body, case.chosen.id_at(index)) else {
            continue;
        };
        if entry.policy_ref != policy {
            continue;
        }
        let name = match entry.phase {
            PolicyPhase::Stored => "In the log since",
            PolicyPhase::InForce => "In force since",
            _ => continue,
        };
        let by = entry.credential.map_or_else(
            || "at the first start".to_owned(),
            |by| format!("by {}", case.credential(by)),
        );
        facts.push((
            name,
            Line::of(format!("{}, {by}, ", time(at))).and(file_line(case, id)),
        ));
    }
    facts
}
