//! Keys of records that are wrapped anew: beside the commits, durably, and nothing else changes.

use crate::support::{Fixture, fresh_id, numbered};
use countersign_core::document::SealedRecord;
use countersign_core::refs::Sha256;
use countersign_ledger::{CommitError, NewWrapping, NotAdmitted, ReadSet, Store as _, WrappedKey};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, mpsc};

fn record(number: u64, key_id: &str, bytes: usize) -> SealedRecord {
    SealedRecord {
        reference: Sha256::of(&number.to_be_bytes()),
        kind: "call".to_owned(),
        key_id: key_id.to_owned(),
        wrapped_key: vec![number as u8; 40],
        nonce: vec![1; 45],
        ciphertext: vec![2; bytes],
    }
}

fn seal(fixture: &Fixture, records: Vec<SealedRecord>) -> Result<(), CommitError> {
    let id = fresh_id();
    let sealed = fixture.ledger.commit(ReadSet::none(), move |step| {
        step.push(id, numbered(1))?;
        records
            .iter()
            .try_for_each(|record| step.seal(record.clone()))
    });
    sealed.map(|_| ())
}

fn new_wrapping(old: &WrappedKey, key_id: &str) -> NewWrapping {
    NewWrapping {
        reference: old.reference,
        before: old.key_id.clone(),
        key_id: key_id.to_owned(),
        wrapped_key: old.wrapped_key.iter().map(|byte| byte ^ 0xff).collect(),
    }
}

#[test]
fn records_are_found_in_order_and_only_their_keys_change() {
    let fixture = Fixture::new();
    let lengths = [10, 5_000, 100_000];
    for number in 0..9u64 {
        let length = lengths[number as usize % 3];
        seal(&fixture, vec![record(number, "vault-1-x", length)]).unwrap();
    }
    seal(&fixture, vec![record(9, "vault-10-new", 10)]).unwrap();
    let ledger = &fixture.ledger;
    let checkpoint = ledger.checkpoint();
    let (mut after, mut found) = (0, Vec::new());
    loop {
        let some = ledger.wrapped_otherwise("vault-10-new", after, 4).unwrap();
        let Some(last) = some.last() else { break };
        after = last.place;
        let keys: Vec<_> = some
            .iter()
            .map(|old| new_wrapping(old, "vault-10-new"))
            .collect();
        assert_eq!(ledger.rewrap(&keys).unwrap(), keys.len());
        // The second time there is nothing to do.
        assert_eq!(ledger.rewrap(&keys).unwrap(), 0);
        found.extend(some);
    }
    assert_eq!(found.len(), 9);
    assert!(found.is_sorted_by_key(|key| key.place));
    for (number, found) in found.iter().enumerate() {
        assert_eq!(found.reference, record(number as u64, "", 0).reference);
        assert_eq!(found.bytes, lengths[number % 3] as u64);
    }
    for number in 0..9u64 {
        let before = record(number, "vault-1-x", lengths[number as usize % 3]);
        let expected = SealedRecord {
            key_id: "vault-10-new".to_owned(),
            wrapped_key: vec![!(number as u8); 40],
            ..before
        };
        let stored = ledger.sealed(&expected.reference).unwrap();
        assert_eq!(stored, Some(expected));
    }
    assert_eq!(ledger.last_sealed().unwrap(), 10);
    assert_eq!(ledger.checkpoint(), checkpoint, "no head has changed");
    seal(&fixture, vec![record(10, "vault-10-new", 10)]).unwrap();
}

#[test]
fn a_record_that_was_erased_meanwhile_does_not_come_back() {
    let fixture = Fixture::new();
    seal(&fixture, vec![record(1, "a", 10), record(2, "a", 10)]).unwrap();
    let ledger = &fixture.ledger;
    let found = ledger.wrapped_otherwise("b", 0, 10).unwrap();
    let (id, gone) = (fresh_id(), found[0].reference);
    ledger
        .commit(ReadSet::none(), move |step| {
            step.push(id, numbered(1))?;
            step.erase(gone)
        })
        .unwrap();
    let keys: Vec<_> = found.iter().map(|old| new_wrapping(old, "b")).collect();
    assert_eq!(ledger.rewrap(&keys).unwrap(), 1);
    assert_eq!(ledger.sealed(&gone).unwrap(), None);
    assert_eq!(fixture.store.wrapped_otherwise("b", 0, 10).unwrap(), []);
}

#[test]
fn records_are_looked_at_before_they_are_stored() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let refuses = Arc::new(AtomicBool::new(false));
    let refused = Arc::clone(&refuses);
    ledger.admit_by(Box::new(move |record| {
        record.key_id = "newest".to_owned();
        match refused.load(Ordering::SeqCst) {
            true => Err(NotAdmitted),
            false => Ok(()),
        }
    }));
    seal(&fixture, vec![record(1, "old", 10)]).unwrap();
    let stored = ledger.sealed(&record(1, "", 0).reference).unwrap().unwrap();
    assert_eq!(stored.key_id, "newest");
    refuses.store(true, Ordering::SeqCst);
    let size = ledger.size();
    let answer = seal(&fixture, vec![record(2, "old", 10)]);
    assert!(
        matches!(answer, Err(CommitError::Stale { .. })),
        "{answer:?}"
    );
    assert_eq!(ledger.sealed(&record(2, "", 0).reference).unwrap(), None);
    // A unit without records is not concerned, and one that failed has left nothing.
    seal(&fixture, Vec::new()).unwrap();
    assert_eq!(ledger.size().get(), size.get() + 1);
}

/// What was admitted under an older key is in the store when `rest` returns, where it is found.
#[test]
fn after_a_rest_nothing_comes_that_was_admitted_before() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let epoch = Arc::new(AtomicU8::new(1));
    let (newest, (planning, planned), (go, gone)) = (
        Arc::clone(&epoch),
        mpsc::sync_channel(1),
        mpsc::sync_channel::<()>(1),
    );
    let gone = std::sync::Mutex::new(gone);
    ledger.admit_by(Box::new(move |record| {
        record.key_id = newest.load(Ordering::SeqCst).to_string();
        if record.reference == Sha256::of(&7u64.to_be_bytes()) {
            planning.send(()).unwrap();
            gone.lock().unwrap().recv().unwrap();
        }
        Ok(())
    }));
    std::thread::scope(|scope| {
        let sealing = scope.spawn(|| seal(&fixture, vec![record(7, "0", 10)]));
        planned.recv().unwrap();
        // It was admitted, and is not committed yet: the epoch changes.
        epoch.store(2, Ordering::SeqCst);
        let resting = scope.spawn(|| ledger.rest());
        go.send(()).unwrap();
        resting.join().unwrap().unwrap();
        let found = ledger.wrapped_otherwise("2", 0, 10).unwrap();
        assert_eq!(found.len(), 1);
        sealing.join().unwrap().unwrap();
    });
    seal(&fixture, vec![record(8, "0", 10)]).unwrap();
    assert_eq!(ledger.wrapped_otherwise("2", 0, 10).unwrap().len(), 1);
}

#[test]
fn a_store_that_is_only_read_wraps_nothing_anew() {
    let fixture = Fixture::new();
    seal(&fixture, vec![record(1, "a", 10)]).unwrap();
    let path = crate::support::database(fixture.dir.path());
    let store = countersign_store_sqlite::SqliteStore::open_read_only(&path).unwrap();
    let found = store.wrapped_otherwise("b", 0, 10).unwrap();
    assert_eq!(found.len(), 1);
    assert!(store.rewrap(&[new_wrapping(&found[0], "b")]).is_err());
}
