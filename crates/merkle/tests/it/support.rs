//! Trees in memory, ours and an oracle's.

use countersign_merkle::{CompactRange, Hash, NodeSource, TreeSize, leaf_hash};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ops::Range;

/// The content of leaf `n`.
pub(crate) fn leaf_data(n: u64) -> [u8; 8] {
    n.to_be_bytes()
}

pub(crate) fn leaf(n: u64) -> Hash {
    leaf_hash(&leaf_data(n))
}

/// All tile nodes of a tree, with the roots at every size and a record of what was read.
#[derive(Default)]
pub(crate) struct MemoryTree {
    range: CompactRange,
    levels: Vec<Vec<Hash>>,
    roots: Vec<Hash>,
    reads: RefCell<Vec<(u8, Range<u64>)>>,
}

impl MemoryTree {
    pub(crate) fn with_leaves(count: u64) -> Self {
        let mut tree = Self::default();
        tree.roots.push(tree.range.root());
        for n in 0..count {
            let levels = &mut tree.levels;
            tree.range
                .append(leaf(n), &mut |level, index, hash| {
                    let (tile_level, rest) = (usize::from(level / 8), level % 8);
                    if rest != 0 {
                        return;
                    }
                    if levels.len() == tile_level {
                        levels.push(Vec::new());
                    }
                    assert_eq!(levels[tile_level].len() as u64, index);
                    levels[tile_level].push(hash);
                })
                .unwrap();
            tree.roots.push(tree.range.root());
        }
        tree
    }

    pub(crate) fn root(&self, size: u64) -> Hash {
        self.roots[size as usize]
    }

    pub(crate) fn size(&self) -> TreeSize {
        self.range.size()
    }

    /// What was read since the last call: tile levels with the tiles' indexes.
    pub(crate) fn take_reads(&self) -> Vec<(u8, u64)> {
        let reads = self.reads.take();
        reads
            .into_iter()
            .map(|(level, range)| (level, range.start / 256))
            .collect()
    }
}

impl NodeSource for MemoryTree {
    type Error = Infallible;

    fn nodes(&self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, Infallible> {
        assert!(!range.is_empty(), "an empty read");
        assert_eq!(range.start / 256, (range.end - 1) / 256, "across tiles");
        let nodes = &self.levels[usize::from(level)];
        self.reads.borrow_mut().push((level, range.clone()));
        Ok(nodes[range.start as usize..range.end as usize].to_vec())
    }
}

/// No tile may be read twice for one proof.
pub(crate) fn assert_read_once(reads: &[(u8, u64)]) {
    let distinct: BTreeSet<_> = reads.iter().collect();
    assert_eq!(
        distinct.len(),
        reads.len(),
        "a tile was read twice: {reads:?}"
    );
}

/// The published `tlog_tiles` crate over hashes that it stores itself.
#[derive(Default)]
pub(crate) struct TlogTiles {
    stored: Vec<tlog_tiles::Hash>,
    size: u64,
}

impl TlogTiles {
    pub(crate) fn with_leaves(count: u64) -> Self {
        let mut tree = Self::default();
        for n in 0..count {
            let hashes = tlog_tiles::stored_hashes(n, &leaf_data(n), &tree).unwrap();
            tree.stored.extend(hashes);
            tree.size += 1;
        }
        tree
    }

    pub(crate) fn root(&self, size: u64) -> Hash {
        ours(&tlog_tiles::tree_hash(size, self).unwrap())
    }

    pub(crate) fn inclusion(&self, index: u64, size: u64) -> Vec<Hash> {
        let proof = tlog_tiles::prove_record(size, index, self).unwrap();
        proof.iter().map(ours).collect()
    }

    pub(crate) fn consistency(&self, old: u64, size: u64) -> Vec<Hash> {
        let proof = tlog_tiles::prove_tree(size, old, self).unwrap();
        proof.iter().map(ours).collect()
    }
}

impl tlog_tiles::HashReader for TlogTiles {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let read = |index: &u64| self.stored[*index as usize];
        Ok(indexes.iter().map(read).collect())
    }
}

pub(crate) fn ours(hash: &tlog_tiles::Hash) -> Hash {
    Hash::from_bytes(hash.0)
}

pub(crate) fn theirs(hash: &Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(*hash.as_bytes())
}

pub(crate) fn all_theirs(hashes: &[Hash]) -> Vec<tlog_tiles::Hash> {
    hashes.iter().map(theirs).collect()
}
