//! The head of a log: one row, all that appending needs.

use countersign_core::names::Origin;
use countersign_core::time::Timestamp;
use countersign_merkle::{CompactRange, CompactRangeError, Hash, TreeSize};

/// The size, frontier and last checkpoint of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    origin: Origin,
    range: CompactRange,
    // INVARIANT: the root of `range`.
    root: Hash,
    checkpoint: String,
    time: Timestamp,
}

/// Why stored parts are not a head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The frontier does not fit the size.
    #[error(transparent)]
    Range(#[from] CompactRangeError),
    /// The stored root is not that of the stored frontier.
    #[error("the stored root `{stored}` is not that of the stored frontier, `{computed}`")]
    Root {
        /// What was stored.
        stored: Hash,
        /// What the frontier gives.
        computed: Hash,
    },
}

impl Head {
    /// The head of a log without entries. It has no checkpoint: nothing was signed yet.
    pub fn empty(origin: Origin) -> Self {
        let range = CompactRange::new();
        Self {
            origin,
            root: range.root(),
            range,
            checkpoint: String::new(),
            time: Timestamp::default(),
        }
    }

    /// The head after `range`, whose checkpoint was signed at `time`.
    pub(crate) fn next(
        origin: Origin,
        range: CompactRange,
        checkpoint: String,
        time: Timestamp,
    ) -> Self {
        Self {
            origin,
            root: range.root(),
            range,
            checkpoint,
            time,
        }
    }

    /// A head from what a store holds of it.
    pub fn from_parts(
        origin: Origin,
        size: TreeSize,
        hashes: Vec<Hash>,
        root: Hash,
        checkpoint: String,
        time: Timestamp,
    ) -> Result<Self, HeadError> {
        let range = CompactRange::from_parts(size, hashes)?;
        let computed = range.root();
        if computed != root {
            let stored = root;
            return Err(HeadError::Root { stored, computed });
        }
        Ok(Self::next(origin, range, checkpoint, time))
    }

    /// The log's origin.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The number of entries.
    pub fn size(&self) -> TreeSize {
        self.range.size()
    }

    /// The tree's frontier.
    pub fn range(&self) -> &CompactRange {
        &self.range
    }

    /// The tree's root.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// The signed checkpoint, a C2SP signed note; empty for the log without entries.
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    /// The time of the last entries.
    pub fn time(&self) -> Timestamp {
        self.time
    }
}
