//! Judging recorded decisions again under another bundle.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{RawJson, ReasonView};

/// Under which bundle recorded decisions are judged again, and which.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReplayRequest {
    /// A bundle of the log; or `bundle`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_ref: Option<String>,
    /// A bundle's content, which is not stored; or `policy_ref`.
    #[schema(value_type = Option<Object>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Value>,
    /// Why sealed records are opened.
    pub purpose: String,
    /// Only decisions of this time or entry, and later ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Where the last page ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Most decisions on the page: 1 to 128.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Whether the calls whose verdict changes are shown.
    pub calls: bool,
}

/// What some recorded decisions come to under another bundle, the newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReplayPage {
    /// Commits to the other bundle.
    pub policy_ref: String,
    /// How many decisions were judged again.
    pub judged: u32,
    /// How many of them come out the same.
    pub unchanged: u32,
    /// Those that come out otherwise.
    pub changes: Vec<ReplayChange>,
    /// Decisions that were not judged again, by why: `erased`, `directory-unknown`,
    /// `counter-unknown`, `history-unknown`, `too-large` or `unreadable`. Those that no bundle
    /// judged are not among them.
    pub left_out: BTreeMap<String, u32>,
    /// The entries of the access to sealed records.
    pub vault_access: Vec<String>,
    /// The entry that says that the newest decisions were replayed, if this page did.
    #[schema(value_type = Option<Object>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<RawJson>,
    /// Pass as `cursor` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A decision that comes out otherwise.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReplayChange {
    /// `newly-stopped`, `newly-escalated` or `newly-permitted`.
    pub change: String,
    /// The decision's entry id.
    pub entry_id: String,
    /// Its leaf index.
    pub index: u64,
    /// When it was made.
    pub timestamp: String,
    /// Who asked.
    pub actor: String,
    /// What the call does, as the other bundle's manifests say.
    pub action: String,
    /// What was decided.
    pub was: String,
    /// For which reasons.
    pub was_reasons: Vec<String>,
    /// What the other bundle decides.
    pub becomes: String,
    /// For which reasons.
    pub reasons: Vec<ReasonView>,
    /// The tool and its arguments, where they were asked for and the page has room for them.
    #[schema(value_type = Option<Object>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Value>,
}
