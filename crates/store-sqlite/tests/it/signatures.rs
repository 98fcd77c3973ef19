//! Who signs checkpoints: a second key beside the first, and a first key that follows another.

use crate::support::{
    Fixture, ORIGIN, TestSigner, append, check_all, clock, database, fresh_id, key, numbered,
    parts, reopen,
};
use aws_lc_rs::signature::{KeyPair as _, ML_DSA_44_SIGNING, PqdsaKeyPair};
use countersign_ledger::{CommitError, Committed, Ledger, LedgerParts, OpenError, ReadSet};
use countersign_merkle::leaf_hash;
use countersign_note::{
    MlDsaSigner, NoteSigner as _, SignError, SignedCheckpoint, TlogProof, VerifierKey,
};
use countersign_store_sqlite::SqliteStore;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

struct Second {
    pair: PqdsaKeyPair,
    key: VerifierKey,
    fails: AtomicBool,
}

impl Second {
    fn new(seed: u8) -> Arc<Self> {
        let pair = PqdsaKeyPair::from_seed(&ML_DSA_44_SIGNING, &[seed; 32]).unwrap();
        let public = pair.public_key().as_ref().try_into().unwrap();
        let key = VerifierKey::ml_dsa_44(ORIGIN.parse().unwrap(), public).unwrap();
        Arc::new(Self {
            pair,
            key,
            fails: AtomicBool::new(false),
        })
    }
}

impl MlDsaSigner for Second {
    fn verifier_key(&self) -> &VerifierKey {
        &self.key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(SignError::new("told to fail"));
        }
        let mut signature = vec![0; 2420];
        self.pair.sign(message, &mut signature).unwrap();
        Ok(signature)
    }
}

fn parts_in(dir: &Path) -> LedgerParts {
    let store = Arc::new(SqliteStore::open(&database(dir)).unwrap());
    parts(dir, store, clock())
}

fn with_second(dir: &Path, second: &Arc<Second>) -> Ledger {
    Ledger::open(LedgerParts {
        second_signer: Some(second.clone()),
        ..parts_in(dir)
    })
    .unwrap()
}

/// How many of the two keys have signed, with no bad signature among them.
fn signers(checkpoint: &str, second: &Second) -> usize {
    let keys = [key(), second.key.clone()];
    let signed = SignedCheckpoint::open(&checkpoint.parse().unwrap(), &keys).unwrap();
    signed.signatures().len()
}

fn check_both<T>(committed: &Committed<T>, second: &Second) {
    assert_eq!(signers(&committed.checkpoint, second), 2);
    check_all(committed);
    for entry in &committed.entries {
        let proof = TlogProof::parse(&entry.proof).unwrap();
        let only = std::slice::from_ref(&second.key);
        proof.verify(&leaf_hash(&entry.leaf), only).unwrap();
    }
}

#[test]
fn whatever_is_released_bears_both_signatures() {
    let dir = Fixture::new().close();
    let second = Second::new(1);
    let ledger = with_second(dir.path(), &second);
    assert_eq!(signers(&ledger.checkpoint(), &second), 2, "at the start");
    for n in 0..20 {
        check_both(&append(&ledger, n), &second);
        assert_eq!(signers(&ledger.checkpoint(), &second), 2);
    }
    // Many at once, in batches as they come.
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (ledger, second) = (&ledger, &second);
            scope.spawn(move || {
                for n in 0..10 {
                    check_both(&append(ledger, thread * 100 + n), second);
                }
            });
        }
    });
    let proof = ledger.proof(countersign_merkle::LeafIndex::new(3)).unwrap();
    let proof = TlogProof::parse(&proof).unwrap();
    assert_eq!(signers(&proof.checkpoint().to_string(), &second), 2);
    drop(ledger);

    let ledger = reopen(dir.path()).unwrap();
    assert_eq!(signers(&ledger.checkpoint(), &second), 1, "switched off");
    drop(ledger);
    let other = Second::new(2);
    let ledger = with_second(dir.path(), &other);
    assert_eq!(signers(&ledger.checkpoint(), &other), 2, "with another key");
    assert_eq!(signers(&ledger.checkpoint(), &second), 1);
}

#[test]
fn a_second_key_that_cannot_sign_stops_the_ledger_before_anything_is_answered() {
    let dir = Fixture::new().close();
    let second = Second::new(1);
    let ledger = with_second(dir.path(), &second);
    append(&ledger, 1);
    let released = ledger.size();
    second.fails.store(true, Ordering::Relaxed);
    let id = fresh_id();
    let answer = ledger.commit(ReadSet::none(), move |step| {
        step.push(id, numbered(2)).map(|_| ())
    });
    assert!(matches!(answer, Err(CommitError::Halted { .. })));
    assert_eq!(ledger.size(), released);
    assert!(ledger.health().halted.is_some());
    drop(ledger);

    let refused = Ledger::open(LedgerParts {
        second_signer: Some(second.clone()),
        ..parts_in(dir.path())
    });
    assert!(matches!(refused.err(), Some(OpenError::Sign { .. })));
    // It was durable, and stands.
    second.fails.store(false, Ordering::Relaxed);
    let ledger = with_second(dir.path(), &second);
    assert!(ledger.entry(id).unwrap().is_some());
    check_both(&append(&ledger, 3), &second);
}

#[test]
fn a_key_that_follows_another_signs_the_stored_checkpoint_again() {
    let fixture = Fixture::new();
    fixture.append(1);
    let size = fixture.ledger.size();
    let dir = fixture.close();
    let next = TestSigner::new(8);
    let open = |earlier_signer: Option<VerifierKey>| {
        Ledger::open(LedgerParts {
            signer: next.clone(),
            earlier_signer,
            ..parts_in(dir.path())
        })
    };
    for earlier in [None, Some(TestSigner::new(9).verifier_key().clone())] {
        let error = open(earlier).err();
        assert!(matches!(error, Some(OpenError::Checkpoint(_))), "{error:?}");
    }
    let ledger = open(Some(key())).unwrap();
    assert_eq!(ledger.size(), size, "without an entry");
    let by = |key: &VerifierKey| {
        let note = ledger.checkpoint().parse().unwrap();
        SignedCheckpoint::open(&note, std::slice::from_ref(key)).is_ok()
    };
    assert!(by(next.verifier_key()) && !by(&key()));
    append(&ledger, 2);
    assert!(by(next.verifier_key()) && !by(&key()));
    drop(ledger);
    // From now on the old key is the one that has not signed.
    assert!(matches!(
        reopen(dir.path()).err(),
        Some(OpenError::Checkpoint(_))
    ));
    drop(open(None).unwrap());
}
