//! What a call acts on, and where each value came from.

use std::collections::BTreeSet;

use countersign_core::document::{
    Author, EntityUid, Evidence, PartBy, Place, Source, TargetFact, TargetType,
};
use serde_json::Value;

use super::{ChainTurn, DirectoryError, ExtractInputs};
use crate::bundle::FoundTarget;
use crate::limits::EVIDENCE;
use crate::mention::{Index, Spot};
use crate::value::{Parsed, parse};

/// A value that could be read.
pub(super) struct Readable {
    at: String,
    value: String,
    kind: TargetType,
    entity: String,
    parsed: Parsed,
}

/// A target with its facts.
pub(super) struct ReadTarget {
    pub(super) fact: TargetFact,
    pub(super) kind: TargetType,
    pub(super) parsed: Parsed,
    pub(super) known: bool,
}

/// Reads a value as its declared type.
pub(super) fn read(found: &FoundTarget<'_>) -> Option<Readable> {
    let kind = found.declaration.kind;
    let value = match found.value {
        Value::String(text) => text.clone(),
        Value::Number(number) if kind == TargetType::Id && (number.is_i64() || number.is_u64()) => {
            number.to_string()
        }
        _ => return None,
    };
    Some(Readable {
        at: found.at.clone(),
        kind,
        entity: found.declaration.entity.clone(),
        parsed: parse(kind, &value)?,
        value,
    })
}

/// Draws the facts of one target.
pub(super) fn draw(
    inputs: &ExtractInputs<'_>,
    target: Readable,
) -> Result<ReadTarget, DirectoryError> {
    let Readable {
        at,
        value,
        kind,
        entity,
        parsed,
    } = target;
    let mut trail = Trail {
        value: &value,
        sources: BTreeSet::new(),
        evidence: Vec::new(),
    };
    for (n, turn) in inputs.chain.iter().enumerate() {
        trail.turn(turn, &parsed, grounds(inputs, n, turn));
    }
    let grounded =
        trail.sources.contains(&Source::User) || trail.sources.contains(&Source::UserEarlier);
    if let Some(skeleton) = parsed.skeleton.as_deref().filter(|_| !grounded) {
        for turn in inputs.chain {
            trail.look_alikes(turn, skeleton);
        }
    }
    for seen in inputs.results {
        let spots = seen.index.index().find(&parsed.keys);
        if !spots.is_empty() {
            trail.sources.insert(Source::AnyOutput);
        }
        for spot in spots {
            let place = Place::Result {
                result_ref: seen.result_ref,
                tool: seen.result.tool.clone(),
                pointer: seen.index.pointer(spot).to_owned(),
            };
            trail.note(place, spot, false);
        }
    }
    let (id, known) = find_entity(inputs, &entity, &parsed)?;
    if known {
        trail.sources.insert(Source::Directory);
        trail.evidence.push(Evidence {
            place: Place::Directory,
            as_written: (id != value).then(|| id.clone()),
            look_alike: false,
            integrity: None,
        });
    }
    if trail.sources.is_empty() {
        trail.sources.insert(Source::None);
    }
    let Trail {
        sources, evidence, ..
    } = trail;
    Ok(ReadTarget {
        fact: TargetFact {
            at,
            value,
            entity: EntityUid { kind: entity, id },
            sources,
            evidence,
            named_in: BTreeSet::new(),
        },
        kind,
        parsed,
        known,
    })
}

/// What the principal's words in a turn of the chain ground.
fn grounds(inputs: &ExtractInputs<'_>, n: usize, turn: &ChainTurn<'_>) -> Option<Source> {
    let newest = inputs.chain.first()?.intent;
    if n == 0 {
        return Some(Source::User);
    }
    let same = turn.intent.principal == newest.principal && turn.intent.session == newest.session;
    (same && turn.intent.author == Author::Human).then_some(Source::UserEarlier)
}

/// The id that the directory knows the value by, or the one under which it would; and whether it
/// knows it. All forms are asked, so that a tag in an address does not make a stranger of it.
fn find_entity(
    inputs: &ExtractInputs<'_>,
    kind: &str,
    parsed: &Parsed,
) -> Result<(String, bool), DirectoryError> {
    for lookup in &parsed.lookups {
        let uid = EntityUid {
            kind: kind.to_owned(),
            id: lookup.clone(),
        };
        if inputs.directory.entity(&uid)?.is_some() {
            return Ok((uid.id, true));
        }
    }
    Ok((parsed.lookup().to_owned(), false))
}

struct Trail<'a> {
    value: &'a str,
    sources: BTreeSet<Source>,
    evidence: Vec<Evidence>,
}

impl Trail<'_> {
    fn turn(&mut self, turn: &ChainTurn<'_>, parsed: &Parsed, grounds: Option<Source>) {
        let own = turn.mentions.principal().find(&parsed.keys);
        if !own.is_empty() {
            self.sources.extend(grounds);
        }
        for spot in own {
            self.note(in_turn(turn, spot), spot, false);
        }
        for spot in turn.mentions.others().find(&parsed.keys) {
            self.note(in_turn(turn, spot), spot, false);
        }
    }

    fn look_alikes(&mut self, turn: &ChainTurn<'_>, skeleton: &str) {
        let indices: [&Index; 2] = [turn.mentions.principal(), turn.mentions.others()];
        for spot in indices.iter().flat_map(|i| i.find_look_alikes(skeleton)) {
            let place = in_turn(turn, spot);
            if self.evidence.iter().all(|seen| seen.place != place) {
                self.note(place, spot, true);
            }
        }
    }

    fn note(&mut self, place: Place, spot: &Spot, look_alike: bool) {
        // One place fewer: the directory's word always has room.
        if self.evidence.len() + 1 < EVIDENCE {
            self.evidence.push(Evidence {
                place,
                as_written: (spot.written != self.value).then(|| spot.written.clone()),
                look_alike,
                integrity: None,
            });
        }
    }
}

fn in_turn(turn: &ChainTurn<'_>, spot: &Spot) -> Place {
    let by = usize::try_from(spot.field)
        .ok()
        .and_then(|part| turn.intent.parts.get(part))
        .map_or(PartBy::Correspondent, |part| part.by);
    Place::Turn {
        intent_ref: turn.intent_ref,
        part: spot.field,
        by,
        offset: spot.offset,
    }
}
