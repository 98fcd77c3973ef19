//! Backups of a data directory that a server may be using: one state of the log, checked, without keys.
//!
//! ```text
//! BACKUP/backup.json        which log and how much of it, and the SHA-256 of each file
//! BACKUP/ledger.db          the database as it was at one moment
//! BACKUP/head               a head file that names just that moment
//! BACKUP/published          the newest published checkpoint, if there was one
//! BACKUP/notify-state.json  how far each sink had come, if there are any
//! ```
//!
//! `notify.toml` is not in it: it holds secrets, as the keys are.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_core::refs::Sha256;
use countersign_core::time::Clock as _;
use countersign_ledger::fsck::{Findings, Flaw, Found, Part, Progress};
use countersign_ledger::{HeadFile, LogReader, OpenError, Store};
use countersign_note::{Checkpoint, VerifierKey};
use countersign_service::{KeyHistoryError, SetupError, SystemClock};
use countersign_store_sqlite::{CopyProgress, SqliteStore, copy};
use serde::{Deserialize, Serialize};

use crate::fsck::check_database;
use crate::keys::signers;
use crate::place::{Place, io_error, read_through, write_private};
use crate::{DataDir, HostError, check_private};

/// What `backup.json` calls this layout.
pub(crate) const FORMAT: &str = "countersign-backup/1";
/// The file that says what a backup is.
pub(crate) const MANIFEST: &str = "backup.json";
/// The database in a backup and in a data directory.
pub(crate) const DATABASE: &str = "ledger.db";
/// The head file in a backup and in a data directory.
pub(crate) const HEAD: &str = "head";
/// What else of a data directory is kept, if it is there. Each is replaced whole when it changes, and
/// is copied before the database: older than it is right, newer would not be.
pub(crate) const BESIDE: &[&str] = &["published", "notify-state.json"];
/// Most bytes of each of those.
const BESIDE_BYTES: u64 = 16 * 1024 * 1024;

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// `countersign-backup/1`.
    pub format: String,
    /// The log's origin.
    pub origin: String,
    /// How many entries it holds.
    pub size: u64,
    /// The root of the tree over them.
    pub root: String,
    /// The signed checkpoint over them.
    pub checkpoint: String,
    /// When it was made, by the clock of the machine that made it.
    pub made_at: String,
    /// The version of the program that made it.
    pub program: String,
    /// Its files.
    pub files: Vec<BackupFile>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupFile {
    /// Its name.
    pub name: String,
    /// How long it is.
    pub bytes: u64,
    /// The SHA-256 of its content.
    pub sha256: Sha256,
}

/// How far a backup or a restore is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupProgress {
    /// Copying: pages of the database, or bytes of files.
    Copying {
        /// Copied.
        done: u64,
        /// In all.
        total: u64,
    },
    /// Checking the copy: entries.
    Checking {
        /// Read.
        done: u64,
        /// In all.
        total: u64,
    },
}

/// Why there is no backup, or why one was not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The place is taken: nothing is ever written over.
    #[error("`{}` is there already", .0.display())]
    Taken(PathBuf),
    /// What was copied does not say the same twice.
    #[error("the copy is not sound: {}, the first: {}", count(*.total), flaw_text(.first))]
    NotSound {
        /// How many differences there are.
        total: u64,
        /// The first of them.
        first: Box<Flaw>,
        /// Whether it is not the log that was signed.
        contradicts: bool,
    },
    /// The directory holds no backup.
    #[error("`{}` holds no backup: {reason}", .path.display())]
    NoBackup {
        /// Where it was looked for.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of a backup is not the one that was written.
    #[error("`{}` is not the file that was backed up: it was changed, cut or damaged", .0.display())]
    Changed(PathBuf),
    /// Nothing says which key signs the log.
    #[error("nothing says which key signs the log `{origin}`: a backup holds no keys")]
    NoKey {
        /// The log.
        origin: String,
    },
    /// The keys are another log's.
    #[error("the keys are of `{keys}`, the backup is of `{backup}`")]
    OtherLog {
        /// The origin of the keys.
        keys: String,
        /// The origin of the backup.
        backup: String,
    },
    /// The vault's keys are of before an epoch that the log says was destroyed.
    #[error(
        "the vault keys in `{}` are all of epoch {epoch} or older, which the log says was destroyed: they open no record of this backup", .keys.display()
    )]
    OldKeys {
        /// Where they are.
        keys: PathBuf,
        /// The newest epoch that was destroyed.
        epoch: u32,
    },
    /// A head that was given is no known head of this log.
    #[error("{what}: {reason}")]
    Head {
        /// Which.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A head that was given is of another history.
    #[error(
        "{what} has another root at {size} entries than the backup: one of the two is not the log's history"
    )]
    OtherHistory {
        /// Which.
        what: String,
        /// The size.
        size: u64,
    },
}

