//! Whatever is changed about a proof, it must prove nothing any more.

use crate::support::{MemoryTree, TlogTiles, all_theirs, leaf, leaf_data, theirs};
use countersign_merkle::{
    EMPTY_ROOT, Hash, LeafIndex, MAX_TREE_SIZE, ProofError, TreeSize, TreeTooLarge, VerifyError,
    consistency_proof, inclusion_proof, root_at, verify_consistency, verify_inclusion,
};
use ct_merkle::{InclusionProof, RootHash};
use proptest::prelude::*;
use sha2::Sha256;

const LEAVES: u64 = 600;

thread_local! {
    static TREE: MemoryTree = MemoryTree::with_leaves(LEAVES);
    static ORACLE: TlogTiles = TlogTiles::with_leaves(LEAVES);
}

/// Everything one bit away from a hash.
fn flipped(hash: &Hash) -> impl Iterator<Item = Hash> {
    let bytes = *hash.as_bytes();
    (0..256_usize).map(move |bit| {
        let mut bytes = bytes;
        bytes[bit / 8] ^= 1 << (bit % 8);
        Hash::from_bytes(bytes)
    })
}

/// Paths with one flipped bit, and paths of another length.
fn damaged(path: &[Hash]) -> Vec<Vec<Hash>> {
    let mut paths = Vec::new();
    for position in 0..path.len() {
        for hash in flipped(&path[position]) {
            let mut path = path.to_vec();
            path[position] = hash;
            paths.push(path);
        }
        let mut shorter = path.to_vec();
        shorter.remove(position);
        paths.push(shorter);
        let mut doubled = path.to_vec();
        doubled.insert(position, path[position]);
        paths.push(doubled);
    }
    for position in 0..=path.len() {
        let mut longer = path.to_vec();
        longer.insert(position, leaf(7));
        paths.push(longer);
    }
    let mut reversed = path.to_vec();
    reversed.reverse();
    if reversed != path {
        paths.push(reversed);
    }
    paths
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_inclusion_proof_is_rejected(
        (index, size) in (1..=LEAVES).prop_flat_map(|size| (0..size, Just(size))),
    ) {
        TREE.with(|tree| {
            let (hash, root) = (leaf(index), tree.root(size));
            let (at, tree_size) = (LeafIndex::new(index), TreeSize::new(size));
            let path = inclusion_proof(tree, at, tree_size).unwrap();
            assert_eq!(verify_inclusion(&hash, at, tree_size, &path, &root), Ok(()));
            for path in damaged(&path) {
                assert!(verify_inclusion(&hash, at, tree_size, &path, &root).is_err());
            }
            for other in flipped(&root) {
                assert!(verify_inclusion(&hash, at, tree_size, &path, &other).is_err());
            }
            for other in flipped(&hash) {
                assert!(verify_inclusion(&other, at, tree_size, &path, &root).is_err());
            }
            for other in (0..size + 3).filter(|other| *other != index) {
                let at = LeafIndex::new(other);
                assert!(verify_inclusion(&hash, at, tree_size, &path, &root).is_err());
            }
        });
    }

    /// A root does not say how many leaves are below it, so some neighbouring sizes share paths;
    /// two implementations by others must then see it the same way.
    #[test]
    fn a_wrong_size_is_judged_as_others_judge_it(
        (index, size) in (1..=LEAVES).prop_flat_map(|size| (0..size, Just(size))),
    ) {
        TREE.with(|tree| {
            let (hash, root) = (leaf(index), tree.root(size));
            let at = LeafIndex::new(index);
            let path = inclusion_proof(tree, at, TreeSize::new(size)).unwrap();
            let bytes = path.iter().flat_map(|hash| *hash.as_bytes()).collect();
            let ct_proof = InclusionProof::<Sha256>::try_from_bytes(bytes).unwrap();
            for other in (1..=LEAVES + 8).chain([1 << 20, 1 << 40, 1 << 62]) {
                let verdict = verify_inclusion(&hash, at, TreeSize::new(other), &path, &root);
                let ct_root = RootHash::<Sha256>::new((*root.as_bytes()).into(), other);
                let ct = ct_root.verify_inclusion(&leaf_data(index), index, &ct_proof);
                assert_eq!(verdict.is_ok(), ct.is_ok(), "{index} of {size} against {other}");
                if index < other {
                    let tlog = tlog_tiles::check_record(
                        &all_theirs(&path), other, theirs(&root), index, theirs(&hash),
                    );
                    assert_eq!(verdict.is_ok(), tlog.is_ok(), "{index} of {size} against {other}");
                }
            }
        });
    }

    #[test]
    fn a_changed_consistency_proof_is_rejected(
        (old, size) in (2..=LEAVES).prop_flat_map(|size| (1..size, Just(size))),
    ) {
        TREE.with(|tree| {
            let (old_root, root) = (tree.root(old), tree.root(size));
            let (old_size, new_size) = (TreeSize::new(old), TreeSize::new(size));
            let path = consistency_proof(tree, old_size, new_size).unwrap();
            let verify = |path: &[Hash], old_root: &Hash, root: &Hash| {
                verify_consistency(old_size, new_size, path, old_root, root)
            };
            assert_eq!(verify(&path, &old_root, &root), Ok(()));
            for path in damaged(&path) {
                assert!(verify(&path, &old_root, &root).is_err());
            }
            for other in flipped(&root) {
                assert!(verify(&path, &old_root, &other).is_err());
            }
            for other in flipped(&old_root) {
                assert!(verify(&path, &other, &root).is_err());
            }
            assert!(verify(&path, &root, &old_root).is_err());
        });
    }

    #[test]
    fn wrong_sizes_of_consistency_are_judged_as_others_judge_them(
        (old, size) in (2..=LEAVES).prop_flat_map(|size| (1..size, Just(size))),
        others in proptest::collection::vec((0..=LEAVES + 8, 1..=LEAVES + 8), 200),
    ) {
        TREE.with(|tree| {
            let (old_root, root) = (tree.root(old), tree.root(size));
            let path = consistency_proof(tree, TreeSize::new(old), TreeSize::new(size)).unwrap();
            let near = [(old + 1, size), (old - 1, size), (old, size + 1), (old, size - 1)];
            for (other_old, other) in others.into_iter().chain(near) {
                let (other_old_size, other_size) = (TreeSize::new(other_old), TreeSize::new(other));
                let verdict =
                    verify_consistency(other_old_size, other_size, &path, &old_root, &root);
                if other_old == 0 || other_old > other {
                    assert!(matches!(verdict, Err(VerifyError::SizesOutOfRange { .. })));
                    continue;
                }
                let tlog = tlog_tiles::check_tree(
                    &all_theirs(&path), other, theirs(&root), other_old, theirs(&old_root),
                );
                assert_eq!(
                    verdict.is_ok(), tlog.is_ok(),
                    "{old} to {size} against {other_old} to {other}"
                );
            }
        });
    }

    #[test]
    fn no_input_makes_the_verifiers_panic(
        index: u64, old: u64, size: u64, small in 0_u64..5, len in 0_usize..70,
    ) {
        let path = vec![leaf(1); len];
        for size in [size, small, size >> small] {
            let (at, size) = (LeafIndex::new(index), TreeSize::new(size));
            assert!(verify_inclusion(&leaf(0), at, size, &path, &leaf(9)).is_err());
            let old = TreeSize::new(old);
            assert!(verify_consistency(old, size, &path, &leaf(8), &leaf(9)).is_err());
        }
    }
}

