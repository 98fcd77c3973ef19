//! Reading every leaf, rebuilding the tree from them, and holding the hash tiles against it.

use std::collections::{BTreeMap, BTreeSet};

use countersign_merkle::tile::{BundleEntries, TILE_HEIGHT, TILE_WIDTH, entry_tiles};
use countersign_merkle::{
    AnyTile, CompactRange, EntriesTile, HASH_LEN, Hash, TilePath, TreeSize, leaf_hash,
};

use crate::audit::VerifyError;
use crate::report::{Check, Findings};
use crate::source::{LogSource, SourceError};

/// What the leaves came to.
pub(crate) struct Tree {
    /// How many leaves could be read.
    pub(crate) read: u64,
    /// The root over them.
    pub(crate) root: Hash,
    /// The roots over the first so many leaves, for the sizes that were asked for.
    pub(crate) roots: BTreeMap<u64, Hash>,
}

/// Reads the leaves of a log of this size in order. Stops at the first bundle that is missing or
/// broken, so that the work is bounded by what the source really holds.
pub(crate) fn read(
    source: &dyn LogSource,
    size: TreeSize,
    wanted: &BTreeSet<u64>,
    findings: &mut Findings,
    each: &mut dyn FnMut(u64, &[u8], &mut Findings),
) -> Result<Tree, VerifyError> {
    let mut builder = Builder {
        source,
        size,
        range: CompactRange::new(),
        pending: BTreeMap::new(),
        roots: BTreeMap::new(),
    };
    for tile in entry_tiles(size) {
        let Some(bytes) = fetch(source, AnyTile::Entries(tile), findings)? else {
            break;
        };
        if !is_well_formed(&bytes, &tile, findings) {
            break;
        }
        for (index, leaf) in tile.leaves().zip(BundleEntries::new(&bytes).flatten()) {
            each(index, leaf, findings);
            builder.append(leaf, wanted, findings)?;
        }
    }
    builder.finish(findings)
}

struct Builder<'a> {
    source: &'a dyn LogSource,
    size: TreeSize,
    range: CompactRange,
    /// Per tile level, the nodes since the last full tile.
    pending: BTreeMap<u8, Vec<Hash>>,
    roots: BTreeMap<u64, Hash>,
}

impl Builder<'_> {
    fn append(
        &mut self,
        leaf: &[u8],
        wanted: &BTreeSet<u64>,
        findings: &mut Findings,
    ) -> Result<(), VerifyError> {
        let mut full: Vec<(u8, u64)> = Vec::new();
        let pending = &mut self.pending;
        let appended = self
            .range
            .append(leaf_hash(leaf), &mut |level, index, hash| {
                if level % TILE_HEIGHT == 0 {
                    let level = level / TILE_HEIGHT;
                    let nodes = pending.entry(level).or_default();
                    nodes.push(hash);
                    if nodes.len() == usize::from(TILE_WIDTH) {
                        full.push((level, index / u64::from(TILE_WIDTH)));
                    }
                }
            });
        appended.map_err(|error| VerifyError::Source(error.to_string()))?;
        for (level, index) in full {
            self.compare(level, index, findings)?;
        }
        let size = self.range.size().get();
        if wanted.contains(&size) {
            self.roots.insert(size, self.range.root());
        }
        Ok(())
    }

    /// Compares a tile with the nodes that the leaves gave, and begins the next one.
    fn compare(
        &mut self,
        level: u8,
        index: u64,
        findings: &mut Findings,
    ) -> Result<(), VerifyError> {
        let nodes = self.pending.remove(&level).unwrap_or_default();
        let width = u16::try_from(nodes.len()).unwrap_or(TILE_WIDTH);
        let Ok(path) = TilePath::new(level, index, width) else {
            return Ok(());
        };
        let Some(bytes) = fetch(self.source, AnyTile::Hashes(path), findings)? else {
            return Ok(());
        };
        let (found, rest) = bytes.as_chunks::<HASH_LEN>();
        if found.len() != nodes.len() || !rest.is_empty() {
            let expected = format!("{} bytes", nodes.len().saturating_mul(HASH_LEN));
            let found = format!("{path} of {} bytes", bytes.len());
            findings.log(Check::TileForm, found, expected);
            return Ok(());
        }
        for ((found, node), position) in found.iter().zip(&nodes).zip(path.nodes()) {
            if found == node.as_bytes() {
                continue;
            }
            let found = format!("{} in {path}", Hash::from_bytes(*found));
            match level {
                0 => findings.entry(position, None, Check::HashTile, found, node),
                _ => findings.log(Check::HashTile, found, node),
            }
        }
        Ok(())
    }

    fn finish(mut self, findings: &mut Findings) -> Result<Tree, VerifyError> {
        let read = self.range.size();
        if read == self.size {
            let levels: Vec<(u8, usize)> = self
                .pending
                .iter()
                .filter(|(_, nodes)| !nodes.is_empty())
                .map(|(level, nodes)| (*level, nodes.len()))
                .collect();
            for (level, _) in levels {
                let count = countersign_merkle::tile::nodes_at(level, read);
                self.compare(level, count / u64::from(TILE_WIDTH), findings)?;
            }
        }
        Ok(Tree {
            read: read.get(),
            root: self.range.root(),
            roots: self.roots,
        })
    }
}

/// The file, or a finding if there is none.
fn fetch(
    source: &dyn LogSource,
    tile: AnyTile,
    findings: &mut Findings,
) -> Result<Option<Vec<u8>>, VerifyError> {
    match source.tile(&tile) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(SourceError::Missing) => {
            findings.log(Check::TileMissing, "no such file", tile);
            Ok(None)
        }
        Err(SourceError::Io(reason)) => Err(VerifyError::Source(format!("`{tile}`: {reason}"))),
    }
}

fn is_well_formed(bytes: &[u8], tile: &EntriesTile, findings: &mut Findings) -> bool {
    match countersign_merkle::tile::decode_bundle(bytes, tile) {
        Ok(_) => true,
        Err(error) => {
            let found = format!("{tile}: {error}");
            let expected = format!("{} leaves, each after its length", tile.width());
            findings.log(Check::TileForm, found, expected);
            false
        }
    }
}
