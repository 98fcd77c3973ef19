//! A log's files in a directory.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use countersign_merkle::AnyTile;
use countersign_verify::{LogSource, SourceError};
use rustix::fs::{CWD, Mode, OFlags};

use super::longest;
use crate::error::CliError;

/// Longest document that is read: one holds at most 1 MiB of text, escaped.
const DOCUMENT_BYTES: u64 = 8 * 1024 * 1024;

/// A directory in tlog-tiles layout, whose maker is not trusted: nothing outside it is read by way
/// of a symbolic link in it, and no pipe is waited for.
pub(crate) struct Directory {
    root: File,
    path: PathBuf,
}

impl Directory {
    /// The directory at `path`, which may itself be reached by a link.
    pub(crate) fn open(path: &Path) -> Result<Self, CliError> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        match rustix::fs::openat(CWD, path, flags, Mode::empty()) {
            Ok(root) => Ok(Self {
                root: File::from(root),
                path: path.to_owned(),
            }),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => {
                Err(CliError::io(path, "there is no such directory"))
            }
            Err(error) => Err(CliError::io(path, error)),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of a document, by its name in the directory.
    pub(crate) fn document(&self, name: &str) -> Result<Vec<u8>, CliError> {
        let refused = |reason: String| CliError::io(&self.path.join(name), reason);
        let bytes = self.read(name, DOCUMENT_BYTES.saturating_add(1));
        let bytes = bytes.map_err(|error| refused(error.to_string()))?;
        match u64::try_from(bytes.len()).is_ok_and(|length| length <= DOCUMENT_BYTES) {
            true => Ok(bytes),
            false => Err(refused(format!(
                "it has more than {DOCUMENT_BYTES} bytes, which is the limit"
            ))),
        }
    }

    /// The bytes of a file of at most so many, if it is there.
    pub(crate) fn bytes(&self, name: &str, most: usize) -> Result<Option<Vec<u8>>, CliError> {
        let refused = |reason: String| CliError::io(&self.path.join(name), reason);
        let limit = u64::try_from(most).unwrap_or(u64::MAX);
        match self.read(name, limit.saturating_add(1)) {
            Err(SourceError::Missing) => Ok(None),
            Err(SourceError::Io(reason)) => Err(refused(reason)),
            Ok(bytes) if bytes.len() > most => Err(refused(format!(
                "it has more than {most} bytes, which is the limit"
            ))),
            Ok(bytes) => Ok(Some(bytes)),
        }
    }

    /// The first bytes of a file, at most so many. What is longer than it may be is cut, and then
    /// has no form that a tile or checkpoint may have, which is for the verifier to say.
    fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, SourceError> {
        let file = self.file(name).map_err(|error| match error.kind() {
            // A file where a directory should be is as good as no file.
            ErrorKind::NotFound | ErrorKind::NotADirectory => SourceError::Missing,
            ErrorKind::CrossesDevices => {
                SourceError::Io("a symbolic link leads out of the directory".to_owned())
            }
            _ => SourceError::Io(error.to_string()),
        })?;
        let io = |error: std::io::Error| SourceError::Io(error.to_string());
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() {
            return Err(SourceError::Io("this is no regular file".to_owned()));
        }
        let expected = usize::try_from(metadata.len().min(most)).unwrap_or_default();
        let mut bytes = Vec::with_capacity(expected.saturating_add(1));
        file.take(most).read_to_end(&mut bytes).map_err(io)?;
        Ok(bytes)
    }

    #[cfg(target_os = "linux")]
    fn file(&self, name: &str) -> std::io::Result<File> {
        use rustix::fs::ResolveFlags;
        // A pipe is opened at once, and then seen to be none of ours.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(&self.root, name, flags, Mode::empty(), within) {
            Ok(file) => Ok(File::from(file)),
            // A kernel before 5.6, or a sandbox that does not know the call.
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => self.file_slowly(name),
            Err(error) => Err(error.into()),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn file(&self, name: &str) -> std::io::Result<File> {
        self.file_slowly(name)
    }

    fn file_slowly(&self, name: &str) -> std::io::Result<File> {
        let root = std::fs::canonicalize(&self.path)?;
        let path = std::fs::canonicalize(root.join(name))?;
        if !path.starts_with(&root) {
            return Err(ErrorKind::CrossesDevices.into());
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let file = rustix::fs::openat(CWD, &path, flags, Mode::empty())?;
        Ok(File::from(file))
    }
}

impl LogSource for Directory {
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        self.read("checkpoint", longest::CHECKPOINT)
    }

    fn tile(&self, tile: &AnyTile) -> Result<Vec<u8>, SourceError> {
        self.read(&tile.to_string(), longest::tile(tile))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_opening_stay_in_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("log");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(dir.path().join("secret"), "outside").unwrap();
        std::fs::write(inside.join("checkpoint"), "inside").unwrap();
        std::os::unix::fs::symlink("../secret", inside.join("out")).unwrap();
        std::os::unix::fs::symlink("checkpoint", inside.join("in")).unwrap();
        let log = Directory::open(&inside).unwrap();
        for open in [Directory::file, Directory::file_slowly] {
            let read = |name: &str| {
                let mut text = String::new();
                open(&log, name)?.read_to_string(&mut text)?;
                std::io::Result::Ok(text)
            };
            assert_eq!(read("in").unwrap(), "inside");
            let refused = read("out").unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::CrossesDevices);
            assert_eq!(read("none").unwrap_err().kind(), ErrorKind::NotFound);
        }
    }
}
