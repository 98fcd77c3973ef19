//! One bundle of entries: what a worker makes of it.

use countersign_core::entry::{AnyEntry, LeafError};
use countersign_merkle::tile::{BundleEntries, BundleError};
use countersign_merkle::{AnyTile, EntriesTile, Hash, TilePath, leaf_hash, perfect_root};

use super::compare::{Compared, compare};
use crate::source::{self, LogSource, SourceError};

/// What is in a bundle.
pub(crate) struct Chunk {
    /// The hash of each leaf.
    pub(crate) leaves: Vec<Hash>,
    /// The root over them, if the bundle is full.
    pub(crate) root: Option<Hash>,
    /// Each leaf as an entry; empty unless that was asked for.
    pub(crate) entries: Vec<Result<AnyEntry, LeafError>>,
    /// What came of the hash tile above it.
    pub(crate) hash_tile: Compared,
}

/// Why a bundle cannot be used.
pub(crate) enum Broken {
    /// It is not there.
    Missing,
    /// It has not the form of a bundle of its width.
    Form(BundleError),
    /// It could not be read.
    Io(String),
}

pub(crate) fn read(
    source: &dyn LogSource,
    tile: EntriesTile,
    is_parsing: bool,
) -> Result<Chunk, Broken> {
    let bytes = source::fetch(source, &AnyTile::Entries(tile)).map_err(|error| match error {
        SourceError::Missing => Broken::Missing,
        SourceError::Io(reason) => Broken::Io(reason),
    })?;
    let width = usize::from(tile.width());
    let mut leaves = Vec::with_capacity(width);
    for leaf in BundleEntries::new(&bytes) {
        leaves.push(leaf_hash(leaf.map_err(Broken::Form)?));
    }
    if leaves.len() != width {
        return Err(Broken::Form(BundleError::Count {
            expected: tile.width(),
            got: leaves.len(),
        }));
    }
    let mut entries = Vec::new();
    if is_parsing {
        entries.reserve_exact(width);
        entries.extend(
            BundleEntries::new(&bytes)
                .flatten()
                .map(AnyEntry::from_leaf),
        );
    }
    // The bundle and the tile of the leaves' hashes have the same index and width.
    let hash_tile = match TilePath::new(0, tile.index(), tile.width()) {
        Ok(path) => compare(source, path, &leaves),
        Err(_) => Compared::Same,
    };
    let root = tile.is_full().then(|| perfect_root(&leaves)).flatten();
    Ok(Chunk {
        leaves,
        root,
        entries,
        hash_tile,
    })
}
