//! The tree that the leaves give beside the one that is stored.

use super::{Findings, Flaw, Inspect, Part};
use crate::store::StoreReadError;
use countersign_merkle::tile::TILE_HEIGHT;
use countersign_merkle::{CompactRange, Hash, LeafIndex, leaf_hash};
use std::collections::BTreeMap;

/// Differences of the tree that are kept until it is known which side is right.
const PENDING: usize = 1_000;

/// The tree over the leaves and, from where they differ on, the one over the stored leaf hashes.
/// Which of them was signed is known at the end only.
pub(super) struct Trees {
    leaves: Side,
    stored: Option<Side>,
    // Leaves whose stored hash is another, or that are missing.
    changed: Vec<(u64, Flaw)>,
    changed_count: u64,
    missing: u64,
    recorded_size: u64,
    recorded_root: Option<Hash>,
    fixes: Vec<(u8, u64, Hash)>,
}

#[derive(Clone, Default)]
struct Side {
    range: CompactRange,
    // Nodes at tile levels from 1 up that were completed and not looked at yet.
    fresh: BTreeMap<u8, Vec<(u64, Hash)>>,
    wrong: Vec<Flaw>,
    wrong_count: u64,
}

impl Side {
    fn append(&mut self, hash: Hash) {
        let fresh = &mut self.fresh;
        // A log of more than 2^63 leaves cannot be read to its end.
        let _ = self.range.append(hash, &mut |level, index, hash| {
            if level > 0 && level % TILE_HEIGHT == 0 {
                let level = fresh.entry(level / TILE_HEIGHT).or_default();
                level.push((index, hash));
            }
        });
    }

    fn wrong(&mut self, flaw: Flaw) {
        self.wrong_count = self.wrong_count.saturating_add(1);
        if self.wrong.len() < PENDING {
            self.wrong.push(flaw);
        }
    }
}

impl Trees {
    /// The empty tree; the root at this size is remembered.
    pub(super) fn new(recorded_size: u64) -> Self {
        let leaves = Side::default();
        Self {
            recorded_root: (recorded_size == 0).then(|| leaves.range.root()),
            leaves,
            stored: None,
            changed: Vec::new(),
            changed_count: 0,
            missing: 0,
            recorded_size,
            fixes: Vec::new(),
        }
    }

    pub(super) fn range(&self) -> &CompactRange {
        &self.leaves.range
    }

    pub(super) fn recorded_root(&self) -> Option<Hash> {
        self.recorded_root
    }

    pub(super) fn take_fixes(&mut self) -> Vec<(u8, u64, Hash)> {
        std::mem::take(&mut self.fixes)
    }

    /// The next leaf with its stored hash, as far as they are there.
    pub(super) fn append(
        &mut self,
        index: u64,
        leaf: Option<&[u8]>,
        stored: Option<Vec<u8>>,
        findings: &mut Findings,
    ) {
        let stored = stored.and_then(|hash| Hash::from_slice(&hash).ok());
        let computed = leaf.map(leaf_hash);
        if computed.is_none() {
            self.missing = self.missing.saturating_add(1);
            let expected = "an entry at every index below the head's size";
            findings.add(Flaw::new(Part::Leaf, "missing", expected).at(LeafIndex::new(index)));
        }
        if stored != computed {
            self.stored.get_or_insert_with(|| self.leaves.clone());
            if let Some(computed) = computed {
                self.changed_count = self.changed_count.saturating_add(1);
                let found = stored.map_or_else(|| "missing".to_owned(), |hash| hash.to_string());
                let flaw = Flaw::new(Part::LeafHash, found, computed).at(LeafIndex::new(index));
                if self.changed.len() < PENDING {
                    self.changed.push((index, flaw));
                }
            }
        }
        let own = computed.or(stored).unwrap_or_else(|| leaf_hash(b""));
        self.leaves.append(own);
        if let Some(side) = &mut self.stored {
            side.append(stored.unwrap_or(own));
        }
        if self.leaves.range.size().get() == self.recorded_size {
            self.recorded_root = Some(self.leaves.range.root());
        }
    }

