//! The keys of a data directory and their changes. No server runs meanwhile: each change takes the
//! directory's lock.
//!
//! A new key's file is durable before the log is told of the key, and takes its place after. If the
//! process ends in between, the next one that opens the directory asks the log and ends what was
//! begun: see [`DataDir::settle`].

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use countersign_core::entry::{GrantChange, KeyPurpose};
use countersign_keys::{
    KeyRing, Purpose, ROTATABLE, RootKey, Successor, SystemRandom, public_key_of, remove_key,
};
use countersign_ledger::{DirLock, Ledger, LedgerParts, LogReader, LogSigner, Store};
use countersign_merkle::LeafIndex;
use countersign_note::{NoteSigner as _, VerifierKey};
use countersign_service::{KeyChange, KeyHistory, KeyHistoryError, SetupError, SystemClock};
use countersign_store_sqlite::SqliteStore;
use countersign_wire::Completion;

use crate::{DataDir, HostError, check_private};

/// The file among the keys that names the entries of their changes.
const CHANGES: &str = "changes";

/// What a change of keys came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChanged {
    /// The key that the log has granted.
    pub granted: Option<String>,
    /// The key that the log has revoked.
    pub revoked: Option<String>,
    /// The entries of the change.
    pub entries: Vec<LeafIndex>,
    /// The signed checkpoint that covers them.
    pub checkpoint: String,
}

/// Why a key was not changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyUseError {
    /// The key is in use.
    #[error("the key `{key}` is in use: without it the log could not go on")]
    InUse {
        /// The key.
        key: String,
    },
    /// No key has this name.
    #[error("`{key}` is not a key that the log has granted")]
    Unknown {
        /// What was asked for.
        key: String,
    },
    /// The second signature is on.
    #[error("checkpoints are signed with ML-DSA-44 already")]
    MlDsaIsOn,
    /// The second signature is off.
    #[error("checkpoints are not signed with ML-DSA-44")]
    MlDsaIsOff,
    /// The database's index does not find a change that was made here.
    #[error("entry {index} changes a key, and the index of the database does not find it")]
    Hidden {
        /// Where it stands.
        index: LeafIndex,
    },
    /// Only some keys follow each other.
    #[error("the key `{0}` cannot be followed by another")]
    NotRotatable(Purpose),
}

impl KeyUseError {
    /// What can be done instead.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::InUse { .. } => Some(
                "let another follow it with `countersign key rotate`; ML-DSA-44 is switched off with `countersign key mldsa off`",
            ),
            Self::Unknown { .. } => Some("`countersign key list` shows them"),
            Self::Hidden { .. } => {
                Some("`countersign fsck --data DIR --repair` writes the index again")
            }
            Self::MlDsaIsOff => Some("`countersign key mldsa on` switches it on"),
            Self::MlDsaIsOn | Self::NotRotatable(_) => None,
        }
    }
}

/// A directory that nobody else uses, with what its log says of keys.
struct Held {
    keys: std::path::PathBuf,
    ring: KeyRing,
    history: KeyHistory,
    parts: LedgerParts,
    _lock: DirLock,
}

