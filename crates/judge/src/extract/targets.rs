//! What a call acts on, and where each value came from.

use countersign_core::document::{EntityUid, TargetFact, TargetType};
use serde_json::Value;

use super::drawing::Drawing;
use super::trail::{StandsFor, Trail, Wanted};
use super::{DirectoryError, ExtractInputs};
use crate::bundle::FoundTarget;
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
pub(super) fn draw(drawing: &Drawing<'_>, target: Readable) -> Result<ReadTarget, DirectoryError> {
    let Readable {
        at,
        value,
        kind,
        entity,
        parsed,
    } = target;
    let mut trail = Trail::of(
        drawing,
        Wanted {
            value: &value,
            keys: &parsed.keys,
            skeleton: parsed.skeleton.as_deref(),
            stands_for: StandsFor::Entity(&entity),
        },
    );
    let (id, known) = find_entity(&drawing.inputs, &entity, &parsed)?;
    if known {
        trail.directory(&id);
    }
    trail.end();
    let Trail {
        sources,
        evidence,
        named_in,
        ..
    } = trail;
    Ok(ReadTarget {
        fact: TargetFact {
            at,
            value,
            entity: EntityUid { kind: entity, id },
            sources,
            evidence,
            named_in,
        },
        kind,
        parsed,
        known,
    })
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
