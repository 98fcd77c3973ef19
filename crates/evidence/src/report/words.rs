//! How things are said, the same everywhere.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::{PartBy, Source};
use countersign_core::entry::{Detector, ErasurePhase};
use countersign_core::ids::EntryId;
use countersign_core::names::{BuiltinReason, ReasonId};
use countersign_core::refs::Sha256;
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;
use countersign_judge::CompiledBundle;
use countersign_verify::{Anchor, Word};

use crate::case::Case;
use crate::format;
use crate::members::{self, Named};
use crate::page::{Line, Tone};
use crate::record::{Erased, State};
use crate::text::{counted, short};

/// A time for people.
pub(crate) fn time(at: Timestamp) -> String {
    let text = at.to_string();
    match text.strip_suffix('Z') {
        Some(text) => format!("{} UTC", text.replace('T', " ")),
        None => text,
    }
}

/// A link to an entry's file.
pub(crate) fn file_line(case: &Case<'_>, id: EntryId) -> Line {
    match (case.file_of(id), case.place_of(id)) {
        (Some(file), Some(place)) => Line::default().file(file, format!("entry {place}")),
        _ => Line::default().code(id),
    }
}

/// How far the proof goes, in a word.
pub(crate) fn standing_mark(case: &Case<'_>) -> Line {
    let tone = match case.standing.word {
        Word::Trusted => Tone::Good,
        Word::Unanchored => Tone::Careful,
        Word::Failed => Tone::Bad,
    };
    Line::default().mark(tone, case.standing.word.name())
}

/// What the word means here.
pub(super) fn standing_text(case: &Case<'_>) -> String {
    match case.standing.word {
        Word::Trusted => {
            let anchors = case.standing.anchors.iter().map(|anchor| match anchor {
                Anchor::HeldCheckpoint { size } => {
                    format!("a checkpoint of {size} entries that was kept elsewhere")
                }
                Anchor::Witnesses { names } => {
                    format!("the witnesses {}", names.join(", "))
                }
            });
            let anchors: Vec<String> = anchors.collect();
            format!(
                "the log's key signed the tree that holds these entries, and {} vouched for it",
                anchors.join(" and ")
            )
        }
        Word::Unanchored => {
            "the log's key signed the tree that holds these entries, but nothing from outside the operator's reach vouched for it when this was made: hold it against a checkpoint that you kept, or against witnesses".to_owned()
        }
        Word::Failed => {
            "something does not hold: do not rely on this folder before it is explained".to_owned()
        }
    }
}

pub(super) fn outcome_tone(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Approved => Tone::Good,
        Outcome::Escalated => Tone::Careful,
        Outcome::Rejected | Outcome::Modified | Outcome::Deferred => Tone::Bad,
    }
}

/// What a detector found, as the beginning of a title.
pub(super) fn detected(detector: Detector) -> &'static str {
    match detector {
        Detector::Burst => "Many rejected calls in a short time",
        Detector::Unmandated => "Calls that nobody asked for",
        Detector::ToolChanged => "Calls of tools that changed since a person confirmed them",
        Detector::Retry => "A rejected call was tried again in other ways",
        Detector::NovelTarget => "A target that this agent never acted on before",
        Detector::OffHours => "Work at an hour at which this agent never worked",
        Detector::Spread => "Many turns came upon one new target",
        Detector::MissingExecution => "Approved calls of which nobody reported that they ran",
        Detector::UnapprovedExecution => "Something ran that was not approved",
        Detector::ReadingAround => "Sealed records were opened out of pattern",
        Detector::Loosened => "New rules permitted what had just been rejected, and it was used",
    }
}

/// Why, in words.
pub(super) fn reason_text(bundle: Option<&CompiledBundle>, id: &ReasonId) -> String {
    if let Some(builtin) = BuiltinReason::of(id) {
        return builtin.explanation().to_owned();
    }
    let text = bundle.and_then(|bundle| bundle.reason_text(id));
    text.unwrap_or("the policy states no reason").to_owned()
}

pub(super) fn source_text(source: Source) -> &'static str {
    match source {
        Source::User => "the principal's own words in this turn",
        Source::UserEarlier => "the principal's own words in an earlier turn",
        Source::SystemField => "a field that the system writes",
        Source::FirstPartyField => "a field that our own people write",
        Source::RecordLinked => "the same record as something that the principal named",
        Source::NamedDocument => "a document that the principal named",
        Source::AnyOutput => "some output of a tool, which anybody may have written",
        Source::Directory => "the directory",
        Source::Approved => "a value that a person approved",
        Source::Confirmed => "shown by the agent, then confirmed by the person",
        Source::None => "nowhere",
    }
}

