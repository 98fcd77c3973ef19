//! Which member of an entry names a sealed document, and of which kind.

use countersign_core::refs::Sha256;
use serde_json::{Map, Value};

/// Members of entries that name a sealed document, with the document's kind (docs/wire-format.md,
/// "Documents"). A claimed intent is whatever an agent claimed, and is left out.
pub const KINDS: &[(&str, &str)] = &[
    ("intent_ref", "intent"),
    ("call_ref", "call"),
    ("facts_ref", "facts"),
    ("reasoning_ref", "reasoning"),
    ("result_ref", "result"),
    ("changeset_ref", "changeset"),
    ("purpose_ref", "statement"),
    ("authority_ref", "statement"),
    ("shown_ref", "statement"),
];

/// The documents that a leaf names, each with its kind.
pub fn named(leaf: &[u8]) -> Vec<(Sha256, &'static str)> {
    let Ok(members) = serde_json::from_slice::<Map<String, Value>>(leaf) else {
        return Vec::new();
    };
    let found = KINDS.iter().filter_map(|(member, kind)| {
        let reference = members.get(*member)?.as_str()?.parse().ok()?;
        Some((reference, *kind))
    });
    found.collect()
}

/// The kind under which a leaf names a document; `None` if it does not name it.
pub fn kind_of(leaf: &[u8], reference: &Sha256) -> Option<&'static str> {
    let mut all = named(leaf).into_iter();
    all.find_map(|(found, kind)| (found == *reference).then_some(kind))
}
