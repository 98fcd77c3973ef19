//! Logs of a wanted size.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use countersign_merkle::{LeafIndex, leaf_hash};
use countersign_note::{TlogProof, VerifierKey};

use crate::{printed, xtask};

fn make(size: u64, out: &Path, more: &[&str]) -> String {
    let (size, out) = (size.to_string(), out.to_str().unwrap());
    let mut arguments = vec!["log", "--size", &size, "--out", out];
    arguments.extend(more);
    printed(&xtask(&arguments), 0).trim_end().to_owned()
}

fn files(dir: &Path, found: &mut BTreeSet<(String, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            found.insert((name, fs::read(&path).unwrap()));
        }
    }
}

/// The leaves of an entries tile.
fn leaves(mut tile: &[u8]) -> Vec<&[u8]> {
    let mut leaves = Vec::new();
    while let Some((length, rest)) = tile.split_first_chunk::<2>() {
        let (leaf, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)));
        leaves.push(leaf);
        tile = rest;
    }
    leaves
}

#[test]
fn one_seed_makes_one_log() {
    let scratch = tempfile::tempdir().unwrap();
    let made = ["a", "b", "c"].map(|name| scratch.path().join(name));
    let keys = [("7", &made[0]), ("7", &made[1]), ("8", &made[2])]
        .map(|(seed, out)| make(20, out, &["--seed", seed, "--receipts"]));
    let [a, b, c] = made.map(|dir| {
        let mut found = BTreeSet::new();
        files(&dir, &mut found);
        found
    });
    assert_eq!((&keys[0], &a), (&keys[1], &b));
    assert_ne!(keys[0], keys[2]);
    assert_ne!(a, c);
}

#[test]
fn what_was_published_is_what_was_answered() {
    let scratch = tempfile::tempdir().unwrap();
    for size in [1_u64, 40] {
        let out = scratch.path().join(size.to_string());
        let key = make(size, &out, &["--receipts"]);
        assert_eq!(
            fs::read_to_string(out.join("log.vkey")).unwrap(),
            format!("{key}\n")
        );
        let tile = fs::read(out.join(format!("tile/entries/000.p/{size}"))).unwrap();
        let leaves = leaves(&tile);
        assert_eq!(leaves.len() as u64, size);

        let keys = [VerifierKey::parse(&key).unwrap()];
        let mut proofs = BTreeSet::new();
        files(&out.join("receipts"), &mut proofs);
        proofs.retain(|(name, _)| name.ends_with(".tlog-proof"));
        assert!(!proofs.is_empty());
        for (name, proof) in proofs {
            let index: u64 = name.split('.').next().unwrap().parse().unwrap();
            let proof = TlogProof::parse(std::str::from_utf8(&proof).unwrap()).unwrap();
            assert_eq!(proof.index(), LeafIndex::new(index));
            let leaf = leaf_hash(leaves[usize::try_from(index).unwrap()]);
            proof.verify(&leaf, &keys).unwrap();
        }
    }
}

#[test]
fn fewer_entries_than_a_log_begins_with_are_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("log");
    let output = xtask(&["log", "--size", "3", "--out", out.to_str().unwrap()]);
    printed(&output, 2);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("a log begins with 5 entries"), "{said}");
    assert!(!out.join("checkpoint").exists());
}
