//! Commits of unknown outcome, heads that do not fit, stores that fail.

use crate::support::{Fixture, append, check_all, clock, fresh_id, numbered, one, parts};
use crate::wrapper::{Act, Wrapper};
use countersign_core::names::Origin;
use countersign_ledger::store::{NotCommitted, StoreError};
use countersign_ledger::{CommitError, Head, Ledger, ReadSet, Store as _};
use countersign_merkle::{LeafIndex, TreeSize};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Every entry of the log, and that the log is whole.
fn entry_count(fixture: &Fixture) -> u64 {
    let head = fixture.store.head().unwrap().unwrap();
    let size = head.size().get();
    assert_eq!(
        fixture.store.leaves(0..u64::MAX).unwrap().len() as u64,
        size
    );
    size
}

#[test]
fn a_commit_that_took_place_unbeknown_is_answered_and_not_repeated() {
    let (fixture, wrapper) = Wrapper::fixture();
    let runs = Arc::new(AtomicUsize::new(0));
    for n in 1..=3 {
        wrapper.then(Act::CommitThenUnknown);
        let (id, counted) = (fresh_id(), Arc::clone(&runs));
        let committed = fixture.ledger.commit(ReadSet::none(), move |step| {
            counted.fetch_add(1, Ordering::Relaxed);
            step.push(id, numbered(n)).map(|_| ())
        });
        let committed = committed.unwrap();
        check_all(&committed);
        assert_eq!(committed.entries[0].index, LeafIndex::new(n));
    }
    assert!(wrapper.is_done());
    assert_eq!(runs.load(Ordering::Relaxed), 3);
    assert_eq!(entry_count(&fixture), 4);
}

#[test]
fn a_commit_that_did_not_take_place_is_planned_afresh() {
    let (fixture, wrapper) = Wrapper::fixture();
    let runs = Arc::new(AtomicUsize::new(0));
    for _ in 0..3 {
        wrapper.then(Act::NothingThenUnknown);
        // The head is read between the tries.
        wrapper.then(Act::Hold(std::sync::mpsc::sync_channel(0).1));
    }
    let (id, counted) = (fresh_id(), Arc::clone(&runs));
    let committed = fixture.ledger.commit(ReadSet::none(), move |step| {
        counted.fetch_add(1, Ordering::Relaxed);
        step.push(id, numbered(1)).map(|_| ())
    });
    check_all(&committed.unwrap());
    assert!(wrapper.is_done());
    assert_eq!(runs.load(Ordering::Relaxed), 4);
    assert_eq!(entry_count(&fixture), 2);
}

#[test]
fn a_store_that_never_knows_gives_an_error_and_the_ledger_goes_on() {
    let (fixture, wrapper) = Wrapper::fixture();
    for _ in 0..=countersign_ledger::limits::REPLANS {
        wrapper.then(Act::NothingThenUnknown);
        wrapper.then(Act::Hold(std::sync::mpsc::sync_channel(0).1));
    }
    let answer = fixture.ledger.commit(ReadSet::none(), one(1));
    assert!(
        matches!(answer, Err(CommitError::Unavailable { .. })),
        "{answer:?}"
    );
    assert_eq!(entry_count(&fixture), 1);
    check_all(&fixture.append(2));
}

/// What another process that appends to the same store would do.
fn second(fixture: &Fixture) -> Ledger {
    let dir = fixture.dir.path().join("second");
    if !dir.exists() {
        std::fs::create_dir(&dir).unwrap();
    }
    std::fs::copy(fixture.dir.path().join("head"), dir.join("head")).unwrap();
    Ledger::open(parts(&dir, fixture.store.clone(), clock())).unwrap()
}

#[test]
fn others_may_append_while_an_outcome_is_unknown() {
    let (fixture, wrapper) = Wrapper::fixture();
    let other = Arc::new(second(&fixture));
    let appending = |n| {
        let other = Arc::clone(&other);
        Box::new(move || check_all(&append(&other, n)))
    };
    wrapper.then(Act::CommitThenRunThenUnknown(appending(2)));
    let first = fixture.append(1);
    check_all(&first);
    assert_eq!(first.entries[0].index, LeafIndex::new(1));
    assert_eq!(
        first.size,
        TreeSize::new(2),
        "the checkpoint that was signed with it"
    );

    wrapper.then(Act::RunThenUnknown(appending(3)));
    let third = fixture.append(4);
    check_all(&third);
    assert_eq!(third.entries[0].index, LeafIndex::new(4));
    assert_eq!(entry_count(&fixture), 5);
}

