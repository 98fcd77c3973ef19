//! Delegations: an agent gives part of its mandate to another agent.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::RawJson;

/// A part of a mandate to give. Only an `agent` credential that speaks for both actors may.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DelegationRequest {
    /// The turn that the mandate comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent_ref: Option<String>,
    /// In place of `intent_ref`: the session whose newest turn the giver may act on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Who gives: an actor that may act on the turn.
    pub from: String,
    /// Who receives: an actor that the turn does not name.
    pub to: String,
    /// The only actions that are given, at most 64; without any, all that the giver has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// For how long, in seconds; without it, as long as the giver may act on the turn. Never longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_s: Option<u64>,
}

/// A delegation that is in force.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DelegationAnswer {
    /// The id of its entry, which decisions that rest on it name.
    pub entry_id: String,
    /// The turn.
    pub intent_ref: String,
    /// The only actions that are given; empty for all of the giver's.
    pub actions: Vec<String>,
    /// When it ends.
    pub expires_at: String,
    /// Whether this request made it; `false` where the same was given before and still stands.
    pub is_new: bool,
    /// The entry, with its proof.
    #[schema(value_type = Object)]
    pub entry: RawJson,
}
