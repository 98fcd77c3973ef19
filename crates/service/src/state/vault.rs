//! The rows of what becomes of sealed records: holds, openings by two people, erasures.

use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::refs::{Sha256, StatementRef};
use countersign_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::PseudonymRow;

/// The pseudonyms that a value had, while what has them is being erased.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct RetiredRow {
    pub(crate) rows: Vec<PseudonymRow>,
}

/// By which entry a record was erased.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ErasedRow {
    pub(crate) entry: EntryId,
    pub(crate) at: Timestamp,
    /// Nothing where the retention that the bundle states was over.
    pub(crate) credential: Option<CredentialId>,
}

/// An erasure that is not complete.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PendingRow {
    pub(crate) at: Timestamp,
}

/// Of whom a record speaks, and the entry that it belongs to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SubjectRow {
    pub(crate) entry: EntryId,
    pub(crate) tags: Vec<String>,
}

/// The holds that a record is under: the entries that placed them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HoldRow {
    pub(crate) holds: Vec<EntryId>,
}

/// What one entry placed under hold, and was not lifted since. Deleted when all of it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HoldPlacedRow {
    pub(crate) entry: EntryId,
    pub(crate) authority_ref: StatementRef,
    pub(crate) credential: CredentialId,
    pub(crate) at: Timestamp,
    pub(crate) refs: Vec<Sha256>,
}

/// An opening that needs two people: what the first asked for, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpeningRow {
    pub(crate) credential: CredentialId,
    pub(crate) refs: Vec<Sha256>,
    pub(crate) purpose_ref: StatementRef,
    pub(crate) at: Timestamp,
    /// Until when it can be confirmed and used, exclusively.
    pub(crate) until: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) confirmed: Option<ConfirmedRow>,
    /// The entry under which the records were opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) opened: Option<EntryId>,
}

/// Who said yes to an opening.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConfirmedRow {
    pub(crate) entry: EntryId,
    pub(crate) credential: CredentialId,
}

/// How many records a credential opened in the last hour, minute by minute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenedRow {
    /// The minute, counted from 1970, and how many: the oldest first.
    pub(crate) minutes: Vec<(i64, u64)>,
}
