//! A ledger in a temporary directory, with a clock that tests set.

use countersign_core::entry::{Body, Genesis, Throttled};
use countersign_core::ids::{CredentialId, EntryId};
use countersign_core::random::Random;
use countersign_core::time::{Clock, Timestamp};
use countersign_ledger::{
    Committed, CommittedEntry, Ledger, LedgerParts, LogSigner, OpenError, ReadSet, Reserve, Store,
    Work,
};
use countersign_merkle::leaf_hash;
use countersign_note::{NoteSigner, SignError, SignedCheckpoint, TlogProof, VerifierKey};
use countersign_store_sqlite::SqliteStore;
use ed25519_dalek::{Signer as _, SigningKey};
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tempfile::TempDir;

pub(crate) const ORIGIN: &str = "example.com/log";
pub(crate) const START_MS: i64 = 1_800_000_000_000;

/// A key whose secret is known to everybody.
pub(crate) struct TestSigner {
    key: SigningKey,
    verifier: VerifierKey,
}

impl TestSigner {
    pub(crate) fn new(seed: u8) -> Arc<Self> {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let public = key.verifying_key().to_bytes();
        let verifier = VerifierKey::ed25519(ORIGIN.parse().unwrap(), &public).unwrap();
        Arc::new(Self { key, verifier })
    }
}

impl NoteSigner for TestSigner {
    fn name(&self) -> &str {
        ORIGIN
    }

    fn verifier_key(&self) -> &VerifierKey {
        &self.verifier
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.key.sign(message).to_bytes())
    }
}

pub(crate) fn key() -> VerifierKey {
    TestSigner::new(7).verifier.clone()
}

/// A clock that stands where it is set.
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn set(&self, millis: i64) {
        self.0.store(millis, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

struct Seeded;

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let random = RandomState::new().hash_one(0).to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }
}

pub(crate) fn random() -> &'static dyn Random {
    &Seeded
}

pub(crate) fn fresh_id() -> EntryId {
    EntryId::fresh(Timestamp::from_millis(START_MS), random())
}

pub(crate) fn genesis() -> Genesis {
    Genesis {
        origin: ORIGIN.parse().unwrap(),
        tenant: "acme".parse().unwrap(),
        root_key: "root".parse().unwrap(),
        log_key: "log".parse().unwrap(),
        permit_key: "permit".parse().unwrap(),
        predecessor: None,
        signature: "signature".parse().unwrap(),
    }
}

pub(crate) fn credential() -> CredentialId {
    "01HYB7K3M4FXQZ9V2N6PTJD8RC".parse().unwrap()
}

/// An entry that says a number.
pub(crate) fn numbered(requests: u64) -> Body {
    let time = Timestamp::from_millis(START_MS);
    Body::from(Throttled {
        credential: credential(),
        since: time,
        until: time,
        requests,
    })
}

/// Pushes one entry.
pub(crate) fn one(number: u64) -> Work<()> {
    let id = fresh_id();
    Box::new(move |step| step.push(id, numbered(number)).map(|_| ()))
}

/// A ledger with everything that belongs to it.
pub(crate) struct Fixture {
    pub(crate) dir: TempDir,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) ledger: Ledger,
}

pub(crate) fn database(dir: &Path) -> PathBuf {
    dir.join("db").join("ledger.sqlite")
}

pub(crate) fn head_file(dir: &Path) -> PathBuf {
    dir.join("head")
}

pub(crate) fn clock() -> Arc<TestClock> {
    Arc::new(TestClock(AtomicI64::new(START_MS)))
}

pub(crate) fn parts(dir: &Path, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> LedgerParts {
    let signer: Arc<LogSigner> = TestSigner::new(7);
    LedgerParts {
        store,
        head_file: head_file(dir),
        signer,
        second_signer: None,
        earlier_signer: None,
        clock,
        reserve: None,
    }
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(|store| store, None)
    }

    /// A ledger over a store that is wrapped.
    pub(crate) fn with<S: Store + 'static>(
        wrap: impl FnOnce(Arc<SqliteStore>) -> Arc<S>,
        reserve: Option<Box<dyn Reserve>>,
    ) -> Self {
        Self::with_dir(tempfile::tempdir().unwrap(), wrap, reserve)
    }

    /// The same in a given directory.
    pub(crate) fn with_dir<S: Store + 'static>(
        dir: TempDir,
        wrap: impl FnOnce(Arc<SqliteStore>) -> Arc<S>,
        reserve: Option<Box<dyn Reserve>>,
    ) -> Self {
        let store = Arc::new(SqliteStore::create(&database(dir.path())).unwrap());
        let clock = clock();
        let wrapped = wrap(Arc::clone(&store));
        let mut parts = parts(dir.path(), wrapped, clock.clone());
        parts.reserve = reserve;
        let (ledger, committed) = Ledger::create(parts, fresh_id(), genesis(), |_| Ok(())).unwrap();
        check_all(&committed);
        Self {
            dir,
            store,
            clock,
            ledger,
        }
    }

    pub(crate) fn append(&self, number: u64) -> Committed<()> {
        append(&self.ledger, number)
    }

    /// Ends the ledger and the store; what is left is the directory.
    pub(crate) fn close(self) -> TempDir {
        drop(self.ledger);
        drop(self.store);
        self.dir
    }
}

pub(crate) fn append(ledger: &Ledger, number: u64) -> Committed<()> {
    let entry_id = fresh_id();
    let committed = ledger.commit(ReadSet::none(), move |step| {
        step.push(entry_id, numbered(number)).map(|_| ())
    });
    committed.unwrap()
}

pub(crate) fn reopen(dir: &Path) -> Result<Ledger, OpenError> {
    let store = Arc::new(SqliteStore::open(&database(dir)).unwrap());
    Ledger::open(parts(dir, store, clock()))
}

/// Checks every proof with the verifier's code.
pub(crate) fn check_all<T>(committed: &Committed<T>) {
    for entry in &committed.entries {
        let signed = check_proof(entry);
        assert_eq!(signed.checkpoint().size(), committed.size);
        let note = TlogProof::parse(&entry.proof).unwrap();
        assert_eq!(note.checkpoint().to_string(), *committed.checkpoint);
    }
}

pub(crate) fn check_proof(entry: &CommittedEntry) -> SignedCheckpoint {
    let proof = TlogProof::parse(&entry.proof).unwrap();
    assert_eq!(proof.index(), entry.index);
    proof.verify(&leaf_hash(&entry.leaf), &[key()]).unwrap()
}
