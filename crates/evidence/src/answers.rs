//! The four questions that must be answerable about any call, each with where the proof is and how
//! far it goes.

use std::collections::BTreeSet;

use countersign_core::document::{Intent as IntentDocument, PartBy};
use countersign_core::entry::Body;
use countersign_core::names::{BuiltinReason, ReasonId};
use countersign_core::refs::{IntentRef, Sha256};
use countersign_verify::Word;

use crate::again::NotAgain;
use crate::case::{CallMade, Case};
use crate::format;
use crate::page::{Block, Line, Tone};
use crate::record::State;
use crate::report::{file_line, standing_mark, state_line, time, whose};
use crate::text::{counted, short};

/// Most files that one answer names.
const NAMED: usize = 6;
/// Most parts of turns that the first answer quotes; all stand below.
const WORDS: usize = 8;

/// The answers, as cards.
pub(crate) fn answers(case: &Case<'_>) -> Vec<Block> {
    let calls = case.asked();
    vec![
        card("1. Who asked for it, in which words?", who(case, &calls)),
        card(
            "2. Which rules judged it, and did they really say so?",
            rules(case, &calls),
        ),
        card(
            "3. Was it this call, these exact arguments, and did it run once?",
            runs(case, &calls),
        ),
        card("4. Is this the whole record?", whole(case)),
    ]
}

struct Answer {
    tone: Tone,
    said: Vec<Line>,
    /// What people wrote.
    words: Vec<Block>,
    proof: Line,
}

fn card(question: &str, answer: Answer) -> Block {
    let mut blocks: Vec<Block> = answer.said.into_iter().map(Block::Para).collect();
    blocks.extend(answer.words);
    blocks.push(Block::Para(
        Line::default().strong("Proof:").text(" ").and(answer.proof),
    ));
    Block::Card {
        tone: answer.tone,
        title: Line::of(question),
        blocks,
    }
}

/// The proof of entries goes as far as that of the checkpoint.
fn tone(case: &Case<'_>) -> Tone {
    match case.standing.word {
        Word::Trusted => Tone::Good,
        Word::Unanchored => Tone::Careful,
        Word::Failed => Tone::Bad,
    }
}

fn files(lines: Vec<Line>) -> Line {
    let more = lines.len().saturating_sub(NAMED);
    let mut out = Line::default();
    for (n, line) in lines.into_iter().take(NAMED).enumerate() {
        if n > 0 {
            out = out.text(", ");
        }
        out = out.and(line);
    }
    match more {
        0 => out,
        more => out.text(format!(" and {more} more")),
    }
}

fn who(case: &Case<'_>, calls: &[CallMade<'_>]) -> Answer {
    let turns: BTreeSet<IntentRef> = calls
        .iter()
        .filter_map(|call| call.decision.intent_ref)
        .collect();
    let mut said = Vec::new();
    let without = calls
        .iter()
        .filter(|call| call.decision.intent_ref.is_none())
        .count();
    if without > 0 {
        said.push(Line::of(format!(
            "Nobody, for {} of {}: no live turn was behind them.",
            without,
            counted(calls.len(), "call"),
        )));
    }
    if !turns.is_empty() {
        said.push(Line::of(format!(
            "{} {} behind {} of {}; each is committed to by the entry that registered it.",
            counted(turns.len(), "turn"),
            if turns.len() == 1 { "stands" } else { "stand" },
            calls.len().saturating_sub(without),
            counted(calls.len(), "call"),
        )));
    }
    if calls.is_empty() {
        said.push(Line::of("No call is among the entries that this is about."));
    }
    let behind = resting(case, &turns);
    let mut words = Vec::new();
    let mut files_of = Vec::new();
    for (index, at, body) in case.chosen.bodies() {
        let (Body::Intent(intent), Some(id)) = (body, case.chosen.id_at(index)) else {
            continue;
        };
        if !behind.contains(&intent.intent_ref) {
            continue;
        }
        files_of.push(file_line(case, id));
        if files_of.len() > NAMED {
            continue;
        }
        let reference = Sha256::from(intent.intent_ref);
        let mut line = Line::of(format!("On {}, ", time(at)))
            .and(file_line(case, id))
            .text(format!(
                ": started by a {}, by way of ",
                intent.author.name()
            ))
            .code(&intent.channel)
            .text(match intent.mandate {
                Some(_) => ", on a standing instruction. ",
                None => ". ",
            });
        match case.records.document::<IntentDocument>(intent.intent_ref) {
            Some(document) => words.extend(said_in(&document, &reference)),
            None => line = line.and(state_line(case, "The words", &reference)),
        }
        said.push(line);
    }
    words.truncate(WORDS);
    let proof = match files_of.is_empty() {
        true => standing_mark(case).text(", in the calls' own entries"),
        false => standing_mark(case)
            .text(", in ")
            .and(files(files_of))
            .text(" with the proof of each in proofs/"),
    };
    Answer {
        tone: tone(case),
        said,
        words,
        proof,
    }
}

