//! Names and sets of tiles against `tlog_tiles`, whose paths have the tile height in them.

use countersign_merkle::tile::{hash_tiles, tiles_grown};
use countersign_merkle::{AnyTile, EntriesTile, TilePath, TreeSize};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn with_height(path: &str) -> String {
    path.replacen("tile/", "tile/8/", 1)
}

fn any_tile() -> impl Strategy<Value = TilePath> {
    let index = prop_oneof![
        any::<u64>(),
        0_u64..5_000,
        (0_u32..64).prop_map(|bits| 1 << bits)
    ];
    (0_u8..=63, index, 1_u16..=256)
        .prop_map(|(level, index, width)| TilePath::new(level, index, width).unwrap())
}

proptest! {
    #[test]
    fn paths_are_those_of_tlog_tiles(tile in any_tile()) {
        let path = tile.to_string();
        let theirs =
            tlog_tiles::Tile::new(8, tile.level(), tile.index(), tile.width().into(), false);
        prop_assert_eq!(with_height(&path), theirs.path());
        prop_assert_eq!(path.parse::<TilePath>(), Ok(tile));
        let entries = EntriesTile::new(tile.index(), tile.width()).unwrap();
        prop_assert_eq!(entries.to_string().parse::<AnyTile>(), Ok(AnyTile::Entries(entries)));
    }

    #[test]
    fn what_is_accepted_is_written_back(path in "tile/(entries|[0-9x]{0,3})/[0-9x/.p]{0,20}") {
        if let Ok(tile) = path.parse::<AnyTile>() {
            prop_assert_eq!(tile.to_string(), path);
        }
    }

    #[test]
    fn changed_paths_are_accepted_only_if_tlog_tiles_does(
        tile in any_tile(),
        position: prop::sample::Index,
        change in prop::sample::select(b"0123456789x/.p+ -".to_vec()),
    ) {
        let mut path = tile.to_string().into_bytes();
        let position = position.index(path.len());
        path[position] = change;
        let path = String::from_utf8(path).unwrap();
        // The other implementation panics on a width of 0 and on a level above 63.
        let level = path.split('/').nth(1).and_then(|level| level.parse::<u8>().ok());
        prop_assume!(!path.ends_with("/0") && !path.contains(".p/0"));
        prop_assume!(level.is_none_or(|level| level <= 63));
        let ours = path.parse::<TilePath>();
        let theirs = tlog_tiles::Tile::from_path(&with_height(&path)).ok();
        match ours {
            Ok(tile) => {
                let theirs = theirs.expect(&path);
                prop_assert_eq!(theirs.level(), tile.level());
                prop_assert_eq!(theirs.level_index(), tile.index());
                prop_assert_eq!(theirs.width(), u32::from(tile.width()));
            }
            Err(_) => prop_assert!(theirs.is_none(), "{path} was refused"),
        }
    }

    #[test]
    fn any_text_is_read_without_panic(path in ".{0,80}") {
        prop_assert!(path.parse::<AnyTile>().is_err());
    }

    #[test]
    fn the_tiles_to_publish_are_those_of_tlog_tiles(
        old in 0_u64..200_000, growth in prop_oneof![0_u64..600, 0_u64..200_000],
    ) {
        let new = old + growth;
        let ours: BTreeSet<String> = tiles_grown(TreeSize::new(old), TreeSize::new(new))
            .filter(|tile| matches!(tile, AnyTile::Hashes(_)))
            .map(|tile| with_height(&tile.to_string()))
            .collect();
        let theirs = tlog_tiles::Tile::new_tiles(8, old, new);
        let theirs: BTreeSet<String> = theirs.iter().map(tlog_tiles::Tile::path).collect();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn every_tile_is_as_wide_as_specified(size in 0_u64..200_000) {
        for tile in hash_tiles(TreeSize::new(size)) {
            let nodes = size / 256_u64.pow(tile.level().into());
            let width = match tile.index() == nodes / 256 {
                true => nodes % 256,
                false => 256,
            };
            prop_assert_eq!(u64::from(tile.width()), width);
        }
    }
}
