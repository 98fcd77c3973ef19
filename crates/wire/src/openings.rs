//! Openings that need two people.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::RawJson;

/// An opening was asked for, and a second person must say yes to it. Nothing was opened.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OpeningRequested {
    /// The entry of the request: the second person confirms it, and the first opens with it.
    pub request: String,
    /// The records that were asked for.
    pub refs: Vec<String>,
    /// Until when it can be confirmed, and the records opened, exclusively.
    pub until: String,
    /// The entry, with its proof.
    #[schema(value_type = Object)]
    pub entry: RawJson,
}

/// An opening that somebody asked for, and what became of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OpeningView {
    /// The entry of the request.
    pub request: String,
    /// `requested`, `confirmed`, `opened` or `expired`.
    pub state: String,
    /// The records.
    pub refs: Vec<String>,
    /// The credential that asked.
    pub credential: String,
    /// What it is for; absent if the statement was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// When it was asked for.
    pub requested_at: String,
    /// Until when it can be confirmed, and the records opened, exclusively.
    pub until: String,
    /// The credential that said yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<String>,
    /// The entry under which the records were opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened: Option<String>,
}

/// A second person said yes. The one who asked may open the records once.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OpeningConfirmed {
    /// The entry of the request.
    pub request: String,
    /// The records.
    pub refs: Vec<String>,
    /// Until when they can be opened, exclusively.
    pub until: String,
    /// The entry of the confirmation, with its proof.
    #[schema(value_type = Object)]
    pub entry: RawJson,
}
