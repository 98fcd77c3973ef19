//! Putting a backup in the place of a data directory that was lost.
//!
//! A backup that is older than what was released must not be continued under the same key. So what
//! the operator still knows of the lost log, a head file or signed checkpoints, is held against the
//! backup; if it is newer, it becomes the head file of the restored directory, and every server
//! refuses to open it. It is there to begin a successor from.

use std::fs::{self, DirBuilder};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use countersign_core::entry::{AnyEntry, Body, ErasurePhase};
use countersign_keys::{EpochFiles, KeyRing, SystemRandom};
use countersign_ledger::store::{Order, Page};
use countersign_ledger::{Filter, LogReader, RecordedHead};
use countersign_note::{Checkpoint, Note, SignedCheckpoint, VerifierKey};
use countersign_service::{KeyHistory, KeyHistoryError};
use countersign_vault::KeyEpochs as _;

use crate::backup::{
    BESIDE, Backup, BackupError, BackupProgress, DATABASE, FORMAT, HEAD, MANIFEST, check_sound,
    create_head, head_of, read_log, record,
};
use crate::place::{Place, create_private, io_error, read_through};
use crate::{DataDir, HostError};

/// Most bytes of `backup.json`.
const MANIFEST_BYTES: usize = 1 << 20;
/// Most bytes of a file among the keys; ordinary ones have about 200.
const KEY_FILE_BYTES: u64 = 1 << 16;
/// Entries of erasures that are read at once.
const PAGE: usize = 64;

/// What a restore is told.
#[derive(Default)]
pub struct Restoring<'a> {
    /// The directory of the log's keys, which are copied.
    pub keys: Option<&'a Path>,
    /// The log's verifier keys, where its key files are elsewhere.
    pub log_keys: Vec<VerifierKey>,
    /// What is still known of the log's newest heads.
    pub known: Vec<KnownHead>,
}

/// A head of the log that the operator still has.
pub struct KnownHead {
    /// How messages name it.
    pub what: String,
    /// The head.
    pub head: KnownHeadOf,
}

/// Where a known head comes from.
pub enum KnownHeadOf {
    /// The lost directory's own head file: no later head was released.
    HeadFile(RecordedHead),
    /// A signed checkpoint: later ones may have been released.
    Checkpoint(Note),
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What the backup says of itself.
    pub backup: Backup,
    /// How it stands to what is known of the log.
    pub standing: Standing,
    /// Whether the keys lie in the directory.
    pub has_keys: bool,
    /// What the backup's entries say of erasures.
    pub erasures: Erasures,
}

/// How a backup stands to what is known of the log's newest heads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// No newer head is known, and the newest that is known is this one: a server may go on.
    Newest,
    /// A newer head is known: entries were released that the backup does not have.
    RolledBack {
        /// How many entries were released.
        released: u64,
    },
    /// Whether entries are missing cannot be known: no head is, or only an older one.
    Unanchored {
        /// How many of its entries a known head covers.
        covered: u64,
    },
}

/// Erasures among the entries of a backup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erasures {
    /// Entries of erasures that were asked for.
    pub requested: u64,
    /// Entries of erasures that are complete.
    pub complete: u64,
    /// The newest epoch of vault keys that the log says was destroyed: its keys, and older ones, were
    /// not copied.
    pub destroyed_epoch: Option<u32>,
}

impl DataDir {
    /// Puts a backup into this directory, which must not be there, or be empty.
    pub fn restore(
        &self,
        from: &Path,
        restoring: Restoring<'_>,
        progress: &mut dyn FnMut(BackupProgress),
    ) -> Result<Restored, HostError> {
        let backup = manifest(from)?;
        let log_keys = log_keys(&backup, &restoring)?;
        let place = Place::begin(self.path())?;
        take_files(from, &backup, &place, progress)?;
        check_sound(
            &place.path(DATABASE),
            &place.path(HEAD),
            &log_keys,
            progress,
        )?;
        let log = read_log(&place.path(DATABASE))?;
        let (checkpoint, _) = head_of(&log)?;
        check_is(from, &backup, &checkpoint)?;
        let keys = trusted_keys(&log, log_keys);
        let (standing, newest) = compare(&log, &keys, &restoring.known)?;
        if let Some((released, signed)) = newest {
            // Whatever is done with the directory, it is not served.
            let mut file = create_head(&place.path(HEAD), &released)?;
            record(&mut file, &released, &signed)?;
        }
        let erasures = erasures(&log)?;
        drop(log);
        if let Some(keys) = restoring.keys {
            take_keys(keys, &place.path("keys"), &erasures)?;
        }
        place.finish()?;
        Ok(Restored {
            has_keys: restoring.keys.is_some(),
            backup,
            standing,
            erasures,
        })
    }
}