impl BackupError {
    /// What can be done about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Taken(_) => Some("name a place that is not there yet"),
            Self::NotSound { first, .. } if first.part == Part::Checkpoint => Some(
                "if the log's key was changed after the backup was made, give the key of then with --key, too",
            ),
            Self::NotSound { .. } => Some(
                "`countersign fsck --data DIR` says what differs in the data directory itself; keep both as they are (docs/recovery.md)",
            ),
            Self::NoBackup { .. } => Some("`countersign backup` makes one"),
            Self::Changed(_) => {
                Some("take another backup; this one says nothing that can be relied on")
            }
            Self::NoKey { .. } => Some(
                "give --keys with the directory of the log's keys, or --key with its verifier key",
            ),
            Self::OtherHistory { .. } => Some(
                "keep both: if both are signed by the log's key, they are evidence (docs/recovery.md)",
            ),
            Self::OldKeys { .. } => {
                Some("bring a copy of the keys that was made after `countersign vault complete`")
            }
            Self::OtherLog { .. } | Self::Head { .. } => None,
        }
    }

    /// Whether going on could contradict what the log has signed.
    pub fn contradicts(&self) -> bool {
        match self {
            Self::NotSound { contradicts, .. } => *contradicts,
            Self::OtherHistory { .. } => true,
            _ => false,
        }
    }
}

impl DataDir {
    /// Copies the log of this directory into a new directory, and checks the copy. A server may go on
    /// deciding meanwhile. Keys are not copied. `log_keys` are the log's, if its key files are not here.
    pub fn back_up(
        &self,
        to: &Path,
        log_keys: Vec<VerifierKey>,
        progress: &mut dyn FnMut(BackupProgress),
    ) -> Result<Backup, HostError> {
        if !self.is_begun() {
            return Err(HostError::Missing(self.path().to_owned()));
        }
        check_private(self.path())?;
        let log_keys = match log_keys.is_empty() {
            true => signers(&self.keys())?,
            false => log_keys,
        };
        let place = Place::begin(to)?;
        for name in BESIDE {
            copy_if_there(&self.path().join(name), &place.path(name))?;
        }
        copy(&self.database(), &place.path(DATABASE), &mut |pages| {
            let CopyProgress { done, total } = pages;
            progress(BackupProgress::Copying { done, total });
        })?;
        let log = read_log(&place.path(DATABASE))?;
        let (checkpoint, signed) = head_of(&log)?;
        drop(log);
        let mut head = create_head(&place.path(HEAD), &checkpoint)?;
        record(&mut head, &checkpoint, &signed)?;
        check_sound(
            &place.path(DATABASE),
            &place.path(HEAD),
            &log_keys,
            progress,
        )?;
        let backup = Backup {
            format: FORMAT.to_owned(),
            origin: checkpoint.origin().to_owned(),
            size: checkpoint.size().get(),
            root: checkpoint.root().to_string(),
            checkpoint: signed,
            made_at: SystemClock.now().to_string(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            files: files_of(&place)?,
        };
        let text = serde_json::to_vec_pretty(&backup).map_err(|error| HostError::Io {
            path: place.path(MANIFEST),
            error: error.into(),
        })?;
        write_private(&place.path(MANIFEST), &text)?;
        place.finish()?;
        Ok(backup)
    }
}

/// Holds a copy against itself, the keys and its head file.
pub(crate) fn check_sound(
    database: &Path,
    head: &Path,
    log_keys: &[VerifierKey],
    progress: &mut dyn FnMut(BackupProgress),
) -> Result<(), HostError> {
    let mut told = |Progress { done, total }| progress(BackupProgress::Checking { done, total });
    let findings: Findings = check_database(database, head, log_keys, false, &mut told)?;
    match (findings.found(), findings.kept().first()) {
        (Found::Clean, _) | (_, None) => Ok(()),
        (found, Some(first)) => Err(BackupError::NotSound {
            total: findings.total(),
            first: Box::new(first.clone()),
            contradicts: found == Found::Contradicts,
        }
        .into()),
    }
}

/// The log in a database that is only read.
pub(crate) fn read_log(database: &Path) -> Result<LogReader, HostError> {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_read_only(database)?);
    let log = LogReader::open(store).map_err(KeyHistoryError::from)?;
    Ok(log.ok_or(KeyHistoryError::NoGenesis)?)
}

