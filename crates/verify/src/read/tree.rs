//! The tree above the bundles.

use std::collections::{BTreeMap, BTreeSet};

use countersign_merkle::tile::{TILE_HEIGHT, TILE_WIDTH};
use countersign_merkle::{CompactRange, Hash, TilePath, TreeSize};

use super::compare::compare;
use crate::audit::VerifyError;
use crate::report::Findings;
use crate::source::LogSource;

/// What the leaves came to.
pub(crate) struct Tree {
    /// How many leaves could be read.
    pub(crate) read: u64,
    /// The root over them.
    pub(crate) root: Hash,
    /// The roots over the first so many leaves, for the sizes that were asked for.
    pub(crate) roots: BTreeMap<u64, Hash>,
}

pub(super) struct Builder<'a> {
    source: &'a dyn LogSource,
    size: TreeSize,
    wanted: &'a BTreeSet<u64>,
    /// Over the roots of the full bundles: what it takes for leaves are nodes of level 8.
    bundles: CompactRange,
    /// The leaves of the last bundle, if it is not full.
    tail: Vec<Hash>,
    /// Per tile level from 1 on, the nodes since the last full tile.
    pending: BTreeMap<u8, Vec<Hash>>,
    roots: BTreeMap<u64, Hash>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(
        source: &'a dyn LogSource,
        size: TreeSize,
        wanted: &'a BTreeSet<u64>,
    ) -> Self {
        Self {
            source,
            size,
            wanted,
            bundles: CompactRange::new(),
            tail: Vec::new(),
            pending: BTreeMap::new(),
            roots: BTreeMap::new(),
        }
    }

    /// Appends the leaves of the next bundle, which is the last one if it is not full and so has no
    /// root of its own.
    pub(super) fn append(
        &mut self,
        leaves: &[Hash],
        root: Option<Hash>,
        findings: &mut Findings,
    ) -> Result<(), VerifyError> {
        let before = self.read();
        let count = u64::try_from(leaves.len()).unwrap_or(u64::MAX);
        let end = before.saturating_add(count);
        for size in self.wanted.range(before.saturating_add(1)..=end) {
            let kept = usize::try_from(size.saturating_sub(before)).unwrap_or(leaves.len());
            let root = self.range(leaves.get(..kept).unwrap_or(leaves))?.root();
            self.roots.insert(*size, root);
        }
        match root {
            Some(root) => self.full(root, findings),
            None => {
                self.tail = leaves.to_vec();
                Ok(())
            }
        }
    }

    /// Compares the tiles at the right edge, if everything was read, and says what the tree is.
    pub(super) fn finish(mut self, findings: &mut Findings) -> Result<Tree, VerifyError> {
        let tail = std::mem::take(&mut self.tail);
        let range = self.range(&tail)?;
        if range.size() == self.size {
            let levels: Vec<u8> = self.pending.keys().copied().collect();
            for level in levels {
                let count = countersign_merkle::tile::nodes_at(level, self.size);
                self.compare(level, count / u64::from(TILE_WIDTH), findings)?;
            }
        }
        Ok(Tree {
            read: range.size().get(),
            root: range.root(),
            roots: self.roots,
        })
    }

    fn full(&mut self, root: Hash, findings: &mut Findings) -> Result<(), VerifyError> {
        let (pending, mut complete) = (&mut self.pending, Vec::new());
        let appended = self.bundles.append(root, &mut |height, index, hash| {
            if height % TILE_HEIGHT == 0 {
                let level = height / TILE_HEIGHT + 1;
                let nodes = pending.entry(level).or_default();
                nodes.push(hash);
                if nodes.len() == usize::from(TILE_WIDTH) {
                    complete.push((level, index / u64::from(TILE_WIDTH)));
                }
            }
        });
        appended.map_err(|error| VerifyError::Source(error.to_string()))?;
        for (level, index) in complete {
            self.compare(level, index, findings)?;
        }
        Ok(())
    }

    /// Compares a tile with the nodes that the leaves gave, and begins the next one.
    fn compare(
        &mut self,
        level: u8,
        index: u64,
        findings: &mut Findings,
    ) -> Result<(), VerifyError> {
        let nodes = self.pending.remove(&level).unwrap_or_default();
        let width = u16::try_from(nodes.len()).unwrap_or(TILE_WIDTH);
        // There is no tile without nodes.
        let Ok(path) = TilePath::new(level, index, width) else {
            return Ok(());
        };
        compare(self.source, path, &nodes).report(findings)
    }

    /// The leaves of the full bundles.
    fn read(&self) -> u64 {
        let bundles = self.bundles.size().get();
        bundles.saturating_mul(u64::from(TILE_WIDTH))
    }

    /// The frontier over the full bundles and these leaves after them.
    fn range(&self, leaves: &[Hash]) -> Result<CompactRange, VerifyError> {
        let failed = |error: String| VerifyError::Source(error);
        let (size, hashes) = (TreeSize::new(self.read()), self.bundles.hashes().to_vec());
        let mut range =
            CompactRange::from_parts(size, hashes).map_err(|error| failed(error.to_string()))?;
        for leaf in leaves {
            range
                .append(*leaf, &mut |_, _, _| {})
                .map_err(|error| failed(error.to_string()))?;
        }
        Ok(range)
    }
}