fn manifest(from: &Path) -> Result<Backup, HostError> {
    let path = from.join(MANIFEST);
    let no_backup = |reason: String| BackupError::NoBackup {
        path: from.to_owned(),
        reason,
    };
    let bytes = fs::read(&path).map_err(|error| no_backup(format!("`{MANIFEST}`: {error}")))?;
    let backup: Backup = countersign_core::json::parse_as(&bytes, MANIFEST_BYTES)
        .map_err(|error| no_backup(format!("`{MANIFEST}`: {error}")))?;
    if backup.format != FORMAT {
        let reason = format!(
            "its format is `{}`, and only `{FORMAT}` is known",
            backup.format
        );
        return Err(no_backup(reason).into());
    }
    let known = |name: &str| [DATABASE, HEAD].iter().chain(BESIDE).any(|it| *it == name);
    if let Some(other) = backup.files.iter().find(|file| !known(&file.name)) {
        return Err(no_backup(format!("it names the file `{}`", other.name)).into());
    }
    for name in [DATABASE, HEAD] {
        if !backup.files.iter().any(|file| file.name == name) {
            return Err(no_backup(format!("it has no file `{name}`")).into());
        }
    }
    Ok(backup)
}

/// The keys that may have signed the backup's head.
fn log_keys(backup: &Backup, restoring: &Restoring<'_>) -> Result<Vec<VerifierKey>, HostError> {
    let mut keys = restoring.log_keys.clone();
    if let Some(dir) = restoring.keys {
        let ring = KeyRing::load(dir)?;
        if ring.origin().as_str() != backup.origin {
            return Err(BackupError::OtherLog {
                keys: ring.origin().to_string(),
                backup: backup.origin.clone(),
            }
            .into());
        }
        keys.push(ring.log_key().clone());
    }
    match keys.is_empty() {
        true => Err(BackupError::NoKey {
            origin: backup.origin.clone(),
        }
        .into()),
        false => Ok(keys),
    }
}

/// Copies the files, each of which must be the one that was backed up.
fn take_files(
    from: &Path,
    backup: &Backup,
    place: &Place,
    progress: &mut dyn FnMut(BackupProgress),
) -> Result<(), HostError> {
    let total = backup.files.iter().map(|file| file.bytes).sum();
    let mut done = 0_u64;
    for file in &backup.files {
        let (path, target) = (from.join(&file.name), place.path(&file.name));
        let mut written = create_private(&target)?;
        let copied = read_through(&path, &mut |piece| {
            written.write_all(piece).map_err(io_error(&target))?;
            done = done.saturating_add(piece.len() as u64);
            progress(BackupProgress::Copying { done, total });
            Ok(())
        })?;
        if copied != (file.bytes, file.sha256) {
            return Err(BackupError::Changed(path).into());
        }
        written.sync_all().map_err(io_error(&target))?;
    }
    Ok(())
}

/// What the backup says of itself must be what is in it.
fn check_is(from: &Path, backup: &Backup, head: &Checkpoint) -> Result<(), HostError> {
    let is_it = backup.origin == head.origin()
        && backup.size == head.size().get()
        && backup.root == head.root().to_string();
    match is_it {
        true => Ok(()),
        false => Err(BackupError::Changed(from.join(MANIFEST)).into()),
    }
}

/// The given keys, and those that the log's root key has granted in entries that these have signed.
fn trusted_keys(log: &LogReader, given: Vec<VerifierKey>) -> Vec<VerifierKey> {
    let history = KeyHistory::read(log, &given);
    let granted = history.map_or_else(|_| Vec::new(), |history| history.log_keys());
    let mut keys = given;
    keys.extend(granted);
    keys
}

/// A head that is newer than the backup, and the same as it was signed.
type Newer = Option<(Checkpoint, String)>;

fn compare(
    log: &LogReader,
    keys: &[VerifierKey],
    known: &[KnownHead],
) -> Result<(Standing, Newer), HostError> {
    let size = log.size();
    let (mut newer, mut covered, mut is_last): (Newer, u64, bool) = (None, 0, false);
    for known in known {
        let (checkpoint, signed, is_head_file) = opened(known, keys)?;
        let what = || known.what.clone();
        if checkpoint.origin() != log.head().origin().as_str() {
            let reason = format!("it is of `{}`", checkpoint.origin());
            return Err(BackupError::Head {
                what: what(),
                reason,
            }
            .into());
        }
        if checkpoint.size() > size {
            let is_newest = newer
                .as_ref()
                .is_none_or(|(other, _)| other.size() < checkpoint.size());
            if is_newest {
                newer = Some((checkpoint, signed));
            }
            continue;
        }
        let root = log.root_at(checkpoint.size());
        if root.map_err(KeyHistoryError::from)? != checkpoint.root() {
            return Err(BackupError::OtherHistory {
                what: what(),
                size: checkpoint.size().get(),
            }
            .into());
        }
        covered = covered.max(checkpoint.size().get());
        is_last |= is_head_file;
    }
    let standing = match &newer {
        Some((released, _)) => Standing::RolledBack {
            released: released.size().get(),
        },
        None if is_last || (covered == size.get() && covered > 0) => Standing::Newest,
        None => Standing::Unanchored { covered },
    };
    Ok((standing, newer))
}

