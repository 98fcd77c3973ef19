//! One process for one data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// An exclusive lock on a data directory; released when dropped, and by the system when the process
/// ends in whatever way.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process, or this one, holds it.
    #[error(
        "`{}` is in use by another process: two of them would sign two histories of one log",
        .dir.display()
    )]
    Held {
        /// The directory.
        dir: PathBuf,
    },
    /// The lock file could not be opened or locked.
    #[error("could not lock `{}`: {error}", .path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl DirLock {
    /// Takes the lock on `<dir>/lock`, or fails at once.
    pub fn acquire(dir: &Path) -> Result<Self, LockError> {
        let path = dir.join("lock");
        let failed = |error| LockError::Io {
            path: path.clone(),
            error,
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held { dir: dir.into() }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_locked_once_and_free_again_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let lock = DirLock::acquire(dir.path()).unwrap();
        let second = DirLock::acquire(dir.path());
        assert!(matches!(second, Err(LockError::Held { .. })), "{second:?}");
        drop(lock);
        DirLock::acquire(dir.path()).unwrap();
        let nowhere = DirLock::acquire(&dir.path().join("missing"));
        assert!(matches!(nowhere, Err(LockError::Io { .. })));
    }
}
