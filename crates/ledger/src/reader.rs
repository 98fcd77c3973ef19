//! Reading a log: entries, proofs, tiles, state.

use crate::edge::Edge;
use crate::head::Head;
use crate::limits::PAGE;
use crate::release::{Newest, Released};
use crate::state::{StateKey, Versioned};
use crate::store::{Filter, Page, Store, StoreReadError, StoredEntry};
use countersign_core::document::SealedRecord;
use countersign_core::entry::AnyEntry;
use countersign_core::ids::EntryId;
use countersign_core::refs::Sha256;
use countersign_merkle::tile::layout::nodes_at;
use countersign_merkle::{
    AnyTile, EntriesTile, HASH_LEN, Hash, LeafIndex, NodeSource, ProofError, TilePath, TreeSize,
    consistency_proof, inclusion_proof, leaf_hash, root_at, tile_content, verify_inclusion,
};
use countersign_note::{
    Checkpoint, CheckpointFormatError, Note, NoteError, ProofFormatError, TlogProof,
};
use std::ops::Range;
use std::sync::Arc;

/// Reads a log as far as it was released.
#[derive(Clone)]
pub struct LogReader {
    store: Arc<dyn Store>,
    newest: Newest,
}

/// One page of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEntries {
    /// The entries.
    pub entries: Vec<StoredEntry>,
    /// Where the next page begins: what to pass as [`Page::after`]; `None` at the end.
    pub next: Option<LeafIndex>,
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreReadError),
    /// The log holds no such leaf, or tree.
    #[error("{wanted} is beyond the log's {size} entries")]
    Beyond {
        /// What was asked for.
        wanted: String,
        /// How many entries there are.
        size: TreeSize,
    },
    /// What was given to prove against is not a checkpoint of this log.
    #[error("the checkpoint is not one of this log: {reason}")]
    ForeignCheckpoint {
        /// What is wrong with it.
        reason: String,
    },
    /// The store does not hold what its head promises: the database is damaged.
    #[error("the database is damaged: {detail}")]
    Damaged {
        /// What is missing or wrong.
        detail: String,
    },
}

impl LogReader {
    pub(crate) fn new(store: Arc<dyn Store>, newest: Newest) -> Self {
        Self { store, newest }
    }

    /// A reader of a log that this process does not append to, as far as it is committed now:
    /// `None` if the store holds no log.
    pub fn open(store: Arc<dyn Store>) -> Result<Option<Self>, ReadError> {
        let Some(head) = store.head()? else {
            return Ok(None);
        };
        let edge = Edge::read(store.as_ref(), head.size())?;
        let newest = Newest::new(Released::new(head, edge));
        Ok(Some(Self::new(store, newest)))
    }

