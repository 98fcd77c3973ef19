//! The mutable state that verdicts rest on: its keys and the rows under them.
//!
//! Every row is JSON, changes only in the plan of a commit, and has as its version the leaf index
//! of the entry that last changed it. No row holds plaintext of a turn, a call or a result.

pub(crate) mod key;
mod vault;

pub(crate) use vault::{
    ConfirmedRow, ErasedRow, HoldPlacedRow, HoldRow, OpenedRow, OpeningRow, PendingRow, RetiredRow,
    SubjectRow,
};

use countersign_core::document::{Assurance, Author};
use countersign_core::entry::{ActorPattern, ExecutionPhase, Role, Surface};
use countersign_core::ids::{CredentialId, EntryId, PermitId};
use countersign_core::names::{ActionName, ActorName, ChannelName, KeyText};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::{IntentRef, PolicyRef, PseudonymRef, ResultRef, Sha256};
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;
use countersign_ledger::{LogReader, ReadSet, StateKey, Step, StepError};
use countersign_vault::TokenHash;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::ServiceError;

/// The bundle in force.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct InForceRow {
    pub(crate) policy_ref: PolicyRef,
    pub(crate) entry: EntryId,
}

/// The bundle in shadow.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct InShadowRow {
    pub(crate) policy_ref: PolicyRef,
    pub(crate) entry: EntryId,
}

/// The newest replay under a bundle.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ReplayedRow {
    pub(crate) entry: EntryId,
    /// The bundle that was in force then.
    pub(crate) in_force: PolicyRef,
    pub(crate) at: Timestamp,
}

/// A stored bundle: where its text stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StoredBundleRow {
    pub(crate) parts: Vec<Sha256>,
    pub(crate) entry: EntryId,
}

/// Where the bytes of a part stand.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PartRow {
    pub(crate) index: u64,
}

/// A registered turn.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct IntentRow {
    pub(crate) entry: EntryId,
    pub(crate) author: Author,
    pub(crate) channel: ChannelName,
    pub(crate) principal: Pseudonym,
    pub(crate) session: Pseudonym,
    pub(crate) actors: Vec<ActorName>,
    pub(crate) parent: Option<IntentRef>,
    pub(crate) mandate: Option<IntentRef>,
    pub(crate) expires_at: Timestamp,
    pub(crate) registered_by: CredentialId,
    pub(crate) has_principal_part: bool,
    pub(crate) revoked: bool,
    /// The entry that opened the session for it: a turn ends with its session.
    pub(crate) opened: EntryId,
}

/// What an actor was given of a turn by delegations, without those that had ended when the row was
/// written.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct GivenRows {
    pub(crate) given: Vec<GivenRow>,
}

/// One delegation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct GivenRow {
    pub(crate) entry: EntryId,
    pub(crate) from: ActorName,
    /// The only actions; empty for all of the giver's.
    pub(crate) actions: Vec<ActionName>,
    pub(crate) expires_at: Timestamp,
    /// Through whom it came: first the actor that the turn names, last the giver.
    pub(crate) givers: Vec<ActorName>,
}

/// A session: its newest turn, `None` once it was closed, and before its first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SessionRow {
    pub(crate) newest: Option<IntentRef>,
    /// Whether it was opened, and no turn was registered since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_awaiting: bool,
    pub(crate) turns: u32,
    /// The entry that opened it last, and who that was.
    pub(crate) opened: EntryId,
    pub(crate) opened_by: CredentialId,
}

impl SessionRow {
    /// Whether it was not closed since it was opened last.
    pub(crate) fn is_open(&self) -> bool {
        self.is_awaiting || self.newest.is_some()
    }

    /// Whether a turn of this session is one since it was opened last, and that goes on.
    pub(crate) fn holds(&self, turn: &IntentRow) -> bool {
        self.newest.is_some() && self.opened == turn.opened
    }
}

/// What a session held since it was closed last. Deleted when it is closed; what is reported after
/// that begins a row anew.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SessionCountRow {
    pub(crate) open: bool,
    pub(crate) turns: u32,
    pub(crate) decisions: u32,
    pub(crate) executions: u32,
    /// When the last of its turns ends.
    pub(crate) until: Timestamp,
    /// When the last of these was counted.
    pub(crate) last: Timestamp,
}

/// The result of an earlier call of a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ResultRow {
    pub(crate) result_ref: ResultRef,
}

