//! The newest published checkpoint, kept beyond the process: what was published must not go back.

use crate::board::Published;
use crate::parts::{LogKeys, Parts};
use countersign_ledger::ReadError;
use countersign_note::{Note, PolicyOutcome};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Why the newest published checkpoint cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The system said no.
    #[error("`{}`: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It is no checkpoint that this log has signed.
    #[error("`{}` is no checkpoint of this log", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It was published, and the log does not hold it any more.
    #[error("`{}` was published, and does not fit the log: {error}", .path.display())]
    Contradiction {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        error: ReadError,
    },
}

/// Reads what was published last.
pub(crate) fn read(parts: &Parts) -> Result<Option<Published>, KeptError> {
    let path = &parts.kept;
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|error| KeptError::Io {
            path: path.clone(),
            error,
        })?,
    };
    let opened = LogKeys::open(parts.log_keys.all(), &bytes);
    let (note, checkpoint) = opened.ok_or_else(|| KeptError::Foreign { path: path.clone() })?;
    parts
        .log
        .check_known(&checkpoint)
        .map_err(|error| KeptError::Contradiction {
            path: path.clone(),
            error,
        })?;
    Ok(Some(Published {
        size: checkpoint.size(),
        is_witnessed: is_witnessed(parts, &note),
        note: note.to_string().into(),
    }))
}

/// Whether the quorum has cosigned.
pub(crate) fn is_witnessed(parts: &Parts, note: &Note) -> bool {
    let Some(policy) = &parts.policy else {
        return false;
    };
    let outcome = policy.evaluate_with_logs(note, parts.log_keys.all());
    matches!(outcome, Ok(PolicyOutcome::Satisfied(_)))
}

/// Writes what is published; durable on return.
pub(crate) fn write(path: &Path, note: &str) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()
}