    /// A reader for which the log stays as it is now, while others append to it.
    pub fn at_present(&self) -> Self {
        Self::new(Arc::clone(&self.store), self.newest.fixed())
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// The newest released head.
    pub fn head(&self) -> Head {
        self.newest.read().head.clone()
    }

    /// How many entries were released.
    pub fn size(&self) -> TreeSize {
        self.newest.read().head.size()
    }

    /// The newest signed checkpoint, a C2SP signed note.
    pub fn checkpoint(&self) -> Arc<str> {
        Arc::clone(&self.newest.read().checkpoint)
    }

    /// The entry at `index`, if there is one.
    pub fn leaf(&self, index: LeafIndex) -> Result<Option<StoredEntry>, ReadError> {
        if !self.size().contains(index) {
            return Ok(None);
        }
        let index = index.get();
        let mut found = self.leaves(index..index.saturating_add(1))?;
        Ok(found.pop())
    }

    /// The entries at these indexes, in order, as far as there are any.
    pub fn leaves(&self, range: Range<u64>) -> Result<Vec<StoredEntry>, ReadError> {
        let range = range.start..range.end.min(self.size().get());
        let expected = range.end.saturating_sub(range.start);
        if expected == 0 {
            return Ok(Vec::new());
        }
        let found = self.store.leaves(range.clone())?;
        if found.len() as u64 == expected {
            self.check_hashes(range, &found)?;
            return Ok(found);
        }
        let (start, end) = (range.start, range.end);
        let detail = format!("entries are missing between {start} and {end}");
        Err(ReadError::Damaged { detail })
    }

    /// The entry with this id, if there is one. It is held against the released root, for what it
    /// says is acted upon: somebody who changed it may have changed its leaf hash with it.
    pub fn entry(&self, entry_id: EntryId) -> Result<Option<StoredEntry>, ReadError> {
        let Some(index) = self.store.index_of(entry_id)? else {
            return Ok(None);
        };
        let found = self.leaf(index)?;
        if let Some(entry) = &found {
            self.check_is(entry, entry_id)?;
        }
        Ok(found)
    }

    /// Proves the entry at `index` against the newest checkpoint: the text of a C2SP tlog-proof.
    pub fn proof(&self, index: LeafIndex) -> Result<String, ReadError> {
        let released = self.newest.read();
        let note: Note = released.checkpoint.parse().map_err(damaged_note)?;
        let path = self.path(&released, index, released.head.size())?;
        proof_text(index, path, note)
    }

    /// Proves the entry at `index` against an earlier checkpoint of this log.
    pub fn proof_at(&self, index: LeafIndex, checkpoint: Note) -> Result<String, ReadError> {
        let claimed = Checkpoint::parse(checkpoint.text()).map_err(foreign)?;
        self.check_known(&claimed)?;
        let path = self.path(&self.newest.read(), index, claimed.size())?;
        proof_text(index, path, checkpoint)
    }

    /// Checks that a checkpoint is one of this log, now or at an earlier size. Its signature is not
    /// looked at.
    pub fn check_known(&self, checkpoint: &Checkpoint) -> Result<(), ReadError> {
        let released = self.newest.read();
        let (claimed, origin) = (checkpoint.origin(), released.head.origin().as_str());
        if claimed != origin {
            let reason = format!("its origin is `{claimed}`, not `{origin}`");
            return Err(ReadError::ForeignCheckpoint { reason });
        }
        let (size, claimed) = (checkpoint.size(), checkpoint.root());
        check_size(&released, size)?;
        let root = root_at(&self.nodes(&released), size).map_err(proof_error)?;
        if root == claimed {
            return Ok(());
        }
        let reason = format!("at size {size} the root is `{root}`, not `{claimed}`");
        Err(ReadError::ForeignCheckpoint { reason })
    }

    /// The root of the log's first `size` entries.
    pub fn root_at(&self, size: TreeSize) -> Result<Hash, ReadError> {
        let released = self.newest.read();
        check_size(&released, size)?;
        root_at(&self.nodes(&released), size).map_err(proof_error)
    }

    /// Proves that the tree of `size` begins with the tree of `old` entries (RFC 6962 section 2.1.2).
    pub fn consistency(&self, old: TreeSize, size: TreeSize) -> Result<Vec<Hash>, ReadError> {
        let released = self.newest.read();
        check_size(&released, size)?;
        let nodes = self.nodes(&released);
        consistency_proof(&nodes, old, size).map_err(proof_error)
    }

    /// The bytes of a tile of hashes; `None` if the log has no such tile. Partial tiles of every
    /// width up to the present one are there, also those that are full by now.
    pub fn tile(&self, tile: &TilePath) -> Result<Option<Vec<u8>>, ReadError> {
        let released = self.newest.read();
        if tile.nodes().end > nodes_at(tile.level(), released.head.size()) {
            return Ok(None);
        }
        let bytes = tile_content(&self.nodes(&released), tile)?;
        if bytes.len() == usize::from(tile.width()).saturating_mul(HASH_LEN) {
            return Ok(Some(bytes));
        }
        let detail = format!("nodes of `{tile}` are missing");
        Err(ReadError::Damaged { detail })
    }

    /// The bytes of a bundle of entries; `None` if the log has no such bundle.
    pub fn entries_tile(&self, tile: &EntriesTile) -> Result<Option<Vec<u8>>, ReadError> {
        let leaves = tile.leaves();
        if leaves.end > self.size().get() {
            return Ok(None);
        }
        let entries = self.leaves(leaves)?.into_iter().map(|entry| entry.bytes);
        let bundle = countersign_merkle::tile::encode_bundle(entries);
        let bundle = bundle.map_err(|error| ReadError::Damaged {
            detail: error.to_string(),
        })?;
        Ok(Some(bundle))
    }

    /// Either kind of tile.
    pub fn any_tile(&self, tile: &AnyTile) -> Result<Option<Vec<u8>>, ReadError> {
        match tile {
            AnyTile::Hashes(tile) => self.tile(tile),
            AnyTile::Entries(tile) => self.entries_tile(tile),
        }
    }

    /// One page of the entries that the filter finds.
    pub fn query(&self, filter: &Filter, page: &Page) -> Result<FoundEntries, ReadError> {
        let limit = page.limit.clamp(1, PAGE);
        // One more than asked for tells whether there is a next page.
        let more = Page {
            limit: limit.saturating_add(1),
            ..*page
        };
        let mut entries = self.store.query(filter, &more, self.size().get())?;
        let is_last = entries.len() <= limit;
        entries.truncate(limit);
        for entry in &entries {
            let index = entry.index.get();
            self.check_hashes(index..index.saturating_add(1), std::slice::from_ref(entry))?;
        }
        let last = entries.last().map(|entry| entry.index);
        let next = last.filter(|_| !is_last);
        Ok(FoundEntries { entries, next })
    }

    /// The value of a key, deleted ones included; `None` if it never existed. It is the committed
    /// one, which may be newer than the newest released head: what rests on it must be committed
    /// with a [`crate::ReadSet`], not answered.
    pub fn state(&self, key: &StateKey) -> Result<Option<Versioned>, ReadError> {
        Ok(self.store.state(key)?)
    }

    /// Keys that begin with `prefix` and come after `after`, deleted ones left out, in order; at
    /// most `limit`, and never more than [`PAGE`].
    pub fn scan(
        &self,
        prefix: &str,
        after: Option<&StateKey>,
        limit: usize,
    ) -> Result<Vec<(StateKey, Versioned)>, ReadError> {
        Ok(self.store.scan(prefix, after, limit.min(PAGE))?)
    }

    /// Empties the store's own log of what was erased; false if it could not be done now, and then
    /// the store goes on trying.
    pub fn truncate_log(&self) -> Result<bool, ReadError> {
        Ok(self.store.truncate_log()?)
    }

    /// The sealed record of this ref.
    pub fn sealed(&self, reference: &Sha256) -> Result<Option<SealedRecord>, ReadError> {
        Ok(self.store.sealed(reference)?)
    }

    /// Holds entries against their leaf hashes: what was changed by hand is not served as truth.
    fn check_hashes(&self, range: Range<u64>, found: &[StoredEntry]) -> Result<(), ReadError> {
        let released = self.newest.read();
        let hashes = self.nodes(&released).nodes(0, range)?;
        let is_sound = |(entry, hash): (&StoredEntry, &Hash)| leaf_hash(&entry.bytes) == *hash;
        if hashes.len() == found.len() && found.iter().zip(&hashes).all(is_sound) {
            return Ok(());
        }
        let first = found.iter().zip(&hashes).find(|pair| !is_sound(*pair));
        let detail = match first {
            Some((entry, _)) => format!("entry {} is not the one that was committed", entry.index),
            None => "leaf hashes are missing".to_owned(),
        };
        Err(ReadError::Damaged { detail })
    }

    fn check_is(&self, entry: &StoredEntry, entry_id: EntryId) -> Result<(), ReadError> {
        let index = entry.index;
        let read = AnyEntry::from_leaf(&entry.bytes);
        if !read.is_ok_and(|read| read.entry_id() == entry_id) {
            let detail = format!("entry {index} is not `{entry_id}`, by which it is found");
            return Err(ReadError::Damaged { detail });
        }
        let released = self.newest.read();
        let (size, root) = (released.head.size(), released.head.root());
        let path = self.path(&released, index, size)?;
        let hash = leaf_hash(&entry.bytes);
        let proven = verify_inclusion(&hash, index, size, &path, &root);
        proven.map_err(|_| ReadError::Damaged {
            detail: format!("entry {index} is not the one that was committed"),
        })
    }

    fn path(
        &self,
        released: &Released,
        index: LeafIndex,
        size: TreeSize,
    ) -> Result<Vec<Hash>, ReadError> {
        let nodes = self.nodes(released);
        inclusion_proof(&nodes, index, size).map_err(proof_error)
    }

    fn nodes<'r>(&'r self, released: &'r Released) -> Nodes<'r> {
        Nodes {
            store: self.store.as_ref(),
            edge: &released.edge,
        }
    }
}

/// The nodes of a tree: those of partial tiles from memory, the others from the store.
pub(crate) struct Nodes<'r> {
    pub(crate) store: &'r dyn Store,
    pub(crate) edge: &'r Edge,
}

