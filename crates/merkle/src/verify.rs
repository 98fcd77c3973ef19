//! Checking proofs, exactly by the algorithms that RFC 9162 prints.
//!
//! A root hash does not commit to the number of leaves: for some positions, a proof checks against
//! neighbouring sizes too (leaf 0 has the same path in trees of 5 and of 8 leaves). Size and root
//! must therefore come together from one signed checkpoint.

use crate::hash::{Hash, node_hash};
use crate::position::{LeafIndex, TreeSize, TreeTooLarge};

/// The most hashes that a path may have. No tree of at most 2^63 leaves needs more.
pub const MAX_PATH_LEN: usize = 64;

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// There are more hashes than any tree has levels.
    #[error("a proof of {got} hashes is longer than the maximum of {MAX_PATH_LEN}")]
    PathTooLong {
        /// How many hashes came.
        got: usize,
    },
    /// A size is larger than any tree.
    #[error(transparent)]
    TooLarge(#[from] TreeTooLarge),
    /// The tree has no such leaf.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    IndexOutOfRange {
        /// The position asked about.
        index: LeafIndex,
        /// The size of the tree.
        size: TreeSize,
    },
    /// The older tree is empty or larger than the newer: there is nothing to be consistent with.
    #[error("no consistency proof leads from {old} to {new} leaves")]
    SizesOutOfRange {
        /// The size of the older tree.
        old: TreeSize,
        /// The size of the newer tree.
        new: TreeSize,
    },
    /// Too few or too many hashes for this position and size.
    #[error("a proof of {got} hashes has the wrong length for this position and size")]
    PathLength {
        /// How many hashes came.
        got: usize,
    },
    /// The path leads to another root than that of the (newer) tree.
    #[error("the proof leads to root {computed}, not to {expected}")]
    RootMismatch {
        /// Where the path leads.
        computed: Hash,
        /// The root that was given.
        expected: Hash,
    },
    /// The path leads to another root than that of the older tree.
    #[error("the proof leads to the old root {computed}, not to {expected}")]
    OldRootMismatch {
        /// Where the path leads.
        computed: Hash,
        /// The root that was given.
        expected: Hash,
    },
}

/// Checks that the leaf with this hash is at `index` of the tree with `size` leaves and `root`
/// (RFC 9162 section 2.1.3.2).
pub fn verify_inclusion(
    leaf_hash: &Hash,
    index: LeafIndex,
    size: TreeSize,
    path: &[Hash],
    root: &Hash,
) -> Result<(), VerifyError> {
    check_path_len(path)?;
    size.checked()?;
    let last = match size.last_index() {
        Some(last) if size.contains(index) => last,
        _ => return Err(VerifyError::IndexOutOfRange { index, size }),
    };
    let mut walk = Walk::new(index.get(), last.get());
    let mut computed = *leaf_hash;
    for sibling in path {
        computed = match walk.step(path.len())? {
            Side::Left => node_hash(sibling, &computed),
            Side::Right => node_hash(&computed, sibling),
        };
    }
    walk.finish(path.len())?;
    check_root(computed, root)
}

/// Checks that the tree with `new` leaves and `new_root` begins with all leaves of the tree with
/// `old` leaves and `old_root` (RFC 9162 section 2.1.4.2).
///
/// Equal sizes need equal roots and an empty path. An empty older tree is an error: it is the
/// beginning of every tree, so there is no proof to check.
pub fn verify_consistency(
    old: TreeSize,
    new: TreeSize,
    path: &[Hash],
    old_root: &Hash,
    new_root: &Hash,
) -> Result<(), VerifyError> {
    check_path_len(path)?;
    new.checked()?;
    let (old_last, new_last) = match (old.last_index(), new.last_index()) {
        (Some(old_last), Some(new_last)) if old_last <= new_last => (old_last, new_last),
        _ => return Err(VerifyError::SizesOutOfRange { old, new }),
    };
    if old == new {
        if !path.is_empty() {
            return Err(VerifyError::PathLength { got: path.len() });
        }
        return check_root(*old_root, new_root);
    }
    // A perfect old tree is itself a node of the new one, so its root is left out of the path.
    let (first, rest) = if old.get().is_power_of_two() {
        (*old_root, path)
    } else {
        let split = path.split_first();
        let (first, rest) = split.ok_or(VerifyError::PathLength { got: path.len() })?;
        (*first, rest)
    };
    let mut walk = Walk::new(old_last.get(), new_last.get());
    walk.climb_while_right();
    let (mut old_computed, mut new_computed) = (first, first);
    for sibling in rest {
        match walk.step(path.len())? {
            Side::Left => {
                old_computed = node_hash(sibling, &old_computed);
                new_computed = node_hash(sibling, &new_computed);
            }
            Side::Right => new_computed = node_hash(&new_computed, sibling),
        }
    }
    walk.finish(path.len())?;
    if old_computed != *old_root {
        return Err(VerifyError::OldRootMismatch {
            computed: old_computed,
            expected: *old_root,
        });
    }
    check_root(new_computed, new_root)
}

/// On which side of the node the next hash of the path stands.
enum Side {
    Left,
    Right,
}

/// The climb from a node to the root: `fn` and `sn` of RFC 9162.
struct Walk {
    node: u64,
    last: u64,
}

impl Walk {
    const fn new(node: u64, last: u64) -> Self {
        Self { node, last }
    }

    /// Climbs as long as the node is a right child.
    const fn climb_while_right(&mut self) {
        let levels = self.node.trailing_ones();
        // `node` is below 2^63, so it has fewer than 64 trailing ones.
        self.climb(levels);
    }

    /// Takes one hash of the path and climbs to the parent that it makes.
    fn step(&mut self, path_len: usize) -> Result<Side, VerifyError> {
        if self.last == 0 {
            return Err(VerifyError::PathLength { got: path_len });
        }
        let is_right = self.node & 1 == 1;
        if !is_right && self.node != self.last {
            self.climb(1);
            return Ok(Side::Right);
        }
        if !is_right {
            // The last node of a level, without a right sibling, stands for its parents until it
            // is a right child.
            self.climb(self.node.trailing_zeros());
        }
        self.climb(1);
        Ok(Side::Left)
    }

    /// Whether the climb has ended at the root.
    const fn finish(&self, path_len: usize) -> Result<(), VerifyError> {
        match self.last {
            0 => Ok(()),
            _ => Err(VerifyError::PathLength { got: path_len }),
        }
    }

    const fn climb(&mut self, levels: u32) {
        // `match` and not a bare `>>`: a shift by 64 leaves nothing (and no panic).
        self.node = match self.node.checked_shr(levels) {
            Some(node) => node,
            None => 0,
        };
        self.last = match self.last.checked_shr(levels) {
            Some(last) => last,
            None => 0,
        };
    }
}

const fn check_path_len(path: &[Hash]) -> Result<(), VerifyError> {
    if path.len() > MAX_PATH_LEN {
        return Err(VerifyError::PathTooLong { got: path.len() });
    }
    Ok(())
}

fn check_root(computed: Hash, expected: &Hash) -> Result<(), VerifyError> {
    if computed != *expected {
        return Err(VerifyError::RootMismatch {
            computed,
            expected: *expected,
        });
    }
    Ok(())
}
