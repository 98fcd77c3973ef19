//! What is signed apart from notes and JWTs: `"countersign/<kind>/v1\n" ‖ origin ‖ "\n" ‖ JCS`.

use serde::Serialize;
use serde_json::Value;

use crate::entry::Kind;
use crate::json::{CanonicalError, CanonicalJson};
use crate::names::Origin;

/// The bytes that a signature of `kind` over `statement` covers, under the log's origin.
pub fn message(
    kind: &str,
    origin: &Origin,
    statement: &impl Serialize,
) -> Result<Vec<u8>, CanonicalError> {
    let mut bytes = format!("countersign/{kind}/v1\n{origin}\n").into_bytes();
    bytes.extend_from_slice(CanonicalJson::of(statement)?.as_bytes());
    Ok(bytes)
}

/// What the `signature` of a `genesis`, `key` or `review` entry covers: the members of its kind
/// apart from `signature` itself. `entry_id` and `timestamp` are not among them: they are given
/// when the entry is committed, and the signer may be offline.
pub fn entry_message<K: Kind>(origin: &Origin, body: &K) -> Result<Vec<u8>, CanonicalError> {
    let mut members = serde_json::to_value(body)?;
    if let Value::Object(members) = &mut members {
        members.shift_remove("signature");
    }
    message(K::KIND, origin, &members)
}
