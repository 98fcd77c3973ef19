//! Directories that are filled under another name, and files for their owner only.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use countersign_core::refs::Sha256;
use countersign_ledger::DirLock;
use sha2::Digest as _;

use crate::HostError;
use crate::backup::BackupError;

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

/// A directory that is filled under another name, and takes its place whole or not at all.
pub(crate) struct Place {
    target: PathBuf,
    partial: PathBuf,
    // `None` once it has taken its place.
    lock: Option<DirLock>,
}

impl Place {
    /// Begins to fill a directory that is not there, or empty. What another process left when it ended
    /// in between is removed.
    pub(crate) fn begin(target: &Path) -> Result<Self, HostError> {
        let failed = io_error(target);
        let is_taken = match fs::read_dir(target) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => true,
            Err(error) => return Err(failed(error)),
        };
        if is_taken {
            return Err(BackupError::Taken(target.to_owned()).into());
        }
        let name = target.file_name().ok_or_else(|| {
            let reason = "it names no directory that could be made";
            failed(io::Error::new(io::ErrorKind::InvalidInput, reason))
        })?;
        let partial = target.with_file_name(format!(".{}.partial", name.to_string_lossy()));
        let make = || {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&partial)
        };
        make().map_err(io_error(&partial))?;
        // Held by whoever fills it at this moment.
        let lock = DirLock::acquire(&partial)?;
        for left in fs::read_dir(&partial).map_err(io_error(&partial))? {
            let path = left.map_err(io_error(&partial))?.path();
            if path.file_name().is_some_and(|name| name != "lock") {
                let removed = match path.is_dir() {
                    true => fs::remove_dir_all(&path),
                    false => fs::remove_file(&path),
                };
                removed.map_err(io_error(&path))?;
            }
        }
        Ok(Self {
            target: target.to_owned(),
            partial,
            lock: Some(lock),
        })
    }

    /// A path in it while it is being filled.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.partial.join(name)
    }

    /// Puts it in its place; durable on return.
    pub(crate) fn finish(mut self) -> Result<(), HostError> {
        let moved = (|| {
            File::open(&self.partial)?.sync_all()?;
            // A directory takes the place of an empty one, and of no other. The lock goes after: until
            // then nobody else may begin to fill what is being moved.
            fs::rename(&self.partial, &self.target)
        })();
        moved.map_err(io_error(&self.target))?;
        self.lock = None;
        let lock = self.target.join("lock");
        fs::remove_file(&lock).map_err(io_error(&lock))?;
        let parent = self
            .target
            .parent()
            .filter(|dir| !dir.as_os_str().is_empty());
        let parent = parent.unwrap_or_else(|| Path::new("."));
        let synced = File::open(parent).and_then(|dir| dir.sync_all());
        synced.map_err(io_error(parent))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.lock.is_some() {
            // What is half is of no use to anybody; if it stays, the next one removes it.
            let _ = fs::remove_dir_all(&self.partial);
        }
    }
}

/// Reads a file piece by piece; how long it is, and its SHA-256.
pub(crate) fn read_through(
    path: &Path,
    each: &mut dyn FnMut(&[u8]) -> Result<(), HostError>,
) -> Result<(u64, Sha256), HostError> {
    let mut file = File::open(path).map_err(io_error(path))?;
    let mut digest = sha2::Sha256::new();
    let (mut piece, mut length) = (vec![0; PIECE], 0_u64);
    loop {
        let read = file.read(&mut piece).map_err(io_error(path))?;
        let bytes = piece.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            return Ok((length, Sha256::from_bytes(digest.finalize().into())));
        }
        digest.update(bytes);
        length = length.saturating_add(read as u64);
        each(bytes)?;
    }
}

/// Makes a file for its owner only, which is not there yet.
pub(crate) fn create_private(path: &Path) -> Result<File, HostError> {
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(path);
    made.map_err(io_error(path))
}

pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), HostError> {
    let mut file = create_private(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(io_error(path))
}

pub(crate) fn io_error(path: &Path) -> impl Fn(io::Error) -> HostError {
    move |error| HostError::Io {
        path: path.to_owned(),
        error,
    }
}
