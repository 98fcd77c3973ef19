//! Where the log's files come from.

use std::collections::BTreeMap;

use countersign_merkle::tile::{BundleEntries, TILE_WIDTH};
use countersign_merkle::{AnyTile, EntriesTile, HASH_LEN, TilePath};

/// The files of one log in tlog-tiles layout: an export, a mirror, a server. Several threads read
/// from it at once.
pub trait LogSource: Sync {
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

/// The bytes of a tile. Where a partial one is not there, the full one is cut to its width: a log
/// may remove partial tiles once the full one is there (C2SP tlog-tiles, "Partial Tiles").
pub(crate) fn fetch(source: &dyn LogSource, tile: &AnyTile) -> Result<Vec<u8>, SourceError> {
    match (source.tile(tile), full(tile)) {
        (Err(SourceError::Missing), Some(full)) => {
            let mut bytes = source.tile(&full)?;
            let kept = match tile {
                AnyTile::Hashes(path) => usize::from(path.width()).saturating_mul(HASH_LEN),
                AnyTile::Entries(path) => first_entries(&bytes, path.width()),
            };
            bytes.truncate(kept);
            Ok(bytes)
        }
        (fetched, _) => fetched,
    }
}

/// The full tile that a partial one is the beginning of.
fn full(tile: &AnyTile) -> Option<AnyTile> {
    match tile {
        AnyTile::Hashes(path) if !path.is_full() => {
            let full = TilePath::new(path.level(), path.index(), TILE_WIDTH);
            full.ok().map(AnyTile::Hashes)
        }
        AnyTile::Entries(path) if !path.is_full() => {
            let full = EntriesTile::new(path.index(), TILE_WIDTH);
            full.ok().map(AnyTile::Entries)
        }
        _ => None,
    }
}

/// How many bytes the first entries of a bundle take.
fn first_entries(bundle: &[u8], count: u16) -> usize {
    let entries = BundleEntries::new(bundle).take(usize::from(count));
    let lengths = entries.flatten().map(|entry| entry.len().saturating_add(2));
    lengths.fold(0, usize::saturating_add)
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
