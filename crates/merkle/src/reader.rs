//! Making proofs and roots from a [`NodeSource`].

use crate::compact::{CompactRange, fold_root};
use crate::hash::{EMPTY_ROOT, Hash, node_hash};
use crate::position::{LeafIndex, TreeSize, TreeTooLarge};
use crate::source::NodeSource;
use crate::tile::{TILE_HEIGHT, TilePath};
use std::collections::BTreeMap;

/// The path that proves that the leaf is in the tree of `size` leaves (RFC 6962 section 2.1.1):
/// the leaf's sibling first, the root's child last.
///
/// Reads at most two tiles per tile level: the one above the leaf and the one at the right edge.
pub fn inclusion_proof<S: NodeSource>(
    source: &S,
    index: LeafIndex,
    size: TreeSize,
) -> Result<Vec<Hash>, ProofError<S::Error>> {
    TreeReader::new(source, size)?.inclusion_proof(index)
}

/// The path that proves that the tree of `size` leaves begins with the tree of `old` leaves
/// (RFC 6962 section 2.1.2). Empty for equal sizes.
///
/// Reads at most two tiles per tile level: one at each tree's right edge.
pub fn consistency_proof<S: NodeSource>(
    source: &S,
    old: TreeSize,
    size: TreeSize,
) -> Result<Vec<Hash>, ProofError<S::Error>> {
    TreeReader::new(source, size)?.consistency_proof(old)
}

/// The root of the tree of `size` leaves. Reads at most one tile per tile level.
pub fn root_at<S: NodeSource>(source: &S, size: TreeSize) -> Result<Hash, ProofError<S::Error>> {
    TreeReader::new(source, size)?.root()
}

/// Why no proof could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError<E> {
    /// The source failed.
    #[error("could not read nodes of the tree")]
    Source(#[source] E),
    /// The source answered with another number of hashes than asked for.
    #[error("asked for {expected} nodes of `{tile}`, got {got}")]
    NodeCount {
        /// Which tile was read.
        tile: TilePath,
        /// How many hashes it has.
        expected: usize,
        /// How many came.
        got: usize,
    },
    /// The tree has no such leaf.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    IndexOutOfRange {
        /// The position asked about.
        index: LeafIndex,
        /// The size of the tree.
        size: TreeSize,
    },
    /// The older tree is empty or larger than the newer.
    #[error("no consistency proof leads from {old} to {new} leaves")]
    SizesOutOfRange {
        /// The size of the older tree.
        old: TreeSize,
        /// The size of the newer tree.
        new: TreeSize,
    },
    /// The tree is larger than any may be.
    #[error(transparent)]
    TooLarge(#[from] TreeTooLarge),
    /// A node was asked for that the tree does not have: an error of this crate.
    #[error("no node {index} at level {level} in a tree of {size} leaves")]
    NoSuchNode {
        /// The tree level.
        level: u8,
        /// The index within the level.
        index: u64,
        /// The size of the tree.
        size: TreeSize,
    },
}

/// Reads a tree of one fixed size and remembers the tiles that it has read, so that many proofs
/// against one checkpoint cost few reads.
#[derive(Debug)]
pub struct TreeReader<'s, S> {
    source: &'s S,
    size: u64,
    tiles: BTreeMap<(u8, u64), TileNodes>,
}

impl<'s, S: NodeSource> TreeReader<'s, S> {
    /// A reader of the tree of `size` leaves.
    pub fn new(source: &'s S, size: TreeSize) -> Result<Self, TreeTooLarge> {
        Ok(Self {
            source,
            size: size.checked()?,
            tiles: BTreeMap::new(),
        })
    }

    /// The size of the tree.
    pub const fn size(&self) -> TreeSize {
        TreeSize::new(self.size)
    }

    /// The root of the tree.
    pub fn root(&mut self) -> Result<Hash, ProofError<S::Error>> {
        if self.size == 0 {
            return Ok(EMPTY_ROOT);
        }
        self.subtree(0, self.size)
    }

    /// The frontier of the tree: what it takes to append to it.
    pub fn frontier(&mut self) -> Result<CompactRange, ProofError<S::Error>> {
        let hashes = self.perfect_subtrees(0, self.size)?;
        // One hash per bit set in the size.
        CompactRange::from_parts(self.size(), hashes).map_err(|_| ProofError::NoSuchNode {
            level: 0,
            index: self.size,
            size: self.size(),
        })
    }

