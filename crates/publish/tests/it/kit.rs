//! A ledger in a temporary directory, and witnesses that are asked without HTTP.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use countersign_core::entry::{Body, Genesis, Throttled};
use countersign_core::ids::EntryId;
use countersign_core::random::Random;
use countersign_core::time::{Clock, Timestamp};
use countersign_ledger::{Ledger, LedgerParts, ReadSet};
use countersign_note::{
    KeyName, MAX_SIGNATURES, NoteSigner, SignError, TlogPolicy, VerifierKey, cosign,
};
use countersign_publish::{Board, LogKeys, Parts, Published, RawAnswer, Transport, TransportError};
use countersign_store_sqlite::SqliteStore;
use countersign_witness::{AddCheckpoint, LogName, MemoryStore, Witness};
use ed25519_dalek::{Signer as _, SigningKey};
use tempfile::TempDir;

pub(crate) const ORIGIN: &str = "example.com/log";
/// The longest that anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const START_MS: i64 = 1_800_000_000_000;

pub(crate) struct Key {
    secret: SigningKey,
    public: VerifierKey,
}

impl Key {
    fn new(name: &str, seed: u8, make: fn(KeyName, &[u8; 32]) -> VerifierKey) -> Arc<Self> {
        let secret = SigningKey::from_bytes(&[seed; 32]);
        let public = make(name.parse().unwrap(), secret.verifying_key().as_bytes());
        Arc::new(Self { secret, public })
    }

    pub(crate) fn log() -> Arc<Self> {
        Self::new(ORIGIN, 7, |name, key| {
            VerifierKey::ed25519(name, key).unwrap()
        })
    }

    pub(crate) fn witness(n: u8) -> Arc<Self> {
        let name = format!("witness.example/w{n}");
        Self::new(&name, 100 + n, |name, key| {
            VerifierKey::cosignature_v1(name, key).unwrap()
        })
    }
}

impl NoteSigner for Key {
    fn name(&self) -> &str {
        self.public.name().as_str()
    }

    fn verifier_key(&self) -> &VerifierKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.secret.sign(message).to_bytes())
    }
}

struct Standing;

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(START_MS)
    }
}

struct Counted(AtomicU64);

impl Random for Counted {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let next = self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes();
            chunk.copy_from_slice(&next[..chunk.len()]);
        }
    }
}

static RANDOM: Counted = Counted(AtomicU64::new(1));

fn fresh_id() -> EntryId {
    EntryId::fresh(Timestamp::from_millis(START_MS), &RANDOM)
}

/// A log; another one of these has the same name and key, and another history.
pub(crate) struct Log {
    pub(crate) dir: TempDir,
    pub(crate) ledger: Arc<Ledger>,
}

impl Log {
    pub(crate) fn new(size: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::create(&dir.path().join("ledger.db")).unwrap();
        let parts = LedgerParts {
            store: Arc::new(store),
            head_file: dir.path().join("head"),
            signer: Key::log(),
            second_signer: None,
            earlier_signer: None,
            clock: Arc::new(Standing),
            reserve: None,
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
        let (ledger, _) = Ledger::create(parts, fresh_id(), genesis, |_| Ok(())).unwrap();
        let log = Self {
            dir,
            ledger: Arc::new(ledger),
        };
        log.append(size - 1);
        log
    }

    pub(crate) fn append(&self, entries: u64) {
        for _ in 0..entries {
            let (id, time) = (fresh_id(), Timestamp::from_millis(START_MS));
            let body = Body::from(Throttled {
                credential: "01HYB7K3M4FXQZ9V2N6PTJD8RC".parse().unwrap(),
                since: time,
                until: time,
                requests: 1,
            });
            let work = move |step: &mut countersign_ledger::Step<'_>| {
                step.push(id, body.clone()).map(|_| ())
            };
            self.ledger.commit(ReadSet::none(), work).unwrap();
        }
    }

    pub(crate) fn kept(&self) -> PathBuf {
        self.dir.path().join("published")
    }

    pub(crate) fn evidence(&self) -> PathBuf {
        self.dir.path().join("evidence")
    }

    /// Publishing of this log to these witnesses.
    pub(crate) fn parts(&self, quorum: &str, ways: Vec<Arc<dyn Transport>>) -> Parts {
        let mut policy = format!("log {}\n", Key::log().public);
        let mut names = Vec::new();
        for n in 0..ways.len() {
            let key = Key::witness(u8::try_from(n).unwrap());
            policy += &format!("witness w{n} {} http://w{n}.example\n", key.public);
            names.push(format!("w{n}"));
        }
        policy += &format!("group g {quorum} {}\nquorum g\n", names.join(" "));
        let ledger = Arc::downgrade(&self.ledger);
        Parts {
            log: self.ledger.reader(),
            log_keys: LogKeys::new(vec![Key::log().public.clone()], Vec::new()),
            policy: Some(policy.parse::<TlogPolicy>().unwrap()),
            transports: ways.into_iter().map(Some).collect(),
            is_required: false,
            kept: self.kept(),
            evidence: self.evidence(),
            directory: None,
            halt: Arc::new(move |reason| {
                if let Some(ledger) = ledger.upgrade() {
                    ledger.halt(reason);
                }
            }),
        }
    }
}

