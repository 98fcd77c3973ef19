//! Which tiles a tree of a given size has.

use super::path::{AnyTile, EntriesTile, TILE_HEIGHT, TILE_WIDTH, TilePath};
use crate::position::TreeSize;

/// Tile levels that a tree of fewer than 2^64 leaves can have.
const LEVELS: u8 = 8;

/// All tiles of a tree of this size: hash tiles level by level, then the entry bundles.
pub fn tiles_for_size(size: TreeSize) -> impl Iterator<Item = AnyTile> {
    tiles_grown(TreeSize::ZERO, size)
}

/// The tiles of a tree of `new` leaves that the tree of `old` leaves did not have under the same
/// name: what a publisher has to write. Empty unless the tree has grown.
pub fn tiles_grown(old: TreeSize, new: TreeSize) -> impl Iterator<Item = AnyTile> {
    let hashes = (0..LEVELS).flat_map(move |level| {
        grown_indexes(nodes_at(level, old), nodes_at(level, new))
            .filter_map(move |index| TilePath::in_tree(level, index, new))
            .map(AnyTile::Hashes)
    });
    let entries = grown_indexes(old.get(), new.get())
        .filter_map(move |index| EntriesTile::in_tree(index, new))
        .map(AnyTile::Entries);
    hashes.chain(entries)
}

/// All hash tiles of a tree of this size, level by level.
pub fn hash_tiles(size: TreeSize) -> impl Iterator<Item = TilePath> {
    (0..LEVELS).flat_map(move |level| {
        grown_indexes(0, nodes_at(level, size))
            .filter_map(move |index| TilePath::in_tree(level, index, size))
    })
}

/// All entry bundles of a tree of this size.
pub fn entry_tiles(size: TreeSize) -> impl Iterator<Item = EntriesTile> {
    grown_indexes(0, size.get()).filter_map(move |index| EntriesTile::in_tree(index, size))
}

/// How many complete nodes a tree of this size has at a tile level: `floor(size / 256^level)`.
pub fn nodes_at(level: u8, size: TreeSize) -> u64 {
    let levels = u32::from(level) * u32::from(TILE_HEIGHT);
    size.get().checked_shr(levels).unwrap_or(0)
}

/// How wide the partial tile at a level is, 0 if there is none: `floor(size / 256^level) mod 256`.
pub fn partial_width(level: u8, size: TreeSize) -> u16 {
    // Below 256.
    (nodes_at(level, size) % u64::from(TILE_WIDTH)) as u16
}

/// Indexes of the tiles that differ between `old` and `new` nodes of one level.
fn grown_indexes(old: u64, new: u64) -> std::ops::Range<u64> {
    let width = u64::from(TILE_WIDTH);
    if new <= old {
        return 0..0;
    }
    old / width..new.div_ceil(width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn names(size: u64) -> Vec<String> {
        let tiles = tiles_for_size(TreeSize::new(size));
        tiles.map(|tile| tile.to_string()).collect()
    }

    #[test]
    fn the_specifications_example_of_70000_leaves() {
        let size = TreeSize::new(70_000);
        let tiles: Vec<TilePath> = hash_tiles(size).collect();
        let widths = |level| {
            let of_level = tiles.iter().filter(move |tile| tile.level() == level);
            let full = of_level.clone().filter(|tile| tile.is_full()).count();
            let partial: Vec<u16> = of_level
                .filter(|tile| !tile.is_full())
                .map(TilePath::width)
                .collect();
            (full, partial)
        };
        assert_eq!(widths(0), (273, vec![112]));
        assert_eq!(widths(1), (1, vec![17]));
        assert_eq!(widths(2), (0, vec![1]));
        assert_eq!(tiles.len(), 273 + 1 + 1 + 1 + 1);
        assert_eq!(entry_tiles(size).count(), 274);
        assert_eq!(partial_width(0, size), 112);
        assert_eq!(partial_width(1, size), 17);
        assert_eq!(partial_width(2, size), 1);
        assert_eq!(partial_width(3, size), 0);
        assert_eq!(partial_width(255, size), 0);
    }

    #[test]
    fn small_trees() {
        assert!(names(0).is_empty());
        assert_eq!(names(1), ["tile/0/000.p/1", "tile/entries/000.p/1"]);
        assert_eq!(
            names(256),
            ["tile/0/000", "tile/1/000.p/1", "tile/entries/000"]
        );
        assert_eq!(
            names(257),
            [
                "tile/0/000",
                "tile/0/001.p/1",
                "tile/1/000.p/1",
                "tile/entries/000",
                "tile/entries/001.p/1"
            ]
        );
    }

    #[test]
    fn growth_is_the_difference_of_the_names() {
        let sizes = [
            0, 1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 66_000,
        ];
        for old in sizes {
            for new in sizes {
                let before: BTreeSet<AnyTile> = tiles_for_size(TreeSize::new(old)).collect();
                let after: BTreeSet<AnyTile> = tiles_for_size(TreeSize::new(new)).collect();
                let grown: BTreeSet<AnyTile> =
                    tiles_grown(TreeSize::new(old), TreeSize::new(new)).collect();
                let expected: BTreeSet<AnyTile> = match new > old {
                    true => after.difference(&before).copied().collect(),
                    false => BTreeSet::new(),
                };
                assert_eq!(grown, expected, "from {old} to {new}");
            }
        }
    }

    #[test]
    fn the_largest_sizes_do_not_overflow() {
        for size in [1 << 63, u64::MAX] {
            let size = TreeSize::new(size);
            assert_eq!(tiles_grown(size, size).count(), 0);
            assert!(tiles_for_size(size).next().is_some());
            let top = hash_tiles(size).next().unwrap();
            assert!(top.is_full());
        }
    }
}
