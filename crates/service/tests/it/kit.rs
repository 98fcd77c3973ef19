//! A service over the real store in a directory of its own, with a clock that tests turn.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use countersign_core::document::BundleContent;
use countersign_core::entry::{AnyEntry, Body, Decision, Role, Surface};
use countersign_core::refs::Sha256;
use countersign_core::time::{Clock, Timestamp};
use countersign_keys::{EpochFiles, KeyRing, SystemRandom};
use countersign_service::{Caller, NewLog, OpenAnswer, Parts, Service, ServiceError, SetupError};
use countersign_store_sqlite::SqliteStore;
use countersign_vault::KeyEpochs;
use countersign_wire::{DecisionAnswer, NewCredential, OpenRequest, Opened, TurnAnswer};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

pub(crate) const AGENT: &str = "agent:support";

/// A clock that starts at the machine's time and moves only when told.
pub(crate) struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

impl TestClock {
    pub(crate) fn turn(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

pub(crate) struct Kit {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) service: Option<Arc<Service>>,
    tokens: Vec<(Role, String)>,
}

impl Kit {
    pub(crate) fn new() -> Self {
        Self::with_bundle(bundle("mail-agent"))
    }

    pub(crate) fn with_bundle(bundle: BundleContent) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(1_776_470_000_000)));
        let (keys, root) = KeyRing::create(
            &dir.path().join("keys"),
            &"countersign.invalid/test/acme/1".parse().unwrap(),
            &SystemRandom,
        )
        .unwrap();
        let credentials = Role::ALL
            .iter()
            .map(|role| NewCredential {
                roles: vec![role.name().to_owned()],
                actors: match role {
                    Role::Agent => vec![AGENT.to_owned(), "agent:night".to_owned()],
                    Role::Ingress => vec![
                        "agent:support".to_owned(),
                        "agent:night".to_owned(),
                        "agent:other".to_owned(),
                    ],
                    _ => Vec::new(),
                },
                ..NewCredential::default()
            })
            .collect();
        let new = NewLog {
            tenant: "acme".parse().unwrap(),
            root: &root,
            bundle,
            credentials,
            predecessor: None,
        };
        let (service, first) = Service::create(parts(dir.path(), keys, &clock), new).unwrap();
        let tokens = first
            .iter()
            .map(|first| (first.roles[0], first.token.expose_secret().to_owned()))
            .collect();
        Self {
            dir,
            clock,
            service: Some(Arc::new(service)),
            tokens,
        }
    }

    pub(crate) fn service(&self) -> &Arc<Service> {
        self.service.as_ref().unwrap()
    }

    /// Stops the service and opens it again.
    pub(crate) fn restart(&mut self) {
        self.try_restart().unwrap();
    }

    pub(crate) fn try_restart(&mut self) -> Result<(), SetupError> {
        self.service = None;
        let keys = KeyRing::load(&self.dir.path().join("keys")).unwrap();
        let service = Service::open(parts(self.dir.path(), keys, &self.clock))?;
        self.service = Some(Arc::new(service));
        Ok(())
    }

    /// The same, with the epochs of the vault's keys kept by something else.
    pub(crate) fn restart_over(&mut self, epochs: impl FnOnce(EpochFiles) -> Arc<dyn KeyEpochs>) {
        self.service = None;
        let dir = self.dir.path();
        let keys = KeyRing::load(&dir.join("keys")).unwrap();
        let epochs = epochs(epoch_files(dir, &keys));
        let parts = Parts {
            epochs,
            ..parts(dir, keys, &self.clock)
        };
        self.service = Some(Arc::new(Service::open(parts).unwrap()));
    }

    pub(crate) fn token(&self, role: Role) -> &str {
        &self.tokens.iter().find(|(has, _)| *has == role).unwrap().1
    }

    pub(crate) fn caller(&self, role: Role) -> Caller {
        self.service().authenticate(self.token(role)).unwrap()
    }

    /// Somebody who may read the log and open what is sealed.
    pub(crate) fn reader(&self) -> Caller {
        let roles = vec!["auditor".to_owned(), "vault-reader".to_owned()];
        let request = NewCredential {
            roles,
            ..NewCredential::default()
        };
        let created = self
            .service()
            .add_credential(&self.caller(Role::Admin), &request)
            .unwrap();
        self.service().authenticate(&created.token).unwrap()
    }

    /// Opens a record where one person may.
    pub(crate) fn open(
        &self,
        reader: &Caller,
        record: Sha256,
        purpose: &str,
    ) -> Result<Opened, ServiceError> {
        let request = OpenRequest {
            purpose: Some(purpose.to_owned()),
            request: None,
            alone: false,
        };
        match self.service().open_record(reader, record, &request)? {
            OpenAnswer::Opened(opened) => Ok(opened),
            OpenAnswer::Requested(_) => panic!("two people are needed"),
        }
    }

    pub(crate) fn turn(&self, session: &str, words: &str) -> TurnAnswer {
        self.try_turn(turn_request(session, words)).unwrap()
    }

    pub(crate) fn try_turn(&self, request: Value) -> Result<TurnAnswer, ServiceError> {
        self.service()
            .register_turn(&self.caller(Role::Ingress), request.to_string().as_bytes())
    }

    pub(crate) fn decide(&self, request: &Value) -> Result<DecisionAnswer, ServiceError> {
        self.decide_once(request, None)
    }

    pub(crate) fn decide_once(
        &self,
        request: &Value,
        key: Option<&str>,
    ) -> Result<DecisionAnswer, ServiceError> {
        self.service().decide(
            &self.caller(Role::Agent),
            request.to_string().as_bytes(),
            Surface::Api,
            key,
        )
    }

    /// Asks to send a mail under an intent.
    pub(crate) fn mail(&self, intent_ref: &str, to: &str) -> DecisionAnswer {
        self.decide(&mail_request(intent_ref, to)).unwrap()
    }

    pub(crate) fn size(&self) -> u64 {
        self.service().ledger().size().get()
    }

    /// Every entry of the log.
    pub(crate) fn log(&self) -> Vec<AnyEntry> {
        self.leaves()
            .iter()
            .map(|leaf| AnyEntry::from_leaf(leaf).unwrap())
            .collect()
    }

    pub(crate) fn leaves(&self) -> Vec<Vec<u8>> {
        let mut leaves = Vec::new();
        while (leaves.len() as u64) < self.size() {
            let from = leaves.len() as u64;
            leaves.extend(
                self.service()
                    .ledger()
                    .leaves(from..self.size())
                    .unwrap()
                    .into_iter()
                    .map(|leaf| leaf.bytes),
            );
        }
        leaves
    }

    pub(crate) fn last(&self) -> Body {
        self.log().last().unwrap().body().unwrap().clone()
    }

    pub(crate) fn last_decision(&self) -> Decision {
        match self.last() {
            Body::Decision(decision) => decision,
            other => panic!("the last entry is {}", other.kind()),
        }
    }
}

