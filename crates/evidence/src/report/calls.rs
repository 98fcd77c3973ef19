//! The calls: what was asked for, why it was stopped or not, and what became of it.

use std::collections::BTreeSet;

use countersign_core::document::{Call, Evidence, Facts, Place, Reasoning, Source};
use countersign_core::entry::ExecutionPhase;
use countersign_core::names::{BuiltinReason, ReasonId};
use countersign_core::refs::Sha256;
use countersign_judge::{CompiledBundle, Held, SourceTest, trace};

use super::words::{file_line, outcome_tone, reason_text, source_text, state_brief, time};
use crate::case::{CallMade, Case};
use crate::choose::Part;
use crate::format::document_name;
use crate::page::{Block, Line};
use crate::text::short;

/// Most calls that are shown in full.
const SHOWN: usize = 100;
/// Most values of one call that are explained.
const VALUES: usize = 32;

pub(super) fn calls(case: &Case<'_>, calls: &[CallMade<'_>]) -> Vec<Block> {
    let asked: Vec<&CallMade<'_>> = calls.iter().filter(|it| it.part == Part::Asked).collect();
    if asked.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![Block::Heading("The calls, and why".to_owned())];
    blocks.extend(asked.iter().take(SHOWN).map(|made| call(case, made)));
    if asked.len() > SHOWN {
        blocks.push(Block::Para(Line::of(format!(
            "{SHOWN} of {} calls are shown; the files hold all.",
            asked.len()
        ))));
    }
    blocks
}

fn call(case: &Case<'_>, made: &CallMade<'_>) -> Block {
    let decision = made.decision;
    let bundle = case
        .bundles
        .get(&decision.policy_ref)
        .and_then(Option::as_ref);
    let tone = outcome_tone(decision.outcome);
    let mut blocks = Vec::new();
    what(case, made, &mut blocks);
    let reasons = decision.reasons.iter().map(|id| {
        Line::default()
            .code(id)
            .text(": ")
            .outside(&reason_text(bundle, id))
    });
    blocks.push(Block::List(reasons.collect()));
    let facts = decision
        .facts_ref
        .and_then(|it| case.records.document::<Facts>(it));
    match (&facts, decision.facts_ref) {
        (Some(facts), _) => why(&mut blocks, bundle, facts, &decision.reasons),
        (None, Some(reference)) => blocks.push(Block::Para(state_brief(
            case,
            "What the judge looked at",
            &reference.into(),
        ))),
        (None, None) => {}
    }
    if let Some(reference) = decision.reasoning_ref {
        match case.records.document::<Reasoning>(reference) {
            Some(reasoning) => blocks.push(Block::Words {
                by: "What the agent gave as its reasoning; it counts for nothing".to_owned(),
                text: reasoning.text,
                whole: Some(document_name(&reference.into())),
            }),
            None => blocks.push(Block::Para(state_brief(
                case,
                "What the agent gave as its reasoning",
                &reference.into(),
            ))),
        }
    }
    blocks.push(Block::Para(became(case, made)));
    Block::Card {
        tone,
        title: Line::of(format!("{}: ", time(made.at)))
            .code(&decision.action)
            .text(" ")
            .mark(tone, decision.outcome.name())
            .text(", ")
            .and(file_line(case, made.id)),
        blocks,
    }
}

/// The tool and its arguments.
fn what(case: &Case<'_>, made: &CallMade<'_>, blocks: &mut Vec<Block>) {
    let decision = made.decision;
    let mut facts = vec![
        ("Asked by", Line::default().code(&decision.actor)),
        (
            "Turn",
            match (decision.intent_ref, decision.claimed_intent_ref) {
                (Some(turn), _) => Line::default().code(short(&turn)),
                (None, Some(claimed)) => {
                    Line::of("none that counts; the call named ").code(short(&claimed))
                }
                (None, None) => Line::of("none"),
            },
        ),
        (
            "Rules",
            Line::of("bundle ").code(short(&decision.policy_ref)),
        ),
    ];
    let Some(reference) = decision.call_ref else {
        facts.push(("Call", Line::of("too malformed to be named")));
        blocks.push(Block::Facts(facts));
        return;
    };
    facts.push(("Call", Line::default().code(reference)));
    let document = case.records.document::<Call>(reference);
    if let Some(call) = &document {
        facts.push(("Arguments", Line::of("hash to ").code(call.args_sha256)));
        facts.push(("Tool", Line::default().outside(&call.tool)));
    }
    blocks.push(Block::Facts(facts));
    match document {
        Some(call) => blocks.push(Block::Code(format!("{:#}", call.args))),
        None => blocks.push(Block::Para(state_brief(
            case,
            "Tool and arguments",
            &reference.into(),
        ))),
    }
}

