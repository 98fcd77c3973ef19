//! The turns: who asked, in which words.

use countersign_core::document::Intent as IntentDocument;
use countersign_core::entry::{Body, Intent};
use countersign_core::refs::Sha256;
use countersign_core::time::Timestamp;

use super::words::{file_line, state_brief, time, whose};
use crate::case::Case;
use crate::format::document_name;
use crate::page::{Block, Line, Tone};
use crate::text::short;

/// Most turns that are shown in full.
const SHOWN: usize = 50;

pub(super) fn turns(case: &Case<'_>) -> Vec<Block> {
    let mut blocks = vec![Block::Heading("Who asked, in which words".to_owned())];
    let mut count = 0usize;
    for (index, at, body) in case.chosen.bodies() {
        let Body::Intent(intent) = body else { continue };
        count = count.saturating_add(1);
        if count <= SHOWN {
            let id = case.chosen.id_at(index);
            let file = id.map_or_else(Line::default, |id| file_line(case, id));
            blocks.push(turn(case, intent, at, file));
        }
    }
    if count == 0 {
        blocks.push(Block::Para(Line::of(
            "No turn was registered for any of this: nobody is known to have asked for it.",
        )));
    } else if count > SHOWN {
        blocks.push(Block::Para(Line::of(format!(
            "{SHOWN} of {count} turns are shown; the files hold all."
        ))));
    }
    blocks
}

fn turn(case: &Case<'_>, intent: &Intent, at: Timestamp, file: Line) -> Block {
    let reference = Sha256::from(intent.intent_ref);
    let actors: Vec<String> = intent.actors.iter().map(ToString::to_string).collect();
    let document = case.records.document::<IntentDocument>(intent.intent_ref);
    let mut facts = vec![
        ("Turn", Line::default().code(intent.intent_ref)),
        (
            "Started by",
            Line::of(format!("a {}, by way of ", intent.author.name())).code(&intent.channel),
        ),
        ("For", Line::default().code(actors.join(", "))),
        (
            "Registered by",
            Line::default()
                .code(case.credential(intent.credential))
                .text(format!(
                    ", {} from the agent",
                    match intent.assurance.name() {
                        "same-uid" => "as the same user and so not apart",
                        "signed" => "signed, and apart",
                        _ => "apart",
                    }
                )),
        ),
        ("Good until", Line::of(time(intent.expires_at))),
    ];
    match &document {
        Some(document) => facts.push((
            "Principal",
            Line::default().outside(&document.principal.to_string()),
        )),
        None => facts.push((
            "Principal",
            Line::of("stands in the log as ").code(intent.principal),
        )),
    }
    for (name, other) in [("Follows", intent.parent), ("Rests on", intent.mandate)] {
        if let Some(other) = other {
            facts.push((name, Line::of("turn ").code(short(&other))));
        }
    }
    let mut blocks = vec![Block::Facts(facts)];
    match document {
        Some(document) => blocks.extend(document.parts.into_iter().map(|part| Block::Words {
            by: whose(part.by).to_owned(),
            text: part.text,
            whole: Some(document_name(&reference)),
        })),
        None => blocks.push(Block::Para(state_brief(case, "The words", &reference))),
    }
    Block::Card {
        tone: Tone::Plain,
        title: Line::of(format!("Turn of {}, ", time(at))).and(file),
        blocks,
    }
}