pub(crate) fn whose(by: PartBy) -> &'static str {
    match by {
        PartBy::Principal => "The principal's own words",
        PartBy::Correspondent => "A correspondent's words, which carry no authority",
        PartBy::System => "The system's words, which carry no authority",
        PartBy::Agent => "The agent's words, which carry no authority",
    }
}

/// Whether a record can be read here, and what became of it if not.
pub(crate) fn state_line(case: &Case<'_>, what: &str, reference: &Sha256) -> Line {
    match case.records.state(reference) {
        State::Open => Line::of(format!("{what}: opened, in "))
            .file(format::document_name(reference), short(reference)),
        State::Erased(erased) => Line::of(format!("{what}: "))
            .mark(Tone::Careful, "erased")
            .text(". What is left is the commitment ")
            .code(reference)
            .text(". ")
            .and(erased_line(case, erased)),
        State::Sealed => {
            let line = Line::of(format!("{what}: "))
                .mark(Tone::Plain, "sealed")
                .text(". The commitment is ")
                .code(reference);
            match case.left_sealed.get(reference) {
                Some(why) => line.text(". It was to be opened, and was not: ").outside(why),
                None => line.text(
                    ". Whoever has the role vault-reader may open it for a stated purpose, and that is an entry",
                ),
            }
        }
    }
}

/// The same in few words, where it is said of one record after the other.
pub(super) fn state_brief(case: &Case<'_>, what: &str, reference: &Sha256) -> Line {
    match case.records.state(reference) {
        State::Erased(erased) => {
            let line = Line::of(format!("{what}: "))
                .mark(Tone::Careful, "erased")
                .text(", ");
            let line = match erased.first() {
                Some(first) => line.and(file_line(case, first.entry)).text(". "),
                None => line,
            };
            line.text("The commitment is ").code(reference)
        }
        State::Sealed if !case.left_sealed.contains_key(reference) => Line::of(format!("{what}: "))
            .mark(Tone::Plain, "sealed")
            .text(". The commitment is ")
            .code(reference),
        State::Open | State::Sealed => state_line(case, what, reference),
    }
}

/// How many records there are of each kind.
type Counts = BTreeMap<&'static str, usize>;

/// What was erased, together with what was erased by the same entries: by whom, when, on whose word,
/// and whether backups still open it.
pub(super) fn erasures(case: &Case<'_>) -> Vec<Line> {
    let mut groups: BTreeMap<Vec<EntryId>, (Counts, &[Erased])> = BTreeMap::new();
    let named: BTreeSet<Named> = case
        .chosen
        .bodies()
        .flat_map(|(_, _, body)| members::records(body))
        .collect();
    for record in &named {
        if let State::Erased(erased) = case.records.state(&record.reference) {
            let by = erased.iter().map(|it| it.entry).collect();
            let (counts, _) = groups.entry(by).or_insert((Counts::new(), erased));
            *counts.entry(record.kind).or_default() += 1;
        }
    }
    let lines = groups.into_values().map(|(counts, erased)| {
        let what: Vec<String> = counts
            .into_iter()
            .map(|(kind, count)| kinds_counted(kind, count))
            .collect();
        let line = Line::default()
            .mark(Tone::Careful, format!("{} erased", what.join(", ")))
            .text(". ")
            .and(erased_line(case, erased));
        let is_complete = erased.iter().any(|it| it.phase == ErasurePhase::Complete);
        match is_complete {
            true => line,
            false => line.text(
                ". By this checkpoint the erasure was not complete: a backup from before may still open them",
            ),
        }
    });
    lines.collect()
}

/// So many records of a kind.
pub(super) fn kinds_counted(kind: &str, count: usize) -> String {
    match kind {
        "intent" => counted(count, "turn"),
        "facts" => counted(count, "set") + " of facts",
        "reasoning" => counted(count, "reasoning"),
        kind => counted(count, kind),
    }
}

/// By whom, when and on whose word.
pub(super) fn erased_line(case: &Case<'_>, erased: &[Erased]) -> Line {
    let mut line = Line::default();
    for (n, one) in erased.iter().enumerate() {
        if n > 0 {
            line = line.text("; ");
        }
        let what = match (one.phase, n) {
            (ErasurePhase::Requested, 0) => "The live key to it was destroyed on ",
            (ErasurePhase::Requested, _) => "the live key to it was destroyed on ",
            (ErasurePhase::Complete, 0) => "No backup opens it since ",
            (ErasurePhase::Complete, _) => "no backup opens it either since ",
        };
        line = line.text(what).text(time(one.at));
        line = match one.credential {
            Some(credential) => line.text(" by ").code(case.credential(credential)),
            None => line.text(" by the server, as the rules in force say"),
        };
        line = line.text(", on the word of ");
        line = match case.records.statement(one.authority) {
            Some(text) => line.outside(&text),
            None => line.code(short(&one.authority)).text(" (sealed)"),
        };
        line = line.text(", ").and(file_line(case, one.entry));
    }
    line
}
