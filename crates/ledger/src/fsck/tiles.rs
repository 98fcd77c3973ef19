//! Holding the tiles of a publication or an export against its own entries.

use super::{Findings, Flaw, FsckError, Part, Progress};
use countersign_merkle::tile::layout::nodes_at;
use countersign_merkle::tile::{MAX_ENTRY_LEN, TILE_HEIGHT, TILE_WIDTH, decode_bundle};
use countersign_merkle::{
    CompactRange, EntriesTile, HASH_LEN, Hash, LeafIndex, TilePath, TreeSize, leaf_hash,
};
use countersign_note::{Checkpoint, Note, SignedCheckpoint, VerifierKey};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

/// Longest checkpoint file that is read.
const CHECKPOINT_BYTES: u64 = 1 << 20;
/// Longest bundle that is read: a full one of the longest entries.
const BUNDLE_BYTES: u64 = TILE_WIDTH as u64 * (MAX_ENTRY_LEN as u64 + 2);
/// Tile levels that a tree can have.
const LEVELS: u8 = 8;

/// Checks every tile below `dir` against the entries there, and these against the checkpoint there.
/// With `repair`, tiles of hashes that are missing or wrong are written again, if the entries give
/// the root of the checkpoint. Without keys its signature is not looked at.
pub fn check_tiles(
    dir: &Path,
    log_keys: &[VerifierKey],
    repair: bool,
    progress: &mut dyn FnMut(Progress),
) -> Result<Findings, FsckError> {
    let mut findings = pass(dir, log_keys, false, progress)?;
    if repair {
        let is_sound = !Part::ALL
            .iter()
            .any(|part| part.contradicts() && findings.counted(*part) > 0);
        if is_sound && findings.total() > 0 {
            pass(dir, log_keys, true, progress)?;
        }
        findings.set_repaired(is_sound);
    }
    Ok(findings)
}

fn pass(
    dir: &Path,
    log_keys: &[VerifierKey],
    repair: bool,
    progress: &mut dyn FnMut(Progress),
) -> Result<Findings, FsckError> {
    let mut findings = Findings::default();
    let checkpoint = checkpoint(dir, log_keys, &mut findings)?;
    let size = checkpoint.size();
    let mut tree = Tree {
        dir,
        repair,
        size,
        range: CompactRange::new(),
        levels: vec![Vec::new(); usize::from(LEVELS)],
    };
    let bundles = size.get().div_ceil(u64::from(TILE_WIDTH));
    for index in 0..bundles {
        // Without an entry there is no tree, and a checkpoint may speak of any number of them.
        if !tree.bundle(index, &mut findings)? {
            return Ok(findings);
        }
        progress(Progress {
            done: tree.range.size().get(),
            total: size.get(),
        });
    }
    for level in 1..LEVELS {
        tree.upper(level, &mut findings)?;
    }
    let root = tree.range.root();
    if root != checkpoint.root() {
        let found = format!("the entries give root {root}");
        let expected = format!("root {}, which the checkpoint has", checkpoint.root());
        findings.add(Flaw::new(Part::Root, found, expected));
    }
    Ok(findings)
}

fn checkpoint(
    dir: &Path,
    log_keys: &[VerifierKey],
    findings: &mut Findings,
) -> Result<Checkpoint, FsckError> {
    let path = dir.join("checkpoint");
    let bytes = read(&path, CHECKPOINT_BYTES)?;
    let no = |reason: String| FsckError::NoCheckpoint {
        path: path.clone(),
        reason,
    };
    let bytes = bytes.ok_or_else(|| no("there is no such file".to_owned()))?;
    let note = Note::parse(&bytes).map_err(|error| no(error.to_string()))?;
    if !log_keys.is_empty()
        && let Err(error) = SignedCheckpoint::open(&note, log_keys)
    {
        let expected = "a signature of the log's key";
        findings.add(Flaw::new(Part::Checkpoint, error, expected));
    }
    Checkpoint::parse(note.text()).map_err(|error| no(error.to_string()))
}

/// The tree as far as the entries were read.
struct Tree<'a> {
    dir: &'a Path,
    repair: bool,
    size: TreeSize,
    range: CompactRange,
    // The nodes at each tile level from 1 up; level 0 is not kept.
    levels: Vec<Vec<Hash>>,
}

