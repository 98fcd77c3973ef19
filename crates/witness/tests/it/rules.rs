//! Which checkpoints are cosigned, and what is said of the others.

use countersign_merkle::{Hash, TreeSize};
use countersign_note::{
    KeyName, Note, NoteSignature, NoteSigner as _, SignedCheckpoint, sign_note,
};
use countersign_witness::{
    AddCheckpoint, Answer, FileStore, LogName, MemoryStore, Witness, WitnessError, WitnessStore,
};

use crate::kit::{Key, Log, ORIGIN, cosigner, said, send, time, witness};

#[test]
fn a_growing_log_is_cosigned_at_every_step() {
    let log = Log::new(70_000, 0);
    let witness = witness(&log, MemoryStore::default());
    let name = LogName::of(ORIGIN);
    assert_eq!(witness.checkpoint(name.as_str()).status, 404);
    let mut old = 0;
    for new in [0, 1, 1, 2, 3, 255, 256, 257, 257, 65_536, 65_537, 70_000] {
        let reply = send(&witness, &log.request(old, new));
        assert_eq!(reply.status, 200, "{old} to {new}: {}", reply.body);
        let Answer::Cosigned(lines) = Answer::read(200, None, reply.body.as_bytes()) else {
            panic!("{}", reply.body);
        };
        let mut note = log.note(new);
        for line in lines {
            note.add_signature(line).unwrap();
        }
        let keys = [
            log.key.verifier_key().clone(),
            witness.verifier_key().clone(),
        ];
        let signed = SignedCheckpoint::open(&note, &keys).unwrap();
        let own = &signed.signatures()[1];
        assert_eq!(own.key(), witness.verifier_key());
        assert_eq!(own.timestamp(), Some(time(1_700_000_000)));
        let held = witness.checkpoint(name.as_str());
        assert_eq!(said(&held), (200, note.to_string().as_str()));
        old = new;
    }
}

#[test]
fn another_old_size_is_a_conflict_that_names_the_right_one() {
    let log = Log::new(20, 0);
    let witness = witness(&log, MemoryStore::default());
    let empty = send(&witness, &log.request(3, 5));
    assert_eq!(said(&empty), (409, "0\n"));
    assert_eq!(empty.media_type, "text/x.tlog.size");
    assert_eq!(send(&witness, &log.request(0, 10)).status, 200);
    for (old, new) in [(0, 10), (0, 20), (5, 20), (9, 10), (11, 20), (0, 0)] {
        let reply = send(&witness, &log.request(old, new));
        assert_eq!(said(&reply), (409, "10\n"), "{old} to {new}");
    }
    // What the log's side reads out of it leads on.
    let reply = send(&witness, &log.request(0, 20));
    let answer = Answer::read(reply.status, Some(reply.media_type), reply.body.as_bytes());
    assert_eq!(answer, Answer::Conflict(TreeSize::new(10)));
    assert_eq!(send(&witness, &log.request(10, 20)).status, 200);
    let beyond = AddCheckpoint::new(TreeSize::new(20), Vec::new(), log.note(10)).unwrap();
    assert_eq!(send(&witness, &beyond).status, 400);
}

#[test]
fn another_history_is_never_cosigned() {
    let (log, fork) = (Log::new(600, 0), Log::new(600, 1));
    let witness = witness(&log, MemoryStore::default());
    assert_eq!(send(&witness, &log.request(0, 300)).status, 200);
    let held = witness.checkpoint(LogName::of(ORIGIN).as_str());
    // The same size and another root, with and without a proof.
    assert_eq!(send(&witness, &fork.request(300, 300)).status, 422);
    for new in [301, 512, 600] {
        assert_eq!(send(&witness, &fork.request(300, new)).status, 422, "{new}");
        // A good proof for another checkpoint.
        let mixed = AddCheckpoint::new(TreeSize::new(300), log.proof(300, new), fork.note(new));
        assert_eq!(send(&witness, &mixed.unwrap()).status, 422, "{new}");
        // A proof with a hash too few, too many, changed.
        let whole = log.proof(300, new);
        let mut changed = whole.clone();
        changed[0] = Hash::from_bytes([7; 32]);
        let longer = [whole.clone(), vec![whole[0]]].concat();
        for proof in [whole[1..].to_vec(), longer, changed, Vec::new()] {
            let request = AddCheckpoint::new(TreeSize::new(300), proof, log.note(new));
            assert_eq!(send(&witness, &request.unwrap()).status, 422, "{new}");
        }
    }
    let repeated = AddCheckpoint::new(TreeSize::new(300), log.proof(1, 300), log.note(300));
    assert_eq!(send(&witness, &repeated.unwrap()).status, 422);
    assert_eq!(witness.checkpoint(LogName::of(ORIGIN).as_str()), held);
}

