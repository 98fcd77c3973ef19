//! The storage contract: what a database must do for a ledger, and no more.
//!
//! A store's one duty in writing is to run a plan atomically against the current head: lock the
//! head, call the plan, write what it returns, commit. Nothing else ever writes a head.
//! Beside it only the keys of sealed records are written, where they are wrapped anew.

use crate::head::Head;
use crate::index::IndexRow;
use crate::rewrap::{NewWrapping, WrappedKey};
use crate::state::{StateKey, Versioned};
use countersign_core::document::SealedRecord;
use countersign_core::ids::EntryId;
use countersign_core::names::{ActionName, ActorName};
use countersign_core::pseudonym::Pseudonym;
use countersign_core::refs::{IntentRef, Sha256};
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;
use countersign_merkle::{Hash, LeafIndex};
use std::ops::Range;
use std::sync::Arc;

/// What a plan looks at under the lock.
pub trait StateReader {
    /// The value of a key, deleted ones included; `None` if it never existed.
    fn state(&self, key: &StateKey) -> Result<Option<Versioned>, StoreReadError>;

    /// Where the entry with this id stands, if the log has one.
    fn index_of(&self, entry_id: EntryId) -> Result<Option<LeafIndex>, StoreReadError>;
}

/// A plan as a store runs it, with the head that it holds locked (`None` before the first entry).
/// It returns what to write, or nothing to write; after an error nothing may be written.
pub type PlanFn<'a> =
    dyn FnMut(Option<&Head>, &dyn StateReader) -> Result<Option<Arc<Writes>>, StoreReadError> + 'a;

/// All that one commit writes, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writes {
    /// The head that replaces the one that the plan was given.
    pub head: Head,
    /// The new leaves, in order; the first has the index that is the old head's size.
    pub leaves: Vec<NewLeaf>,
    /// The nodes at tile levels from 1 up that the leaves complete.
    pub nodes: Vec<NewNode>,
    /// Keys with their new values (`None` deletes) and versions; each key once.
    pub state: Vec<(StateKey, Versioned)>,
    /// Sealed records. One whose ref is there already is left as it is.
    pub sealed: Vec<SealedRecord>,
    /// Sealed records that are destroyed, also those that this commit has sealed: what they held is
    /// overwritten, and after the commit the store sees to it that no copy is left in its log.
    pub erased: Vec<Sha256>,
    /// Keys of the state that are taken out as if they had never been, with their versions.
    pub purged: Vec<StateKey>,
}

/// A new leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLeaf {
    /// Where it stands.
    pub index: LeafIndex,
    /// Its id.
    pub entry_id: EntryId,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its leaf hash.
    pub hash: Hash,
    /// What it is found by.
    pub row: IndexRow,
}

/// A new node of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewNode {
    /// The tile level, from 1 up.
    pub level: u8,
    /// The position within the level.
    pub index: u64,
    /// The root of the perfect subtree that it stands for.
    pub hash: Hash,
}

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Where it stands.
    pub index: LeafIndex,
    /// Its id.
    pub entry_id: EntryId,
    /// Its leaf's bytes.
    pub bytes: Vec<u8>,
}

/// Which entries are looked for; all that is set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Committed at this time or later.
    pub from: Option<Timestamp>,
    /// Committed before this time.
    pub until: Option<Timestamp>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Naming this actor.
    pub actor: Option<ActorName>,
    /// Of this action, as the first or one of several.
    pub action: Option<ActionName>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// Resting on this intent, or claiming it.
    pub intent: Option<IntentRef>,
    /// Of the session that this stands for.
    pub session: Option<Pseudonym>,
    /// Acting on what this stands for.
    pub target: Option<Pseudonym>,
}

/// In which order entries are returned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// By falling index.
    #[default]
    NewestFirst,
    /// By rising index.
    OldestFirst,
}

/// Which part of the answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// In which order.
    pub order: Order,
    /// Only what comes after this entry in that order.
    pub after: Option<LeafIndex>,
    /// Most entries; never more than [`crate::limits::PAGE`].
    pub limit: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            order: Order::default(),
            after: None,
            limit: 100,
        }
    }
}