/// What a known head says, once it is clear that the log has signed it. A head file without a
/// signature, as one of a log without entries is, is the operator's word.
fn opened(
    known: &KnownHead,
    keys: &[VerifierKey],
) -> Result<(Checkpoint, String, bool), HostError> {
    let wrong = |reason: String| BackupError::Head {
        what: known.what.clone(),
        reason,
    };
    let verified = |note: &Note| {
        let signed = SignedCheckpoint::open(note, keys);
        signed.map_err(|error| wrong(error.to_string()))
    };
    match &known.head {
        KnownHeadOf::Checkpoint(note) => {
            let checkpoint = verified(note)?.checkpoint().clone();
            Ok((checkpoint, note.to_string(), false))
        }
        KnownHeadOf::HeadFile(head) => {
            let signed = head.signed.clone().unwrap_or_default();
            if head.signed.is_some() {
                let note: Note = signed
                    .parse()
                    .map_err(|error: countersign_note::NoteError| wrong(error.to_string()))?;
                verified(&note)?;
            }
            Ok((head.checkpoint.clone(), signed, true))
        }
    }
}

fn erasures(log: &LogReader) -> Result<Erasures, HostError> {
    let filter = Filter {
        kind: Some("erasure".to_owned()),
        ..Filter::default()
    };
    let mut page = Page {
        order: Order::OldestFirst,
        after: None,
        limit: PAGE,
    };
    let mut found = Erasures::default();
    loop {
        let entries = log.query(&filter, &page).map_err(KeyHistoryError::from)?;
        for stored in &entries.entries {
            let entry = AnyEntry::from_leaf(&stored.bytes).map_err(KeyHistoryError::from)?;
            let Some(Body::Erasure(erasure)) = entry.body() else {
                continue;
            };
            match erasure.phase {
                ErasurePhase::Requested => found.requested = found.requested.saturating_add(1),
                ErasurePhase::Complete => found.complete = found.complete.saturating_add(1),
            }
            found.destroyed_epoch = found.destroyed_epoch.max(erasure.epoch);
        }
        match entries.next {
            None => return Ok(found),
            next => page.after = next,
        }
    }
}

/// Copies key files, and destroys in the copy what the log says was destroyed.
fn take_keys(from: &Path, to: &Path, erasures: &Erasures) -> Result<(), HostError> {
    DirBuilder::new()
        .mode(0o700)
        .create(to)
        .map_err(io_error(to))?;
    for file in fs::read_dir(from).map_err(io_error(from))? {
        let path = file.map_err(io_error(from))?.path();
        let metadata = fs::metadata(&path).map_err(io_error(&path))?;
        let Some(name) = path.file_name().filter(|_| metadata.is_file()) else {
            continue;
        };
        if metadata.len() > KEY_FILE_BYTES {
            let error = std::io::Error::other("this is no key file: it is too long");
            return Err(io_error(&path)(error));
        }
        copy_key(&path, &to.join(name))?;
    }
    let ring = KeyRing::load(to)?;
    if let Some(epoch) = erasures.destroyed_epoch {
        let files = EpochFiles::new(to, ring.origin().clone(), Arc::new(SystemRandom));
        let failed = |error: countersign_vault::EpochError| {
            io_error(to)(std::io::Error::other(error.to_string()))
        };
        // What the backup's records are wrapped by now came after what was destroyed.
        let present = files.present().map_err(failed)?;
        if present.iter().all(|mark| mark.number <= epoch) {
            return Err(BackupError::OldKeys {
                keys: from.to_owned(),
                epoch,
            }
            .into());
        }
        files
            .destroy_before(epoch.saturating_add(1))
            .map_err(failed)?;
    }
    let synced = fs::File::open(to).and_then(|dir| dir.sync_all());
    synced.map_err(io_error(to))
}

fn copy_key(from: &Path, to: &Path) -> Result<(), HostError> {
    let mut written = create_private(to)?;
    read_through(from, &mut |piece| {
        written.write_all(piece).map_err(io_error(to))
    })?;
    written.sync_all().map_err(io_error(to))
}
