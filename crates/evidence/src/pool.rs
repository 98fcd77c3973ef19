//! Entries to choose from.

use std::collections::BTreeMap;

use countersign_core::entry::{AnyEntry, Body, LeafError};
use countersign_core::ids::EntryId;
use countersign_core::refs::IntentRef;
use countersign_core::time::Timestamp;

use crate::limits::LOOKED_AT;

/// Entries of one log, by their place in it.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    entries: BTreeMap<u64, Pooled>,
    by_id: BTreeMap<EntryId, u64>,
    turns: BTreeMap<IntentRef, u64>,
}

/// An entry and the leaf's very bytes.
#[derive(Debug, Clone)]
pub(crate) struct Pooled {
    pub(crate) entry: AnyEntry,
    pub(crate) bytes: Vec<u8>,
}

/// Why an entry cannot be among the others.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// The bytes are no leaf.
    #[error("entry {index}: {source}")]
    Leaf {
        /// Where it stands in the log.
        index: u64,
        /// What is wrong.
        source: LeafError,
    },
    /// At this place, or under this id, another entry was met before.
    #[error("entry {index} was answered in two ways")]
    Other {
        /// Where it stands in the log.
        index: u64,
    },
    /// There are too many.
    #[error("more than {LOOKED_AT} entries would have to be looked at")]
    TooMany,
}

impl Pool {
    /// Adds an entry; one that is there already is not looked at again.
    pub fn add(&mut self, index: u64, bytes: &[u8]) -> Result<(), PoolError> {
        if let Some(known) = self.entries.get(&index) {
            return match known.bytes == bytes {
                true => Ok(()),
                false => Err(PoolError::Other { index }),
            };
        }
        if self.entries.len() >= LOOKED_AT {
            return Err(PoolError::TooMany);
        }
        let entry =
            AnyEntry::from_leaf(bytes).map_err(|source| PoolError::Leaf { index, source })?;
        if self.by_id.insert(entry.entry_id(), index).is_some() {
            return Err(PoolError::Other { index });
        }
        if let Some(Body::Intent(intent)) = entry.body() {
            self.turns.entry(intent.intent_ref).or_insert(index);
        }
        let bytes = bytes.to_vec();
        self.entries.insert(index, Pooled { entry, bytes });
        Ok(())
    }

    /// The entries below a size, as of an older checkpoint.
    #[must_use]
    pub fn below(&self, size: u64) -> Self {
        let mut pool = Self::default();
        for (index, pooled) in self.entries.range(..size) {
            // What was added once can be added again.
            let _ = pool.add(*index, &pooled.bytes);
        }
        pool
    }

    /// The id of an entry.
    pub fn id_at(&self, index: u64) -> Option<EntryId> {
        Some(self.entries.get(&index)?.entry.entry_id())
    }

    /// The leaf's bytes.
    pub fn leaf(&self, index: u64) -> Option<&[u8]> {
        Some(&self.entries.get(&index)?.bytes)
    }

    pub(crate) fn get(&self, index: u64) -> Option<&Pooled> {
        self.entries.get(&index)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (u64, &AnyEntry)> {
        self.entries.iter().map(|(index, it)| (*index, &it.entry))
    }

    pub(crate) fn bodies(&self) -> impl Iterator<Item = (u64, Timestamp, &Body)> {
        self.all()
            .filter_map(|(index, entry)| Some((index, entry.timestamp(), entry.body()?)))
    }

    pub(crate) fn body(&self, index: u64) -> Option<&Body> {
        self.entries.get(&index)?.entry.body()
    }

    pub(crate) fn index_of(&self, id: EntryId) -> Option<u64> {
        self.by_id.get(&id).copied()
    }

    pub(crate) fn turn(&self, intent: IntentRef) -> Option<u64> {
        self.turns.get(&intent).copied()
    }
}
