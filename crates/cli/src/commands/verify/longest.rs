//! The longest that a log's files may be: whoever serves them is not trusted.

use countersign_merkle::tile::MAX_ENTRY_LEN;
use countersign_merkle::{AnyTile, HASH_LEN};
use countersign_note::MAX_NOTE_LEN;

/// Bytes of a checkpoint that are read: one more than it may have, so that more is noticed.
pub(crate) const CHECKPOINT: u64 = MAX_NOTE_LEN as u64 + 1;

/// Bytes of a tile that are read.
pub(crate) fn tile(tile: &AnyTile) -> u64 {
    let (width, each) = match tile {
        AnyTile::Hashes(path) => (path.width(), HASH_LEN),
        // Each entry comes after its length in two bytes.
        AnyTile::Entries(path) => (path.width(), MAX_ENTRY_LEN + 2),
    };
    let each = u64::try_from(each).unwrap_or(u64::MAX);
    u64::from(width).saturating_mul(each).saturating_add(1)
}