#[test]
fn the_first_checkpoint_needs_no_proof_and_takes_none() {
    let log = Log::new(10, 0);
    let proof = log.proof(3, 10);
    let witness = witness(&log, MemoryStore::default());
    let request = AddCheckpoint::new(TreeSize::ZERO, proof, log.note(10)).unwrap();
    assert_eq!(send(&witness, &request).status, 422);
    // A tree without leaves has one root.
    let text = format!(
        "{ORIGIN}\n0\n{}\n",
        log.note(3).text().lines().nth(2).unwrap()
    );
    let wrong = sign_note(&text, &[&log.key]).unwrap();
    let request = AddCheckpoint::new(TreeSize::ZERO, Vec::new(), wrong).unwrap();
    assert_eq!(send(&witness, &request).status, 422);
    assert_eq!(witness.checkpoint(LogName::of(ORIGIN).as_str()).status, 404);
    assert_eq!(send(&witness, &log.request(0, 10)).status, 200);
}

#[test]
fn only_known_logs_with_trusted_signatures_are_cosigned() {
    let log = Log::new(5, 0);
    let witness = witness(&log, MemoryStore::default());
    let other = Log::named("other.example/log", 5, 0);
    assert_eq!(send(&witness, &other.request(0, 5)).status, 404);
    let text = log.checkpoint(5).to_string();
    let request = |note: Note| AddCheckpoint::new(TreeSize::ZERO, Vec::new(), note).unwrap();
    // Of the log's name, but of another key; and of a trusted key of another log.
    let thief = Key::log(ORIGIN, 2);
    let stranger = sign_note(&text, &[&thief]).unwrap();
    assert_eq!(send(&witness, &request(stranger)).status, 403);
    let foreign = sign_note(&text, &[&other.key]).unwrap();
    assert_eq!(send(&witness, &request(foreign)).status, 403);
    // The right key's name and id over another signature.
    let key = log.key.verifier_key();
    let line = NoteSignature::new(key.name().clone(), key.id(), vec![1; 64]).unwrap();
    let forged = Note::new(text.clone(), vec![line.clone()]).unwrap();
    assert_eq!(send(&witness, &request(forged)).status, 403);
    let mut beside = log.note(5);
    beside.add_signature(line).unwrap();
    assert_eq!(send(&witness, &request(beside)).status, 403);
    // Unknown keys beside the right one do no harm.
    let both = sign_note(&text, &[&thief, &log.key]).unwrap();
    assert_eq!(send(&witness, &request(both)).status, 200);
}

#[test]
fn strangers_signatures_are_borne_up_to_the_limit_and_not_kept() {
    let log = Log::new(5, 0);
    let witness = witness(&log, MemoryStore::default());
    let crowded = |lines: usize| {
        let mut body = log.request(0, 5).to_string();
        for n in 0..lines {
            let name = KeyName::parse(&format!("stranger-{n}")).unwrap();
            let id = countersign_note::KeyId::from_bytes([n as u8; 4]);
            body += &NoteSignature::new(name, id, vec![0; 2428])
                .unwrap()
                .to_string();
        }
        witness.add_checkpoint(body.as_bytes(), time(1))
    };
    assert_eq!(crowded(64).status, 400);
    assert_eq!(crowded(16).status, 200);
    let kept = witness.checkpoint(LogName::of(ORIGIN).as_str());
    assert_eq!(kept.body.matches('\u{2014}').count(), 2, "{}", kept.body);
    assert!(!kept.body.contains("stranger"), "{}", kept.body);
}

#[test]
fn the_same_checkpoint_again_takes_no_signature_of_the_log_away() {
    let log = Log::new(5, 0);
    let second = Key::log(ORIGIN, 2);
    let keys = [&log.key, &second].map(|key| key.verifier_key().clone());
    let witness = Witness::new(keys.clone(), cosigner(), MemoryStore::default()).unwrap();
    let text = log.checkpoint(5).to_string();
    let by = |signers: &[&dyn countersign_note::NoteSigner]| sign_note(&text, signers).unwrap();
    let send_note = |old, note: Note| {
        let request = AddCheckpoint::new(TreeSize::new(old), Vec::new(), note).unwrap();
        assert_eq!(send(&witness, &request).status, 200);
    };
    let shown = || {
        let held = witness.checkpoint(LogName::of(ORIGIN).as_str());
        Note::parse(held.body.as_bytes()).unwrap()
    };
    send_note(0, by(&[&log.key, &second]));
    let whole = shown();
    assert_eq!(whole.signatures().len(), 3);
    // Anybody can do so: there are no credentials.
    for key in [&log.key, &second] {
        send_note(5, by(&[key]));
        assert_eq!(shown(), whole);
    }
    // Nor does one that repeats itself fill what is kept.
    let mut often = by(&[&log.key]).to_string();
    let line = often.lines().last().unwrap().to_owned() + "\n";
    often.push_str(&line.repeat(63));
    send_note(5, often.parse().unwrap());
    assert_eq!(shown(), whole);
}

