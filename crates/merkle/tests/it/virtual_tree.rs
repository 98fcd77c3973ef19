//! Trees far too large to exist: all leaves are equal, save for a few.

use crate::support::{all_theirs, leaf, theirs};
use countersign_merkle::{
    CompactRange, Hash, LeafIndex, MAX_TREE_SIZE, NodeSource, TreeReader, TreeSize,
    consistency_proof, inclusion_proof, node_hash, root_at, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Range;

struct VirtualTree {
    /// The root of a perfect subtree of equal leaves, by tree level.
    plain: Vec<Hash>,
    special: BTreeMap<u64, Hash>,
}

impl VirtualTree {
    fn new(special: &[u64]) -> Self {
        let mut plain = vec![leaf(0)];
        for level in 0..63 {
            plain.push(node_hash(&plain[level], &plain[level]));
        }
        let special = special.iter().map(|n| (*n, leaf(n + 1))).collect();
        Self { plain, special }
    }

    fn node(&self, level: u32, index: u64) -> Hash {
        let start = index << level;
        let last = start + ((1 << level) - 1);
        let mut special = self.special.range(start..=last);
        match special.next() {
            None => self.plain[level as usize],
            Some((_, hash)) if level == 0 => *hash,
            Some(_) => node_hash(
                &self.node(level - 1, index * 2),
                &self.node(level - 1, index * 2 + 1),
            ),
        }
    }

    fn range(&self, size: u64) -> CompactRange {
        let mut hashes = Vec::new();
        let mut start = 0;
        for level in (0..64).rev().filter(|level| size >> level & 1 == 1) {
            hashes.push(self.node(level, start >> level));
            start += 1 << level;
        }
        CompactRange::from_parts(TreeSize::new(size), hashes).unwrap()
    }
}

impl NodeSource for VirtualTree {
    type Error = Infallible;

    fn nodes(&self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, Infallible> {
        assert_eq!(range.start / 256, (range.end - 1) / 256, "across tiles");
        let level = u32::from(level) * 8;
        Ok(range.map(|index| self.node(level, index)).collect())
    }
}

impl tlog_tiles::HashReader for VirtualTree {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let read = |index: &u64| {
            let (level, index) = tlog_tiles::split_stored_hash_index(*index);
            theirs(&self.node(level.into(), index))
        };
        Ok(indexes.iter().map(read).collect())
    }
}

/// A size of any magnitude up to the maximum, and two positions in it.
fn huge() -> impl Strategy<Value = (u64, u64, u64)> {
    let size = prop_oneof![
        (1_u32..=63).prop_flat_map(|bits| (1 << (bits - 1)) + 1..=1_u64 << bits),
        (1_u32..=63).prop_map(|bits| 1_u64 << bits),
        Just(MAX_TREE_SIZE - 1),
    ];
    size.prop_flat_map(|size| {
        let position = || prop_oneof![0..size, Just(size - 1), Just(0)];
        (position(), position(), Just(size))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn proofs_of_any_size_hold((index, other, size) in huge()) {
        let tree = VirtualTree::new(&[index, other]);
        let (at, tree_size) = (LeafIndex::new(index), TreeSize::new(size));
        let root = root_at(&tree, tree_size).unwrap();
        prop_assert_eq!(root, tree.range(size).root());

        let path = inclusion_proof(&tree, at, tree_size).unwrap();
        let hash = leaf(index + 1);
        prop_assert_eq!(verify_inclusion(&hash, at, tree_size, &path, &root), Ok(()));
        prop_assert!(verify_inclusion(&leaf(0), at, tree_size, &path, &root).is_err());
        if other != index {
            let at = LeafIndex::new(other);
            prop_assert!(verify_inclusion(&hash, at, tree_size, &path, &root).is_err());
        }

        let old = TreeSize::new(other + 1);
        let old_root = tree.range(other + 1).root();
        let path = consistency_proof(&tree, old, tree_size).unwrap();
        prop_assert_eq!(verify_consistency(old, tree_size, &path, &old_root, &root), Ok(()));
        prop_assert!(verify_consistency(old, tree_size, &path, &leaf(0), &root).is_err());
    }

    #[test]
    fn tlog_tiles_agrees_up_to_2_to_the_40(
        (index, old, size) in (1_u64..1 << 40).prop_flat_map(|size| (0..size, 0..size, Just(size))),
    ) {
        let tree = VirtualTree::new(&[index, old]);
        let mut reader = TreeReader::new(&tree, TreeSize::new(size)).unwrap();
        let root = tlog_tiles::tree_hash(size, &tree).unwrap();
        prop_assert!(root == theirs(&reader.root().unwrap()));
        let path = reader.inclusion_proof(LeafIndex::new(index)).unwrap();
        let expected = tlog_tiles::prove_record(size, index, &tree).unwrap();
        prop_assert!(all_theirs(&path) == expected);
        let path = reader.consistency_proof(TreeSize::new(old + 1)).unwrap();
        let expected = tlog_tiles::prove_tree(size, old + 1, &tree).unwrap();
        prop_assert!(all_theirs(&path) == expected);
    }

    #[test]
    fn appending_continues_any_size(size in prop_oneof![0_u64..1 << 20, (1_u64 << 62) - 9..1_u64 << 62]) {
        let tree = VirtualTree::new(&[]);
        let mut range = tree.range(size);
        for _ in 0..9 {
            range.append(leaf(0), &mut |level, index, hash| {
                assert_eq!(hash, tree.node(level.into(), index));
            }).unwrap();
        }
        prop_assert_eq!(range, tree.range(size + 9));
    }
}

#[test]
fn the_longest_path_there_is() {
    let tree = VirtualTree::new(&[5]);
    let size = TreeSize::new(MAX_TREE_SIZE);
    let path = inclusion_proof(&tree, LeafIndex::new(5), size).unwrap();
    assert_eq!(path.len(), 63);
    let old = TreeSize::new(5);
    let path = consistency_proof(&tree, old, size).unwrap();
    assert_eq!(path.len(), 64);
    let (old_root, root) = (tree.range(5).root(), tree.range(MAX_TREE_SIZE).root());
    assert_eq!(
        verify_consistency(old, size, &path, &old_root, &root),
        Ok(())
    );
}
