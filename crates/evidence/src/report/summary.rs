//! What happened in two sentences, the numbers, and where it began.

use countersign_core::entry::{Body, FlagChange};
use countersign_core::refs::Sha256;

use super::words::{
    detected, erasures, file_line, outcome_tone, standing_mark, standing_text, state_line, time,
};
use crate::case::{CallMade, Case};
use crate::page::{Block, Line, Tone};
use crate::question::Question;
use crate::text::{counted, short};

pub(super) fn title(case: &Case<'_>) -> String {
    if let Some((_, flag)) = case.flag() {
        let whom = match (&flag.actor, flag.reader) {
            (Some(actor), _) => format!(": {actor}"),
            (None, Some(reader)) => format!(": credential {reader}"),
            (None, None) => String::new(),
        };
        return format!("{}{whom}", detected(flag.detector));
    }
    match &case.question {
        Question::Entry(id) => match case.chosen.body_of(*id) {
            Some(Body::Decision(decision)) => format!(
                "A call of {}: {}, {}",
                decision.actor,
                decision.action,
                decision.outcome.name()
            ),
            Some(body) => format!("Entry {id}, of kind {}", body.kind()),
            None => format!("Entry {id}"),
        },
        Question::Intent(intent) => {
            format!("What was done in the name of turn {}", short(intent))
        }
        Question::Between(from, to) => {
            format!("What was recorded from {} to {}", time(*from), time(*to))
        }
    }
}

pub(super) fn summary(case: &Case<'_>) -> Vec<Block> {
    let calls = case.asked();
    let mut blocks = vec![Block::Lead(sentences(case, &calls)), tiles(&calls)];
    let mut facts = Vec::new();
    if let Some((id, flag)) = case.flag() {
        facts.push((
            "Flag",
            file_line(case, id)
                .text(format!(", {}, severity ", flag.detector))
                .strong(severity(case).unwrap_or_else(|| flag.severity.to_string())),
        ));
        facts.push(("Since then", since_then(case)));
    }
    let calls_beside = case.calls();
    let beside: Vec<_> = calls_beside
        .iter()
        .filter(|call| call.part != crate::choose::Part::Asked)
        .collect();
    if !beside.is_empty() {
        let stopped = beside.iter().filter(|call| call.is_stopped()).count();
        facts.push((
            "Beside it",
            Line::of(format!(
                "{} of the same sessions near in time: {stopped} stopped, {} passed; they stand in the timeline",
                counted(beside.len(), "other call"),
                beside.len().saturating_sub(stopped)
            )),
        ));
    }
    if let Some(origin) = &case.standing.origin {
        facts.push(("Log", Line::default().code(origin)));
    }
    facts.push((
        "Checkpoint",
        Line::of(format!("over {} entries, in ", case.standing.size))
            .file(crate::format::CHECKPOINT, crate::format::CHECKPOINT)
            .text(format!(
                "; {} of them are in this folder, each with its proof",
                case.standing.proven
            )),
    ));
    facts.push((
        "Proof",
        standing_mark(case).text(": ").text(standing_text(case)),
    ));
    facts.push((
        "Sealed records",
        match case.purpose {
            Some(purpose) => Line::of(format!(
                "{} opened for this folder, for ",
                counted(case.records.opened(), "record")
            ))
            .outside(purpose),
            None => Line::of("not opened: what stands in them is shown by its commitments"),
        },
    ));
    facts.extend(erasures(case).into_iter().map(|line| ("Content", line)));
    blocks.push(Block::Facts(facts));
    for mismatch in &case.standing.mismatches {
        blocks.push(Block::Para(
            Line::default()
                .mark(Tone::Bad, "does not hold")
                .text(": ")
                .code(&mismatch.file)
                .text(" has ")
                .outside(&mismatch.found)
                .text(", expected was ")
                .outside(&mismatch.expected),
        ));
    }
    blocks
}

/// What happened, in two sentences.
fn sentences(case: &Case<'_>, calls: &[CallMade<'_>]) -> Line {
    let when = match case.chosen.times {
        Some((first, last)) if first == last => format!("On {}, ", time(first)),
        Some((first, last)) => format!("From {} to {}, ", time(first), time(last)),
        None => String::new(),
    };
    if calls.is_empty() {
        let asked = case
            .chosen
            .indices()
            .filter(|index| case.chosen.part(*index) == Some(crate::choose::Part::Asked));
        return Line::of(format!(
            "{when}{} recorded that this is about; none of them is a call. What they say stands below, in the order of the log.",
            match asked.count() {
                1 => "1 entry was".to_owned(),
                count => format!("{count} entries were"),
            }
        ));
    }
    let stopped = calls.iter().filter(|call| call.is_stopped()).count();
    let passed = calls.len().saturating_sub(stopped);
    let ran = calls.iter().filter(|call| call.started() > 0).count();
    let unmandated = calls
        .iter()
        .filter(|call| call.decision.intent_ref.is_none())
        .count();
    let behind = match unmandated {
        0 => String::new(),
        count if count == calls.len() => {
            ", with no live turn of a person behind any of it".to_owned()
        }
        count => format!(", {count} of them with no live turn behind them"),
    };
    let first = format!(
        "{when}{} asked for {}{behind}: {stopped} stopped, {passed} passed. ",
        case.actors(calls).join(", "),
        counted(calls.len(), "call"),
    );
    let second = match (passed, ran) {
        (0, 0) => "The rules held throughout: nothing of it was permitted, and no execution of any of these calls is in the log.".to_owned(),
        (0, ran) => format!("Nothing of it was permitted, and yet {} reported to have run.", were(ran)),
        (_, 0) => "Of what passed, no execution is in the log.".to_owned(),
        (_, ran) => format!("Of what passed, {} reported to have run.", were(ran)),
    };
    Line::of(format!("{first}{second}"))
}