#[test]
fn a_witness_is_set_up_with_keys_that_can_sign() {
    let log = Log::new(1, 0);
    let key = log.key.verifier_key().clone();
    let set_up = |keys: Vec<_>, own| Witness::new(keys, own, MemoryStore::default()).err();
    assert_eq!(set_up(vec![], cosigner()), Some(WitnessError::NoLogs));
    let as_log = set_up(vec![cosigner().verifier_key().clone()], cosigner());
    assert!(
        matches!(as_log, Some(WitnessError::LogKey { .. })),
        "{as_log:?}"
    );
    let as_own = set_up(vec![key], std::sync::Arc::new(Key::log("w", 3)));
    assert!(
        matches!(as_own, Some(WitnessError::OwnKey { .. })),
        "{as_own:?}"
    );
}

/// The race at the end of the specification: whatever interleaves, each cosignature is of a tree
/// that continues all that were cosigned before.
#[test]
fn submissions_at_the_same_time_never_roll_back() {
    let log = Log::new(400, 0);
    submit_at_the_same_time(&log, MemoryStore::default());
    let home = tempfile::tempdir().unwrap();
    let keys = [log.key.verifier_key().clone()];
    let own = cosigner();
    let files = FileStore::open(&home.path().join("logs"), keys, own.verifier_key());
    submit_at_the_same_time(&log, files.unwrap());
}

fn submit_at_the_same_time(log: &Log, store: impl WitnessStore + Sync) {
    let witness = witness(log, store);
    assert_eq!(send(&witness, &log.request(0, 100)).status, 200);
    let cosigned = std::sync::Mutex::new(vec![100]);
    std::thread::scope(|scope| {
        for worker in 0..4_u64 {
            let (witness, cosigned) = (&witness, &cosigned);
            scope.spawn(move || {
                for round in 0..40 {
                    // Some ask from what they last heard, some from where they please.
                    let old = 100 + (round * 3 + worker) % 200;
                    let new = old + 1 + (worker * 7 + round) % 50;
                    let reply = send(witness, &log.request(old, new));
                    let old = match reply.status {
                        200 => {
                            cosigned.lock().unwrap().push(new);
                            continue;
                        }
                        409 => reply.body.trim().parse::<u64>().unwrap(),
                        other => panic!("{other}: {}", reply.body),
                    };
                    if old < 400 {
                        let new = (old + 1 + worker).min(400);
                        let again = send(witness, &log.request(old, new));
                        match again.status {
                            200 => cosigned.lock().unwrap().push(new),
                            409 => {}
                            other => panic!("{other}: {}", again.body),
                        }
                    }
                }
            });
        }
    });
    let most = *cosigned.lock().unwrap().iter().max().unwrap();
    let held = witness.checkpoint(LogName::of(ORIGIN).as_str());
    assert_eq!(held.body.lines().nth(1), Some(most.to_string().as_str()));
}

/// The race, step by step: A was checked, B is quicker, A must not be kept.
#[test]
fn what_was_checked_against_an_older_state_is_not_kept() {
    let log = Log::new(30, 0);
    let store = std::sync::Arc::new(MemoryStore::default());
    let witness = witness(&log, std::sync::Arc::clone(&store));
    assert_eq!(send(&witness, &log.request(0, 10)).status, 200);
    let stale = store.latest(ORIGIN).unwrap().unwrap();
    assert_eq!(send(&witness, &log.request(10, 30)).status, 200);
    let next = countersign_witness::Held {
        size: TreeSize::new(20),
        root: log.checkpoint(20).root(),
        note: log.note(20).to_string().into(),
    };
    let moved = store.advance(ORIGIN, Some(stale.size), &next).unwrap();
    let countersign_witness::Advance::Moved(Some(held)) = moved else {
        panic!("{moved:?}");
    };
    assert_eq!(held.size.get(), 30);
    // Nor with the right expectation: a store does not go back.
    let back = store.advance(ORIGIN, Some(held.size), &next).unwrap();
    assert!(matches!(back, countersign_witness::Advance::Moved(_)));
}