/// The turns, and the standing instructions that they rest on.
fn resting(case: &Case<'_>, turns: &BTreeSet<IntentRef>) -> BTreeSet<IntentRef> {
    let rests = case.chosen.bodies().filter_map(|(_, _, body)| match body {
        Body::Intent(intent) if turns.contains(&intent.intent_ref) => intent.mandate,
        _ => None,
    });
    turns.iter().copied().chain(rests).collect()
}

/// The parts of a turn, each by whose words it is.
fn said_in(document: &IntentDocument, reference: &Sha256) -> Vec<Block> {
    let principal = &document.principal;
    let parts = document.parts.iter().map(|part| Block::Words {
        by: match part.by {
            PartBy::Principal => format!(
                "{}: {principal}, on {}",
                whose(part.by),
                time(document.issued_at)
            ),
            by => format!("{}, in a turn for {principal}", whose(by)),
        },
        text: part.text.clone(),
        whole: Some(format::document_name(reference)),
    });
    parts.collect()
}

fn rules(case: &Case<'_>, calls: &[CallMade<'_>]) -> Answer {
    let policies: BTreeSet<Sha256> = calls
        .iter()
        .map(|call| Sha256::from(call.decision.policy_ref))
        .collect();
    let mut said = vec![deciding(calls)];
    let again = case.again;
    let otherwise = case.standing.mismatches.len();
    if otherwise > 0 {
        said.push(
            Line::default()
                .mark(Tone::Bad, format!("{otherwise} came out otherwise"))
                .text(", judged again: the beginning of this report names them."),
        );
    }
    let not: u64 = again.not_rejudged.values().sum();
    if again.agreed > 0 {
        said.push(Line::of(format!(
            "{} of this folder {} judged again from the opened records, and came out the same.",
            counted(
                usize::try_from(again.agreed).unwrap_or(usize::MAX),
                "decision"
            ),
            if again.agreed == 1 { "was" } else { "were" }
        )));
    }
    if not > 0 {
        let why = again
            .not_rejudged
            .iter()
            .map(|(why, count)| format!("{count} {}", not_again(*why)));
        let why: Vec<String> = why.collect();
        said.push(Line::of(format!(
            "Not judged again: {}. For these the log shows only that the decision was there before the call could leave.",
            why.join(", ")
        )));
    }
    let bundles = policies
        .iter()
        .map(|policy| Line::default().file(format::bundle_name(policy), short(policy)));
    let proof = standing_mark(case)
        .text(" for the entries; each bundle hashes to the ref that they name: ")
        .and(files(bundles.collect()));
    Answer {
        tone: tone(case),
        said,
        words: Vec::new(),
        proof,
    }
}

/// The rules that decided, by name, and where their text stands.
fn deciding(calls: &[CallMade<'_>]) -> Line {
    let reasons: BTreeSet<&ReasonId> = calls
        .iter()
        .flat_map(|call| &call.decision.reasons)
        .collect();
    let builtin = reasons
        .iter()
        .filter(|reason| BuiltinReason::of(reason).is_some())
        .count();
    let mut named = Line::of("The rules that decided: ");
    for (n, reason) in reasons.iter().enumerate() {
        if n > 0 {
            named = named.text(", ");
        }
        named = named.code(reason);
    }
    match reasons.len() {
        0 => Line::of("No call is among the entries that this is about."),
        all => named.text(match builtin {
            0 => ". Their text stands below, as the log holds it.",
            _ if builtin == all => ". They are built in, and no bundle has a text of them.",
            _ => ". Their text stands below, as the log holds it, but for what is built in.",
        }),
    }
}

fn not_again(why: NotAgain) -> &'static str {
    match why {
        NotAgain::Sealed => "sealed",
        NotAgain::Erased => "erased",
        NotAgain::NoFacts => "without facts",
        NotAgain::OutsideTheJudge => "decided by something beside the judge, such as a stop",
        NotAgain::NoBundle => "without a bundle that compiles",
        NotAgain::OtherExtractor => "drawn by another version",
    }
}