/// A credential.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CredentialRow {
    pub(crate) id: CredentialId,
    pub(crate) token_hash: TokenHash,
    pub(crate) name: Option<String>,
    pub(crate) roles: Vec<Role>,
    pub(crate) actors: Vec<ActorPattern>,
    pub(crate) authors: Vec<Author>,
    pub(crate) channels: Vec<ChannelName>,
    pub(crate) session: Option<Pseudonym>,
    pub(crate) assurance: Option<Assurance>,
    pub(crate) public_key: Option<KeyText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) surface: Option<Surface>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) principal: Option<Pseudonym>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) own_sessions: bool,
    pub(crate) entry: EntryId,
    pub(crate) revoked: bool,
}

/// A stop that is in force.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StopRow {
    pub(crate) entry: EntryId,
}

/// An entity of the directory: the sealed change that last set it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DirectoryRow {
    pub(crate) sealed: Sha256,
}

/// In which form the ids of an entity type are kept: a bundle that reads them in another would not
/// find them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DirectoryFormRow {
    pub(crate) entity_type: String,
    pub(crate) form: String,
}

/// A pseudonym and the sealed record of what it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PseudonymRow {
    pub(crate) pseudonym: Pseudonym,
    pub(crate) meaning: PseudonymRef,
}

/// What was answered under an idempotency key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct IdempotencyRow {
    /// Nothing once the call was erased: of what is guessed, it would tell whether it is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Sha256>,
    pub(crate) entry: EntryId,
}

/// The permit of an approval: enough to sign the very same token again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PermitRow {
    pub(crate) permit: PermitId,
    pub(crate) issued_at: Timestamp,
    pub(crate) ttl_s: u32,
}

/// An open or closed escalation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EscalationRow {
    pub(crate) decision: EntryId,
    pub(crate) deadline: Timestamp,
    pub(crate) closed_by: Option<ClosedBy>,
}

/// What closed an escalation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ClosedBy {
    pub(crate) entry: EntryId,
    pub(crate) outcome: Option<Outcome>,
}

/// How far the execution of an approved call came.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct ExecutionRow {
    /// As the tool's side reported it.
    pub(crate) phases: Vec<ExecutionPhase>,
    /// As the agent reported it of its own call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) by_agent: Vec<ExecutionPhase>,
}

/// That the rows of history are there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HistoryRow {
    /// Up to which key they are, while they are written after an upgrade; nothing once all are.
    pub(crate) carried: Option<String>,
}

/// Up to where the detectors have read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WatchRow {
    pub(crate) read: u64,
}

/// The row under a key, if there is one and it was not deleted.
pub(crate) fn read<T: DeserializeOwned>(
    ledger: &LogReader,
    key: &StateKey,
) -> Result<Option<T>, ServiceError> {
    let Some(found) = ledger.state(key)? else {
        return Ok(None);
    };
    let Some(bytes) = &found.value else {
        return Ok(None);
    };
    Ok(Some(serde_json::from_slice(bytes)?))
}

/// The row under a key, noted in the read set whether it is there or not.
pub(crate) fn read_into<T: DeserializeOwned>(
    ledger: &LogReader,
    key: StateKey,
    reads: &mut ReadSet,
) -> Result<Option<T>, ServiceError> {
    let found = ledger.state(&key)?;
    reads.read(key, found.as_ref());
    let Some(bytes) = found.and_then(|found| found.value) else {
        return Ok(None);
    };
    Ok(Some(serde_json::from_slice(&bytes)?))
}

/// The row under a key as the plan sees it.
pub(crate) fn read_in<T: DeserializeOwned>(
    step: &Step<'_>,
    key: &StateKey,
) -> Result<Option<T>, StepError> {
    let Some(bytes) = step.state(key)?.and_then(|found| found.value) else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(StepError::refused)
}

/// Writes a row.
pub(crate) fn put<T: Serialize>(
    step: &mut Step<'_>,
    key: StateKey,
    row: &T,
) -> Result<(), StepError> {
    step.put(key, serde_json::to_vec(row).map_err(StepError::refused)?)
}

/// The first rows under a prefix, in the order of their keys; deleted ones are left out.
pub(crate) fn scan<T: DeserializeOwned>(
    ledger: &LogReader,
    prefix: &str,
    limit: usize,
) -> Result<Vec<T>, ServiceError> {
    let mut rows = Vec::new();
    let mut after: Option<StateKey> = None;
    loop {
        let page = ledger.scan(prefix, after.as_ref(), SCAN_PAGE)?;
        let full = page.len() == SCAN_PAGE;
        for (key, found) in page {
            if let Some(bytes) = &found.value {
                rows.push(serde_json::from_slice(bytes)?);
            }
            if rows.len() == limit {
                return Ok(rows);
            }
            after = Some(key);
        }
        if !full {
            return Ok(rows);
        }
    }
}

/// How many rows are read at once.
const SCAN_PAGE: usize = 256;
