//! The keys under which state is kept.

use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::names::{ActorName, KeyText};
use countersign_core::pseudonym::{Pseudonym, PseudonymKind};
use countersign_core::refs::{IntentRef, PolicyRef, Sha256};
use countersign_core::time::Timestamp;
use countersign_ledger::StateKey;

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
