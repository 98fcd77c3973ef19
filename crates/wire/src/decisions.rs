//! Decisions and executions.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::RawJson;

/// A call that an agent wants to make.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionRequest {
    /// The tool's name.
    pub tool: String,
    /// The exact arguments: a JSON object.
    #[schema(value_type = Object)]
    pub args: Value,
    /// Who makes the call; the credential must cover it.
    pub actor: String,
    /// The turn that the call follows from. Without one the call is unmandated, and policy decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent_ref: Option<String>,
    /// In place of `intent_ref`: the newest live turn of `session` that names the actor.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub session_turn: bool,
    /// What the agent gives as its reasons: evidence, never authority; at most 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// Earlier entries that the call refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<LinksRequest>,
    /// The session; if given, the intent must be of this session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The client's own id of the call; at most 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_call_id: Option<String>,
    /// The very bytes that will be sent, where the surface that asks also forwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wire: Option<WireRequest>,
    /// Where a coding assistant works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceRequest>,
    /// The digest of the tool's definition as its server lists it now (`sha256:` and 64 hex
    /// digits): compared with the manifest's `pinned`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// When to answer: `durable`, once the decision is in the ledger, or `witnessed`, once the
    /// quorum of witnesses has cosigned it too. Without it, what the server is set to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<String>,
}

/// The bytes that a forwarding surface will send, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WireRequest {
    /// How the bytes are framed, such as `mcp` or `http:POST`; at most 64 bytes.
    pub profile: String,
    /// Where they go; at most 4096 bytes as JSON.
    pub destination: String,
    /// `sha256:` and the SHA-256 of the bytes, as 64 hex digits.
    pub sha256: String,
}

/// Where a coding assistant works. Paths are absolute, without `.`, `..` and doubled separators;
/// each at most 4096 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceRequest {
    /// The directory of the project.
    pub root: String,
    /// The directory that relative paths begin at.
    pub cwd: String,
    /// What paths of the call really are where a symbolic link is in the way; at most 256.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub links: std::collections::BTreeMap<String, String>,
}

/// Earlier entries that a call refers to.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinksRequest {
    /// The decision that this call follows up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<String>,
}

/// A verdict, committed before it was given.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DecisionAnswer {
    /// `approved`, `rejected` or `escalated`. Treat every other word as a refusal.
    pub outcome: String,
    /// The entry's id.
    pub entry_id: String,
    /// Why, for people.
    pub reasons: Vec<ReasonView>,
    /// On approval: a JWT for exactly this call (`typ` `countersign-permit+jwt`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit: Option<String>,
    /// For an escalation that is closed: what closed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<ResolutionView>,
    /// For an escalation: whether the person whose turn it is may answer it, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester_may_answer: Option<bool>,
    /// The entry, with its proof.
    #[schema(value_type = Object)]
    pub entry: RawJson,
}

/// A reason's id and its text for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReasonView {
    /// The id of a policy, or a built-in id.
    pub id: String,
    /// The policy's `@reason`, or what the built-in reason means.
    pub text: String,
}

/// What closed an escalation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ResolutionView {
    /// `decision` or `expired`.
    pub kind: String,
    /// The entry that closed it.
    pub entry_id: String,
    /// The outcome of the decision that closed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

/// What the tool's side reports of one approved call. Only a `tool` credential may.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecutionRequest {
    /// The `entry_id` of the decision.
    pub decision: String,
    /// `started`, `finished` or `unknown`.
    pub phase: String,
    /// What the tool returned: any JSON, or a string of text; for `finished`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Whether the tool says that it failed; for `finished`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_error: Option<bool>,
    /// How long it took, in milliseconds; sealed with the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

/// An execution that is in the ledger.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ExecutionAnswer {
    /// The entry's id.
    pub entry_id: String,
    /// Commits to the result, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_ref: Option<String>,
    /// The entry, with its proof.
    #[schema(value_type = Object)]
    pub entry: RawJson,
}
