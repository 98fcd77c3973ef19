//! What a call acts on, and where each value came from.

use countersign_core::document::{EntityUid, TargetFact, TargetType};
use serde_json::Value;

use super::drawing::Drawing;
use super::trail::{StandsFor, Trail, Wanted};
use super::{DirectoryError, ExtractInputs, workspace};
use crate::bundle::FoundTarget;
use crate::value::{Parsed, parse, text};

/// A value that could be read.
pub(super) struct Readable {
    at: String,
    value: String,
    kind: TargetType,
    entity: String,
    parsed: Parsed,
    in_project: Option<bool>,
}

/// A target with its facts.
pub(super) struct ReadTarget {
    pub(super) fact: TargetFact,
    pub(super) kind: TargetType,
    pub(super) parsed: Parsed,
    pub(super) known: bool,
    /// Of a path of a call with a workspace: whether it is in the project.
    pub(super) in_project: Option<bool>,
}

/// Reads a value as its declared type.
pub(super) fn read(drawing: &Drawing<'_>, found: &FoundTarget<'_>) -> Option<Readable> {
    let kind = found.declaration.kind;
    let value = match found.value {
        Value::String(text) => text.clone(),
        Value::Number(number) if kind == TargetType::Id && (number.is_i64() || number.is_u64()) => {
            number.to_string()
        }
        _ => return None,
    };
    let entity = found.declaration.entity.clone();
    Readable::read(drawing, found.at.clone(), kind, entity, value)
}

impl Readable {
    /// Reads a value as this type; a path of a call with a workspace is what it is there.
    pub(super) fn read(
        drawing: &Drawing<'_>,
        at: String,
        kind: TargetType,
        entity: String,
        value: String,
    ) -> Option<Self> {
        let workspace = drawing.inputs.call.workspace.as_ref();
        let (parsed, in_project) = match workspace {
            Some(workspace) if kind == TargetType::Path && drawing.traces_all() => {
                workspace::parse(workspace, &value)?
            }
            _ => (parse(kind, &value)?, None),
        };
        Some(Self {
            at,
            value,
            kind,
            entity,
            parsed,
            in_project,
        })
    }

    /// A path that is not known beforehand. It is in no project, and nobody's words name it.
    pub(super) fn unknown(
        drawing: &Drawing<'_>,
        at: String,
        entity: String,
        value: String,
    ) -> Self {
        Self {
            at,
            kind: TargetType::Path,
            entity,
            parsed: Parsed {
                lookups: vec![text::lenient(&value)],
                keys: Vec::new(),
                members: vec![("path", value.clone())],
                skeleton: None,
            },
            value,
            in_project: drawing.inputs.call.workspace.is_some().then_some(false),
        }
    }
}

/// Draws the facts of one target.
pub(super) fn draw(drawing: &Drawing<'_>, target: Readable) -> Result<ReadTarget, DirectoryError> {
    let Readable {
        at,
        value,
        kind,
        entity,
        parsed,
        in_project,
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
        in_project,
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
