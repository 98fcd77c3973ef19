//! Erasing records: no byte of them is left in any file, and nothing else is touched.

use crate::support::{Fixture, database, fresh_id, numbered, random};
use countersign_core::document::SealedRecord;
use countersign_core::random::bytes32;
use countersign_core::refs::Sha256;
use countersign_ledger::{ReadSet, StateKey, Store as _};
use countersign_store_sqlite::SqliteStore;
use rusqlite::Connection;
use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// A record whose key and content are found again by their bytes.
fn record(bytes: usize) -> SealedRecord {
    let mut ciphertext = vec![0; bytes];
    random().fill(&mut ciphertext);
    SealedRecord {
        reference: Sha256::of(&bytes32(random())),
        kind: "call".to_owned(),
        key_id: "01HYB7K3M4FXQZ9V2N6PTJD8RC".to_owned(),
        wrapped_key: bytes32(random()).to_vec(),
        nonce: vec![1; 12],
        ciphertext,
    }
}

fn seal(fixture: &Fixture, records: &[SealedRecord]) {
    let records = records.to_vec();
    let id = fresh_id();
    let sealed = fixture.ledger.commit(ReadSet::none(), move |step| {
        step.push(id, numbered(1))?;
        for record in &records {
            let key = StateKey::new(format!("of/{}", record.reference));
            step.put(key, record.nonce.clone())?;
            step.seal(record.clone())?;
        }
        Ok(())
    });
    sealed.unwrap();
}

fn erase(fixture: &Fixture, records: &[SealedRecord]) {
    let refs: Vec<_> = records.iter().map(|record| record.reference).collect();
    let id = fresh_id();
    let erased = fixture.ledger.commit(ReadSet::none(), move |step| {
        step.push(id, numbered(1))?;
        for reference in &refs {
            step.purge(StateKey::new(format!("of/{reference}")))?;
            step.erase(*reference)?;
        }
        Ok(())
    });
    erased.unwrap();
}

/// Pieces of a record's key and content, by which it is found again.
fn pieces(record: &SealedRecord) -> [[u8; 16]; 2] {
    let middle = record.ciphertext.len() / 2;
    [
        record.wrapped_key[..16].try_into().unwrap(),
        record.ciphertext[middle..][..16].try_into().unwrap(),
    ]
}

/// How many pieces of the records stand in any file of the directory.
fn traces<'r>(directory: &Path, records: impl IntoIterator<Item = &'r SealedRecord>) -> usize {
    let wanted: HashSet<[u8; 16]> = records.into_iter().flat_map(pieces).collect();
    let files = fs::read_dir(database(directory).parent().unwrap()).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let files = files.filter(|path| path.is_file());
    let files = files.map(|path| fs::read(path).unwrap());
    files
        .map(|file| {
            let windows = file.windows(16);
            windows.filter(|bytes| wanted.contains(*bytes)).count()
        })
        .sum()
}

fn truncate(fixture: &Fixture) {
    let mut tries = 0;
    while !fixture.store.truncate_log().unwrap() {
        tries += 1;
        assert!(tries < 100, "a reader stays");
    }
}

#[test]
fn nothing_of_what_was_erased_is_left_in_any_file_and_all_else_is() {
    let fixture = Fixture::new();
    // On one page with others, on pages of its own, and larger than the page that lists free pages.
    let lengths = [60, 300, 900, 3_900, 5_000, 20_000, 70_000, 40, 4_061];
    let mut kept = Vec::new();
    for round in 0..6 {
        let all: Vec<_> = (0..90).map(|n| record(lengths[(n + round) % 9])).collect();
        seal(&fixture, &all);
        kept.extend(all);
        // Neighbours, single ones, and old ones among them.
        let mut gone: Vec<_> = kept.drain(10 * round..10 * round + 25).collect();
        gone.extend((0..20).map(|n| kept.remove((n * 7 + round) % kept.len())));
        for some in gone.chunks(9) {
            erase(&fixture, some);
        }
        truncate(&fixture);
        let wal = database(fixture.dir.path()).with_file_name("ledger.sqlite-wal");
        assert_eq!(fs::metadata(wal).unwrap().len(), 0);
        assert_eq!(traces(fixture.dir.path(), &gone), 0, "round {round}");
        for record in &gone {
            assert_eq!(fixture.store.sealed(&record.reference).unwrap(), None);
        }
    }
    for record in &kept {
        let stored = fixture.store.sealed(&record.reference).unwrap();
        assert_eq!(stored.as_ref(), Some(record));
    }
    assert!(
        traces(fixture.dir.path(), &kept) >= 2 * kept.len(),
        "the search finds what is there"
    );
}

#[test]
fn a_reader_in_the_way_is_said_and_the_log_is_cut_when_it_ends() {
    let fixture = Fixture::new();
    let gone = record(500);
    seal(&fixture, std::slice::from_ref(&gone));
    truncate(&fixture);
    seal(&fixture, &[record(10)]);
    let reader = Connection::open(database(fixture.dir.path())).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM sealed")
        .unwrap();
    erase(&fixture, std::slice::from_ref(&gone));
    assert!(!fixture.store.truncate_log().unwrap());
    reader.execute_batch("COMMIT").unwrap();
    truncate(&fixture);
    assert_eq!(traces(fixture.dir.path(), [&gone]), 0);
}

#[test]
fn what_a_killed_process_left_in_the_log_is_gone_after_the_next_start() {
    let fixture = Fixture::new();
    let gone = record(500);
    seal(&fixture, std::slice::from_ref(&gone));
    // The files as a process leaves them that is killed before it could cut the log.
    let reader = Connection::open(database(fixture.dir.path())).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM sealed")
        .unwrap();
    erase(&fixture, std::slice::from_ref(&gone));
    let copy = tempfile::tempdir().unwrap();
    let (from, to) = (database(fixture.dir.path()), database(copy.path()));
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    for suffix in ["", "-wal"] {
        let named = |path: &Path| format!("{}{suffix}", path.display());
        fs::copy(named(&from), named(&to)).unwrap();
    }
    assert_ne!(traces(copy.path(), [&gone]), 0, "the log holds it");
    drop(reader);
    let store = SqliteStore::open(&database(copy.path())).unwrap();
    let mut tries = 0;
    while !store.truncate_log().unwrap() {
        tries += 1;
        assert!(tries < 100);
    }
    assert_eq!(traces(copy.path(), [&gone]), 0);
}

#[test]
fn a_purged_key_is_as_if_it_had_never_been() {
    let fixture = Fixture::new();
    let gone = record(50);
    let key = StateKey::new(format!("of/{}", gone.reference));
    seal(&fixture, std::slice::from_ref(&gone));
    let found = fixture.store.state(&key).unwrap();
    assert!(found.is_some());
    let mut stale = ReadSet::none();
    stale.read(key.clone(), found.as_ref());
    erase(&fixture, std::slice::from_ref(&gone));
    assert_eq!(fixture.store.state(&key).unwrap(), None);
    let id = fresh_id();
    let refused = fixture
        .ledger
        .commit(stale, move |step| step.push(id, numbered(1)).map(|_| ()));
    assert!(refused.is_err(), "what rested on it does not hold any more");
    // Put again in the same batch, or later, it is there.
    let id = fresh_id();
    let again = key.clone();
    let put = fixture.ledger.commit(ReadSet::none(), move |step| {
        step.push(id, numbered(1))?;
        step.purge(again.clone())?;
        step.put(again.clone(), vec![7])
    });
    put.unwrap();
    let found = fixture.store.state(&key).unwrap();
    assert_eq!(found.and_then(|found| found.value), Some(vec![7]));
}
