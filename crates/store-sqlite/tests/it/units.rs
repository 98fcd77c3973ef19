//! What units of work see of the state and of each other.

use crate::support::{Fixture, START_MS, TestClock, append, check_all, fresh_id, numbered, one};
use crate::wrapper::Wrapper;
use countersign_core::document::SealedRecord;
use countersign_core::refs::Sha256;
use countersign_core::time::Timestamp;
use countersign_ledger::{
    CommitError, Committed, Ledger, PanicInWork, ReadSet, StateKey, StepError, Work, limits,
    version_of,
};
use countersign_merkle::{LeafIndex, TreeSize};
use std::sync::mpsc::{self, Receiver};

type Answer<T> = Receiver<Result<Committed<T>, CommitError>>;

fn submit<T: Send + 'static>(ledger: &Ledger, reads: ReadSet, work: Work<T>) -> Answer<T> {
    let (sender, receiver) = mpsc::channel();
    let done = Box::new(move |result| sender.send(result).unwrap());
    ledger.submit(reads, work, done);
    receiver
}

fn urgent<T: Send + 'static>(ledger: &Ledger, work: Work<T>) -> Answer<T> {
    let (sender, receiver) = mpsc::channel();
    let done = Box::new(move |result| sender.send(result).unwrap());
    ledger.submit_urgent(ReadSet::none(), work, done);
    receiver
}

/// Pushes one entry and sets a key.
fn setting(key: &str, value: &str) -> Work<()> {
    let (id, key, value) = (fresh_id(), StateKey::new(key), value.as_bytes().to_vec());
    Box::new(move |step| {
        step.put(key.clone(), value.clone())?;
        step.push(id, numbered(0)).map(|_| ())
    })
}

fn reading(ledger: &Ledger, key: &str) -> ReadSet {
    let key = StateKey::new(key);
    let found = ledger.state(&key).unwrap();
    let mut reads = ReadSet::none();
    reads.read(key, found.as_ref());
    reads
}

#[test]
fn bad_units_leave_nothing_and_do_not_disturb_their_neighbours() {
    let (fixture, wrapper) = Wrapper::fixture();
    let ledger = &fixture.ledger;
    let taken = fixture.append(1).entries[0].entry_id;
    let stale = reading(ledger, "policy/current");
    ledger
        .commit(ReadSet::none(), setting("policy/current", "a"))
        .unwrap();
    let fresh = reading(ledger, "policy/current");
    let size = ledger.size().get();

    let pass = wrapper.hold();
    let first = submit(ledger, ReadSet::none(), one(0));
    wrapper.wait();
    let good = submit(ledger, fresh.clone(), one(1));
    let bad_read = submit(ledger, stale, one(2));
    let duplicate: Work<()> = Box::new(move |step| step.push(taken, numbered(3)).map(|_| ()));
    let duplicate = submit(ledger, ReadSet::none(), duplicate);
    let (id, key) = (fresh_id(), StateKey::new("left-by-a-refused-unit"));
    let left = key.clone();
    let refused: Work<()> = Box::new(move |step| {
        step.put(left.clone(), b"x".to_vec())?;
        step.push(id, numbered(4))?;
        Err(StepError::refused("no, thank you"))
    });
    let refused = submit(ledger, ReadSet::none(), refused);
    let panicking: Work<()> = Box::new(|step| {
        step.push(fresh_id(), numbered(5))?;
        panic!("a defect")
    });
    let panicking = submit(ledger, ReadSet::none(), panicking);
    let unspoken: Work<()> = Box::new(|step| step.put("unspoken".into(), Vec::new()));
    let unspoken = submit(ledger, ReadSet::none(), unspoken);
    let late = ReadSet {
        valid_until: Some(Timestamp::from_millis(START_MS - 1)),
        ..ReadSet::none()
    };
    let late = submit(ledger, late, one(6));
    let in_time = ReadSet {
        valid_until: Some(Timestamp::from_millis(START_MS)),
        ..ReadSet::none()
    };
    let in_time = submit(ledger, in_time, one(7));
    let again: Work<()> = Box::new(move |step| step.push(id, numbered(8)).map(|_| ()));
    let again = submit(ledger, ReadSet::none(), again);
    drop(pass);

    check_all(&first.recv().unwrap().unwrap());
    for (answer, place) in [(good, 1), (in_time, 2), (again, 3)] {
        let committed = answer.recv().unwrap().unwrap();
        check_all(&committed);
        assert_eq!(committed.entries[0].index, LeafIndex::new(size + place));
        assert_eq!(committed.size, TreeSize::new(size + 4), "one batch");
    }
    let error = |answer: Answer<()>| answer.recv().unwrap().unwrap_err();
    assert!(
        matches!(error(bad_read), CommitError::Stale { keys } if keys == ["policy/current".into()])
    );
    assert!(matches!(error(duplicate), CommitError::Duplicate { entry_id } if entry_id == taken));
    assert_eq!(error(refused).to_string(), "no, thank you");
    let CommitError::Refused(panic) = error(panicking) else {
        panic!("a panic is a refusal");
    };
    assert_eq!(
        panic.downcast_ref::<PanicInWork>().unwrap().message,
        "a defect"
    );
    assert!(matches!(error(unspoken), CommitError::WithoutEntry));
    assert!(matches!(error(late), CommitError::Stale { keys } if keys.is_empty()));
    assert_eq!(ledger.state(&key).unwrap(), None);
    assert_eq!(ledger.state(&"unspoken".into()).unwrap(), None);
    assert_eq!(ledger.size(), TreeSize::new(size + 4));
}