    /// See [`inclusion_proof`].
    pub fn inclusion_proof(&mut self, index: LeafIndex) -> Result<Vec<Hash>, ProofError<S::Error>> {
        let size = self.size();
        let last = match size.last_index() {
            Some(last) if size.contains(index) => last.get(),
            _ => return Err(ProofError::IndexOutOfRange { index, size }),
        };
        let mut path = Vec::new();
        // The node above the leaf and the last node, level by level.
        let (mut node, mut last, mut level) = (index.get(), last, 0_u8);
        while last > 0 {
            let sibling = node ^ 1;
            if sibling < last {
                path.push(self.node(level, sibling)?);
            } else if sibling == last {
                // The last node of a level may be incomplete.
                path.push(self.subtree(sibling << level, self.size)?);
            }
            node >>= 1;
            last >>= 1;
            level += 1;
        }
        Ok(path)
    }

    /// See [`consistency_proof()`].
    pub fn consistency_proof(&mut self, old: TreeSize) -> Result<Vec<Hash>, ProofError<S::Error>> {
        let size = self.size();
        if old == TreeSize::ZERO || old > size {
            return Err(ProofError::SizesOutOfRange { old, new: size });
        }
        // SUBPROOF of RFC 6962 section 2.1.2, from the root down, so the path comes out reversed.
        let (mut start, mut end) = (0, self.size);
        let mut is_prefix = true;
        let mut path = Vec::new();
        while old.get() < end {
            let split = start + largest_power_of_two_below(end - start);
            if old.get() <= split {
                path.push(self.subtree(split, end)?);
                end = split;
            } else {
                path.push(self.subtree(start, split)?);
                start = split;
                is_prefix = false;
            }
        }
        if !is_prefix {
            path.push(self.subtree(start, end)?);
        }
        path.reverse();
        Ok(path)
    }

    /// The root over leaves `start..end`, where the range is one that occurs in the tree.
    fn subtree(&mut self, start: u64, end: u64) -> Result<Hash, ProofError<S::Error>> {
        let hashes = self.perfect_subtrees(start, end)?;
        Ok(fold_root(&hashes).unwrap_or(EMPTY_ROOT))
    }

    /// The roots of the perfect subtrees that cover leaves `start..end`, largest first.
    fn perfect_subtrees(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Hash>, ProofError<S::Error>> {
        let mut hashes = Vec::new();
        let mut position = start;
        let mut rest = end - start;
        while let Some(level) = rest.checked_ilog2() {
            // `ilog2` of an u64 is at most 63.
            hashes.push(self.node(level as u8, position >> level)?);
            position += 1 << level;
            rest -= 1 << level;
        }
        Ok(hashes)
    }

    /// The complete node `index` of tree level `level`.
    fn node(&mut self, level: u8, index: u64) -> Result<Hash, ProofError<S::Error>> {
        let no_such_node = || ProofError::NoSuchNode {
            level,
            index,
            size: TreeSize::new(self.size),
        };
        let (tile_level, height) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
        // A tile holds 256 nodes of its own level, hence 256 >> height at this height above it.
        let per_tile = 1_u64 << (TILE_HEIGHT - height);
        let key = (tile_level, index / per_tile);
        if !self.tiles.contains_key(&key) {
            let path = TilePath::in_tree(key.0, key.1, TreeSize::new(self.size))
                .ok_or_else(no_such_node)?;
            let nodes = self.read(path)?;
            self.tiles.insert(key, nodes);
        }
        let tile = self.tiles.get(&key);
        tile.and_then(|tile| tile.node(height, index % per_tile))
            .ok_or_else(no_such_node)
    }

    fn read(&self, tile: TilePath) -> Result<TileNodes, ProofError<S::Error>> {
        let nodes = self
            .source
            .nodes(tile.level(), tile.nodes())
            .map_err(ProofError::Source)?;
        let expected = usize::from(tile.width());
        if nodes.len() != expected {
            return Err(ProofError::NodeCount {
                tile,
                expected,
                got: nodes.len(),
            });
        }
        Ok(TileNodes::new(nodes))
    }
}

/// The hashes of a tile and all complete nodes above them within the tile.
#[derive(Debug)]
struct TileNodes {
    levels: Vec<Vec<Hash>>,
}

impl TileNodes {
    fn new(nodes: Vec<Hash>) -> Self {
        let mut levels = Vec::with_capacity(usize::from(TILE_HEIGHT));
        let mut current = nodes;
        while current.len() > 1 {
            let (pairs, _) = current.as_chunks::<2>();
            let above = pairs.iter().map(|[left, right]| node_hash(left, right));
            let above = above.collect();
            levels.push(std::mem::replace(&mut current, above));
        }
        levels.push(current);
        Self { levels }
    }

    fn node(&self, height: u8, index: u64) -> Option<Hash> {
        let level = self.levels.get(usize::from(height))?;
        level.get(usize::try_from(index).ok()?).copied()
    }
}

/// For `n` of at least 2: the `k` at which RFC 6962 splits a tree of `n` leaves.
const fn largest_power_of_two_below(n: u64) -> u64 {
    match n.saturating_sub(1).checked_ilog2() {
        Some(log) => 1 << log,
        None => 1,
    }
}
