//! Roots and proofs must be those of `ct-merkle` and of `tlog_tiles`.

use crate::support::{
    MemoryTree, TlogTiles, all_theirs, assert_read_once, leaf, leaf_data, theirs,
};
use countersign_merkle::{
    Hash, LeafIndex, TreeReader, TreeSize, consistency_proof, inclusion_proof, root_at,
    verify_consistency, verify_inclusion,
};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Past two full tiles of leaves.
const EXHAUSTIVE: u64 = 520;

/// Past eight full tiles of leaves.
const ALL_ROOTS: u64 = 2050;

/// Past one full tile of level 1, so that tiles of levels 0, 1 and 2 take part.
const LARGE: u64 = 66_000;

static LARGE_ORACLE: LazyLock<TlogTiles> = LazyLock::new(|| TlogTiles::with_leaves(LARGE));

thread_local! {
    static LARGE_TREE: MemoryTree = MemoryTree::with_leaves(LARGE);
}

fn split(proof: &[u8]) -> Vec<Hash> {
    let (hashes, rest) = proof.as_chunks::<32>();
    assert!(rest.is_empty());
    hashes.iter().map(|hash| Hash::from_bytes(*hash)).collect()
}

/// Every leaf in every tree, every tree in every larger one.
#[test]
fn ct_merkle_agrees_for_all_small_trees() {
    let tree = MemoryTree::with_leaves(EXHAUSTIVE);
    let mut oracle = MemoryBackedTree::<Sha256, [u8; 8]>::new();
    for size in 0..=EXHAUSTIVE {
        if size > 0 {
            oracle.push(leaf_data(size - 1));
        }
        let mut reader = TreeReader::new(&tree, TreeSize::new(size)).unwrap();
        let root = reader.root().unwrap();
        assert_eq!(root, tree.root(size));
        assert_eq!(
            root.as_bytes().as_slice(),
            oracle.root().as_bytes().as_slice()
        );
        for other in 0..size {
            let index = LeafIndex::new(other);
            let path = reader.inclusion_proof(index).unwrap();
            let expected = oracle.prove_inclusion(other as usize);
            assert_eq!(path, split(expected.as_bytes()), "leaf {other} of {size}");
            let size = TreeSize::new(size);
            assert_eq!(
                verify_inclusion(&leaf(other), index, size, &path, &root),
                Ok(())
            );
        }
        for old in 1..size {
            let path = reader.consistency_proof(TreeSize::new(old)).unwrap();
            let expected = oracle.prove_consistency((size - old) as usize);
            assert_eq!(path, split(expected.as_bytes()), "{old} to {size}");
            let (old, size) = (TreeSize::new(old), TreeSize::new(size));
            let old_root = tree.root(old.get());
            assert_eq!(
                verify_consistency(old, size, &path, &old_root, &root),
                Ok(())
            );
        }
    }
}

/// Every root, and of every tree the proofs at the edges of its subtrees and tiles.
#[test]
fn both_agree_for_every_size_to_2050() {
    compare_all(|size| {
        let power = (size + 1).next_power_of_two() / 2;
        BTreeSet::from([0, size / 2, size & !255, power, size - 1, size])
    });
}

/// The same for every leaf in every tree and every tree in every larger one: four million proofs.
#[test]
#[ignore = "takes a minute in a release build; `.ci/foreign` runs it"]
fn both_agree_for_every_proof_to_2050() {
    compare_all(|size| (0..=size).collect());
}

