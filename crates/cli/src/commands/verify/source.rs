//! A log's files in a directory.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use countersign_merkle::AnyTile;
use countersign_verify::{LogSource, SourceError};

use crate::input;

/// Longest file that is read: more than 256 leaves of 64 KiB can have.
const FILE_BYTES: u64 = 17 * 1024 * 1024;

/// A directory in tlog-tiles layout.
pub(crate) struct Directory {
    root: PathBuf,
}

impl Directory {
    /// The directory at `root`.
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, SourceError> {
        let io = |error: std::io::Error| match error.kind() {
            // A file where a directory should be is as good as no file.
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                SourceError::Missing
            }
            _ => SourceError::Io(error.to_string()),
        };
        let file = input::open_regular(&self.root.join(name)).map_err(io)?;
        let mut bytes = Vec::new();
        // What is longer is cut and then has no form that a tile or checkpoint may have, which is
        // for the verifier to say.
        file.take(FILE_BYTES).read_to_end(&mut bytes).map_err(io)?;
        Ok(bytes)
    }
}

impl LogSource for Directory {
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        self.read("checkpoint")
    }

    fn tile(&self, tile: &AnyTile) -> Result<Vec<u8>, SourceError> {
        self.read(&tile.to_string())
    }
}