/// Why a commit did not succeed. Exhaustive: each needs another answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written, and the store can go on.
    #[error("nothing was written: {detail}")]
    NotCommitted {
        /// What stood in the way.
        reason: NotCommitted,
        /// What the database said.
        detail: String,
    },
    /// Nobody knows whether it was written. The head must be read again.
    #[error("the outcome of the commit is unknown: {detail}")]
    Unknown {
        /// What the database said.
        detail: String,
    },
    /// The store can no longer be trusted to keep what it confirms: the process must end.
    #[error("the store failed: {detail}")]
    Fatal {
        /// What the database said.
        detail: String,
    },
}

/// Why nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotCommitted {
    /// There is no room.
    Full,
    /// Somebody else held the lock for too long.
    Busy,
    /// Reading or writing failed before the commit.
    Io,
}

impl From<StoreReadError> for StoreError {
    fn from(error: StoreReadError) -> Self {
        Self::NotCommitted {
            reason: NotCommitted::Io,
            detail: error.to_string(),
        }
    }
}

/// A read failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not read from the store: {detail}")]
pub struct StoreReadError {
    /// What the database said.
    pub detail: String,
}

impl StoreReadError {
    /// A read failed for this reason.
    pub fn new(detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
        }
    }
}

/// A database that holds a log.
///
/// Reads see only what was committed. They may run at the same time as each other and as a commit.
pub trait Store: Send + Sync {
    /// The head; `None` before the first entry.
    fn head(&self) -> Result<Option<Head>, StoreReadError>;

    /// Locks the head, runs the plan against it, writes what it returns, and commits durably.
    ///
    /// When the plan returns nothing to write, nothing is written and the lock is released. The
    /// plan is called once.
    ///
    /// # Errors
    /// See [`StoreError`]. An error of the plan itself is `NotCommitted`.
    fn commit(&self, plan: &mut PlanFn<'_>) -> Result<(), StoreError>;

    /// The leaves at these indexes, as many as there are, in order.
    fn leaves(&self, range: Range<u64>) -> Result<Vec<StoredEntry>, StoreReadError>;

    /// Where the entry with this id stands.
    fn index_of(&self, entry_id: EntryId) -> Result<Option<LeafIndex>, StoreReadError>;

    /// The hashes of nodes at a tile level, as many of them as there are; level 0 are leaf hashes.
    fn nodes(&self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, StoreReadError>;

    /// The entries among the first `size` that the filter finds, one page of them.
    fn query(
        &self,
        filter: &Filter,
        page: &Page,
        size: u64,
    ) -> Result<Vec<StoredEntry>, StoreReadError>;

    /// The value of a key, deleted ones included; `None` if it never existed.
    fn state(&self, key: &StateKey) -> Result<Option<Versioned>, StoreReadError>;

    /// The keys that begin with `prefix` and come after `after`, deleted ones left out, in order.
    fn scan(
        &self,
        prefix: &str,
        after: Option<&StateKey>,
        limit: usize,
    ) -> Result<Vec<(StateKey, Versioned)>, StoreReadError>;

    /// The sealed record of this ref.
    fn sealed(&self, reference: &Sha256) -> Result<Option<SealedRecord>, StoreReadError>;

    /// Empties the store's own log of what was written to it before, so that no copy of what was
    /// erased is left there. False if somebody who reads stands in the way: then the store goes on
    /// trying by itself. After a commit that erased, and whenever it is opened, it does so unasked.
    fn truncate_log(&self) -> Result<bool, StoreReadError>;

    /// The keys of sealed records that anything but `key_id` wraps: those after the place `after`, at
    /// most `limit`, in order of their places.
    fn wrapped_otherwise(
        &self,
        key_id: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<WrappedKey>, StoreReadError>;

    /// The place of the newest sealed record; 0 if there is none.
    fn last_sealed(&self) -> Result<u64, StoreReadError>;

    /// Replaces the keys of these records, in one durable transaction of its own that touches nothing
    /// else; says how many. A record that is not there, or that something else wraps by now than
    /// was said, stays as it is.
    fn rewrap(&self, keys: &[NewWrapping]) -> Result<usize, StoreError>;
}
