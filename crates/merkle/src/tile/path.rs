//! Names of tiles.

use super::layout::nodes_at;
use crate::position::TreeSize;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// Levels of the tree in one tile.
pub const TILE_HEIGHT: u8 = 8;

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;

/// The highest tile level that a path may name (tlog-tiles: `<L>` is between 0 and 63).
pub const MAX_TILE_LEVEL: u8 = 63;

/// Longest accepted path. The longest that means something is 47 bytes: level 63 and an index of
/// seven groups, with a partial width.
pub const MAX_PATH_BYTES: usize = 64;

/// A tile of hashes: `tile/<L>/<N>[.p/<W>]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    level: u8,
    index: u64,
    width: u16,
}

/// A bundle of entries: `tile/entries/<N>[.p/<W>]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntriesTile {
    index: u64,
    width: u16,
}

/// Either kind of tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnyTile {
    /// A tile of hashes.
    Hashes(TilePath),
    /// A bundle of entries.
    Entries(EntriesTile),
}

/// Why something does not name a tile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TilePathError {
    /// The path is longer than any that names a tile.
    #[error("a tile path of {got} bytes is longer than the maximum of {MAX_PATH_BYTES}")]
    TooLong {
        /// How many bytes came.
        got: usize,
    },
    /// The path does not begin as asked.
    #[error("`{path}` does not begin with `tile/<level>/` or `tile/entries/`")]
    Prefix {
        /// The path that came.
        path: String,
    },
    /// The level is not a decimal of 0 to 63 without leading zeroes.
    #[error("`{level}` is not a tile level, which is 0 to 63 without leading zeroes")]
    Level {
        /// The level that came.
        level: String,
    },
    /// The index is not written in groups of three digits in the one way there is.
    #[error("`{index}` is not a tile index, such as `007` or `x001/x234/067`")]
    Index {
        /// The index that came.
        index: String,
    },
    /// The width is not one that a tile may have.
    #[error("`{width}` is not a partial width, which is 1 to 255 without leading zeroes")]
    Width {
        /// The width that came.
        width: String,
    },
}

impl TilePath {
    /// The tile `index` of `level` with `width` hashes: a level of at most 63 and a width of 1
    /// to 256.
    pub fn new(level: u8, index: u64, width: u16) -> Result<Self, TilePathError> {
        if level > MAX_TILE_LEVEL {
            let level = level.to_string();
            return Err(TilePathError::Level { level });
        }
        check_width(width)?;
        Ok(Self {
            level,
            index,
            width,
        })
    }

    /// The tile as a tree of `size` leaves has it, full or partial; `None` if the tree has no
    /// such tile.
    pub fn in_tree(level: u8, index: u64, size: TreeSize) -> Option<Self> {
        let width = width_in(nodes_at(level, size), index)?;
        Self::new(level, index, width).ok()
    }

    /// The tile level.
    pub const fn level(&self) -> u8 {
        self.level
    }

    /// The index within the level.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The number of hashes, 1 to 256.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Whether the tile is full, so that it never changes its name again.
    pub const fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The nodes of the tile's level that it holds. Saturates for indexes that no tree reaches.
    pub fn nodes(&self) -> Range<u64> {
        node_range(self.index, self.width)
    }
}

impl EntriesTile {
    /// The bundle `index` with `width` entries, 1 to 256.
    pub fn new(index: u64, width: u16) -> Result<Self, TilePathError> {
        check_width(width)?;
        Ok(Self { index, width })
    }

    /// The bundle as a tree of `size` leaves has it, full or partial; `None` if the tree has no
    /// such bundle.
    pub fn in_tree(index: u64, size: TreeSize) -> Option<Self> {
        let width = width_in(size.get(), index)?;
        Some(Self { index, width })
    }

    /// The index of the bundle.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The number of entries, 1 to 256.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Whether the bundle is full, so that it never changes its name again.
    pub const fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The leaf indexes of the entries in it. Saturates for indexes that no tree reaches.
    pub fn leaves(&self) -> Range<u64> {
        node_range(self.index, self.width)
    }
}

impl From<TilePath> for AnyTile {
    fn from(tile: TilePath) -> Self {
        Self::Hashes(tile)
    }
}

impl From<EntriesTile> for AnyTile {
    fn from(tile: EntriesTile) -> Self {
        Self::Entries(tile)
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        write_index(f, self.index, self.width)
    }
}

