//! What holds for any bytes that are read as the name of a tile.

use countersign_merkle::AnyTile;

/// A name that is read is written back.
pub(crate) fn tile_path(data: &[u8]) {
    let Ok(path) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(tile) = path.parse::<AnyTile>() {
        assert_eq!(tile.to_string(), path);
    }
}
