//! The tree while a batch is appended: enough of it to prove every new leaf without reading.

use countersign_merkle::{CompactRange, Hash, LeafIndex, TreeSize, TreeTooLarge, node_hash};

/// The old frontier and every node that the batch completes.
///
/// That suffices: a left sibling on a new leaf's path was either complete before, and then it
/// stands in the old frontier because its parent was not, or the batch completes it. A right
/// sibling holds new leaves only.
#[derive(Debug, Clone)]
pub(crate) struct FreshTree {
    range: CompactRange,
    // At each tree level a run of consecutive nodes.
    levels: Vec<Run>,
}

/// Consecutive nodes of one level.
#[derive(Debug, Clone)]
struct Run {
    start: u64,
    nodes: Vec<Hash>,
}

impl FreshTree {
    /// The tree before the batch.
    pub(crate) fn new(range: CompactRange) -> Self {
        let size = range.size().get();
        let mut hashes = range.hashes().iter().rev();
        let levels = (0..64_u8).map(|level| {
            let complete = size >> level;
            let last = (complete & 1 == 1).then(|| hashes.next()).flatten();
            Run {
                start: complete.saturating_sub(u64::from(last.is_some())),
                nodes: last.into_iter().copied().collect(),
            }
        });
        let levels = levels.collect();
        Self { range, levels }
    }

    /// Appends a leaf.
    pub(crate) fn append(&mut self, leaf_hash: Hash) -> Result<LeafIndex, TreeTooLarge> {
        let levels = &mut self.levels;
        self.range.append(leaf_hash, &mut |level, _, hash| {
            // Each level's nodes are completed in order, so a run stays consecutive.
            if let Some(run) = levels.get_mut(usize::from(level)) {
                run.nodes.push(hash);
            }
        })
    }

    /// The frontier now.
    pub(crate) fn range(&self) -> &CompactRange {
        &self.range
    }

    /// The complete nodes of a tree level from `start` on, as far as the batch knows them.
    pub(crate) fn nodes_from(&self, level: u8, start: u64) -> impl Iterator<Item = (u64, Hash)> {
        let run = self.levels.get(usize::from(level));
        run.into_iter().flat_map(move |run| {
            let nodes = run.nodes.iter().copied();
            (run.start..)
                .zip(nodes)
                .filter(move |(index, _)| *index >= start)
        })
    }

    /// Makes the inclusion paths of the batch's leaves.
    pub(crate) fn prover(&self) -> Prover<'_> {
        let hashes = self.range.hashes().iter().rev();
        let edges = hashes.scan(None, |right: &mut Option<Hash>, left| {
            let folded = right.map_or(*left, |right| node_hash(left, &right));
            *right = Some(folded);
            Some(folded)
        });
        let edges = edges.collect();
        Prover { tree: self, edges }
    }

    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        let run = self.levels.get(usize::from(level))?;
        let offset = index.checked_sub(run.start)?;
        run.nodes.get(usize::try_from(offset).ok()?).copied()
    }
}

/// Makes inclusion paths in a tree that no longer changes.
pub(crate) struct Prover<'t> {
    tree: &'t FreshTree,
    // `edges[k]` is the root over the `k + 1` smallest subtrees of the frontier.
    edges: Vec<Hash>,
}

impl Prover<'_> {
    /// The path of a leaf of the batch (RFC 6962 section 2.1.1); `None` for any other leaf.
    pub(crate) fn path(&self, index: LeafIndex) -> Option<Vec<Hash>> {
        let size = self.tree.range.size();
        let mut last = size.last_index()?.get();
        if !size.contains(index) {
            return None;
        }
        let (mut node, mut level) = (index.get(), 0_u8);
        let mut path = Vec::new();
        while last > 0 {
            let sibling = node ^ 1;
            if sibling < last {
                path.push(self.tree.node(level, sibling)?);
            } else if sibling == last {
                path.push(self.right_edge(size, level, sibling)?);
            }
            node >>= 1;
            last >>= 1;
            level = level.checked_add(1)?;
        }
        Some(path)
    }

    /// The root over the last node of a level, which may be incomplete.
    fn right_edge(&self, size: TreeSize, level: u8, last: u64) -> Option<Hash> {
        let size = size.get();
        if size.checked_shr(u32::from(level))? > last {
            return self.tree.node(level, last);
        }
        let below = size & 1_u64.checked_shl(u32::from(level))?.checked_sub(1)?;
        let subtrees = usize::try_from(below.count_ones()).ok()?;
        self.edges.get(subtrees.checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_merkle::{leaf_hash, verify_inclusion};

    #[test]
    fn every_leaf_of_every_batch_is_proved() {
        for old in 0..70_u64 {
            for added in 1..40_u64 {
                let mut before = CompactRange::new();
                for n in 0..old {
                    let hash = leaf_hash(&n.to_be_bytes());
                    before.append(hash, &mut |_, _, _| ()).unwrap();
                }
                let mut tree = FreshTree::new(before);
                for n in old..old + added {
                    tree.append(leaf_hash(&n.to_be_bytes())).unwrap();
                }
                let (prover, root) = (tree.prover(), tree.range().root());
                for n in old..old + added {
                    let index = LeafIndex::new(n);
                    let path = prover.path(index).expect("a path");
                    let hash = leaf_hash(&n.to_be_bytes());
                    verify_inclusion(&hash, index, tree.range().size(), &path, &root).unwrap();
                }
                assert_eq!(prover.path(LeafIndex::new(old + added)), None);
            }
        }
    }
}
