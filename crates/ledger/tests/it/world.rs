//! A machine that runs one ledger: its disk, its head file, and what its clients remember.

use crate::disk::{Disk, Fate};
use countersign_core::entry::{Body, Genesis, Throttled};
use countersign_core::ids::EntryId;
use countersign_core::random::Random;
use countersign_core::time::{Clock, Timestamp};
use countersign_ledger::store::NotCommitted;
use countersign_ledger::{
    CommitError, Committed, Ledger, LedgerParts, LogSigner, OpenError, ReadSet,
};
use countersign_merkle::{CompactRange, Hash, LeafIndex, leaf_hash};
use countersign_note::{Checkpoint, Note, NoteSigner, SignError, TlogProof, VerifierKey};
use ed25519_dalek::{Signer as _, SigningKey};
use fastrand::Rng;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use tempfile::TempDir;

const ORIGIN: &str = "example.com/simulated";
const NOW_MS: i64 = 1_800_000_000_000;

type Answer = Result<Committed<()>, CommitError>;

/// A machine and its clients.
pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) disk: Arc<Disk>,
    dir: TempDir,
    ledger: Option<Ledger>,
    /// The leaf at each index that a client was told of.
    pub(crate) acknowledged: BTreeMap<u64, Vec<u8>>,
    /// Every checkpoint that left the process.
    pub(crate) released: Vec<Checkpoint>,
}

struct Key(SigningKey, VerifierKey);

impl NoteSigner for Key {
    fn name(&self) -> &str {
        ORIGIN
    }

    fn verifier_key(&self) -> &VerifierKey {
        &self.1
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.0.sign(message).to_bytes())
    }
}

fn signer() -> Arc<LogSigner> {
    let key = SigningKey::from_bytes(&[7; 32]);
    let public = key.verifying_key().to_bytes();
    let verifier = VerifierKey::ed25519(ORIGIN.parse().unwrap(), &public).unwrap();
    Arc::new(Key(key, verifier))
}

struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(NOW_MS)
    }
}

struct Drawn(Mutex<Rng>);

impl Random for Drawn {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap().fill(bytes);
    }
}

impl World {
    pub(crate) fn begin(seed: u64) -> Self {
        let mut world = Self {
            rng: Rng::with_seed(seed),
            disk: Arc::default(),
            dir: tempfile::tempdir().unwrap(),
            ledger: None,
            acknowledged: BTreeMap::new(),
            released: Vec::new(),
        };
        let genesis = Genesis {
            origin: ORIGIN.parse().unwrap(),
            tenant: "acme".parse().unwrap(),
            root_key: "root".parse().unwrap(),
            log_key: "log".parse().unwrap(),
            permit_key: "permit".parse().unwrap(),
            predecessor: None,
            signature: "signature".parse().unwrap(),
        };
        let id = world.id();
        let (ledger, committed) = Ledger::create(world.parts(), id, genesis, |_| Ok(())).unwrap();
        world.ledger = Some(ledger);
        world.remember(&committed);
        world
    }

    fn parts(&self) -> LedgerParts {
        LedgerParts {
            store: Arc::clone(&self.disk) as _,
            head_file: self.head_file(),
            signer: signer(),
            second_signer: None,
            earlier_signer: None,
            clock: Arc::new(Standing),
            reserve: None,
        }
    }

    pub(crate) fn head_file(&self) -> PathBuf {
        self.dir.path().join("head")
    }

    fn id(&mut self) -> EntryId {
        let drawn = Drawn(Mutex::new(self.rng.fork()));
        EntryId::fresh(Timestamp::from_millis(NOW_MS), &drawn)
    }

    /// The process ends, and starts again over what lies on the disk.
    pub(crate) fn restart(&mut self) -> Result<(), OpenError> {
        self.ledger = None;
        let image = self.disk.image().clone();
        self.disk = Arc::new(Disk::with(image));
        self.ledger = Some(Ledger::open(self.parts())?);
        Ok(())
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        self.ledger.as_ref().unwrap()
    }

    /// Lets one commit go through while which so many units gather, so that the next commit has
    /// exactly these and meets these fates. What their clients are told is not remembered yet.
    pub(crate) fn batch(&mut self, units: usize, fates: &[Fate]) -> Vec<Answer> {
        let (arrived, go) = self.disk.hold();
        let (sender, answers) = mpsc::channel();
        self.submit(&sender);
        arrived.recv().unwrap();
        for _ in 0..units {
            self.submit(&sender);
        }
        drop(sender);
        self.disk.then([&[Fate::Done], fates].concat());
        go.send(()).unwrap();
        let first = answers.recv().unwrap();
        self.remember(&first.unwrap());
        answers.iter().collect()
    }

    fn submit(&mut self, answers: &mpsc::Sender<Answer>) {
        let id = self.id();
        let count = self.rng.u64(..);
        let answers = answers.clone();
        self.ledger().submit(
            ReadSet::none(),
            Box::new(move |step| step.push(id, body(count)).map(|_| ())),
            Box::new(move |answer| {
                let _ = answers.send(answer);
            }),
        );
    }

    /// A client keeps what it was told; its proof holds.
    pub(crate) fn remember(&mut self, committed: &Committed<()>) {
        let key = signer().verifier_key().clone();
        for entry in &committed.entries {
            let proof = TlogProof::parse(&entry.proof).unwrap();
            proof
                .verify(&leaf_hash(&entry.leaf), std::slice::from_ref(&key))
                .unwrap();
            let index = entry.index.get();
            let before = self.acknowledged.insert(index, entry.leaf.clone());
            assert_eq!(before, None, "index {index} was given twice");
        }
        self.see(&committed.checkpoint);
    }

    pub(crate) fn see(&mut self, checkpoint: &str) {
        let note: Note = checkpoint.parse().unwrap();
        self.released.push(Checkpoint::parse(note.text()).unwrap());
    }

    /// Everything that was acknowledged is there, and the log extends every checkpoint that left.
    pub(crate) fn check(&self) {
        for (index, leaf) in &self.acknowledged {
            let found = self.ledger().leaf(LeafIndex::new(*index)).unwrap();
            let found = found.unwrap_or_else(|| panic!("entry {index} is lost"));
            assert_eq!(&found.bytes, leaf, "entry {index} was altered");
        }
        let roots = self.roots();
        for checkpoint in &self.released {
            let size = checkpoint.size().get() as usize;
            assert_eq!(roots.get(size), Some(&checkpoint.root()), "size {size}");
        }
    }

    /// The root at each size of the log as it lies on the disk.
    pub(crate) fn roots(&self) -> Vec<Hash> {
        let mut range = CompactRange::new();
        let mut roots = vec![range.root()];
        for leaf in &self.disk.image().leaves {
            range
                .append(leaf_hash(&leaf.bytes), &mut |_, _, _| {})
                .unwrap();
            roots.push(range.root());
        }
        roots
    }
}

fn body(requests: u64) -> Body {
    let time = Timestamp::from_millis(NOW_MS);
    Body::from(Throttled {
        credential: "01HYB7K3M4FXQZ9V2N6PTJD8RC".parse().unwrap(),
        since: time,
        until: time,
        requests: requests >> 12,
    })
}

/// Any fate but those that stop the machine.
pub(crate) fn passing(rng: &mut Rng) -> Fate {
    match rng.u8(..5) {
        0 => Fate::Refused(NotCommitted::Full),
        1 => Fate::Refused(NotCommitted::Busy),
        2 => Fate::Refused(NotCommitted::Io),
        3 => Fate::Unknown { done: true },
        _ => Fate::Unknown { done: false },
    }
}