impl DataDir {
    /// The keys that the log has granted, from its entries. Another process may use the directory.
    pub fn key_history(&self) -> Result<KeyHistory, HostError> {
        if !self.is_begun() {
            return Err(HostError::Missing(self.path().to_owned()));
        }
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open_read_only(&self.database())?);
        read_history(&store, &self.keys())
    }

    /// Lets a new key follow the present one. A key that signs checkpoints is revoked in the same
    /// commit; the permit key that was stays until it is revoked, for permits that are about.
    pub fn rotate(&self, purpose: Purpose, root: &RootKey) -> Result<KeyChanged, HostError> {
        let held = self.hold()?;
        let old = match purpose {
            Purpose::Log => Some(held.ring.log_key().to_string()),
            Purpose::LogMlDsa => {
                let key = held.ring.second_key();
                Some(key.ok_or(KeyUseError::MlDsaIsOff)?.to_string())
            }
            Purpose::Permit => None,
            other => return Err(KeyUseError::NotRotatable(other).into()),
        };
        let next = held.successor(purpose)?;
        let mut changes = vec![granting(purpose, next.public_key())];
        changes.extend(
            old.as_deref()
                .map(|key| revoking(key_purpose(purpose), key)),
        );
        let signer: Arc<LogSigner> = match purpose {
            // So the first checkpoint that covers the grant is the new key's, and the old key
            // signs nothing after its revocation.
            Purpose::Log => Arc::new(next.log_signer()?),
            _ => Arc::new(held.ring.log_signer()),
        };
        let (entries, checkpoint) = held.commit(signer, root, &changes)?;
        let granted = Some(next.public_key().to_owned());
        next.promote()?;
        Ok(KeyChanged {
            granted,
            revoked: old,
            entries,
            checkpoint,
        })
    }

    /// Lets a new epoch of the vault's keys begin, wraps the keys of all records anew, and destroys the
    /// older epochs. Erasures that were requested before are complete then. No other key is needed.
    pub fn rotate_vault_keys(
        &self,
        tell: &mut dyn FnMut(&Completion),
    ) -> Result<Completion, HostError> {
        let host = self.open()?;
        let rotated = host.service().rotate_vault_keys(tell);
        Ok(rotated.map_err(SetupError::Service)?)
    }

    /// Switches the second signature under checkpoints on or off.
    pub fn set_ml_dsa(&self, on: bool, root: &RootKey) -> Result<KeyChanged, HostError> {
        let held = self.hold()?;
        let signer = Arc::new(held.ring.log_signer());
        let present = held.ring.second_key().map(ToString::to_string);
        match (present, on) {
            (Some(_), true) => Err(KeyUseError::MlDsaIsOn.into()),
            (None, false) => Err(KeyUseError::MlDsaIsOff.into()),
            (None, true) => {
                let next = held.successor(Purpose::LogMlDsa)?;
                let changes = [granting(Purpose::LogMlDsa, next.public_key())];
                let (entries, checkpoint) = held.commit(signer, root, &changes)?;
                let granted = Some(next.public_key().to_owned());
                next.promote()?;
                Ok(KeyChanged {
                    granted,
                    revoked: None,
                    entries,
                    checkpoint,
                })
            }
            (Some(key), false) => {
                let keys = held.keys.clone();
                let changes = [revoking(KeyPurpose::Log, &key)];
                let (entries, checkpoint) = held.commit(signer, root, &changes)?;
                remove_key(&keys, Purpose::LogMlDsa)?;
                Ok(KeyChanged {
                    granted: None,
                    revoked: Some(key),
                    entries,
                    checkpoint,
                })
            }
        }
    }

    /// Revokes a key that is no longer in use, such as the permit key before the present one.
    pub fn revoke_key(&self, key: &str, root: &RootKey) -> Result<KeyChanged, HostError> {
        let held = self.hold()?;
        let known = held.history.keys().iter().find(|it| it.key.as_str() == key);
        let unknown = || KeyUseError::Unknown {
            key: key.to_owned(),
        };
        let known = known.ok_or_else(unknown)?.clone();
        let in_use = [
            Some(held.ring.log_key().to_string()),
            held.ring.second_key().map(ToString::to_string),
            Some(held.ring.permit_key().map(|key| key.to_string())?),
        ];
        if in_use.iter().flatten().any(|used| used == key) {
            let key = key.to_owned();
            return Err(KeyUseError::InUse { key }.into());
        }
        let signer = Arc::new(held.ring.log_signer());
        let changes = [revoking(known.purpose, key)];
        let (entries, checkpoint) = held.commit(signer, root, &changes)?;
        Ok(KeyChanged {
            granted: None,
            revoked: Some(key.to_owned()),
            entries,
            checkpoint,
        })
    }

    fn hold(&self) -> Result<Held, HostError> {
        if !self.is_begun() {
            return Err(HostError::Missing(self.path().to_owned()));
        }
        check_private(self.path())?;
        let lock = DirLock::acquire(self.path())?;
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&self.database())?);
        let keys = self.keys();
        let history = read_history(&store, &keys)?;
        settle(&keys, &history)?;
        let ring = KeyRing::load(&keys)?;
        history.check(&ring)?;
        let parts = LedgerParts {
            store,
            head_file: self.path().join("head"),
            signer: Arc::new(ring.log_signer()),
            second_signer: None,
            earlier_signer: Some(ring.log_key().clone()),
            clock: Arc::new(SystemClock),
            reserve: None,
        };
        Ok(Held {
            keys,
            ring,
            history,
            parts,
            _lock: lock,
        })
    }
}

impl Held {
    /// The key that is to follow. One that an interrupted call left is taken up again.
    fn successor(&self, purpose: Purpose) -> Result<Successor, HostError> {
        let origin = self.ring.origin();
        match Successor::pending(&self.keys, purpose)? {
            Some(next) if next.origin() == origin => Ok(next),
            _ => Ok(Successor::create(
                &self.keys,
                purpose,
                origin,
                &SystemRandom,
            )?),
        }
    }

