//! Turns: registering, revoking, stopping.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::RawJson;

/// A turn to register. Only an `ingress` credential may.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnRequest {
    /// Whose turn it is, such as `user:jo@acme.example`; at most 256 bytes.
    pub principal: String,
    /// `human` (default), `schedule` or `system`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The way by which it came in, such as `support-inbox`.
    pub channel: String,
    /// The session's id at the ingress; at most 128 visible ASCII characters.
    pub session: String,
    /// Which agents may act on it: 1 to 64 exact names.
    pub actors: Vec<String>,
    /// The text in parts, by whose words they are: 1 to 64 parts, at most 1 MiB of text together.
    pub parts: Vec<TurnPartRequest>,
    /// How long it counts, in seconds: 1 to 2,592,000; by default 3,600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_s: Option<u64>,
    /// The `intent_ref` of the standing human instruction that a turn without a principal's part rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mandate: Option<String>,
}

/// A stretch of a turn's text with one author.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnPartRequest {
    /// Whose words: `principal`, `correspondent`, `system` or `agent`.
    pub by: String,
    /// The media type; by default `text/plain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The text.
    pub text: String,
    /// `sha256:` and hex of the bytes as they came, where they were no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_sha256: Option<String>,
}

/// A registered turn.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TurnAnswer {
    /// Commits to the intent document.
    pub intent_ref: String,
    /// The intent document, as its canonical JSON; whoever keeps it can check the link later.
    #[schema(value_type = Object)]
    pub intent: Value,
    /// The entry that registered it, with its proof.
    #[schema(value_type = Object)]
    pub entry: RawJson,
}

/// What to stop, or to let go on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StopRequest {
    /// `actor` or `everything`.
    pub scope: String,
    /// The actor, for the scope `actor`: an exact name, or a prefix ending in `/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// `stop` (default), or `resume` to lift an earlier stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
}

/// A revocation or stop that is in force from its entry on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Revoked {
    /// The entry, with its proof.
    #[schema(value_type = Object)]
    pub entry: RawJson,
}

/// A session to open before its first turn.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenSession {
    /// The session's id at the ingress; at most 128 visible ASCII characters.
    pub session: String,
}

/// A session that is open.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SessionOpened {
    /// Whether this request opened it; `false` where the same credential had opened it before.
    pub is_new: bool,
    /// The entry that opened it, with its proof.
    #[schema(value_type = Object)]
    pub entry: RawJson,
}

/// A session to close.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseSession {
    /// The session's id at the ingress.
    pub session: String,
}

/// A session that was closed, with what it held since it was opened.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SessionClosed {
    /// How many turns.
    pub turns: u32,
    /// How many decisions.
    pub decisions: u32,
    /// How many executions were reported.
    pub executions: u32,
    /// The entry that closed it, with its proof.
    #[schema(value_type = Object)]
    pub entry: RawJson,
}