#[test]
fn a_unit_sees_what_the_ones_before_it_in_the_batch_have_left() {
    let (fixture, wrapper) = Wrapper::fixture();
    let ledger = &fixture.ledger;
    let pass = wrapper.hold();
    let first = submit(ledger, ReadSet::none(), one(0));
    wrapper.wait();
    // Two calls in flight with one idempotency key: the second must answer with the first's entry.
    let keyed = || -> Work<(bool, Vec<u8>)> {
        let id = fresh_id();
        Box::new(move |step| {
            let key = StateKey::new("idem/k");
            if let Some(found) = step.state(&key)? {
                return Ok((true, found.value.unwrap_or_default()));
            }
            step.put(key, id.to_string().into_bytes())?;
            step.push(id, numbered(1))?;
            Ok((false, id.to_string().into_bytes()))
        })
    };
    // Both were judged when the key was not there; only the lock tells.
    let second = submit(ledger, ReadSet::none(), keyed());
    let third = submit(ledger, ReadSet::none(), keyed());
    let read_before = reading(ledger, "idem/k");
    let fourth = submit(ledger, read_before, keyed());
    drop(pass);
    first.recv().unwrap().unwrap();
    let second = second.recv().unwrap().unwrap();
    let third = third.recv().unwrap().unwrap();
    assert!(!second.value.0 && third.value.0);
    assert_eq!(second.value.1, third.value.1);
    assert_eq!(third.entries, []);
    assert_eq!(third.size, second.size);
    assert_eq!(third.checkpoint, second.checkpoint);
    let stale = fourth.recv().unwrap();
    assert!(
        matches!(stale, Err(CommitError::Stale { .. })),
        "stale through its own batch"
    );
    let alone = ledger.commit(ReadSet::none(), keyed()).unwrap();
    assert!(alone.value.0);
    assert_eq!(ledger.size(), TreeSize::new(3));
}

#[test]
fn versions_tell_every_change_and_are_kept_by_what_was_deleted() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let key = StateKey::new("intent/x");
    assert_eq!(ledger.state(&key).unwrap(), None);
    let never = reading(ledger, "intent/x");
    ledger
        .commit(ReadSet::none(), setting("intent/x", "1"))
        .unwrap();
    let first = ledger.state(&key).unwrap().unwrap();
    assert_eq!(first.value.as_deref(), Some(&b"1"[..]));
    assert_eq!(first.version, LeafIndex::new(1));
    let read = reading(ledger, "intent/x");
    let deleted = ledger.commit(ReadSet::none(), |step| {
        let key = StateKey::new("intent/x");
        // The version is that of the unit's first entry, wherever the change stands in it.
        step.push(fresh_id(), numbered(0))?;
        step.push(fresh_id(), numbered(1))?;
        step.delete(key.clone())?;
        assert_eq!(
            version_of(step.state(&key)?.as_ref()),
            Some(LeafIndex::new(2))
        );
        Ok(step.next_index())
    });
    assert_eq!(deleted.unwrap().value, LeafIndex::new(4));
    let gone = ledger.state(&key).unwrap().unwrap();
    assert_eq!((gone.value, gone.version), (None, LeafIndex::new(2)));
    let gone = reading(ledger, "intent/x");
    ledger
        .commit(ReadSet::none(), setting("intent/x", "1"))
        .unwrap();
    for old in [never, read, gone] {
        let answer = ledger.commit(old, one(0));
        assert!(matches!(answer, Err(CommitError::Stale { .. })));
    }
    ledger.commit(reading(ledger, "intent/x"), one(0)).unwrap();
}

