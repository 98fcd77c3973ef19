//! The slice of the directory that the requests can reach.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::document::{CedarRequest, EntityFact, EntityUid};
use serde_json::Value;

use super::{DirectoryError, ExtractInputs};
use crate::bundle::CompiledBundle;
use crate::limits::{ENTITIES, ENTITY_LOOKUPS};

/// The entities that the requests' policies name.
pub(super) fn literals(bundle: &CompiledBundle, requests: &[CedarRequest]) -> Vec<EntityUid> {
    requests
        .iter()
        .filter_map(|request| {
            let action = bundle.action_named(&request.action)?;
            action.slice(&request.resource.kind)
        })
        .flat_map(|policies| policies.literals.iter().cloned())
        .collect()
}

/// These entities and those that they refer to, as far as the directory knows them. `None` if they
/// are more than [`ENTITIES`], or name more than [`ENTITY_LOOKUPS`].
pub(super) fn slice(
    inputs: &ExtractInputs<'_>,
    mut open: Vec<EntityUid>,
) -> Result<Option<Vec<EntityFact>>, DirectoryError> {
    let mut asked: BTreeSet<EntityUid> = BTreeSet::new();
    let mut out: BTreeMap<EntityUid, BTreeMap<String, Value>> = BTreeMap::new();
    while let Some(uid) = open.pop() {
        if !asked.insert(uid.clone()) {
            continue;
        }
        if asked.len() > ENTITY_LOOKUPS {
            return Ok(None);
        }
        if let Some(attributes) = inputs.directory.entity(&uid)? {
            let attributes = declared(inputs, &uid, attributes);
            for value in attributes.values() {
                references(value, 0, &mut open);
            }
            out.insert(uid, attributes);
            if out.len() > ENTITIES {
                return Ok(None);
            }
        }
    }
    Ok(Some(
        out.into_iter()
            .map(|(entity, attributes)| EntityFact { entity, attributes })
            .collect(),
    ))
}

/// The attributes that the schema declares: no policy can speak of others.
fn declared(
    inputs: &ExtractInputs<'_>,
    uid: &EntityUid,
    mut attributes: BTreeMap<String, Value>,
) -> BTreeMap<String, Value> {
    let names = inputs.bundle.attributes(&uid.kind);
    attributes.retain(|name, value| {
        !value.is_null() && names.is_some_and(|names| names.contains_key(name))
    });
    attributes
}

/// Entities that an attribute refers to, in the two forms of Cedar's JSON.
fn references(value: &Value, depth: usize, out: &mut Vec<EntityUid>) {
    const DEPTH: usize = 8;
    if depth > DEPTH {
        return;
    }
    match value {
        Value::Array(items) => items
            .iter()
            .for_each(|item| references(item, depth + 1, out)),
        Value::Object(members) => {
            let entity = members.get("__entity").unwrap_or(value);
            let text = |name: &str| entity.get(name).and_then(Value::as_str).map(str::to_owned);
            if let (Some(kind), Some(id)) = (text("type"), text("id")) {
                out.push(EntityUid { kind, id });
            } else {
                members
                    .values()
                    .for_each(|item| references(item, depth + 1, out));
            }
        }
        _ => {}
    }
}
