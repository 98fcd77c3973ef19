//! The frontier of a growing tree: all that is needed to append a leaf and to know the root.

use crate::hash::{EMPTY_ROOT, Hash, node_hash};
use crate::position::{LeafIndex, MAX_TREE_SIZE, TreeSize, TreeTooLarge};

/// The roots of the perfect subtrees that cover `[0, size)`, largest first: one per bit set in the
/// size, at most 64.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompactRange {
    size: u64,
    // INVARIANT: as many as bits are set in `size`, which is at most `MAX_TREE_SIZE`.
    hashes: Vec<Hash>,
}

/// Why parts are not a compact range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CompactRangeError {
    /// The number of hashes does not belong to the size.
    #[error("a compact range of {size} leaves has {expected} hashes, got {got}")]
    HashCount {
        /// The size that was given.
        size: u64,
        /// How many hashes a range of this size has.
        expected: usize,
        /// How many came.
        got: usize,
    },
    /// The size is larger than any tree.
    #[error(transparent)]
    TooLarge(#[from] TreeTooLarge),
}

impl CompactRange {
    /// The frontier of the empty tree.
    pub const fn new() -> Self {
        Self {
            size: 0,
            hashes: Vec::new(),
        }
    }

    /// The frontier of a tree of `size` leaves from its stored hashes, largest subtree first.
    pub fn from_parts(size: TreeSize, hashes: Vec<Hash>) -> Result<Self, CompactRangeError> {
        let size = size.checked()?;
        let expected = size.count_ones() as usize;
        if hashes.len() != expected {
            return Err(CompactRangeError::HashCount {
                size,
                expected,
                got: hashes.len(),
            });
        }
        Ok(Self { size, hashes })
    }

    /// The number of leaves.
    pub const fn size(&self) -> TreeSize {
        TreeSize::new(self.size)
    }

    /// The roots of the perfect subtrees, largest first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Appends a leaf and says where it stands.
    ///
    /// `completed` is told of every perfect subtree that the leaf completes, from the leaf itself
    /// upwards: the tree level (0 is the leaf), the index of the node within that level, and its
    /// hash. A node at a level divisible by 8 is one that a tile holds.
    ///
    /// # Errors
    /// [`TreeTooLarge`] if the tree already has [`MAX_TREE_SIZE`] leaves; nothing has changed then.
    pub fn append(
        &mut self,
        leaf_hash: Hash,
        completed: &mut impl FnMut(u8, u64, Hash),
    ) -> Result<LeafIndex, TreeTooLarge> {
        let grown = match self.size.checked_add(1) {
            Some(size) if size <= MAX_TREE_SIZE => size,
            _ => {
                let size = self.size.saturating_add(1);
                return Err(TreeTooLarge { size });
            }
        };
        let index = self.size;
        let (mut hash, mut position) = (leaf_hash, index);
        completed(0, position, hash);
        // Each bit set at the low end of the old size is a left sibling that is now complete.
        for level in 1..=index.trailing_ones() {
            let Some(left) = self.hashes.pop() else { break };
            hash = node_hash(&left, &hash);
            position >>= 1;
            // At most 63: the old size is below 2^63.
            completed(level as u8, position, hash);
        }
        self.hashes.push(hash);
        self.size = grown;
        Ok(LeafIndex::new(index))
    }

    /// The root of the tree; [`EMPTY_ROOT`] if it has no leaves.
    pub fn root(&self) -> Hash {
        fold_root(&self.hashes).unwrap_or(EMPTY_ROOT)
    }
}

/// The root over nodes of one level, of which there must be a power of two; `None` otherwise.
pub fn perfect_root(nodes: &[Hash]) -> Option<Hash> {
    if !nodes.len().is_power_of_two() {
        return None;
    }
    let mut level = nodes.to_vec();
    while level.len() > 1 {
        let half = level.len() / 2;
        // Each parent goes where no child is needed any more.
        for parent in 0..half {
            let left = parent.saturating_mul(2);
            if let Some([left, right]) = level.get(left..left.saturating_add(2)) {
                let hash = node_hash(left, right);
                if let Some(place) = level.get_mut(parent) {
                    *place = hash;
                }
            }
        }
        level.truncate(half);
    }
    level.first().copied()
}