#[test]
fn keys_are_scanned_in_order_and_by_page() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    for key in ["b/1", "a/2", "a/1", "a/é", "a0", "a/\u{10fffd}", "a", "c/1"] {
        ledger.commit(ReadSet::none(), setting(key, key)).unwrap();
    }
    let delete: Work<()> = Box::new(|step| {
        step.delete("a/2".into())?;
        step.push(fresh_id(), numbered(0)).map(|_| ())
    });
    ledger.commit(ReadSet::none(), delete).unwrap();
    let keys = |prefix, after: Option<&str>, limit| -> Vec<String> {
        let after = after.map(StateKey::new);
        let found = ledger.scan(prefix, after.as_ref(), limit).unwrap();
        found.into_iter().map(|(key, _)| key.to_string()).collect()
    };
    assert_eq!(keys("a/", None, 10), ["a/1", "a/é", "a/\u{10fffd}"]);
    assert_eq!(keys("a/", Some("a/1"), 1), ["a/é"]);
    assert_eq!(keys("a/", Some("a/\u{10fffd}"), 1), [""; 0]);
    assert_eq!(keys("", None, 10).len(), 7);
    assert_eq!(keys("'%_", None, 10), [""; 0]);
}

#[test]
fn sealed_records_are_kept_as_they_were_first_stored() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let record = |fill: u8| SealedRecord {
        reference: Sha256::of(b"document"),
        kind: "intent".to_owned(),
        key_id: "k1".to_owned(),
        wrapped_key: vec![fill; 40],
        nonce: vec![fill; 12],
        ciphertext: vec![fill; 100_000],
    };
    for fill in [1, 2] {
        let sealing: Work<()> = Box::new(move |step| {
            step.seal(record(fill))?;
            step.push(fresh_id(), numbered(0)).map(|_| ())
        });
        ledger.commit(ReadSet::none(), sealing).unwrap();
    }
    assert_eq!(
        ledger.sealed(&Sha256::of(b"document")).unwrap(),
        Some(record(1))
    );
    assert_eq!(ledger.sealed(&Sha256::of(b"other")).unwrap(), None);
}

#[test]
fn units_that_are_too_large_are_refused() {
    let fixture = Fixture::new();
    let ledger = &fixture.ledger;
    let works: [Work<()>; 4] = [
        Box::new(|step| {
            for _ in 0..=limits::UNIT_ENTRIES {
                step.push(fresh_id(), numbered(0))?;
            }
            Ok(())
        }),
        Box::new(|step| {
            step.put(
                "k".repeat(limits::STATE_KEY_BYTES + 1).as_str().into(),
                vec![],
            )
        }),
        Box::new(|step| step.put("k".into(), vec![0; limits::STATE_VALUE_BYTES + 1])),
        Box::new(|step| {
            for n in 0..20 {
                step.put(
                    StateKey::new(n.to_string()),
                    vec![0; limits::STATE_VALUE_BYTES],
                )?;
            }
            Ok(())
        }),
    ];
    for work in works {
        let answer = ledger.commit(ReadSet::none(), work);
        assert!(matches!(answer, Err(CommitError::TooLong(_))), "{answer:?}");
    }
    assert_eq!(ledger.size(), TreeSize::new(1));
}