#[test]
fn two_ledgers_on_one_store_follow_each_other() {
    let fixture = Fixture::new();
    let other = second(&fixture);
    for n in 0..300 {
        check_all(&fixture.append(n));
        check_all(&append(&other, n));
        if n % 50 == 0 {
            // A unit that only looks sees, and proves by, the other's head.
            let looked = fixture
                .ledger
                .commit(ReadSet::none(), |step| Ok(step.next_index()));
            let looked = looked.unwrap();
            assert_eq!(looked.value.get(), looked.size.get());
            assert_eq!(*looked.checkpoint, *other.checkpoint());
        }
    }
    assert_eq!(entry_count(&fixture), 601);
    for index in [0, 255, 256, 300, 599] {
        let index = LeafIndex::new(index);
        let leaf = other.leaf(index).unwrap();
        assert_eq!(fixture.ledger.leaf(index).unwrap(), leaf);
        fixture.ledger.proof(index).unwrap();
    }
}

#[test]
fn a_head_that_does_not_extend_what_was_released_stops_the_ledger() {
    let origin: Origin = crate::support::ORIGIN.parse().unwrap();
    let other = Fixture::new();
    for n in 0..20 {
        other.append(n);
    }
    let contradicting = other.ledger.head();
    for n in 20..40 {
        other.append(n);
    }
    let larger = other.ledger.head();
    let elsewhere = Head::empty("example.org/other".parse().unwrap());
    let heads = [
        None,
        Some(Head::empty(origin)),
        Some(elsewhere),
        Some(contradicting),
        Some(larger),
    ];
    for (case, head) in heads.into_iter().enumerate() {
        let (fixture, wrapper) = Wrapper::fixture();
        for n in 0..20 {
            fixture.append(n);
        }
        wrapper.then(Act::ShowHead(head));
        let answer = fixture.ledger.commit(ReadSet::none(), one(1));
        assert!(
            matches!(answer, Err(CommitError::Halted { .. })),
            "{case}: {answer:?}"
        );
        assert!(fixture.ledger.health().halted.is_some());
        let after = fixture.ledger.commit_urgent(ReadSet::none(), one(2));
        assert!(
            matches!(after, Err(CommitError::Halted { .. })),
            "{after:?}"
        );
        assert_eq!(entry_count(&fixture), 21);
    }
}

#[test]
fn a_store_that_may_lose_what_it_confirms_stops_the_ledger() {
    let (fixture, wrapper) = Wrapper::fixture();
    let detail = "fsync".to_owned();
    wrapper.then(Act::Fail(StoreError::Fatal { detail }));
    let answer = fixture.ledger.commit(ReadSet::none(), one(1));
    assert!(
        matches!(answer, Err(CommitError::Halted { .. })),
        "{answer:?}"
    );
    let answer = fixture.ledger.commit(ReadSet::none(), one(2));
    assert!(
        matches!(answer, Err(CommitError::Halted { .. })),
        "{answer:?}"
    );
    // What was released can still be read.
    assert!(fixture.ledger.proof(LeafIndex::new(0)).is_ok());
}

#[test]
fn a_store_that_refuses_is_tried_again_by_whoever_wants_to() {
    let (fixture, wrapper) = Wrapper::fixture();
    let refuse = |reason| {
        let detail = "no".to_owned();
        wrapper.then(Act::Fail(StoreError::NotCommitted { reason, detail }));
        fixture.ledger.commit(ReadSet::none(), one(1)).unwrap_err()
    };
    assert!(matches!(refuse(NotCommitted::Busy), CommitError::Busy));
    assert!(matches!(
        refuse(NotCommitted::Full),
        CommitError::StorageFull
    ));
    assert!(matches!(
        refuse(NotCommitted::Io),
        CommitError::Unavailable { .. }
    ));
    wrapper.then(Act::NoState);
    let ignoring = fixture.ledger.commit(ReadSet::none(), |step| {
        // A verdict must not rest on a read that failed, even if nobody minds.
        let _ = step.state(&"policy/current".into());
        step.push(fresh_id(), numbered(1)).map(|_| ())
    });
    assert!(
        matches!(ignoring, Err(CommitError::Unavailable { .. })),
        "{ignoring:?}"
    );
    assert_eq!(entry_count(&fixture), 1);
    check_all(&fixture.append(1));
}

#[test]
fn a_callback_that_panics_ends_nothing() {
    let fixture = Fixture::new();
    let done = Box::new(|_| panic!("a defect"));
    fixture.ledger.submit(ReadSet::none(), one(1), done);
    check_all(&fixture.append(2));
    assert_eq!(entry_count(&fixture), 3);
}
