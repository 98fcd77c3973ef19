//! Legal holds.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{RawJson, Selection};

/// Which records are put under hold: those that are there now. What comes later is not held.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldRequest {
    /// Which records.
    pub selection: Selection,
    /// On whose authority, in words; at most 1,024 bytes. It is sealed, and committed to by the entries.
    pub authority: String,
}

/// A hold was placed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HoldPlaced {
    /// Commits to the authority, and names all that was placed by this request.
    pub authority_ref: String,
    /// The entries that placed it, each for at most 64 records.
    pub holds: Vec<String>,
    /// How many records are under it.
    pub records: u64,
    /// How many of the selected records were erased before: nothing holds those.
    pub erased: u64,
    /// The last of the entries, with its proof.
    #[schema(value_type = Object)]
    pub entry: RawJson,
}

/// Which hold is lifted. Exactly one of `hold` and `authority_ref` is given.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReleaseRequest {
    /// The entry that placed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// All that one request placed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority_ref: Option<String>,
    /// Only these of its records; all of them if none is named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refs: Vec<String>,
    /// On whose authority it is lifted, in words; at most 1,024 bytes. It is sealed.
    pub authority: String,
}

/// A hold was lifted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HoldReleased {
    /// Commits to the authority.
    pub authority_ref: String,
    /// The entries that lifted it.
    pub lifted: Vec<String>,
    /// How many records it was lifted from.
    pub records: u64,
    /// How many of those are under another hold.
    pub still_held: u64,
    /// The last of the entries, with its proof.
    #[schema(value_type = Object)]
    pub entry: RawJson,
}

/// The holds that are in force, the oldest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HoldList {
    /// The holds.
    pub holds: Vec<HoldView>,
    /// Where the next page begins; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A hold that is in force: what one entry placed, and was not lifted since.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HoldView {
    /// The entry that placed it.
    pub hold: String,
    /// What all that one request placed has in common.
    pub authority_ref: String,
    /// The credential that placed it.
    pub credential: String,
    /// When.
    pub placed_at: String,
    /// The records that are under it.
    pub refs: Vec<String>,
}