#[test]
fn a_full_queue_is_busy_and_lets_urgent_units_through_first() {
    let (fixture, wrapper) = Wrapper::fixture();
    let ledger = &fixture.ledger;
    let pass = wrapper.hold();
    let first = submit(ledger, ReadSet::none(), one(0));
    wrapper.wait();
    let waiting: Vec<_> = (0..limits::QUEUE_UNITS as u64)
        .map(|n| submit(ledger, ReadSet::none(), one(n)))
        .collect();
    let refused = submit(ledger, ReadSet::none(), one(0));
    assert!(matches!(refused.recv().unwrap(), Err(CommitError::Busy)));
    let urgents: Vec<_> = (0..limits::URGENT_UNITS as u64)
        .map(|n| urgent(ledger, one(n)))
        .collect();
    let refused = urgent(ledger, one(0));
    assert!(matches!(refused.recv().unwrap(), Err(CommitError::Busy)));
    assert_eq!(
        ledger.health().waiting,
        limits::QUEUE_UNITS + limits::URGENT_UNITS
    );
    drop(pass);
    first.recv().unwrap().unwrap();
    for (n, answer) in (2..).zip(urgents) {
        let committed = answer.recv().unwrap().unwrap();
        assert_eq!(committed.entries[0].index, LeafIndex::new(n));
    }
    for answer in waiting {
        check_all(&answer.recv().unwrap().unwrap());
    }
    assert_eq!(ledger.health().waiting, 0);
}

#[test]
fn a_clock_may_fall_back_a_little_and_never_far() {
    let fixture = Fixture::new();
    let (ledger, clock): (_, &TestClock) = (&fixture.ledger, &fixture.clock);
    let time = |committed: Committed<()>| committed.entries[0].timestamp.as_millis() - START_MS;
    clock.set(START_MS + 10_000);
    assert_eq!(time(fixture.append(0)), 10_000);
    for behind in [1_000, 2_000] {
        clock.set(START_MS + 10_000 - behind);
        assert_eq!(time(fixture.append(1)), 10_000, "the head's time stands");
    }
    for behind in [2_001, 3_600_000] {
        clock.set(START_MS + 10_000 - behind);
        let answer = ledger.commit(ReadSet::none(), one(2));
        let Err(CommitError::ClockBehind { head, clock }) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(head.millis_since(clock), behind);
    }
    assert_eq!(ledger.size(), TreeSize::new(4));
    clock.set(START_MS + 11_000);
    assert_eq!(time(fixture.append(3)), 11_000);
}

#[test]
fn a_closed_ledger_finishes_what_waits() {
    let (fixture, wrapper) = Wrapper::fixture();
    let pass = wrapper.hold();
    let answers: Vec<_> = (0..10)
        .map(|n| submit(&fixture.ledger, ReadSet::none(), one(n)))
        .collect();
    wrapper.wait();
    let reader = fixture.ledger.reader();
    drop(pass);
    let dir = fixture.close();
    for answer in answers {
        check_all(&answer.recv().unwrap().unwrap());
    }
    assert_eq!(reader.size(), TreeSize::new(11));
    let ledger = crate::support::reopen(dir.path()).unwrap();
    append(&ledger, 11);
}

#[test]
fn what_did_not_fit_the_last_batch_is_not_committed_after_a_halt() {
    let (fixture, wrapper) = Wrapper::fixture();
    let ledger = &fixture.ledger;
    let pass = wrapper.hold();
    let first = submit(ledger, ReadSet::none(), one(0));
    wrapper.wait();
    let large = || -> Work<()> {
        let ids: Vec<_> = (0..limits::UNIT_ENTRIES).map(|_| fresh_id()).collect();
        Box::new(move |step| {
            let mut ids = ids.iter();
            ids.try_for_each(|id| step.push(*id, numbered(0)).map(|_| ()))
        })
    };
    let fit = limits::BATCH_ENTRIES / limits::UNIT_ENTRIES;
    let waiting: Vec<_> = (0..fit + 2)
        .map(|_| submit(ledger, ReadSet::none(), large()))
        .collect();
    let last = wrapper.hold();
    drop(pass);
    wrapper.wait();
    ledger.halt("a witness says so");
    drop(last);
    first.recv().unwrap().unwrap();
    for (n, answer) in waiting.into_iter().enumerate() {
        match answer.recv().unwrap() {
            Ok(committed) => assert!(n < fit, "{n}: {}", committed.size),
            Err(CommitError::Halted { reason }) => {
                assert!(n >= fit && reason.contains("a witness"), "{n}: {reason}");
            }
            Err(other) => panic!("{n}: {other}"),
        }
    }
}