/// The newest head of a log, and the same as it was signed.
pub(crate) fn head_of(log: &LogReader) -> Result<(Checkpoint, String), HostError> {
    let head = log.head();
    let checkpoint = Checkpoint::new(head.origin().as_str(), head.size(), head.root());
    let checkpoint = checkpoint.map_err(|error| BackupError::Head {
        what: "the head in the database".to_owned(),
        reason: error.to_string(),
    })?;
    Ok((checkpoint, head.checkpoint().to_owned()))
}

pub(crate) fn create_head(path: &Path, checkpoint: &Checkpoint) -> Result<HeadFile, HostError> {
    let created = HeadFile::create(path, checkpoint.clone()).map_err(OpenError::from);
    let created = created.map_err(SetupError::Open)?;
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(path, private).map_err(io_error(path))?;
    Ok(created)
}

pub(crate) fn record(
    file: &mut HeadFile,
    checkpoint: &Checkpoint,
    signed: &str,
) -> Result<(), HostError> {
    let recorded = file.record(checkpoint.clone(), signed);
    Ok(recorded
        .map_err(OpenError::from)
        .map_err(SetupError::Open)?)
}

fn files_of(place: &Place) -> Result<Vec<BackupFile>, HostError> {
    let names = [DATABASE, HEAD].iter().chain(BESIDE);
    let mut files = Vec::new();
    for name in names {
        let path = place.path(name);
        if path.exists() {
            let (bytes, sha256) = read_through(&path, &mut |_| Ok(()))?;
            let name = (*name).to_owned();
            files.push(BackupFile {
                name,
                bytes,
                sha256,
            });
        }
    }
    Ok(files)
}

/// Copies a small file, if it is there.
fn copy_if_there(from: &Path, to: &Path) -> Result<(), HostError> {
    let file = match File::open(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(io_error(from))?,
    };
    let mut bytes = Vec::new();
    let read = file
        .take(BESIDE_BYTES.saturating_add(1))
        .read_to_end(&mut bytes);
    read.map_err(io_error(from))?;
    if bytes.len() as u64 > BESIDE_BYTES {
        let reason = format!("it is longer than {BESIDE_BYTES} bytes");
        return Err(io_error(from)(io::Error::new(
            io::ErrorKind::FileTooLarge,
            reason,
        )));
    }
    write_private(to, &bytes)
}

fn count(differences: u64) -> String {
    match differences {
        1 => "1 thing differs".to_owned(),
        many => format!("{many} things differ"),
    }
}

fn flaw_text(flaw: &Flaw) -> String {
    let at = flaw.index.map(|index| format!(" of entry {index}"));
    let (at, part) = (at.unwrap_or_default(), flaw.part.code());
    format!("{part}{at}: {}, expected: {}", flaw.found, flaw.expected)
}
