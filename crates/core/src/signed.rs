//! What is signed apart from notes and JWTs: `"countersign/<kind>/v1\n" ‖ origin ‖ "\n" ‖ JCS`.

use serde::Serialize;

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
