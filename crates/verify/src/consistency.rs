//! Whether the tree of one signed head begins with that of another, from the tiles of the larger.

use countersign_merkle::{
    AnyTile, Hash, ProofError, TilePath, TileReadError, TileReader, TileSource, TreeReader,
    TreeSize, verify_consistency,
};
use countersign_note::Checkpoint;

use crate::contradiction::Prefix;
use crate::source::{self, LogSource, SourceError};

/// What the tiles show of two heads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shown {
    /// The larger tree begins with the smaller one.
    Consistent,
    /// It does not; this shows it to anybody, without the tiles.
    Contradicts(Prefix),
    /// The tiles show neither.
    Nothing(String),
}

/// Holds the head of fewer entries against the tiles of the head of more. Reads a few tiles.
///
/// # Errors
/// The source could not be read.
pub(crate) fn compare(
    source: &dyn LogSource,
    fewer: &Checkpoint,
    more: &Checkpoint,
) -> Result<Shown, String> {
    if fewer.size() == TreeSize::ZERO {
        return Ok(Shown::Consistent);
    }
    let tiles = tiles(source, more.size());
    let read = || -> Result<(Vec<Hash>, Hash), ReadError> {
        let path = TreeReader::new(&tiles, more.size())?.consistency_proof(fewer.size())?;
        let root = TreeReader::new(&tiles, fewer.size())?.root()?;
        Ok((path, root))
    };
    let (path, root) = match read().map_err(not_read) {
        Ok(read) => read,
        Err(NotRead::Shows(what)) => return Ok(Shown::Nothing(what)),
        Err(NotRead::Io(reason)) => return Err(reason),
    };
    let leads_from = |root: &Hash| {
        verify_consistency(fewer.size(), more.size(), &path, root, &more.root()).is_ok()
    };
    Ok(if leads_from(&fewer.root()) {
        Shown::Consistent
    } else if leads_from(&root) {
        let size = fewer.size().get();
        Shown::Contradicts(Prefix { size, root, path })
    } else {
        Shown::Nothing("the tiles do not hash to the signed root".to_owned())
    })
}

/// Whether the tiles at the right edge hash to the head's root; what does not hold if not.
pub(crate) fn edge(source: &dyn LogSource, head: &Checkpoint) -> Result<Option<String>, String> {
    let tiles = tiles(source, head.size());
    let root = || -> Result<Hash, ReadError> { TreeReader::new(&tiles, head.size())?.root() };
    match root().map_err(not_read) {
        Ok(root) if root == head.root() => Ok(None),
        Ok(root) => Ok(Some(format!("the tiles hash to {root}"))),
        Err(NotRead::Shows(what)) => Ok(Some(what)),
        Err(NotRead::Io(reason)) => Err(reason),
    }
}

/// The tiles of a tree of this size.
pub(crate) fn tiles(source: &dyn LogSource, size: TreeSize) -> TileReader<Tiles<'_>> {
    TileReader::new(Tiles(source), size)
}

pub(crate) type ReadError = ProofError<TileReadError<FileError>>;

pub(crate) struct Tiles<'s>(&'s dyn LogSource);

/// A tile that could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}`: {error}")]
pub(crate) struct FileError {
    path: TilePath,
    error: SourceError,
}

impl TileSource for Tiles<'_> {
    type Error = FileError;

    fn tile(&self, path: &TilePath) -> Result<Vec<u8>, Self::Error> {
        let path = *path;
        let fetched = source::fetch(self.0, &AnyTile::Hashes(path));
        fetched.map_err(|error| FileError { path, error })
    }
}

/// Why nodes were not read: because of what the log is, or because it could not be read at all.
pub(crate) enum NotRead {
    Shows(String),
    Io(String),
}

pub(crate) fn not_read(error: ReadError) -> NotRead {
    match error {
        ProofError::Source(TileReadError::Source(file)) => match file.error {
            SourceError::Missing => NotRead::Shows(file.to_string()),
            SourceError::Io(_) => NotRead::Io(file.to_string()),
        },
        ProofError::Source(error) => NotRead::Shows(error.to_string()),
        error => NotRead::Shows(error.to_string()),
    }
}
