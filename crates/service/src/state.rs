//! The mutable state that verdicts rest on: its keys and the rows under them.
//!
//! Every row is JSON, changes only in the plan of a commit, and has as its version the leaf index
//! of the entry that last changed it. No row holds plaintext of a turn, a call or a result.

use countersign_core::document::{Assurance, Author};
use countersign_core::entry::{ActorPattern, ExecutionPhase, Role, Surface};
use countersign_core::ids::{CredentialId, EntryId, PermitId};
use countersign_core::names::{ActionName, ActorName, ChannelName, KeyText};
use countersign_core::pseudonym::{Pseudonym, PseudonymKind};
use countersign_core::refs::{IntentRef, PolicyRef, PseudonymRef, ResultRef, Sha256, StatementRef};
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;
use countersign_ledger::{LogReader, ReadSet, StateKey, Step, StepError};
use countersign_vault::TokenHash;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::ServiceError;

/// The keys under which state is kept.
pub(crate) mod key {
    use super::*;

    pub(crate) fn policy_in_force() -> StateKey {
        StateKey::new("policy/in-force")
    }
    pub(crate) fn policy(policy_ref: &PolicyRef) -> StateKey {
        StateKey::new(format!("policy/stored/{policy_ref}"))
    }
    pub(crate) fn policy_in_shadow() -> StateKey {
        StateKey::new("policy/in-shadow")
    }
    /// That a credential had a bundle in shadow.
    pub(crate) fn policy_shadowed(policy_ref: &PolicyRef, by: CredentialId) -> StateKey {
        StateKey::new(format!("{}{by}", policy_shadowed_all(policy_ref)))
    }
    pub(crate) fn policy_shadowed_all(policy_ref: &PolicyRef) -> String {
        format!("policy/shadowed/{policy_ref}/")
    }
    pub(crate) fn policy_replayed(policy_ref: &PolicyRef) -> StateKey {
        StateKey::new(format!("policy/replayed/{policy_ref}"))
    }
    pub(crate) fn part(digest: &Sha256) -> StateKey {
        StateKey::new(format!("part/{digest}"))
    }
    pub(crate) fn intent(intent_ref: &IntentRef) -> StateKey {
        StateKey::new(format!("intent/{intent_ref}"))
    }
    /// What an actor was given of a turn.
    pub(crate) fn given(intent_ref: &IntentRef, to: &ActorName) -> StateKey {
        StateKey::new(format!("given/{intent_ref}/{to}"))
    }
    pub(crate) fn session(session: &Pseudonym) -> StateKey {
        StateKey::new(format!("session/{session}"))
    }
    /// Apart from the session's row: what verdicts rest on does not change with each of them.
    pub(crate) const SESSION_COUNTS: &str = "session-count/";
    pub(crate) fn session_count(session: &Pseudonym) -> StateKey {
        StateKey::new(format!("{SESSION_COUNTS}{session}"))
    }
    pub(crate) fn results(session: &Pseudonym) -> String {
        format!("result/{session}/")
    }
    /// Keys of a session's results sort by falling leaf index: a scan meets the newest first.
    pub(crate) fn result(session: &Pseudonym, index: u64) -> StateKey {
        StateKey::new(format!("{}{:020}", results(session), u64::MAX - index))
    }
    /// Changes when results of a session are erased, so that nothing goes on from what it knew of them.
    pub(crate) fn erased_results(session: &Pseudonym) -> StateKey {
        StateKey::new(format!("result-erased/{session}"))
    }
    /// Changes with each result of a session, so that a session without news is not scanned.
    pub(crate) fn newest_result(session: &Pseudonym) -> StateKey {
        StateKey::new(format!("newest-result/{session}"))
    }
    pub(crate) const CREDENTIALS: &str = "credential/";
    pub(crate) fn credential(id: CredentialId) -> StateKey {
        StateKey::new(format!("{CREDENTIALS}{id}"))
    }
    pub(crate) fn stop_everything() -> StateKey {
        StateKey::new("stop/everything")
    }
    /// The pattern is an actor's name, or a prefix that ends in `/`.
    pub(crate) fn stop_actor(pattern: &str) -> StateKey {
        StateKey::new(format!("stop/actor/{pattern}"))
    }
    pub(crate) fn directory() -> StateKey {
        StateKey::new("directory/revision")
    }
    /// Changes when entities are erased, which is no change by an author.
    pub(crate) fn directory_erased() -> StateKey {
        StateKey::new("directory-erased")
    }
    pub(crate) const DIRECTORY_ENTITIES: &str = "directory/entity/";
    /// In which form the ids of an entity type are kept.
    pub(crate) const DIRECTORY_FORMS: &str = "directory/form/";
    pub(crate) fn directory_form(entity_type: &str) -> StateKey {
        StateKey::new(format!("{DIRECTORY_FORMS}{entity_type}"))
    }
    pub(crate) fn directory_entity(blind: &str) -> StateKey {
        StateKey::new(format!("directory/entity/{blind}"))
    }
    pub(crate) fn pseudonym(kind: PseudonymKind, blind: &str) -> StateKey {
        StateKey::new(format!("pseudonym/{}/{blind}", kind.name()))
    }
    pub(crate) const PSEUDONYMS: &str = "pseudonym/";
    pub(crate) const ANSWERS: &str = "idempotency/";
    /// Pseudonyms of a value that is being erased: nothing new is given them, and what has them is
    /// still found. By the key of the row that they had.
    pub(crate) fn retired(pseudonym: &StateKey) -> StateKey {
        StateKey::new(format!("{RETIRED}{pseudonym}"))
    }
    pub(crate) const RETIRED: &str = "retired/";
    pub(crate) const RETIRED_SESSIONS: &str = "retired/pseudonym/session/";
    pub(crate) fn idempotency(credential: CredentialId, key: &str) -> StateKey {
        StateKey::new(format!(
            "idempotency/{credential}/{}",
            Sha256::of(key.as_bytes())
        ))
    }
    pub(crate) fn permit(decision: EntryId) -> StateKey {
        StateKey::new(format!("permit/{decision}"))
    }
    pub(crate) fn escalation(decision: EntryId) -> StateKey {
        StateKey::new(format!("escalation/{decision}"))
    }
    /// Keys of open escalations sort by deadline: a scan meets the first to end first.
    pub(crate) const OPEN_ESCALATIONS: &str = "open-escalation/";
    pub(crate) fn open_escalation(deadline: Timestamp, decision: EntryId) -> StateKey {
        StateKey::new(format!("{OPEN_ESCALATIONS}{deadline}/{decision}"))
    }
    /// That a nonce of an answer was used.
    pub(crate) fn review_nonce(nonce: &KeyText) -> StateKey {
        StateKey::new(format!("review-nonce/{nonce}"))
    }
    pub(crate) fn execution(decision: EntryId) -> StateKey {
        StateKey::new(format!("execution/{decision}"))
    }
    /// Whether the rows of history are kept from the first entry on.
    pub(crate) fn history() -> StateKey {
        StateKey::new("history/kept")
    }
    /// That a record was erased.
    pub(crate) fn erased(reference: &Sha256) -> StateKey {
        StateKey::new(format!("erased/{reference}"))
    }
    /// Erasures that were requested, and are not complete. Their keys sort by time.
    pub(crate) const ERASURES_PENDING: &str = "erasure-pending/";
    pub(crate) fn erasure_pending(entry: EntryId) -> StateKey {
        StateKey::new(format!("{ERASURES_PENDING}{entry}"))
    }
    /// The records that speak of somebody.
    pub(crate) fn subject_tags(tag: &str) -> String {
        format!("subject/tag/{tag}/")
    }
    pub(crate) fn subject_tag(tag: &str, reference: &Sha256) -> StateKey {
        StateKey::new(format!("{}{reference}", subject_tags(tag)))
    }
    /// Of whom a record speaks.
    pub(crate) fn subject_of(reference: &Sha256) -> StateKey {
        StateKey::new(format!("subject/of/{reference}"))
    }
    /// Records that speak of more people than are listed.
    pub(crate) const SUBJECT_MANY: &str = "subject/many/";
    pub(crate) fn subject_many(reference: &Sha256) -> StateKey {
        StateKey::new(format!("{SUBJECT_MANY}{reference}"))
    }
    pub(crate) fn watch() -> StateKey {
        StateKey::new("watch/cursor")
    }
    pub(crate) fn hold(reference: &Sha256) -> StateKey {
        StateKey::new(format!("hold/{reference}"))
    }
    /// Keys of holds sort by when they were placed.
    pub(crate) const HOLDS_PLACED: &str = "hold-placed/";
    pub(crate) fn hold_placed(entry: EntryId) -> StateKey {
        StateKey::new(format!("{HOLDS_PLACED}{entry}"))
    }
    /// How many records a credential opened of late.
    pub(crate) fn opened(by: CredentialId) -> StateKey {
        StateKey::new(format!("opened/{by}"))
    }
    /// An opening that needs two people.
    pub(crate) fn opening(request: EntryId) -> StateKey {
        StateKey::new(format!("opening/{request}"))
    }
}

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

/// The pseudonyms that a value had, while what has them is being erased.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct RetiredRow {
    pub(crate) rows: Vec<PseudonymRow>,
}

/// What was answered under an idempotency key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct IdempotencyRow {
    /// Nothing once the call was erased: of what is guessed, it would tell whether it is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Sha256>,
    pub(crate) entry: EntryId,
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
