//! Where the log's files come from.

use std::collections::BTreeMap;

use countersign_merkle::AnyTile;

/// The files of one log in tlog-tiles layout: an export, a mirror, a server.
pub trait LogSource {
    /// The signed checkpoint.
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError>;

    /// The bytes of a tile, or of a bundle of entries.
    fn tile(&self, tile: &AnyTile) -> Result<Vec<u8>, SourceError>;
}

/// Why a file could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The source holds no such file. That says something about the log.
    #[error("there is no such file")]
    Missing,
    /// The source could not be read. That says nothing about the log.
    #[error("{0}")]
    Io(String),
}

/// A log in memory: for tests, and for what came over a wire in one piece.
#[derive(Debug, Clone, Default)]
pub struct MemoryLog {
    /// The signed checkpoint.
    pub checkpoint: Vec<u8>,
    /// Every tile and bundle of entries.
    pub tiles: BTreeMap<AnyTile, Vec<u8>>,
}

impl LogSource for MemoryLog {
    fn checkpoint(&self) -> Result<Vec<u8>, SourceError> {
        Ok(self.checkpoint.clone())
    }

    fn tile(&self, tile: &AnyTile) -> Result<Vec<u8>, SourceError> {
        self.tiles.get(tile).cloned().ok_or(SourceError::Missing)
    }
}