fn were(count: usize) -> String {
    match count {
        1 => "1 call is".to_owned(),
        _ => format!("{count} calls are"),
    }
}

fn tiles(calls: &[CallMade<'_>]) -> Block {
    use countersign_core::verdict::Outcome;
    let count = |outcome| {
        let of = calls.iter().filter(|call| call.decision.outcome == outcome);
        of.count()
    };
    let ran = calls.iter().filter(|call| call.started() > 0).count();
    let mut tiles = vec![
        (Tone::Bad, count(Outcome::Rejected), "stopped".to_owned()),
        (Tone::Good, count(Outcome::Approved), "passed".to_owned()),
        (Tone::Plain, ran, "reported to have run".to_owned()),
    ];
    let asked = count(Outcome::Escalated);
    if asked > 0 {
        tiles.insert(1, (Tone::Careful, asked, "put to a person".to_owned()));
    }
    Block::Tiles(tiles)
}

/// The newest severity that a report of the flag states.
fn severity(case: &Case<'_>) -> Option<String> {
    let updates = case.chosen.bodies().filter_map(|(_, _, body)| match body {
        Body::FlagUpdate(update) if update.links.flag == case.chosen.flag => update.severity,
        _ => None,
    });
    Some(updates.last()?.to_string())
}

fn since_then(case: &Case<'_>) -> Line {
    let mut line = Line::default();
    for (index, at, body) in case.chosen.bodies() {
        let said = match body {
            Body::FlagUpdate(update) if update.links.flag == case.chosen.flag => {
                match update.change {
                    FlagChange::Grown => format!("grew to {} on {}", update.count, time(at)),
                    FlagChange::Acknowledged => format!("acknowledged on {}", time(at)),
                }
            }
            Body::FlagClose(close) if close.links.flag == case.chosen.flag => {
                match close.credential {
                    Some(by) => format!("closed on {} by {}", time(at), case.credential(by)),
                    None => format!("went quiet on {}", time(at)),
                }
            }
            _ => continue,
        };
        if !line.0.is_empty() {
            line = line.text("; ");
        }
        line = line.text(said);
        if let Some(id) = case.chosen.id_at(index) {
            line = line.text(" (").and(file_line(case, id)).text(")");
        }
    }
    match line.0.is_empty() {
        true => Line::of("nothing more was reported by this checkpoint"),
        false => line,
    }
}

/// Where it began, and what came just before.
pub(super) fn beginning(case: &Case<'_>) -> Vec<Block> {
    let Some((_, flag)) = case.flag() else {
        return Vec::new();
    };
    let mut facts = vec![("Onset", file_line(case, flag.onset))];
    if let Some(Body::Decision(decision)) = case.chosen.body_of(flag.onset) {
        let at = case.calls().into_iter().find(|call| call.id == flag.onset);
        let when = at.map_or_else(String::new, |call| format!("{}, ", time(call.at)));
        facts = vec![(
            "Onset",
            Line::of(when)
                .code(&decision.action)
                .text(" ")
                .mark(outcome_tone(decision.outcome), decision.outcome.name())
                .text(", ")
                .and(file_line(case, flag.onset)),
        )];
    }
    facts.push((
        "Turn",
        match flag.turn.or(flag.intent_ref) {
            Some(turn) => Line::of("the newest of its session was ").code(short(&turn)),
            None => Line::of("none is known"),
        },
    ));
    let before = flag.after.and_then(|after| case.chosen.body_of(after));
    facts.push((
        "Just before",
        match (flag.after, before) {
            (Some(after), Some(Body::Execution(execution))) => {
                let line = Line::of("a result came in, ").and(file_line(case, after));
                match execution.result_ref.map(Sha256::from) {
                    Some(result) => line.text(". ").and(state_line(case, "The result", &result)),
                    None => line,
                }
            }
            (Some(after), _) => Line::of("entry ").code(after),
            (None, _) => Line::of("no result is known to have come in"),
        },
    ));
    facts.push((
        "Counted",
        Line::of(
            format!(
                "{} within {} s, by the settings of bundle ",
                counted(usize::try_from(flag.count).unwrap_or(usize::MAX), "entry"),
                flag.window_s
            )
            .replace("entrys", "entries"),
        )
        .code(short(&flag.policy_ref)),
    ));
    let mut blocks = vec![
        Block::Heading("Where it began".to_owned()),
        Block::Facts(facts),
    ];
    if let Some(Body::Execution(execution)) = before
        && let Some(reference) = execution.result_ref
        && let Some(result) = case
            .records
            .document::<countersign_core::document::ToolResult>(reference)
    {
        let text = match &result.result {
            serde_json::Value::String(text) => text.clone(),
            other => format!("{other:#}"),
        };
        blocks.push(Block::Words {
            by: "What the tool returned just before".to_owned(),
            text,
            whole: Some(crate::format::document_name(&reference.into())),
        });
    }
    blocks
}