fn runs(case: &Case<'_>, calls: &[CallMade<'_>]) -> Answer {
    let mut said = Vec::new();
    let stopped: Vec<_> = calls.iter().filter(|call| call.is_stopped()).collect();
    let passed: Vec<_> = calls.iter().filter(|call| !call.is_stopped()).collect();
    let ran_anyway = stopped.iter().filter(|call| call.started() > 0).count();
    let twice = passed.iter().filter(|call| call.started() > 1).count();
    let never = passed.iter().filter(|call| call.started() == 0).count();
    let refused: usize = calls.iter().map(|call| call.permits_refused).sum();
    if !stopped.is_empty() {
        said.push(Line::of(match ran_anyway {
            0 => format!(
                "Of {} stopped, none ran: no execution names one.",
                counted(stopped.len(), "call")
            ),
            count => format!("Of the calls that were stopped, {count} reportedly ran."),
        }));
    }
    if !passed.is_empty() {
        let once = passed.len().saturating_sub(twice).saturating_sub(never);
        said.push(Line::of(format!(
            "Of {} that passed, {once} ran once, {never} are not reported to have run, {twice} are reported more than once.",
            counted(passed.len(), "call")
        )));
    }
    if refused > 0 {
        said.push(Line::of(format!(
            "Refused at the tool's side: {}.",
            counted(refused, "permit")
        )));
    }
    if calls.is_empty() {
        said.push(Line::of("No call is among the entries that this is about."));
    }
    let open = calls
        .iter()
        .filter_map(|call| call.decision.call_ref)
        .filter(|call| matches!(case.records.state(&(*call).into()), State::Open))
        .count();
    let erased = calls
        .iter()
        .filter_map(|call| call.decision.call_ref)
        .filter(|call| case.records.is_erased(&(*call).into()))
        .count();
    if !calls.is_empty() {
        said.push(Line::of(format!(
            "Each entry commits to one call with its exact arguments; {open} of {} were opened and hash to that commitment{}.",
            counted(calls.len(), "call"),
            match erased {
                0 => String::new(),
                1 => ", 1 was erased".to_owned(),
                count => format!(", {count} were erased"),
            }
        )));
    }
    let executions = calls.iter().flat_map(|call| {
        call.executions
            .iter()
            .map(|(id, _, _)| file_line(case, *id))
    });
    let executions: Vec<Line> = executions.collect();
    let proof = match executions.is_empty() {
        true => standing_mark(case).text(
            " for the calls' entries. That no execution names them is as complete as the log: see question 4",
        ),
        false => standing_mark(case)
            .text(" for the calls' entries and the executions ")
            .and(files(executions)),
    };
    let is_bad = ran_anyway > 0 || twice > 0;
    Answer {
        tone: if is_bad { Tone::Bad } else { tone(case) },
        said,
        words: Vec::new(),
        proof,
    }
}

fn whole(case: &Case<'_>) -> Answer {
    let mut said = vec![Line::of(format!(
        "Every one of the {} in this folder is proven to be in the log of {} that the checkpoint signs, at its place.",
        match case.standing.proven {
            1 => "1 entry".to_owned(),
            count => format!("{count} entries"),
        },
        match case.standing.size {
            1 => "1 entry".to_owned(),
            count => format!("{count} entries"),
        },
    ))];
    said.push(Line::of(
        "It is a selection. That the log holds nothing else about it, that nothing was taken out and that no rule was broken elsewhere shows when the whole log is checked against the same checkpoint.",
    ));
    let mut closed = Vec::new();
    for (index, _, body) in case.chosen.bodies() {
        if let (Body::SessionClose(close), Some(id)) = (body, case.chosen.id_at(index)) {
            closed.push(
                Line::of(format!(
                    "The session was closed with {} turns, {} decisions and {} executions, ",
                    close.turns, close.decisions, close.executions
                ))
                .and(file_line(case, id))
                .text("."),
            );
        }
    }
    said.extend(closed.into_iter().take(NAMED));
    let origin = case.standing.origin.clone().unwrap_or_default();
    let how = Line::of("The whole log: ")
        .code(format!(
            "countersign verify ADDRESS-OF-THE-LOG --key YOUR-KEY --checkpoint {}",
            format::CHECKPOINT
        ))
        .text(", for the log ")
        .code(origin)
        .text(".");
    said.push(how);
    Answer {
        tone: tone(case),
        said,
        words: Vec::new(),
        proof: standing_mark(case)
            .text(", in ")
            .file(format::CHECKPOINT, format::CHECKPOINT)
            .text(", ")
            .file(format::POLICY, format::POLICY)
            .text(" and proofs/"),
    }
}
