//! C2SP tlog-tiles: which tiles a tree has, how they are named, and how entries are bundled.

pub mod bundle;
pub mod layout;
pub mod path;

pub use bundle::{
    BundleEntries, BundleError, EntryTooLong, MAX_ENTRY_LEN, decode_bundle, encode_bundle,
    push_entry,
};
pub use layout::{entry_tiles, hash_tiles, nodes_at, partial_width, tiles_for_size, tiles_grown};
pub use path::{
    AnyTile, EntriesTile, MAX_PATH_BYTES, MAX_TILE_LEVEL, TILE_HEIGHT, TILE_WIDTH, TilePath,
    TilePathError,
};
