//! Appending: every entry in its place, durable, and proved.

use crate::support::{Fixture, append, check_all, database, fresh_id, key, numbered, one, reopen};
use countersign_ledger::{CommitError, ReadSet};
use countersign_merkle::tile::{decode_bundle, tiles_for_size};
use countersign_merkle::{
    AnyTile, CompactRange, EntriesTile, HASH_LEN, LeafIndex, TilePath, TreeSize, leaf_hash,
    verify_consistency,
};
use countersign_note::{Note, SignedCheckpoint, TlogProof};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::sync::Arc;

#[test]
fn six_hundred_entries_are_proved_when_they_are_new_and_ever_after() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let mut range = CompactRange::new();
    let genesis = ledger.leaf(LeafIndex::new(0)).unwrap().unwrap();
    range
        .append(leaf_hash(&genesis.bytes), &mut |_, _, _| ())
        .unwrap();
    let mut checkpoints: Vec<Arc<str>> = vec![ledger.checkpoint()];
    for n in 1..=600_u64 {
        let committed = fixture.append(n);
        check_all(&committed);
        let [entry] = committed.entries.as_slice() else {
            panic!("one entry");
        };
        assert_eq!(entry.index, LeafIndex::new(n));
        range
            .append(leaf_hash(&entry.leaf), &mut |_, _, _| ())
            .unwrap();
        let head = ledger.head();
        assert_eq!((head.size(), head.root()), (range.size(), range.root()));
        checkpoints.push(committed.checkpoint);
    }
    for n in (0..=600).step_by(7) {
        let index = LeafIndex::new(n);
        let leaf = ledger.leaf(index).unwrap().unwrap();
        assert_eq!(ledger.entry(leaf.entry_id).unwrap().unwrap(), leaf);
        let proof = TlogProof::parse(&ledger.proof(index).unwrap()).unwrap();
        proof.verify(&leaf_hash(&leaf.bytes), &[key()]).unwrap();
        // An entry can be proved against every checkpoint that was ever signed and covers it.
        for checkpoint in checkpoints.iter().skip(n as usize).step_by(41) {
            let note: Note = checkpoint.parse().unwrap();
            let proof = ledger.proof_at(index, note).unwrap();
            let proof = TlogProof::parse(&proof).unwrap();
            proof.verify(&leaf_hash(&leaf.bytes), &[key()]).unwrap();
        }
    }
    consistency_of(&fixture, &checkpoints);
    tiles_of_every_size(&fixture, &checkpoints);
}

fn consistency_of(fixture: &Fixture, checkpoints: &[Arc<str>]) {
    let open = |text: &Arc<str>| {
        let note: Note = text.parse().unwrap();
        let signed = SignedCheckpoint::open(&note, &[key()]).unwrap();
        signed.checkpoint().clone()
    };
    for (old, new) in [
        (1, 601),
        (1, 2),
        (255, 256),
        (256, 257),
        (300, 512),
        (600, 601),
    ] {
        let old = open(&checkpoints[old - 1]);
        let new = open(&checkpoints[new - 1]);
        let path = fixture.ledger.consistency(old.size(), new.size()).unwrap();
        verify_consistency(old.size(), new.size(), &path, &old.root(), &new.root()).unwrap();
    }
}

/// tlog-tiles: partial tiles are served for every size for which a checkpoint was produced.
fn tiles_of_every_size(fixture: &Fixture, checkpoints: &[Arc<str>]) {
    let ledger = &fixture.ledger;
    let mut seen = BTreeSet::new();
    for size in 1..=checkpoints.len() as u64 {
        for tile in tiles_for_size(TreeSize::new(size)) {
            if !seen.insert(tile) {
                continue;
            }
            let bytes = ledger.any_tile(&tile).unwrap().unwrap();
            match tile {
                AnyTile::Hashes(tile) => {
                    assert_eq!(bytes.len(), usize::from(tile.width()) * HASH_LEN);
                    if tile.level() == 0 {
                        let last = LeafIndex::new(tile.nodes().end - 1);
                        let leaf = ledger.leaf(last).unwrap().unwrap();
                        assert!(bytes.ends_with(leaf_hash(&leaf.bytes).as_bytes()));
                    }
                }
                AnyTile::Entries(tile) => {
                    for (entry, index) in decode_bundle(&bytes, &tile)
                        .unwrap()
                        .iter()
                        .zip(tile.leaves())
                    {
                        let leaf = ledger.leaf(LeafIndex::new(index)).unwrap().unwrap();
                        assert_eq!(*entry, leaf.bytes);
                    }
                }
            }
        }
    }
    let beyond = [
        AnyTile::from(TilePath::new(0, 2, 90).unwrap()),
        TilePath::new(0, 3, 1).unwrap().into(),
        TilePath::new(1, 0, 3).unwrap().into(),
        TilePath::new(2, 0, 1).unwrap().into(),
        TilePath::new(63, u64::MAX, 255).unwrap().into(),
        EntriesTile::new(2, 90).unwrap().into(),
        EntriesTile::new(u64::MAX, 256).unwrap().into(),
    ];
    for tile in beyond {
        assert_eq!(ledger.any_tile(&tile).unwrap(), None, "{tile}");
    }
}