/// How a witness behaves beside its rules.
#[derive(Default)]
pub(crate) struct Mood {
    /// Answers so to submissions, in place of what it would say.
    pub(crate) says: Option<RawAnswer>,
    /// Shows nothing to monitors.
    pub(crate) is_hidden: bool,
    /// Lets nobody go until this is false.
    pub(crate) is_stuck: bool,
    /// Cannot be reached.
    pub(crate) is_away: bool,
    /// Cosigns many times over, each time at another second.
    pub(crate) is_verbose: bool,
    pub(crate) asked: u64,
}

/// A witness in this process.
pub(crate) struct Here {
    key: Arc<Key>,
    witness: Witness<Arc<MemoryStore>>,
    mood: Mutex<Mood>,
    changed: Condvar,
}

impl Here {
    pub(crate) fn new(n: u8) -> Arc<Self> {
        let witness = Witness::new(
            [Key::log().public.clone()],
            Key::witness(n),
            Arc::new(MemoryStore::default()),
        );
        Arc::new(Self {
            key: Key::witness(n),
            witness: witness.unwrap(),
            mood: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Mood)) {
        change(&mut self.mood.lock().unwrap());
        self.changed.notify_all();
    }

    pub(crate) fn asked(&self) -> u64 {
        self.mood.lock().unwrap().asked
    }

    /// Cosigns a log as it is, as if another process had submitted it.
    pub(crate) fn witness(&self, log: &Log) {
        let note = log.ledger.checkpoint();
        let reply = self
            .witness
            .add_checkpoint(format!("old 0\n\n{note}").as_bytes(), now());
        assert_eq!(reply.status, 200, "{}", reply.body);
    }

    /// As many cosignatures of a request's checkpoint as an answer may hold.
    fn cosigned_often(&self, body: &str) -> String {
        let request = AddCheckpoint::parse(body.as_bytes()).unwrap();
        let lines = (0..MAX_SIGNATURES as u64).map(|second| {
            let time = countersign_note::Timestamp::from_seconds(1_800_000_000 + second).unwrap();
            let line = cosign(request.checkpoint().text(), time, self.key.as_ref());
            line.unwrap().to_string()
        });
        lines.collect()
    }

    fn mood(&self) -> Result<std::sync::MutexGuard<'_, Mood>, TransportError> {
        let mood = self.mood.lock().unwrap();
        let mood = self.changed.wait_while(mood, |mood| mood.is_stuck).unwrap();
        match mood.is_away {
            true => Err(TransportError {
                is_timeout: false,
                reason: "nobody is there".to_owned(),
            }),
            false => Ok(mood),
        }
    }
}

impl Transport for Here {
    fn add_checkpoint(&self, body: &str) -> Result<RawAnswer, TransportError> {
        self.set(|mood| mood.asked += 1);
        if let Some(said) = &self.mood()?.says {
            return Ok(said.clone());
        }
        let mut reply = self.witness.add_checkpoint(body.as_bytes(), now());
        if reply.status == 200 && self.mood()?.is_verbose {
            reply.body = self.cosigned_often(body);
        }
        Ok(RawAnswer {
            status: reply.status,
            media_type: Some(reply.media_type.to_owned()),
            body: reply.body.into_bytes(),
        })
    }

    fn checkpoint(&self, name: &LogName) -> Result<RawAnswer, TransportError> {
        if self.mood()?.is_hidden {
            return Ok(says(404, None, ""));
        }
        let reply = self.witness.checkpoint(name.as_str());
        Ok(says(reply.status, None, &reply.body))
    }
}

pub(crate) fn says(status: u16, media_type: Option<&str>, body: &str) -> RawAnswer {
    RawAnswer {
        status,
        media_type: media_type.map(str::to_owned),
        body: body.as_bytes().to_vec(),
    }
}

fn now() -> countersign_note::Timestamp {
    countersign_note::Timestamp::from_seconds(1_800_000_000).unwrap()
}

/// Waits until something holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "not so: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until the quorum has cosigned so many entries.
pub(crate) fn witnessed(board: &Board, size: u64) -> Arc<Published> {
    until(&format!("{size} entries are cosigned"), || {
        board.witnessed().is_some_and(|it| it.size.get() >= size)
    });
    board.witnessed().unwrap()
}

/// Waits for the quorum as a request does.
pub(crate) fn wait(board: &Board, size: u64, patience: Duration) -> Option<Arc<Published>> {
    let (send, receive) = std::sync::mpsc::channel();
    board.when_witnessed(
        countersign_merkle::TreeSize::new(size),
        Instant::now() + patience,
        Box::new(move |published| send.send(published).unwrap()),
    );
    receive.recv_timeout(PATIENCE).unwrap()
}