fn parts(dir: &Path, keys: KeyRing, clock: &Arc<TestClock>) -> Parts {
    Parts {
        store: Arc::new(SqliteStore::create(&dir.join("ledger.db")).unwrap()),
        head_file: dir.join("head"),
        epochs: Arc::new(epoch_files(dir, &keys)),
        keys,
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        random: Arc::new(SystemRandom),
        reserve: None,
    }
}

fn epoch_files(dir: &Path, keys: &KeyRing) -> EpochFiles {
    let origin = keys.origin().clone();
    EpochFiles::new(&dir.join("keys"), origin, Arc::new(SystemRandom))
}

pub(crate) fn turn_request(session: &str, words: &str) -> Value {
    json!({
        "principal": "user:jo@acme.example", "channel": "chat", "session": session, "actors": [AGENT],
        "parts": [{"by": "principal", "text": words}],
    })
}

pub(crate) fn mail_request(intent_ref: &str, to: &str) -> Value {
    json!({
        "tool": "email.send", "actor": AGENT, "intent_ref": intent_ref,
        "args": {"to": [to], "subject": "Your refund", "body": "The refund was made."},
        "reasoning": "The person asked for it.",
    })
}

/// A starter bundle; of each log, all documents are opened when its test is done.
pub(crate) fn bundle(name: &str) -> BundleContent {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../bundles")
        .join(name);
    let mut files = Vec::new();
    gather(&root, &root, &mut files);
    files.sort();
    let read = countersign_judge::source::read(&files);
    let mut content = read.unwrap_or_else(|findings| panic!("{findings:?}"));
    content.settings.vault.opened_per_hour = 0;
    content
}

fn gather(root: &Path, dir: &Path, files: &mut Vec<(String, String)>) {
    for item in std::fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            gather(root, &path, files);
        } else {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            files.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}