impl Tree<'_> {
    /// Reads a bundle and holds it and the tile of its leaf hashes against each other.
    fn bundle(&mut self, index: u64, findings: &mut Findings) -> Result<bool, FsckError> {
        let Some(tile) = EntriesTile::in_tree(index, self.size) else {
            return Ok(false);
        };
        let first = LeafIndex::new(tile.leaves().start);
        let mut fail = |found: String, expected: String| {
            findings.add(Flaw::new(Part::Leaf, found, expected).at(first));
            Ok(false)
        };
        let Some(bytes) = read(&self.dir.join(tile.to_string()), BUNDLE_BYTES)? else {
            return fail(
                format!("there is no `{tile}`"),
                "a bundle of entries".to_owned(),
            );
        };
        let entries = match decode_bundle(&bytes, &tile) {
            Ok(entries) => entries,
            Err(error) => {
                let expected = format!("a bundle of {} entries", tile.width());
                return fail(format!("`{tile}`: {error}"), expected);
            }
        };
        let mut hashes = Vec::with_capacity(entries.len());
        for entry in &entries {
            let hash = leaf_hash(entry);
            let levels = &mut self.levels;
            let _ = self.range.append(hash, &mut |level, _, hash| {
                if level > 0 && level % TILE_HEIGHT == 0 {
                    let level = levels.get_mut(usize::from(level / TILE_HEIGHT));
                    level.into_iter().for_each(|level| level.push(hash));
                }
            });
            hashes.push(hash);
        }
        for width in self.partials(&tile.to_string())? {
            self.earlier_bundle(index, width, &entries, findings)?;
        }
        self.hash_tile(0, index, &hashes, findings)?;
        Ok(true)
    }

    /// A bundle of an earlier size begins as the one of this size does.
    fn earlier_bundle(
        &self,
        index: u64,
        width: u16,
        entries: &[&[u8]],
        findings: &mut Findings,
    ) -> Result<(), FsckError> {
        let (Ok(tile), Some(ours)) = (
            EntriesTile::new(index, width),
            entries.get(..usize::from(width)),
        ) else {
            return Ok(());
        };
        let bytes = read(&self.dir.join(tile.to_string()), BUNDLE_BYTES)?.unwrap_or_default();
        let is_same = decode_bundle(&bytes, &tile).is_ok_and(|theirs| theirs == ours);
        if !is_same {
            let found = format!("`{tile}` holds other entries");
            let first = LeafIndex::new(tile.leaves().start);
            let flaw = Flaw::new(Part::Leaf, found, "the first entries of the bundle");
            findings.add(flaw.at(first));
        }
        Ok(())
    }

    fn upper(&self, level: u8, findings: &mut Findings) -> Result<(), FsckError> {
        let Some(nodes) = self.levels.get(usize::from(level)) else {
            return Ok(());
        };
        debug_assert_eq!(nodes.len() as u64, nodes_at(level, self.size));
        for (index, nodes) in (0_u64..).zip(nodes.chunks(usize::from(TILE_WIDTH))) {
            self.hash_tile(level, index, nodes, findings)?;
        }
        Ok(())
    }

    /// Checks the tile that this size has, and those of earlier sizes that are there.
    fn hash_tile(
        &self,
        level: u8,
        index: u64,
        nodes: &[Hash],
        findings: &mut Findings,
    ) -> Result<(), FsckError> {
        let Some(tile) = TilePath::in_tree(level, index, self.size) else {
            return Ok(());
        };
        let mut widths = self.partials(&tile.to_string())?;
        widths.push(tile.width());
        widths.dedup();
        for width in widths {
            let (Ok(tile), Some(nodes)) = (
                TilePath::new(level, index, width),
                nodes.get(..usize::from(width)),
            ) else {
                continue;
            };
            let expected: Vec<u8> = nodes.iter().flat_map(|hash| *hash.as_bytes()).collect();
            let path = self.dir.join(tile.to_string());
            let longest = u64::from(TILE_WIDTH).saturating_mul(HASH_LEN as u64);
            let found = read(&path, longest)?;
            if found.as_deref() == Some(expected.as_slice()) {
                continue;
            }
            let found = match found {
                Some(_) => format!("`{tile}` holds other hashes"),
                None => format!("there is no `{tile}`"),
            };
            findings.add(Flaw::new(
                Part::Node,
                found,
                "the hashes that the entries give",
            ));
            if self.repair {
                write(&path, &expected).map_err(failed(&path))?;
            }
        }
        Ok(())
    }

    /// The widths of the partial tiles that are there under a tile's name.
    fn partials(&self, tile: &str) -> Result<Vec<u16>, FsckError> {
        let full = tile.split_once(".p/").map_or(tile, |(full, _)| full);
        let path = self.dir.join(format!("{full}.p"));
        let listed = match fs::read_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.map_err(failed(&path))?,
        };
        let mut widths = Vec::new();
        for file in listed {
            let name = file.map_err(failed(&path))?.file_name();
            widths.extend(name.to_str().and_then(|name| name.parse::<u16>().ok()));
        }
        widths.sort_unstable();
        Ok(widths)
    }
}

/// A regular file; `None` if there is none. One that is longer than `longest` is cut off, and so is
/// not what it should be.
fn read(path: &Path, longest: u64) -> Result<Option<Vec<u8>>, FsckError> {
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found.map_err(failed(path))?,
    };
    // Opening a pipe would wait for somebody who writes to it.
    if !metadata.is_file() {
        let error = io::Error::other("this is no regular file");
        return Err(failed(path)(error));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed(path))?;
    file.take(longest.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed(path))?;
    Ok(Some(bytes))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    crate::head_file::sync_parent(path)
}

fn failed(path: &Path) -> impl Fn(io::Error) -> FsckError {
    move |error| FsckError::Io {
        path: path.to_owned(),
        error,
    }
}