    /// So many leaves are missing at the end.
    pub(super) fn miss(&mut self, leaves: u64) {
        self.missing = self.missing.saturating_add(leaves);
    }

    /// Holds the nodes that were completed against those that are stored.
    pub(super) fn check_nodes(&mut self, store: &dyn Inspect) -> Result<(), StoreReadError> {
        for (level, nodes) in std::mem::take(&mut self.leaves.fresh) {
            let (Some((first, _)), Some((last, _))) = (nodes.first(), nodes.last()) else {
                continue;
            };
            let range = *first..last.saturating_add(1);
            let found: BTreeMap<u64, Vec<u8>> = store.hashes(level, range)?.into_iter().collect();
            for (index, hash) in nodes {
                if let Some(flaw) = differs(level, index, hash, &found) {
                    self.leaves.wrong(flaw);
                    self.fixes.push((level, index, hash));
                }
            }
            let stored = self.stored.as_mut();
            let Some(side) = stored else { continue };
            for (index, hash) in side.fresh.remove(&level).unwrap_or_default() {
                if let Some(flaw) = differs(level, index, hash, &found) {
                    side.wrong(flaw);
                }
            }
        }
        Ok(())
    }

    /// Says what of the tree differs, now that it is known what was signed; returns whether the
    /// leaves are those that were.
    pub(super) fn settle(
        &mut self,
        size: u64,
        signed: Option<Hash>,
        findings: &mut Findings,
    ) -> bool {
        let root = self.leaves.range.root();
        let Some(signed) = signed else {
            // The checkpoint is a finding already; the parts may still contradict each other.
            self.tell(findings);
            return false;
        };
        if root == signed && self.missing == 0 {
            self.tell(findings);
            return true;
        }
        let stored_root = self.stored.as_ref().map(|side| side.range.root());
        if root != signed {
            let found = format!("the leaves give root {root}");
            let expected = format!("root {signed}, which was signed for {size} entries");
            findings.add(Flaw::new(Part::Root, found, expected));
        }
        if stored_root == Some(signed) {
            // The hashes are those that were signed: the leaves are not.
            for (index, flaw) in std::mem::take(&mut self.changed) {
                let found = format!("an entry that was changed: it hashes to {}", flaw.expected);
                let expected = format!("the one that was committed, {}", flaw.found);
                let flaw = Flaw::new(Part::Leaf, found, expected);
                findings.add(flaw.at(LeafIndex::new(index)));
            }
            let side = self.stored.take().unwrap_or_default();
            for flaw in side.wrong {
                findings.add(flaw);
            }
            return false;
        }
        self.tell(findings);
        false
    }

    fn tell(&mut self, findings: &mut Findings) {
        for (_, flaw) in std::mem::take(&mut self.changed) {
            findings.add(flaw);
        }
        findings.count_more(
            Part::LeafHash,
            self.changed_count.saturating_sub(PENDING as u64),
        );
        for flaw in std::mem::take(&mut self.leaves.wrong) {
            findings.add(flaw);
        }
        let more = self.leaves.wrong_count.saturating_sub(PENDING as u64);
        findings.count_more(Part::Node, more);
    }
}

fn differs(level: u8, index: u64, hash: Hash, found: &BTreeMap<u64, Vec<u8>>) -> Option<Flaw> {
    let stored = found.get(&index);
    if stored.is_some_and(|stored| stored.as_slice() == hash.as_bytes()) {
        return None;
    }
    let found = stored
        .and_then(|stored| Hash::from_slice(stored).ok())
        .map_or_else(|| "missing".to_owned(), |hash| hash.to_string());
    let found = format!("node {index} at tile level {level}: {found}");
    Some(Flaw::new(Part::Node, found, hash))
}