/// The root over perfect subtrees given from left (largest) to right; `None` for none.
pub(crate) fn fold_root(hashes: &[Hash]) -> Option<Hash> {
    let (last, rest) = hashes.split_last()?;
    let root = rest
        .iter()
        .rev()
        .fold(*last, |right, left| node_hash(left, &right));
    Some(root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;
    use std::collections::BTreeMap;

    fn leaf(n: u64) -> Hash {
        leaf_hash(&n.to_be_bytes())
    }

    /// MTH of RFC 6962 section 2.1, written as the RFC writes it.
    fn mth(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => EMPTY_ROOT,
            [leaf] => *leaf,
            _ => {
                let k = leaves.len().next_power_of_two() / 2;
                node_hash(&mth(&leaves[..k]), &mth(&leaves[k..]))
            }
        }
    }

    #[test]
    fn roots_follow_the_definition() {
        let mut range = CompactRange::new();
        let mut leaves = Vec::new();
        assert_eq!(range.root(), EMPTY_ROOT);
        for n in 0..300 {
            leaves.push(leaf(n));
            let index = range.append(leaf(n), &mut |_, _, _| ()).unwrap();
            assert_eq!(index, LeafIndex::new(n));
            assert_eq!(range.size(), TreeSize::new(n + 1));
            assert_eq!(range.root(), mth(&leaves), "size {}", n + 1);
        }
    }

    #[test]
    fn the_root_over_a_level_follows_the_definition() {
        let leaves: Vec<Hash> = (0..256).map(leaf).collect();
        for count in [1, 2, 4, 64, 256] {
            assert_eq!(perfect_root(&leaves[..count]), Some(mth(&leaves[..count])));
        }
        for count in [0, 3, 255] {
            assert_eq!(perfect_root(&leaves[..count]), None);
        }
    }

    #[test]
    fn every_perfect_subtree_is_reported_once() {
        let mut range = CompactRange::new();
        let mut nodes = BTreeMap::new();
        let size = 133_u64;
        for n in 0..size {
            range
                .append(leaf(n), &mut |level, index, hash| {
                    assert!(nodes.insert((level, index), hash).is_none());
                })
                .unwrap();
        }
        let leaves: Vec<Hash> = (0..size).map(leaf).collect();
        let expected: usize = (0..8).map(|level| (size >> level) as usize).sum();
        assert_eq!(nodes.len(), expected);
        for ((level, index), hash) in nodes {
            let (start, end) = ((index << level) as usize, ((index + 1) << level) as usize);
            assert_eq!(
                hash,
                mth(&leaves[start..end]),
                "level {level} index {index}"
            );
        }
    }

    #[test]
    fn a_stored_range_continues_where_it_stopped() {
        let mut whole = CompactRange::new();
        for n in 0..77 {
            whole.append(leaf(n), &mut |_, _, _| ()).unwrap();
        }
        let mut again = CompactRange::from_parts(whole.size(), whole.hashes().to_vec()).unwrap();
        for n in 77..200 {
            whole.append(leaf(n), &mut |_, _, _| ()).unwrap();
            again.append(leaf(n), &mut |_, _, _| ()).unwrap();
        }
        assert_eq!(whole, again);
    }

    #[test]
    fn parts_that_do_not_belong_together_are_refused() {
        let error = CompactRange::from_parts(TreeSize::new(5), vec![leaf(0)]);
        assert_eq!(
            error,
            Err(CompactRangeError::HashCount {
                size: 5,
                expected: 2,
                got: 1
            })
        );
        assert!(CompactRange::from_parts(TreeSize::ZERO, vec![leaf(0)]).is_err());
        assert!(matches!(
            CompactRange::from_parts(TreeSize::new(u64::MAX), vec![leaf(0); 64]),
            Err(CompactRangeError::TooLarge(_))
        ));
    }

    #[test]
    fn the_largest_tree_is_reached_and_not_passed() {
        let last = MAX_TREE_SIZE - 1;
        let mut range = CompactRange::from_parts(TreeSize::new(last), vec![leaf(1); 63]).unwrap();
        let mut top = 0;
        range
            .append(leaf(2), &mut |level, index, _| {
                top = level;
                assert_eq!(index, last >> level);
            })
            .unwrap();
        assert_eq!(top, 63);
        assert_eq!(range.hashes().len(), 1);
        let before = range.clone();
        let error = range.append(leaf(3), &mut |_, _, _| panic!("nothing completes"));
        assert_eq!(
            error,
            Err(TreeTooLarge {
                size: MAX_TREE_SIZE + 1
            })
        );
        assert_eq!(range, before);
    }
}
