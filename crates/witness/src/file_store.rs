//! A store of one small file per log.
//!
//! The file *is* the newest cosigned checkpoint, as monitors read it, so there is no second format
//! and no database for what is a few hundred bytes per log. It is written beside, synced, renamed,
//! and its directory synced, so a crash leaves the old one or the new one. When it is opened, the
//! witness's own signature is checked: only this witness can have written it, and what was damaged
//! stops the start instead of counting as nothing.

use crate::store::{Advance, Held, StoreError, WitnessStore, may_replace};
use crate::witness::{LogName, WitnessError, by_origin};
use countersign_note::{Checkpoint, Note, VerifierKey};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The longest file that is read, in bytes.
const MAX_FILE_LEN: u64 = 1 << 20;

/// Keeps the newest cosigned checkpoint of each log in a file of its own.
///
/// One process uses a directory; whoever opens it holds a lock on it.
#[derive(Debug)]
pub struct FileStore {
    dir: PathBuf,
    logs: BTreeMap<String, Mutex<State>>,
}

#[derive(Debug)]
enum State {
    Known(Option<Held>),
    /// A write failed, so what the disk holds is unknown until it is read again.
    Unknown,
}

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum FileStoreError {
    /// The system said no.
    #[error("`{}`: {error}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file is not what this witness wrote. Going on as if nothing had been cosigned could
    /// contradict what was.
    #[error("`{}` is not what this witness cosigned of `{origin}`: {reason}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The log's origin.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The logs cannot be witnessed.
    #[error(transparent)]
    Logs(#[from] WitnessError),
}

impl FileStore {
    /// Opens the store in `dir`, making the directory if there is none, for the logs with these keys
    /// and the witness with the key `own`. Files of other logs are left alone.
    pub fn open(
        dir: &Path,
        keys: impl IntoIterator<Item = VerifierKey>,
        own: &VerifierKey,
    ) -> Result<Self, FileStoreError> {
        let failed = |error| FileStoreError::Io {
            path: dir.to_owned(),
            error,
        };
        if !dir.is_dir() {
            fs::create_dir(dir).map_err(failed)?;
            sync_dir(dir.parent().unwrap_or(dir)).map_err(failed)?;
        }
        let mut logs = BTreeMap::new();
        for origin in by_origin(keys)?.into_keys() {
            let held = read(&file_of(dir, &origin), &origin, own)?;
            logs.insert(origin, Mutex::new(State::Known(held)));
        }
        Ok(Self {
            dir: dir.to_owned(),
            logs,
        })
    }

    fn of(&self, origin: &str) -> Result<&Mutex<State>, StoreError> {
        let state = self.logs.get(origin);
        state.ok_or_else(|| StoreError::new(format!("the log `{origin}` is unknown here")))
    }
}

impl State {
    fn held(&self) -> Result<Option<&Held>, StoreError> {
        match self {
            Self::Known(held) => Ok(held.as_ref()),
            Self::Unknown => Err(StoreError::new(
                "an earlier write failed, and what the disk holds is unknown until a restart",
            )),
        }
    }
}

impl WitnessStore for FileStore {
    fn latest(&self, origin: &str) -> Result<Option<Held>, StoreError> {
        let state = self.of(origin)?.lock();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        Ok(state.held()?.cloned())
    }

    fn advance(
        &self,
        origin: &str,
        expected: Option<countersign_merkle::TreeSize>,
        next: &Held,
    ) -> Result<Advance, StoreError> {
        let state = self.of(origin)?.lock();
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let held = state.held()?;
        if !may_replace(held, expected, next) {
            return Ok(Advance::Moved(held.cloned()));
        }
        let path = file_of(&self.dir, origin);
        if let Err(error) = write_durably(&path, next.note.as_bytes()) {
            *state = State::Unknown;
            let reason = format!("`{}`: {error}", path.display());
            return Err(StoreError::new(reason));
        }
        *state = State::Known(Some(next.clone()));
        Ok(Advance::Done)
    }
}

fn file_of(dir: &Path, origin: &str) -> PathBuf {
    dir.join(LogName::of(origin).as_str())
}

/// What was cosigned last, checked.
fn read(path: &Path, origin: &str, own: &VerifierKey) -> Result<Option<Held>, FileStoreError> {
    let damaged = |reason: String| FileStoreError::Damaged {
        path: path.to_owned(),
        origin: origin.to_owned(),
        reason,
    };
    let failed = |error| FileStoreError::Io {
        path: path.to_owned(),
        error,
    };
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found if found.as_ref().is_ok_and(|it| it.len() > MAX_FILE_LEN) => {
            return Err(damaged(format!("it is longer than {MAX_FILE_LEN} bytes")));
        }
        found => found.map_err(failed)?,
    };
    let bytes = fs::read(path).map_err(failed)?;
    let note = Note::parse(&bytes).map_err(|error| damaged(error.to_string()))?;
    // The log's signature was checked before ours was made; its key may be another one by now.
    note.verify(std::slice::from_ref(own))
        .map_err(|error| damaged(error.to_string()))?;
    let checkpoint = Checkpoint::parse(note.text()).map_err(|error| damaged(error.to_string()))?;
    if checkpoint.origin() != origin {
        return Err(damaged(format!("it is of `{}`", checkpoint.origin())));
    }
    Ok(Some(Held {
        size: checkpoint.size(),
        root: checkpoint.root(),
        note: note.to_string().into(),
    }))
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    // Without this the rename may be gone after a power cut, and the answer was given.
    sync_dir(path.parent().unwrap_or(path))
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    let dir = match dir.as_os_str().is_empty() {
        true => Path::new("."),
        false => dir,
    };
    File::open(dir)?.sync_all()
}
