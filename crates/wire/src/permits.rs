//! Permits at the tool's side.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{RawJson, WireRequest};

/// What the tool's side is about to do, on which permit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsumeRequest {
    /// The permit, as it came with the call; at most 16 KiB.
    pub permit: String,
    /// The name of the tool's side; permits are for `tool:` and the tool's name.
    pub audience: String,
    /// The tool that is about to run.
    pub tool: String,
    /// `sha256:` and the SHA-256 of the canonical JSON (RFC 8785) of the arguments that it is about to
    /// run with.
    pub args_sha256: String,
    /// The very bytes that are about to be sent, where they are known: a permit for other bytes, or
    /// for none in particular, is then refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wire: Option<WireRequest>,
}

/// A permit that was used up: the call may be made now, and not again.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Consumed {
    /// The decision that approved the call: what its end is reported under.
    pub decision: String,
    /// What the call does.
    pub action: String,
    /// Who makes it.
    pub actor: String,
    /// The id of the execution's entry.
    pub entry_id: String,
    /// The execution `started`, with its proof.
    #[schema(value_type = Object)]
    pub entry: RawJson,
}
