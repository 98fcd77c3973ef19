//! Why a unit of work was not committed, and what its caller does about it.

use crate::limits::{
    CLOCK_BEHIND_MS, STATE_KEY_BYTES, STATE_VALUE_BYTES, UNIT_BYTES, UNIT_ENTRIES,
};
use crate::state::StateKey;
use crate::store::StoreReadError;
use countersign_core::entry::LeafError;
use countersign_core::ids::EntryId;
use countersign_core::time::Timestamp;
use std::error::Error;

/// Why a unit of work was not committed. Exhaustive: each needs another answer.
///
/// After every one of these but [`CommitError::Halted`], nothing of the unit is in the ledger.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// What the verdict rested on has changed, or its time has run out. Judge again, at most
    /// twice, then refuse the call as contended.
    #[error("{}", stale_text(.keys))]
    Stale {
        /// The keys whose versions are others now; empty when only time ran out.
        keys: Vec<StateKey>,
    },
    /// Too many units wait, or the store was busy for too long. Answer 503 with `Retry-After`.
    #[error("the ledger is busy: try again in a moment")]
    Busy,
    /// The clock is too far behind the head. Answer 503; an operator must set the clock right.
    #[error(
        "the clock says {clock}, more than {CLOCK_BEHIND_MS} ms before the head of the log at {head}"
    )]
    ClockBehind {
        /// The time of the last entry.
        head: Timestamp,
        /// What the clock says.
        clock: Timestamp,
    },
    /// The disk is full. Answer 503 (507 to an operator); the unit may be tried again later.
    /// Urgent units get the reserve first.
    #[error("there is no room left on the disk")]
    StorageFull,
    /// Reading, writing or signing failed, and nothing was written. Answer 503; it may be tried
    /// again.
    #[error("nothing was written: {detail}")]
    Unavailable {
        /// What the store or the signer said.
        detail: String,
    },
    /// The ledger has stopped for good: end the process. Whether the unit was committed may be
    /// unknown: after the restart its entry ids tell.
    #[error("the ledger has stopped: {reason}")]
    Halted {
        /// What happened.
        reason: String,
    },
    /// The unit itself refused, with an error of its own (downcast it), or panicked
    /// ([`PanicInWork`]).
    #[error(transparent)]
    Refused(Box<dyn Error + Send + Sync>),
    /// An entry with this id is in the log already. The id was not fresh, or the same unit was
    /// submitted twice.
    #[error("an entry `{entry_id}` is in the log already")]
    Duplicate {
        /// The id.
        entry_id: EntryId,
    },
    /// An entry has no leaf: it is too long, or holds too long a list. A defect of the caller.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// The unit is larger than one may be. Split it.
    #[error(transparent)]
    TooLong(#[from] UnitTooLong),
    /// The unit changes state or seals records without an entry that says so. A defect of the
    /// caller.
    #[error("a unit of work must not change state without an entry")]
    WithoutEntry,
}

/// What of a unit of work is larger than it may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitTooLong {
    /// Too many entries.
    #[error("a unit of work has more than {UNIT_ENTRIES} entries")]
    Entries,
    /// Too many bytes.
    #[error("a unit of work has more than {UNIT_BYTES} bytes")]
    Bytes,
    /// A state key is too long.
    #[error("a state key of {found} bytes is longer than {STATE_KEY_BYTES}")]
    Key {
        /// How many bytes it has.
        found: usize,
    },
    /// A state value is too long.
    #[error("the value of `{key}` has {found} bytes, more than {STATE_VALUE_BYTES}")]
    Value {
        /// Whose value.
        key: StateKey,
        /// How many bytes it has.
        found: usize,
    },
}

/// Why a unit of work fails within the plan. Nothing of it stays in the batch, and the other units
/// are not disturbed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// What it sees is not what its verdict rested on.
    #[error("{}", stale_text(.keys))]
    Stale {
        /// The keys that are others than expected.
        keys: Vec<StateKey>,
    },
    /// It refuses, for a reason of its own.
    #[error(transparent)]
    Refused(Box<dyn Error + Send + Sync>),
    /// An entry with this id is in the log, or in the batch.
    #[error("an entry `{entry_id}` is in the log already")]
    Duplicate {
        /// The id.
        entry_id: EntryId,
    },
    /// An entry has no leaf.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// It is larger than it may be.
    #[error(transparent)]
    TooLong(#[from] UnitTooLong),
    /// The store could not be read; the whole batch fails with it.
    #[error(transparent)]
    Read(#[from] StoreReadError),
}

impl StepError {
    /// The refusal of a unit for a reason of its own.
    pub fn refused(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Refused(reason.into())
    }
}

impl From<StepError> for CommitError {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Stale { keys } => Self::Stale { keys },
            StepError::Refused(reason) => Self::Refused(reason),
            StepError::Duplicate { entry_id } => Self::Duplicate { entry_id },
            StepError::Leaf(error) => Self::Leaf(error),
            StepError::TooLong(error) => Self::TooLong(error),
            StepError::Read(error) => Self::Unavailable {
                detail: error.to_string(),
            },
        }
    }
}

/// A unit of work panicked within the plan. Nothing of it was committed; a defect of the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a unit of work failed unexpectedly: {message}")]
pub struct PanicInWork {
    /// What the panic said.
    pub message: String,
}

fn stale_text(keys: &[StateKey]) -> String {
    const SHOWN: usize = 5;
    if keys.is_empty() {
        return "the time in which the verdict holds has run out".to_owned();
    }
    let names: Vec<String> = keys.iter().take(SHOWN).map(|k| format!("`{k}`")).collect();
    let more = match keys.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more} changed since it was read", names.join(", "))
}
