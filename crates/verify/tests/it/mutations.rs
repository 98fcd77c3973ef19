//! Every entry swapped, dropped and repeated, and every byte of a small log. Members of entries are
//! changed by the mutation table (`countersign_story::mutate`, `cargo xtask mutate`).

use countersign_core::entry::AnyEntry;
use countersign_merkle::AnyTile;
use countersign_verify::{MemoryLog, Word};

use crate::log::{audit, checkpoint, publish, told, trust, under};
use crate::story::{beginning, whole};

#[test]
fn swapped_dropped_and_repeated_entries_fail() {
    let leaves = whole().leaves();
    let signed = checkpoint(&leaves);
    let held = checkpoint(&leaves[..5]);
    let fails = |what: String, changed: &[Vec<u8>]| {
        for trust in [
            trust(),
            trust().holding(held.clone()),
            trust().holding(signed.clone()),
        ] {
            let report = audit(&under(changed, &signed), trust);
            assert_eq!(report.word, Word::Failed, "{what}");
        }
        let report = audit(&publish(changed), trust().holding(signed.clone()));
        assert_eq!(report.word, Word::Failed, "{what}, signed anew");
    };
    for i in 0..leaves.len() - 1 {
        let mut swapped = leaves.clone();
        swapped.swap(i, i + 1);
        fails(format!("{i} and {} swapped", i + 1), &swapped);
        let mut dropped = leaves.clone();
        dropped.remove(i);
        fails(format!("{i} dropped"), &dropped);
        let mut repeated = leaves.clone();
        repeated.insert(i, leaves[i].clone());
        fails(format!("{i} repeated"), &repeated);
        fails(format!("tail dropped after {i}"), &leaves[..=i]);
    }
    let mut middle = leaves.clone();
    middle.drain(15..25);
    fails("middle dropped".into(), &middle);
}

/// Flips bits in every byte of every file.
fn every_byte_counts(log: &MemoryLog) {
    let said = |log: &MemoryLog, what: String| {
        let report = audit(log, trust());
        assert_eq!(report.word, Word::Failed, "{what}");
    };
    for (tile, bytes) in &log.tiles {
        for position in 0..bytes.len() {
            for mask in [0x01, 0x20, 0xff] {
                let mut changed = log.clone();
                changed.tiles.get_mut(tile).unwrap()[position] ^= mask;
                said(&changed, format!("{tile} byte {position} ^ {mask:#x}"));
            }
        }
    }
    for position in 0..log.checkpoint.len() {
        for mask in [0x01, 0x20, 0xff] {
            let mut changed = log.clone();
            changed.checkpoint[position] ^= mask;
            said(&changed, format!("checkpoint byte {position} ^ {mask:#x}"));
        }
    }
}

#[test]
fn every_byte_of_every_file_of_a_small_log_counts() {
    let leaves = beginning().leaves();
    let few = [&leaves[..3], &leaves[leaves.len() - 3..]].concat();
    let sound = audit(&publish(&leaves), trust());
    assert_eq!(sound.word, Word::Unanchored, "{}", told(&sound));
    every_byte_counts(&publish(&few[..1]));
    every_byte_counts(&publish(&leaves[..2]));
    assert!(AnyEntry::from_leaf(&few[5]).is_ok());
    // The rest of the leaves, byte by byte, in the whole log.
    let log = publish(&leaves);
    let (tile, bytes) = log
        .tiles
        .iter()
        .find(|(t, _)| matches!(t, AnyTile::Entries(_)))
        .unwrap();
    for position in 0..bytes.len() {
        let mut changed = log.clone();
        changed.tiles.get_mut(tile).unwrap()[position] ^= 0x01;
        assert_eq!(
            audit(&changed, trust()).word,
            Word::Failed,
            "byte {position}"
        );
    }
}
