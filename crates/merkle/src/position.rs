//! Sizes and positions. A size counts leaves, an index names one: they never mix silently.

use std::fmt;

/// The largest tree that is handled: 2^63 leaves. Everything above is refused, so that arithmetic
/// on sizes and positions has room.
pub const MAX_TREE_SIZE: u64 = 1 << 63;

/// The number of leaves of a tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeSize(u64);

/// The zero-based position of a leaf.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafIndex(u64);

impl TreeSize {
    /// The tree without leaves.
    pub const ZERO: Self = Self(0);

    /// A tree of so many leaves.
    pub const fn new(leaves: u64) -> Self {
        Self(leaves)
    }

    /// The number of leaves.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether a tree of this size has a leaf at `index`.
    pub const fn contains(self, index: LeafIndex) -> bool {
        index.0 < self.0
    }

    /// The position of the last leaf, if there is one.
    pub const fn last_index(self) -> Option<LeafIndex> {
        match self.0.checked_sub(1) {
            Some(index) => Some(LeafIndex(index)),
            None => None,
        }
    }

    /// The number of leaves, if a tree may be that large.
    pub(crate) const fn checked(self) -> Result<u64, TreeTooLarge> {
        if self.0 > MAX_TREE_SIZE {
            Err(TreeTooLarge { size: self.0 })
        } else {
            Ok(self.0)
        }
    }
}

impl LeafIndex {
    /// The leaf at this position.
    pub const fn new(index: u64) -> Self {
        Self(index)
    }

    /// The position.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for TreeSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for LeafIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A tree larger than [`MAX_TREE_SIZE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tree of {size} leaves is larger than the maximum of {MAX_TREE_SIZE}")]
pub struct TreeTooLarge {
    /// The size that came or would have come.
    pub size: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_contains_the_indexes_below_it() {
        assert!(!TreeSize::ZERO.contains(LeafIndex::new(0)));
        assert!(TreeSize::new(1).contains(LeafIndex::new(0)));
        assert!(!TreeSize::new(1).contains(LeafIndex::new(1)));
        assert_eq!(TreeSize::ZERO.last_index(), None);
        assert_eq!(TreeSize::new(7).last_index(), Some(LeafIndex::new(6)));
    }

    #[test]
    fn sizes_above_the_maximum_are_refused() {
        assert!(TreeSize::new(MAX_TREE_SIZE).checked().is_ok());
        let size = MAX_TREE_SIZE + 1;
        assert_eq!(TreeSize::new(size).checked(), Err(TreeTooLarge { size }));
    }
}