/// Compares with both oracles for all sizes; `chosen` says which leaves and which older sizes of a
/// tree are proved.
fn compare_all(chosen: impl Fn(u64) -> BTreeSet<u64>) {
    let tree = MemoryTree::with_leaves(ALL_ROOTS);
    let tiles = TlogTiles::with_leaves(ALL_ROOTS);
    let mut memory = MemoryBackedTree::<Sha256, [u8; 8]>::new();
    for size in 0..=ALL_ROOTS {
        if size > 0 {
            memory.push(leaf_data(size - 1));
        }
        let mut reader = TreeReader::new(&tree, TreeSize::new(size)).unwrap();
        let root = reader.root().unwrap();
        assert_eq!(
            root.as_bytes().as_slice(),
            memory.root().as_bytes().as_slice()
        );
        assert_eq!(root, tiles.root(size), "root of {size}");
        if size == 0 {
            continue;
        }
        for n in chosen(size) {
            if n < size {
                let path = reader.inclusion_proof(LeafIndex::new(n)).unwrap();
                let theirs = memory.prove_inclusion(n as usize);
                assert_eq!(path, split(theirs.as_bytes()), "leaf {n} of {size}");
                assert_eq!(path, tiles.inclusion(n, size), "leaf {n} of {size}");
            }
            if n > 0 && n <= size {
                let path = reader.consistency_proof(TreeSize::new(n)).unwrap();
                assert_eq!(path, tiles.consistency(n, size), "{n} to {size}");
                if n < size {
                    let theirs = memory.prove_consistency((size - n) as usize);
                    assert_eq!(path, split(theirs.as_bytes()), "{n} to {size}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn tlog_tiles_agrees_on_inclusion((index, size) in pair(0, LARGE)) {
        LARGE_TREE.with(|tree| {
            tree.take_reads();
            let (leaf_index, tree_size) = (LeafIndex::new(index), TreeSize::new(size));
            let path = inclusion_proof(tree, leaf_index, tree_size).unwrap();
            let reads = tree.take_reads();
            assert_read_once(&reads);
            // At most the leaf's tile and the one at the edge, on each of three levels.
            assert!(reads.len() <= 5, "{reads:?}");
            assert_eq!(path, LARGE_ORACLE.inclusion(index, size));
            let root = tree.root(size);
            assert_eq!(verify_inclusion(&leaf(index), leaf_index, tree_size, &path, &root), Ok(()));
            tlog_tiles::check_record(
                &all_theirs(&path), size, theirs(&root), index, theirs(&leaf(index)),
            ).unwrap();
        });
    }

    #[test]
    fn tlog_tiles_agrees_on_consistency((old, size) in pair(1, LARGE)) {
        LARGE_TREE.with(|tree| {
            tree.take_reads();
            let (old_size, tree_size) = (TreeSize::new(old), TreeSize::new(size));
            let path = consistency_proof(tree, old_size, tree_size).unwrap();
            let reads = tree.take_reads();
            assert_read_once(&reads);
            assert!(reads.len() <= 5, "{reads:?}");
            assert_eq!(path, LARGE_ORACLE.consistency(old, size));
            let (old_root, root) = (tree.root(old), tree.root(size));
            assert_eq!(verify_consistency(old_size, tree_size, &path, &old_root, &root), Ok(()));
            tlog_tiles::check_tree(
                &all_theirs(&path), size, theirs(&root), old, theirs(&old_root),
            ).unwrap();
        });
    }

    #[test]
    fn tlog_tiles_agrees_on_roots(size in 0..=LARGE) {
        LARGE_TREE.with(|tree| {
            tree.take_reads();
            assert_eq!(root_at(tree, TreeSize::new(size)).unwrap(), LARGE_ORACLE.root(size));
            let reads = tree.take_reads();
            assert_read_once(&reads);
            assert!(reads.len() <= 3, "{reads:?}");
            assert_eq!(tree.root(size), LARGE_ORACLE.root(size));
        });
    }
}

/// A position of at least `from` and a size above it, near a power of 256 more often than not.
fn pair(from: u64, max: u64) -> impl Strategy<Value = (u64, u64)> {
    let size = prop_oneof![
        from + 1..=max,
        250_u64..=262,
        65_530_u64..=65_542,
        (1_u64..=250).prop_map(|tiles| tiles * 256),
    ];
    size.prop_flat_map(move |size| {
        (
            prop_oneof![from..size, Just(size - 1), Just(from)],
            Just(size),
        )
    })
}

#[test]
fn the_edge_of_the_whole_tree() {
    LARGE_TREE.with(|tree| {
        assert_eq!(tree.size().get(), LARGE);
        assert_eq!(
            root_at(tree, tree.size()).unwrap(),
            LARGE_ORACLE.root(LARGE)
        );
    });
}
