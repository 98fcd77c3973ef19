//! Entries as readers see them: the leaf's own bytes, with `proof` as their last member.

use countersign_core::json::{self, CanonicalJson};
use countersign_wire::RawJson;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::ServiceError;

/// The leaf's bytes as JSON, unchanged.
pub(crate) fn leaf(bytes: &[u8]) -> Result<RawJson, ServiceError> {
    let text = std::str::from_utf8(bytes).map_err(ServiceError::internal)?;
    Ok(RawValue::from_string(text.to_owned())?)
}

/// The leaf's bytes with the proof beside its members. Without `proof`, the canonical JSON of
/// what is left is the leaf again.
pub(crate) fn with_proof(bytes: &[u8], proof: &str) -> Result<RawJson, ServiceError> {
    let text = std::str::from_utf8(bytes).map_err(ServiceError::internal)?;
    let members = text
        .strip_suffix('}')
        .ok_or_else(|| ServiceError::internal("a leaf is no object"))?;
    let proof = serde_json::to_string(proof)?;
    Ok(RawValue::from_string(format!(
        "{members},\"proof\":{proof}}}"
    ))?)
}

/// A value that was read strictly in its canonical form, and as it would read back from there.
///
/// What facts are drawn from must be what is hashed: the order of members would otherwise be seen
/// here and by nobody who draws the facts again.
pub(crate) fn as_hashed(mut value: Value) -> Result<(CanonicalJson, Value), ServiceError> {
    json::sort_members(&mut value);
    let canonical = CanonicalJson::of(&value)?;
    Ok((canonical, value))
}
