//! The right edge of the tree in memory: the partial tile of each tile level.

use crate::fresh::FreshTree;
use crate::store::{Store, StoreReadError};
use countersign_merkle::tile::layout::nodes_at;
use countersign_merkle::tile::{TILE_HEIGHT, TILE_WIDTH};
use countersign_merkle::{Hash, TreeSize};
use std::ops::Range;

/// Tile levels that a tree can have.
const TILE_LEVELS: u8 = 8;

/// The nodes of the partial tiles at one tree size.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edge {
    levels: Vec<EdgeLevel>,
}

#[derive(Debug, Clone)]
struct EdgeLevel {
    start: u64,
    nodes: Vec<Hash>,
}

impl Edge {
    /// Reads the edge of a tree of this size.
    pub(crate) fn read(store: &dyn Store, size: TreeSize) -> Result<Self, StoreReadError> {
        let mut levels = Vec::new();
        for level in 0..TILE_LEVELS {
            let range = partial(level, size);
            let start = range.start;
            let nodes = store.nodes(level, range.clone())?;
            if nodes.len() as u64 != range.end.saturating_sub(start) {
                let detail = format!("nodes are missing at tile level {level}");
                return Err(StoreReadError::new(detail));
            }
            levels.push(EdgeLevel { start, nodes });
        }
        Ok(Self { levels })
    }

    /// The edge after a batch.
    pub(crate) fn advanced(&self, tree: &FreshTree) -> Self {
        let size = tree.range().size();
        let levels = (0..TILE_LEVELS).map(|level| {
            let range = partial(level, size);
            let known = self.nodes(level, range.start..u64::MAX).unwrap_or_default();
            let next = range.start.saturating_add(known.len() as u64);
            let fresh = tree.nodes_from(level.saturating_mul(TILE_HEIGHT), next);
            let nodes = known.iter().copied().chain(fresh.map(|(_, hash)| hash));
            EdgeLevel {
                start: range.start,
                nodes: nodes.collect(),
            }
        });
        Self {
            levels: levels.collect(),
        }
    }

    /// The nodes that are both in `range` and in the edge, if the edge has the first of them.
    pub(crate) fn nodes(&self, level: u8, range: Range<u64>) -> Option<&[Hash]> {
        let level = self.levels.get(usize::from(level))?;
        let start = usize::try_from(range.start.checked_sub(level.start)?).ok()?;
        let length = range.end.saturating_sub(range.start);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let nodes = level.nodes.get(start..)?;
        Some(nodes.get(..length).unwrap_or(nodes))
    }
}

/// The nodes of the partial tile at a level.
fn partial(level: u8, size: TreeSize) -> Range<u64> {
    let nodes = nodes_at(level, size);
    let width = u64::from(TILE_WIDTH);
    nodes.saturating_sub(nodes % width)..nodes
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_merkle::{CompactRange, leaf_hash};

    #[test]
    fn an_edge_follows_the_tree() {
        let mut all: Vec<Vec<Hash>> = vec![Vec::new(); 3];
        let mut range = CompactRange::new();
        let mut edge = Edge::default();
        for batch in [1_u64, 254, 1, 1, 300, 700, 64_300, 5] {
            let mut tree = FreshTree::new(range.clone());
            for n in 0..batch {
                let hash = leaf_hash(&(range.size().get() + n).to_be_bytes());
                tree.append(hash).unwrap();
            }
            for (level, nodes) in all.iter_mut().enumerate() {
                let known = nodes.len() as u64;
                nodes.extend(
                    tree.nodes_from(level as u8 * 8, known)
                        .map(|(_, hash)| hash),
                );
            }
            range = tree.range().clone();
            edge = edge.advanced(&tree);
            for level in 0..3_u8 {
                let range = partial(level, range.size());
                let expected = &all[usize::from(level)][range.start as usize..];
                assert_eq!(edge.nodes(level, range).unwrap(), expected);
            }
        }
        assert_eq!(edge.nodes(0, 0..1), None);
        assert_eq!(edge.nodes(9, 0..1), None);
    }
}