impl fmt::Display for EntriesTile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tile/entries/")?;
        write_index(f, self.index, self.width)
    }
}

impl fmt::Display for AnyTile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hashes(tile) => tile.fmt(f),
            Self::Entries(tile) => tile.fmt(f),
        }
    }
}

impl FromStr for AnyTile {
    type Err = TilePathError;

    fn from_str(path: &str) -> Result<Self, Self::Err> {
        if path.len() > MAX_PATH_BYTES {
            return Err(TilePathError::TooLong { got: path.len() });
        }
        let (level, rest) = path
            .strip_prefix("tile/")
            .and_then(|rest| rest.split_once('/'))
            .ok_or_else(|| TilePathError::Prefix { path: path.into() })?;
        let (index, width) = parse_index(rest)?;
        if level == "entries" {
            return Ok(Self::Entries(EntriesTile { index, width }));
        }
        let level = parse_decimal(level, 2)
            .and_then(|level| u8::try_from(level).ok())
            .filter(|level| *level <= MAX_TILE_LEVEL)
            .ok_or_else(|| TilePathError::Level {
                level: level.into(),
            })?;
        Ok(Self::Hashes(TilePath {
            level,
            index,
            width,
        }))
    }
}

impl FromStr for TilePath {
    type Err = TilePathError;

    fn from_str(path: &str) -> Result<Self, Self::Err> {
        match path.parse()? {
            AnyTile::Hashes(tile) => Ok(tile),
            AnyTile::Entries(_) => Err(TilePathError::Level {
                level: "entries".into(),
            }),
        }
    }
}

impl FromStr for EntriesTile {
    type Err = TilePathError;

    fn from_str(path: &str) -> Result<Self, Self::Err> {
        match path.parse()? {
            AnyTile::Entries(tile) => Ok(tile),
            AnyTile::Hashes(_) => Err(TilePathError::Prefix { path: path.into() }),
        }
    }
}

fn check_width(width: u16) -> Result<(), TilePathError> {
    if (1..=TILE_WIDTH).contains(&width) {
        return Ok(());
    }
    let width = width.to_string();
    Err(TilePathError::Width { width })
}

/// How wide tile `index` is when its level has `nodes` nodes; `None` if it is empty.
fn width_in(nodes: u64, index: u64) -> Option<u16> {
    let start = index.checked_mul(u64::from(TILE_WIDTH))?;
    let width = nodes.checked_sub(start)?.min(u64::from(TILE_WIDTH));
    u16::try_from(width).ok().filter(|width| *width > 0)
}

fn node_range(index: u64, width: u16) -> Range<u64> {
    let start = index.saturating_mul(u64::from(TILE_WIDTH));
    start..start.saturating_add(u64::from(width))
}

/// Groups of three digits, all but the last with an `x` before them; `.p/<W>` if partial.
fn write_index(f: &mut fmt::Formatter<'_>, index: u64, width: u16) -> fmt::Result {
    let mut divisor = 1;
    while index / divisor >= 1000 {
        divisor *= 1000;
    }
    while divisor > 1 {
        write!(f, "x{:03}/", index / divisor % 1000)?;
        divisor /= 1000;
    }
    write!(f, "{:03}", index % 1000)?;
    if width != TILE_WIDTH {
        write!(f, ".p/{width}")?;
    }
    Ok(())
}

/// Reads `<N>[.p/<W>]`.
fn parse_index(text: &str) -> Result<(u64, u16), TilePathError> {
    let (groups, width) = match text.split_once(".p/") {
        None => (text, TILE_WIDTH),
        Some((groups, width)) => (groups, parse_width(width)?),
    };
    let refused = || TilePathError::Index {
        index: groups.into(),
    };
    let mut index = 0_u64;
    let mut parts = groups.split('/').peekable();
    let mut is_first = true;
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let digits = match part.strip_prefix('x') {
            Some(digits) if !is_last => digits,
            None if is_last => part,
            _ => return Err(refused()),
        };
        let value = three_digits(digits).ok_or_else(refused)?;
        // A leading group of zeroes would be a second name for the same tile.
        if is_first && !is_last && value == 0 {
            return Err(refused());
        }
        index = index
            .checked_mul(1000)
            .and_then(|index| index.checked_add(value))
            .ok_or_else(refused)?;
        is_first = false;
    }
    Ok((index, width))
}

