//! A store in memory that does at each commit what a script says: also what no store should.

use countersign_core::document::SealedRecord;
use countersign_core::ids::EntryId;
use countersign_core::refs::Sha256;
use countersign_ledger::store::{
    NotCommitted, PlanFn, StateReader, StoreError, StoreReadError, StoredEntry, Writes,
};
use countersign_ledger::{Filter, Head, NewWrapping, Page, StateKey, Store, Versioned, WrappedKey};
use countersign_merkle::{Hash, LeafIndex};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard};

/// What is to become of one commit that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It takes place.
    Done,
    /// Nothing is written, and the store says so.
    Refused(NotCommitted),
    /// It is written, and nobody learns whether it was.
    Unknown { done: bool },
    /// The machine stops before or after the write.
    Stops { done: bool },
}

/// All that lies on the disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Image {
    pub(crate) head: Option<Head>,
    pub(crate) leaves: Vec<StoredEntry>,
    pub(crate) hashes: Vec<Hash>,
    pub(crate) nodes: BTreeMap<(u8, u64), Hash>,
    pub(crate) state: BTreeMap<StateKey, Versioned>,
}

/// A store over an image. Commits without a fate take place.
#[derive(Default)]
pub(crate) struct Disk {
    image: Mutex<Image>,
    fates: Mutex<VecDeque<Fate>>,
    gate: Mutex<Option<(SyncSender<()>, Receiver<()>)>>,
}

impl Disk {
    pub(crate) fn with(image: Image) -> Self {
        Self {
            image: Mutex::new(image),
            ..Self::default()
        }
    }

    pub(crate) fn image(&self) -> MutexGuard<'_, Image> {
        self.image.lock().unwrap()
    }

    /// What becomes of the next commits, whatever was said before.
    pub(crate) fn then(&self, fates: impl IntoIterator<Item = Fate>) {
        *self.fates.lock().unwrap() = fates.into_iter().collect();
    }

    /// Holds the next commit back: it reports at the first end, and waits for the second.
    pub(crate) fn hold(&self) -> (Receiver<()>, SyncSender<()>) {
        let (arrived, arrival) = sync_channel(1);
        let (go, goes) = sync_channel(1);
        *self.gate.lock().unwrap() = Some((arrived, goes));
        (arrival, go)
    }
}

impl Image {
    fn apply(&mut self, writes: &Writes) {
        for leaf in &writes.leaves {
            assert_eq!(leaf.index.get(), self.leaves.len() as u64, "a gap");
            self.leaves.push(StoredEntry {
                index: leaf.index,
                entry_id: leaf.entry_id,
                bytes: leaf.bytes.clone(),
            });
            self.hashes.push(leaf.hash);
        }
        for node in &writes.nodes {
            self.nodes.insert((node.level, node.index), node.hash);
        }
        self.state.extend(writes.state.iter().cloned());
        for key in &writes.purged {
            self.state.remove(key);
        }
        self.head = Some(writes.head.clone());
    }

    fn index_of(&self, entry_id: EntryId) -> Option<LeafIndex> {
        let found = self.leaves.iter().find(|leaf| leaf.entry_id == entry_id);
        found.map(|leaf| leaf.index)
    }
}

impl StateReader for Image {
    fn state(&self, key: &StateKey) -> Result<Option<Versioned>, StoreReadError> {
        Ok(self.state.get(key).cloned())
    }

    fn index_of(&self, entry_id: EntryId) -> Result<Option<LeafIndex>, StoreReadError> {
        Ok(Self::index_of(self, entry_id))
    }
}

fn said(detail: &str) -> String {
    format!("simulated: {detail}")
}

impl Store for Disk {
    fn head(&self) -> Result<Option<Head>, StoreReadError> {
        Ok(self.image().head.clone())
    }

    fn commit(&self, plan: &mut PlanFn<'_>) -> Result<(), StoreError> {
        let gate = self.gate.lock().unwrap().take();
        if let Some((arrived, goes)) = gate {
            arrived.send(()).unwrap();
            let _ = goes.recv();
        }
        let mut image = self.image();
        let Some(writes) = plan(image.head.as_ref(), &*image)? else {
            return Ok(());
        };
        let fate = self.fates.lock().unwrap().pop_front();
        let is_done = match fate {
            None | Some(Fate::Done) => true,
            Some(Fate::Refused(_)) => false,
            Some(Fate::Unknown { done } | Fate::Stops { done }) => done,
        };
        if is_done {
            image.apply(&writes);
        }
        match fate {
            None | Some(Fate::Done) => Ok(()),
            Some(Fate::Refused(reason)) => Err(StoreError::NotCommitted {
                reason,
                detail: said("refused"),
            }),
            Some(Fate::Unknown { .. }) => Err(StoreError::Unknown {
                detail: said("unknown"),
            }),
            Some(Fate::Stops { .. }) => Err(StoreError::Fatal {
                detail: said("the machine stops"),
            }),
        }
    }

    fn leaves(&self, range: Range<u64>) -> Result<Vec<StoredEntry>, StoreReadError> {
        let image = self.image();
        let leaves = image.leaves.iter();
        Ok(leaves
            .filter(|leaf| range.contains(&leaf.index.get()))
            .cloned()
            .collect())
    }

    fn index_of(&self, entry_id: EntryId) -> Result<Option<LeafIndex>, StoreReadError> {
        Ok(self.image().index_of(entry_id))
    }

    fn nodes(&self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, StoreReadError> {
        let image = self.image();
        if level == 0 {
            let end = range.end.min(image.hashes.len() as u64) as usize;
            let begin = (range.start as usize).min(end);
            return Ok(image.hashes[begin..end].to_vec());
        }
        let nodes = image.nodes.range((level, range.start)..(level, range.end));
        Ok(nodes.map(|(_, hash)| *hash).collect())
    }

    fn query(&self, _: &Filter, _: &Page, _: u64) -> Result<Vec<StoredEntry>, StoreReadError> {
        Err(StoreReadError::new(said("no index")))
    }

    fn state(&self, key: &StateKey) -> Result<Option<Versioned>, StoreReadError> {
        Ok(self.image().state.get(key).cloned())
    }

    fn scan(
        &self,
        _: &str,
        _: Option<&StateKey>,
        _: usize,
    ) -> Result<Vec<(StateKey, Versioned)>, StoreReadError> {
        Err(StoreReadError::new(said("no order")))
    }

    fn sealed(&self, _: &Sha256) -> Result<Option<SealedRecord>, StoreReadError> {
        Ok(None)
    }

    fn wrapped_otherwise(
        &self,
        _: &str,
        _: u64,
        _: usize,
    ) -> Result<Vec<WrappedKey>, StoreReadError> {
        Ok(Vec::new())
    }

    fn last_sealed(&self) -> Result<u64, StoreReadError> {
        Ok(0)
    }

    fn rewrap(&self, _: &[NewWrapping]) -> Result<usize, StoreError> {
        Ok(0)
    }

    fn truncate_log(&self) -> Result<bool, StoreReadError> {
        Ok(true)
    }
}