#[test]
fn empty_trees_prove_nothing() {
    let (zero, one, first) = (TreeSize::ZERO, TreeSize::new(1), LeafIndex::new(0));
    assert_eq!(
        verify_inclusion(&EMPTY_ROOT, first, zero, &[], &EMPTY_ROOT),
        Err(VerifyError::IndexOutOfRange {
            index: first,
            size: zero
        })
    );
    for new in [zero, one] {
        assert_eq!(
            verify_consistency(zero, new, &[], &EMPTY_ROOT, &EMPTY_ROOT),
            Err(VerifyError::SizesOutOfRange { old: zero, new })
        );
    }
    TREE.with(|tree| {
        assert!(inclusion_proof(tree, first, zero).is_err());
        assert!(consistency_proof(tree, zero, one).is_err());
        assert_eq!(root_at(tree, zero), Ok(EMPTY_ROOT));
    });
}

#[test]
fn equal_sizes_need_equal_roots_and_no_path() {
    let size = TreeSize::new(5);
    let (root, other) = (leaf(1), leaf(2));
    assert_eq!(verify_consistency(size, size, &[], &root, &root), Ok(()));
    assert!(verify_consistency(size, size, &[], &root, &other).is_err());
    assert_eq!(
        verify_consistency(size, size, &[leaf(3)], &root, &root),
        Err(VerifyError::PathLength { got: 1 })
    );
}

#[test]
fn absurd_sizes_and_paths_are_errors() {
    let path = vec![leaf(1); 65];
    let (at, one) = (LeafIndex::new(0), TreeSize::new(1));
    assert_eq!(
        verify_inclusion(&leaf(0), at, one, &path, &leaf(0)),
        Err(VerifyError::PathTooLong { got: 65 })
    );
    assert_eq!(
        verify_consistency(one, one, &path, &leaf(0), &leaf(0)),
        Err(VerifyError::PathTooLong { got: 65 })
    );
    for size in [MAX_TREE_SIZE + 1, u64::MAX] {
        let too_large = TreeTooLarge { size };
        let size = TreeSize::new(size);
        assert_eq!(
            verify_inclusion(&leaf(0), at, size, &[], &leaf(0)),
            Err(VerifyError::TooLarge(too_large))
        );
        assert_eq!(
            verify_consistency(one, size, &[], &leaf(0), &leaf(0)),
            Err(VerifyError::TooLarge(too_large))
        );
        TREE.with(|tree| {
            assert_eq!(root_at(tree, size), Err(ProofError::TooLarge(too_large)));
        });
    }
}

#[test]
fn a_fork_has_no_consistency_proof() {
    TREE.with(|tree| {
        ORACLE.with(|oracle| {
            let (old, new) = (TreeSize::new(300), TreeSize::new(600));
            let path = consistency_proof(tree, old, new).unwrap();
            assert_eq!(path, oracle.consistency(300, 600));
            // The old tree of a log that had one other leaf.
            let forked = leaf(10_000);
            assert!(matches!(
                verify_consistency(old, new, &path, &forked, &tree.root(600)),
                Err(VerifyError::OldRootMismatch { .. })
            ));
            assert!(matches!(
                verify_consistency(old, new, &path, &tree.root(300), &forked),
                Err(VerifyError::RootMismatch { .. })
            ));
        });
    });
}
