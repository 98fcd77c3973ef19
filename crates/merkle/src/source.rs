//! Where nodes come from.

use crate::hash::{HASH_LEN, Hash};
use crate::position::TreeSize;
use crate::tile::{TILE_WIDTH, TilePath};
use std::ops::Range;

/// Something that holds the hashes which tiles hold.
pub trait NodeSource {
    /// Why a read failed.
    type Error;

    /// The hashes of the nodes `range` at a *tile level*: level 0 are the leaf hashes, and node `i`
    /// of level `l` is the root of the perfect subtree over leaves `i * 256^l .. (i + 1) * 256^l`.
    ///
    /// This crate asks only for nodes that are complete at the size in question, and never across
    /// the border of a tile. The answer has exactly as many hashes as the range, or is an error.
    fn nodes(&self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, Self::Error>;
}

impl<S: NodeSource + ?Sized> NodeSource for &S {
    type Error = S::Error;

    fn nodes(&self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, Self::Error> {
        (**self).nodes(level, range)
    }
}

/// Something that holds whole tiles as C2SP tlog-tiles serves them.
pub trait TileSource {
    /// Why a read failed.
    type Error;

    /// The bytes of the tile, `32 * width` of them.
    fn tile(&self, path: &TilePath) -> Result<Vec<u8>, Self::Error>;
}

/// Reads nodes out of the tiles of a tree of a given size.
#[derive(Debug, Clone)]
pub struct TileReader<S> {
    source: S,
    size: TreeSize,
}

/// Why nodes could not be read from tiles.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TileReadError<E> {
    /// The source failed.
    #[error("could not read a tile")]
    Source(#[source] E),
    /// The tree of this size has no such nodes, or they are not in one tile.
    #[error("nodes {start}..{end} at tile level {level} are not in one tile of the tree")]
    OutOfRange {
        /// The tile level.
        level: u8,
        /// The first node asked for.
        start: u64,
        /// One past the last.
        end: u64,
    },
    /// A tile has the wrong number of bytes.
    #[error("`{path}` has {got} bytes, it must have {expected}")]
    Length {
        /// Which tile.
        path: TilePath,
        /// 32 bytes for each of its hashes.
        expected: usize,
        /// How many came.
        got: usize,
    },
}

impl<S: TileSource> TileReader<S> {
    /// Reads the tiles that a tree of this size has, partial ones included.
    pub const fn new(source: S, size: TreeSize) -> Self {
        Self { source, size }
    }

    fn tile_of(&self, level: u8, range: &Range<u64>) -> Option<TilePath> {
        let width = u64::from(TILE_WIDTH);
        let index = range.start / width;
        if range.is_empty() || (range.end - 1) / width != index {
            return None;
        }
        let tile = TilePath::in_tree(level, index, self.size)?;
        let end = index
            .checked_mul(width)?
            .checked_add(u64::from(tile.width()))?;
        (range.end <= end).then_some(tile)
    }
}

impl<S: TileSource> NodeSource for TileReader<S> {
    type Error = TileReadError<S::Error>;

    fn nodes(&self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, Self::Error> {
        let out_of_range = || TileReadError::OutOfRange {
            level,
            start: range.start,
            end: range.end,
        };
        let path = self.tile_of(level, &range).ok_or_else(out_of_range)?;
        let bytes = self.source.tile(&path).map_err(TileReadError::Source)?;
        let (hashes, rest) = bytes.as_chunks::<HASH_LEN>();
        if hashes.len() != usize::from(path.width()) || !rest.is_empty() {
            return Err(TileReadError::Length {
                path,
                expected: usize::from(path.width()) * HASH_LEN,
                got: bytes.len(),
            });
        }
        // Both are below 256: the range lies within one tile.
        let start = (range.start % u64::from(TILE_WIDTH)) as usize;
        let count = (range.end - range.start) as usize;
        let wanted = hashes.iter().skip(start).take(count);
        Ok(wanted.map(|hash| Hash::from_bytes(*hash)).collect())
    }
}

/// The bytes of a tile, from its nodes: what `<prefix>/tile/<L>/<N>` serves.
///
/// The caller has checked that the tree has the tile. The length is right if the source keeps its
/// contract.
pub fn tile_content<S: NodeSource>(source: &S, path: &TilePath) -> Result<Vec<u8>, S::Error> {
    let nodes = source.nodes(path.level(), path.nodes())?;
    let mut bytes = Vec::with_capacity(nodes.len().saturating_mul(HASH_LEN));
    for node in nodes {
        bytes.extend_from_slice(node.as_bytes());
    }
    Ok(bytes)
}
