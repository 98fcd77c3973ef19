//! What a witness must not forget.

use countersign_merkle::{Hash, TreeSize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The newest checkpoint that a witness cosigned of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its size.
    pub size: TreeSize,
    /// Its root.
    pub root: Hash,
    /// The checkpoint with the signatures of the log and the witness.
    pub note: Arc<str>,
}

/// What became of an attempt to replace what is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advance {
    /// It is replaced, durably.
    Done,
    /// Another attempt was first, or it would have gone back: this is held now.
    Moved(Option<Held>),
}

/// Why a store cannot say or keep anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct StoreError {
    reason: String,
}

impl StoreError {
    /// A failure with its reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }
}

/// Keeps, of each log, the newest checkpoint that was cosigned.
pub trait WitnessStore {
    /// What is held of a log; `None` if nothing was ever cosigned.
    fn latest(&self, origin: &str) -> Result<Option<Held>, StoreError>;

    /// Replaces what is held, if that is still a tree of `expected` leaves (`None`: nothing), and
    /// `next` is not smaller. Comparing and replacing are one step, and durable on return: else a
    /// witness answers for two histories (tlog-witness, the race at its end).
    fn advance(
        &self,
        origin: &str,
        expected: Option<TreeSize>,
        next: &Held,
    ) -> Result<Advance, StoreError>;
}

impl<S: WitnessStore + ?Sized> WitnessStore for Arc<S> {
    fn latest(&self, origin: &str) -> Result<Option<Held>, StoreError> {
        (**self).latest(origin)
    }

    fn advance(
        &self,
        origin: &str,
        expected: Option<TreeSize>,
        next: &Held,
    ) -> Result<Advance, StoreError> {
        (**self).advance(origin, expected, next)
    }
}

/// Whether what is held may be replaced: the comparison that every store makes under its lock.
///
/// The same size with another root is a step aside, which is refused like a step back.
pub(crate) fn may_replace(held: Option<&Held>, expected: Option<TreeSize>, next: &Held) -> bool {
    let is_forward = held.is_none_or(|held| {
        held.size < next.size || (held.size == next.size && held.root == next.root)
    });
    held.map(|held| held.size) == expected && is_forward
}

/// A store that forgets with its process: for tests.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<BTreeMap<String, Held>>);

impl WitnessStore for MemoryStore {
    fn latest(&self, origin: &str) -> Result<Option<Held>, StoreError> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(held.get(origin).cloned())
    }

    fn advance(
        &self,
        origin: &str,
        expected: Option<TreeSize>,
        next: &Held,
    ) -> Result<Advance, StoreError> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !may_replace(held.get(origin), expected, next) {
            return Ok(Advance::Moved(held.get(origin).cloned()));
        }
        held.insert(origin.to_owned(), next.clone());
        Ok(Advance::Done)
    }
}