    /// Commits the changes, and ends the ledger.
    fn commit(
        self,
        signer: Arc<LogSigner>,
        root: &RootKey,
        changes: &[KeyChange],
    ) -> Result<(Vec<LeafIndex>, String), HostError> {
        let parts = LedgerParts {
            signer,
            ..self.parts
        };
        let ledger = Ledger::open(parts).map_err(SetupError::Open)?;
        let tools = (&SystemClock as _, &SystemRandom as _);
        let entries = self.history.change(&ledger, root, changes, tools)?;
        note(&self.keys, &entries)?;
        Ok((entries, ledger.checkpoint().to_string()))
    }
}

/// Ends the changes of keys that the log knows of and the files do not.
pub(crate) fn settle(keys: &Path, history: &KeyHistory) -> Result<(), HostError> {
    for purpose in ROTATABLE {
        if let Some(next) = Successor::pending(keys, purpose)?
            && history.is_live(key_purpose(purpose), next.public_key())
        {
            next.promote()?;
        }
    }
    let purpose = Purpose::LogMlDsa;
    if let Some(key) = public_key_of(keys, purpose)?
        && let Some(known) = history.find(KeyPurpose::Log, &key)
        && known.revoked.is_some()
    {
        remove_key(keys, purpose)?;
    }
    Ok(())
}

/// Removes keys that were to follow others and that the log was never told of. Only once the log was
/// found to be as it was released: an older one may not know yet.
pub(crate) fn discard_pending(keys: &Path) -> Result<(), HostError> {
    for purpose in ROTATABLE {
        if let Some(next) = Successor::pending(keys, purpose)? {
            next.discard()?;
        }
    }
    Ok(())
}

/// What the log says of its keys, as far as keys in the files have signed it.
pub(crate) fn read_history(store: &Arc<dyn Store>, keys: &Path) -> Result<KeyHistory, HostError> {
    let log = LogReader::open(Arc::clone(store)).map_err(KeyHistoryError::from)?;
    let log = log.ok_or(KeyHistoryError::NoGenesis)?;
    let history = KeyHistory::read(&log, &signers(keys)?)?;
    // What the index hides would be a key that lives again.
    let hidden = noted(keys)?
        .into_iter()
        .find(|index| !history.is_change(*index));
    match hidden {
        None => Ok(history),
        Some(index) => Err(KeyUseError::Hidden { index }.into()),
    }
}

/// The entries of the changes of keys that were made here.
fn noted(keys: &Path) -> Result<Vec<LeafIndex>, HostError> {
    let path = keys.join(CHANGES);
    let failed = |error| HostError::Io {
        path: path.clone(),
        error,
    };
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(failed)?,
    };
    let lines = text.lines().map(|line| line.parse().map(LeafIndex::new));
    let indexes: Result<Vec<_>, _> = lines.collect();
    indexes.map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error)))
}

/// Keeps the entries of a change beside the keys, where the index of the database cannot hide them.
fn note(keys: &Path, entries: &[LeafIndex]) -> Result<(), HostError> {
    let mut all = noted(keys)?;
    all.extend(entries);
    let text: String = all.iter().map(|index| format!("{index}\n")).collect();
    let (path, new) = (keys.join(CHANGES), keys.join(format!("{CHANGES}.new")));
    let written = (|| {
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(keys)?.sync_all()
    })();
    written.map_err(|error| HostError::Io { path, error })
}

/// The keys that may have signed the stored checkpoint: the log's key and, where a process ended
/// while it was changed, the one that was to follow it. What the log itself says of its keys is not
/// believed here: somebody may have written it anew.
pub(crate) fn signers(keys: &Path) -> Result<Vec<VerifierKey>, HostError> {
    let mut signers = vec![KeyRing::load(keys)?.log_key().clone()];
    if let Some(next) = Successor::pending(keys, Purpose::Log)? {
        signers.push(next.log_signer()?.verifier_key().clone());
    }
    Ok(signers)
}

fn granting(purpose: Purpose, key: &str) -> KeyChange {
    KeyChange {
        purpose: key_purpose(purpose),
        change: GrantChange::Granted,
        key: key.to_owned(),
    }
}

fn revoking(purpose: KeyPurpose, key: &str) -> KeyChange {
    KeyChange {
        purpose,
        change: GrantChange::Revoked,
        key: key.to_owned(),
    }
}

/// What an entry says of a key file's purpose.
fn key_purpose(purpose: Purpose) -> KeyPurpose {
    match purpose {
        Purpose::Permit => KeyPurpose::Permit,
        _ => KeyPurpose::Log,
    }
}
