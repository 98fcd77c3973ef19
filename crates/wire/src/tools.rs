//! Tools: which of them an agent needs to be shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The tools that a server lists, for the list that an agent is to see.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VisibleRequest {
    /// The agent.
    pub actor: String,
    /// The tools' names: at most 1,024.
    pub tools: Vec<String>,
    /// By name, the digest of a tool's definition as its server lists it now (`sha256:` and 64 hex
    /// digits): compared with the manifest's `pinned`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub definitions: BTreeMap<String, String>,
}

/// Which of them some call could be permitted of. What is visible may be rejected all the same;
/// what is hidden certainly would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VisibleAnswer {
    /// The bundle that says so.
    pub policy_ref: String,
    /// Those that may be shown, in the order of the request.
    pub visible: Vec<String>,
    /// All others.
    pub hidden: Vec<String>,
    /// Those of the hidden ones that their server lists otherwise than a person confirmed them:
    /// their calls are rejected until somebody looks.
    pub changed: Vec<String>,
}