#[test]
fn a_reopened_log_goes_on_where_it_stopped() {
    let fixture = Fixture::new();
    for n in 0..300 {
        fixture.append(n);
    }
    let (head, dir) = (fixture.ledger.head(), fixture.close());
    let ledger = reopen(dir.path()).unwrap();
    assert_eq!(ledger.head(), head);
    for n in 300..520 {
        check_all(&append(&ledger, n));
    }
    assert_eq!(ledger.size(), TreeSize::new(521));
    for n in [0, 255, 256, 300, 301, 520] {
        let index = LeafIndex::new(n);
        let leaf = ledger.leaf(index).unwrap().unwrap();
        let proof = TlogProof::parse(&ledger.proof(index).unwrap()).unwrap();
        proof.verify(&leaf_hash(&leaf.bytes), &[key()]).unwrap();
    }
}

#[test]
fn units_of_many_entries_cross_the_borders_of_tiles() {
    let fixture = Fixture::new();
    for count in [1_u64, 200, 60, 255, 256, 257, 1000, 1] {
        let ids: Vec<_> = (0..count).map(|_| fresh_id()).collect();
        let committed = fixture.ledger.commit(ReadSet::none(), move |step| {
            for (n, id) in (0..).zip(&ids) {
                step.push(*id, numbered(n))?;
            }
            Ok(())
        });
        let committed = committed.unwrap();
        assert_eq!(committed.entries.len() as u64, count);
        check_all(&committed);
        for entry in committed.entries.iter().step_by(50) {
            let proof = fixture.ledger.proof(entry.index).unwrap();
            assert_eq!(proof, *entry.proof, "fresh and read proofs are the same");
        }
    }
}

#[test]
fn two_threads_of_a_thousand_commits_each_lose_nothing() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let entries: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|thread| {
                scope.spawn(move || {
                    let commits = (0..1000).map(|n| append(ledger, thread * 1000 + n));
                    let commits = commits.inspect(check_all);
                    commits
                        .flat_map(|committed| committed.entries)
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(ledger.size(), TreeSize::new(2001));
    let indexes: BTreeSet<_> = entries.iter().map(|entry| entry.index).collect();
    assert_eq!(indexes.len(), 2000);
    for entry in entries {
        let stored = ledger.leaf(entry.index).unwrap().unwrap();
        assert_eq!(
            (stored.bytes, stored.entry_id),
            (entry.leaf, entry.entry_id)
        );
    }
}

#[test]
fn what_is_beyond_the_log_is_an_error_and_not_a_proof() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    fixture.append(1);
    assert_eq!(ledger.leaf(LeafIndex::new(2)).unwrap(), None);
    assert_eq!(ledger.leaf(LeafIndex::new(u64::MAX)).unwrap(), None);
    assert!(ledger.proof(LeafIndex::new(2)).is_err());
    assert!(ledger.proof(LeafIndex::new(u64::MAX)).is_err());
    assert!(
        ledger
            .consistency(TreeSize::ZERO, TreeSize::new(2))
            .is_err()
    );
    assert!(
        ledger
            .consistency(TreeSize::new(1), TreeSize::new(u64::MAX))
            .is_err()
    );
    assert!(
        ledger
            .consistency(TreeSize::new(2), TreeSize::new(1))
            .is_err()
    );
    assert_eq!(ledger.leaves(1..u64::MAX).unwrap().len(), 1);
    let range = std::ops::Range { start: 5, end: 2 };
    assert_eq!(ledger.leaves(range).unwrap().len(), 0);
    let other = Fixture::new();
    other.append(2);
    let foreign: Note = other.ledger.checkpoint().parse().unwrap();
    assert!(ledger.proof_at(LeafIndex::new(0), foreign).is_err());
}

/// Another process that appends has the log's key; somebody who only writes the database has not.
#[test]
fn entries_that_somebody_wrote_into_the_database_are_not_signed_with_the_next() {
    let fixture = Fixture::new();
    for n in 0..5 {
        fixture.append(n);
    }
    let ledger = &fixture.ledger;
    let size = ledger.size();
    let mut range = CompactRange::new();
    let mut leaves = ledger.leaves(0..size.get()).unwrap();
    let text = String::from_utf8(leaves.pop().unwrap().bytes).unwrap();
    let forged = text.replace("\"requests\":4", "\"requests\":5");
    let kept = leaves.iter().map(|leaf| leaf_hash(&leaf.bytes));
    let hashes = kept.chain([leaf_hash(text.as_bytes()), leaf_hash(forged.as_bytes())]);
    for hash in hashes {
        range.append(hash, &mut |_, _, _| {}).unwrap();
    }
    let frontier: Vec<u8> = range.hashes().iter().flat_map(|h| *h.as_bytes()).collect();
    let connection = Connection::open(database(fixture.dir.path())).unwrap();
    let index = size.get() as i64;
    let sql = "INSERT INTO leaves VALUES (?1, ?2, ?3)";
    let row = (index, fresh_id().to_bytes(), forged.as_bytes());
    connection.execute(sql, row).unwrap();
    let sql = "INSERT INTO runs VALUES (?1, 0, ?2)";
    let hash = leaf_hash(forged.as_bytes());
    connection.execute(sql, (index, hash.as_bytes())).unwrap();
    let sql = "UPDATE head SET size = ?1, hashes = ?2, root = ?3";
    let root = range.root();
    let head = (index + 1, frontier, root.as_bytes());
    connection.execute(sql, head).unwrap();
    drop(connection);
    let answer = ledger.commit(ReadSet::none(), one(9));
    assert!(
        matches!(answer, Err(CommitError::Halted { .. })),
        "{answer:?}"
    );
    assert_eq!(ledger.size(), size);
}