/// Which argument, and which source.
fn why(
    blocks: &mut Vec<Block>,
    bundle: Option<&CompiledBundle>,
    facts: &Facts,
    reasons: &[ReasonId],
) {
    let mut lines = Vec::new();
    for target in &facts.targets {
        lines.push(value(
            &target.value,
            &target.at,
            &target.sources,
            &target.evidence,
        ));
    }
    for fact in facts.values.iter().take(VALUES) {
        lines.push(value(&fact.value, &fact.at, &fact.sources, &fact.evidence));
    }
    if !lines.is_empty() {
        blocks.push(Block::Para(Line::of("Where its values came from:")));
        blocks.push(Block::List(lines));
    }
    let unpermitted = ReasonId::builtin(BuiltinReason::NoPermit);
    let bundle = bundle.and_then(|bundle| bundle.for_extractor(facts.extractor));
    let (true, Some(bundle)) = (reasons.contains(&unpermitted), bundle) else {
        return;
    };
    let lacks = lacks(bundle, facts);
    if !lacks.is_empty() {
        blocks.push(Block::Para(Line::of(
            "The rules that could have permitted it asked for this in vain:",
        )));
        blocks.push(Block::List(lacks));
    }
}

fn value(value: &str, at: &str, sources: &BTreeSet<Source>, evidence: &[Evidence]) -> Line {
    let from: Vec<&str> = sources.iter().map(|source| source_text(*source)).collect();
    let mut line = Line::default()
        .outside(value)
        .text(" at ")
        .outside(at)
        .text(" came from ")
        .strong(match from.is_empty() {
            true => "nowhere".to_owned(),
            false => from.join("; "),
        });
    for found in evidence.iter().take(4) {
        line = match &found.place {
            Place::Turn { part, .. } => line.text(format!("; found in part {part} of a turn")),
            Place::Result { tool, pointer, .. } => line
                .text("; found in what ")
                .outside(tool)
                .text(" returned, at ")
                .outside(pointer),
            Place::Directory => line.text("; the directory knows it"),
        };
        if found.look_alike {
            line = line.text(", where it only looks like it");
        }
    }
    line
}

fn lacks(bundle: &CompiledBundle, facts: &Facts) -> Vec<Line> {
    let unpermitted = ReasonId::builtin(BuiltinReason::NoPermit);
    let mut lines = Vec::new();
    let targets = trace(bundle, facts);
    for target in targets
        .iter()
        .filter(|it| it.reasons.contains(&unpermitted))
    {
        for (id, policy) in &target.policies {
            let Held::No(unmet) = &policy.held else {
                continue;
            };
            if !policy.permits || unmet.condition.is_empty() || lines.len() >= VALUES {
                continue;
            }
            let mut line = Line::default()
                .code(id)
                .text(": ")
                .outside(&unmet.condition);
            for sentence in unmet.asks.iter().flat_map(SourceTest::sentences) {
                line = line.text("; ").outside(&sentence);
            }
            lines.push(line);
        }
    }
    lines
}

/// Whether it ran.
fn became(case: &Case<'_>, made: &CallMade<'_>) -> Line {
    let mut line = Line::default();
    for (id, at, execution) in &made.executions {
        let phase = match execution.phase {
            ExecutionPhase::Started => "it was started on ",
            ExecutionPhase::Finished => "it had ended by ",
            ExecutionPhase::Unknown => "what became of it was unknown on ",
        };
        line = line
            .text(phase)
            .text(time(*at))
            .text(", as ")
            .code(case.credential(execution.credential))
            .text(" reports, ")
            .and(file_line(case, *id))
            .text(". ");
        if let Some(result) = execution.result_ref.map(Sha256::from) {
            line = line
                .and(state_brief(case, "The result", &result))
                .text(". ");
        }
    }
    if made.executions.is_empty() {
        line = line.text(match made.is_stopped() {
            true => "It did not run: no execution names it. ",
            false => "Nothing in this folder says that it ran. ",
        });
    }
    if made.permits_refused > 0 {
        line = line.text(format!(
            "A permit for it was refused {} at the tool's side.",
            match made.permits_refused {
                1 => "once".to_owned(),
                count => format!("{count} times"),
            }
        ));
    }
    line
}
