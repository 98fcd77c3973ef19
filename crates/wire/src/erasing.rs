//! Which records are meant, and erasing them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::RawJson;

/// Which sealed records are meant: exactly one of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// These records, by their refs; 1 to 1,024.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refs: Option<Vec<String>>,
    /// A turn, and everything of the calls that rest on it or claim it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// A session, by its id or its pseudonym: all of its turns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// A person, by an address, a phone number, an account, or the name of a principal or target:
    /// what they asked for, what was done to them, and what mentions them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What one entry commits to; of a decision, its results and what reviewers were shown, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
}

/// A request to erase.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EraseRequest {
    /// Which records.
    pub selection: Selection,
    /// On whose authority, in words; at most 1,024 bytes. It is sealed, and every entry of the erasure
    /// commits to it.
    pub authority: String,
    /// Leave out what is under hold, where otherwise nothing is erased.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub except_held: bool,
    /// Only say what would be erased.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// How many records of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KindCount {
    /// The kind of document: `intent`, `call`, `facts`, `reasoning`, `result`, `statement`,
    /// `changeset`, `pseudonym`.
    pub kind: String,
    /// How many.
    pub records: u64,
}

/// What was erased, or would be.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Erased {
    /// Whether nothing was done.
    pub dry_run: bool,
    /// What was erased, or would be, by kind.
    pub kinds: Vec<KindCount>,
    /// All of them.
    pub records: u64,
    /// Selected, and erased before.
    pub already: u64,
    /// Selected, and left because they are under hold.
    pub held: u64,
    /// Turns that were in force, and were withdrawn.
    pub turns_revoked: u64,
    /// Rows beside the records that went with them: what pseudonyms stand for, entities of the
    /// directory, results of sessions, answers under idempotency keys.
    pub rows: u64,
    /// Selected, and left for the same request made again: one erases only so many.
    pub left: u64,
    /// The entries of the erasure.
    pub entries: Vec<String>,
    /// The commitment to the authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority_ref: Option<String>,
    /// Whether the database's log was emptied of them, too; if not, readers were in the way, and the
    /// server goes on trying.
    pub log_is_emptied: bool,
    /// From when on, about, no older backup opens them with the keys that are left: in hours after
    /// this answer, unless the erasure is completed before.
    pub window_h: u32,
    /// The last entry, with its proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub entry: Option<RawJson>,
}