impl NodeSource for Nodes<'_> {
    type Error = StoreReadError;

    fn nodes(&self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, StoreReadError> {
        let length = range.end.saturating_sub(range.start);
        match self.edge.nodes(level, range.clone()) {
            Some(nodes) if nodes.len() as u64 == length => Ok(nodes.to_vec()),
            _ => self.store.nodes(level, range),
        }
    }
}

fn check_size(released: &Released, wanted: TreeSize) -> Result<(), ReadError> {
    let size = released.head.size();
    if wanted <= size {
        return Ok(());
    }
    let wanted = format!("a tree of {wanted} entries");
    Err(ReadError::Beyond { wanted, size })
}

fn proof_text(index: LeafIndex, path: Vec<Hash>, note: Note) -> Result<String, ReadError> {
    let proof = TlogProof::new(index, path, note);
    let proof = proof.map_err(|error: ProofFormatError| ReadError::Damaged {
        detail: error.to_string(),
    })?;
    Ok(proof.to_string())
}

fn damaged_note(error: NoteError) -> ReadError {
    let detail = format!("the stored checkpoint: {error}");
    ReadError::Damaged { detail }
}

fn foreign(error: CheckpointFormatError) -> ReadError {
    let reason = error.to_string();
    ReadError::ForeignCheckpoint { reason }
}

pub(crate) fn proof_error(error: ProofError<StoreReadError>) -> ReadError {
    match error {
        ProofError::Source(error) => ReadError::Store(error),
        ProofError::IndexOutOfRange { index, size } => ReadError::Beyond {
            wanted: format!("entry {index}"),
            size,
        },
        ProofError::SizesOutOfRange { old, new } => ReadError::Beyond {
            wanted: format!("a proof from {old} entries"),
            size: new,
        },
        error @ (ProofError::NodeCount { .. }
        | ProofError::TooLarge(_)
        | ProofError::NoSuchNode { .. }) => ReadError::Damaged {
            detail: error.to_string(),
        },
    }
}