fn parse_width(text: &str) -> Result<u16, TilePathError> {
    parse_decimal(text, 3)
        .and_then(|width| u16::try_from(width).ok())
        .filter(|width| (1..TILE_WIDTH).contains(width))
        .ok_or_else(|| TilePathError::Width { width: text.into() })
}

fn three_digits(text: &str) -> Option<u64> {
    let is_group = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_group.then(|| text.parse().ok()).flatten()
}

/// An ASCII decimal without sign or leading zeroes, of at most `max_digits`.
fn parse_decimal(text: &str, max_digits: usize) -> Option<u64> {
    let is_canonical = (1..=max_digits).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    is_canonical.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index_of(path: &str) -> u64 {
        path.parse::<TilePath>().unwrap().index()
    }

    #[test]
    fn paths_read_as_the_specification_writes_them() {
        let tile = TilePath::new(0, 1_234_067, 256).unwrap();
        assert_eq!(tile.to_string(), "tile/0/x001/x234/067");
        let tile = TilePath::new(63, 0, 255).unwrap();
        assert_eq!(tile.to_string(), "tile/63/000.p/255");
        let bundle = EntriesTile::new(1000, 1).unwrap();
        assert_eq!(bundle.to_string(), "tile/entries/x001/000.p/1");
        assert_eq!(index_of("tile/0/999"), 999);
        assert_eq!(index_of("tile/0/x001/000"), 1000);
        let largest = TilePath::new(63, u64::MAX, 255).unwrap().to_string();
        assert_eq!(largest, "tile/63/x018/x446/x744/x073/x709/x551/615.p/255");
        assert!(largest.len() <= MAX_PATH_BYTES);
        assert_eq!(index_of(&largest), u64::MAX);
    }

    #[test]
    fn there_is_one_name_for_each_tile() {
        for path in [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "/tile/0/000",
            "tile//000",
            "tile/0//000",
            "tile/00/000",
            "tile/01/000",
            "tile/64/000",
            "tile/256/000",
            "tile/-1/000",
            "tile/+1/000",
            "tile/x/000",
            "Tile/0/000",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/0/x000",
            "tile/0/x000/000",
            "tile/0/x000/x001/000",
            "tile/0/001/000",
            "tile/0/x001/",
            "tile/0/x001/x000",
            "tile/0/X001/000",
            "tile/0/+01",
            "tile/0/ 01",
            "tile/0/٠٠١",
            "tile/0/000/",
            "tile/0/000.p",
            "tile/0/000.p/",
            "tile/0/000.p/0",
            "tile/0/000.p/01",
            "tile/0/000.p/256",
            "tile/0/000.p/1000",
            "tile/0/000.p/65537",
            "tile/0/000.p/+1",
            "tile/0/000.p/1/",
            "tile/0/000.p/1.p/1",
            "tile/0/000.P/1",
            "tile/0/000\n",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
            "tile/0/x001/x000/x000/x000/x000/x000/x000/000",
            "tile/data/000",
            "tile/Entries/000",
        ] {
            assert!(path.parse::<AnyTile>().is_err(), "{path:?} was accepted");
        }
        assert!("tile/entries/000".parse::<TilePath>().is_err());
        assert!("tile/0/000".parse::<EntriesTile>().is_err());
        let long = format!("tile/0/{}000", "x001/".repeat(100));
        let refused = long.parse::<AnyTile>();
        assert_eq!(refused, Err(TilePathError::TooLong { got: long.len() }));
    }

    #[test]
    fn only_possible_tiles_are_made() {
        assert!(TilePath::new(64, 0, 1).is_err());
        assert!(TilePath::new(0, 0, 0).is_err());
        assert!(TilePath::new(0, 0, 257).is_err());
        assert!(EntriesTile::new(0, 0).is_err());
        assert!(EntriesTile::new(0, 257).is_err());
    }

    #[test]
    fn nodes_do_not_overflow() {
        let tile = TilePath::new(0, u64::MAX, 256).unwrap();
        assert_eq!(tile.nodes(), u64::MAX..u64::MAX);
        let tile = TilePath::new(0, 3, 7).unwrap();
        assert_eq!(tile.nodes(), 768..775);
        assert!(TilePath::in_tree(0, u64::MAX, TreeSize::new(u64::MAX)).is_none());
    }
}
