//! Publishing: a copy of the log in the layout of C2SP tlog-tiles, for auditors, mirrors and any
//! static file server.

use crate::head_file::sync_parent;
use crate::reader::{LogReader, ReadError};
use countersign_merkle::tile::layout::nodes_at;
use countersign_merkle::tile::{TILE_WIDTH, tiles_for_size};
use countersign_merkle::{AnyTile, TreeSize};
use countersign_note::{Checkpoint, Note};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// How far a publication has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Tiles written, or found to be there.
    pub done: u64,
    /// Tiles in all.
    pub total: u64,
}

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// How many entries.
    pub size: TreeSize,
    /// The signed checkpoint, as it stands in the file `checkpoint`.
    pub checkpoint: String,
    /// How many tiles were written; the others were there already.
    pub written: u64,
}

/// Why nothing, or not all, was published. The checkpoint that was there is untouched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A file could not be written.
    #[error("could not write `{}`: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The directory holds something that this log does not begin with.
    #[error("`{}` is of another history than this log", .path.display())]
    Contradiction {
        /// The file.
        path: PathBuf,
    },
    /// The directory holds a checkpoint of another log, or none that can be read.
    #[error("`{}` is not a checkpoint of this log: {reason}", .path.display())]
    OtherLog {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Writes all tiles of the log as it is now into `dir`, and then its checkpoint.
///
/// A directory that holds an earlier publication of the same log is brought up to date. Whoever
/// reads meanwhile sees the old checkpoint until all that the new one covers is durable.
pub fn publish(
    log: &LogReader,
    dir: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Published, PublishError> {
    let log = log.at_present();
    let checkpoint = log.checkpoint();
    check_published(&log, dir)?;
    write_all(&log, dir, &checkpoint, log.size(), TreeSize::ZERO, progress)
}

/// The same up to a checkpoint of this log that may be earlier than the newest and bear more
/// signatures, such as those of witnesses.
///
/// With `is_trusting`, tiles that were full when `dir` was last published to are not looked at: the
/// first call of a process should look.
pub fn publish_at(
    log: &LogReader,
    dir: &Path,
    checkpoint: &str,
    is_trusting: bool,
    progress: &mut dyn FnMut(Progress),
) -> Result<Published, PublishError> {
    let other = |reason: String| PublishError::Read(ReadError::ForeignCheckpoint { reason });
    let note = Note::parse(checkpoint.as_bytes()).map_err(|error| other(error.to_string()))?;
    let head = Checkpoint::parse(note.text()).map_err(|error| other(error.to_string()))?;
    log.check_known(&head)?;
    let earlier = check_published(log, dir)?.unwrap_or(TreeSize::ZERO);
    if earlier > head.size() {
        // What readers saw must not go back.
        let path = dir.join("checkpoint");
        return Err(PublishError::Contradiction { path });
    }
    let from = if is_trusting { earlier } else { TreeSize::ZERO };
    write_all(log, dir, checkpoint, head.size(), from, progress)
}

/// Writes the tiles of the tree of `size` that were not full at size `from`, then the checkpoint.
fn write_all(
    log: &LogReader,
    dir: &Path,
    checkpoint: &str,
    size: TreeSize,
    from: TreeSize,
    progress: &mut dyn FnMut(Progress),
) -> Result<Published, PublishError> {
    let is_new = |tile: &AnyTile| !is_full_at(tile, from);
    let total = tiles_for_size(size).filter(is_new).count() as u64;
    let mut written = 0_u64;
    let mut directories = BTreeSet::new();
    for (done, tile) in (0_u64..).zip(tiles_for_size(size).filter(is_new)) {
        progress(Progress { done, total });
        let path = dir.join(tile.to_string());
        if write_tile(log, &tile, &path)? {
            written = written.saturating_add(1);
            let parents = path.ancestors().skip(1);
            directories.extend(
                parents
                    .take_while(|p| p.starts_with(dir))
                    .map(PathBuf::from),
            );
        }
    }
    // The names of the tiles must be durable before a checkpoint says that they are there.
    for directory in &directories {
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(failed(directory))?;
    }
    let path = dir.join("checkpoint");
    write_durably(&path, checkpoint.as_bytes()).map_err(failed(&path))?;
    sync_parent(&path).map_err(failed(&path))?;
    progress(Progress { done: total, total });
    Ok(Published {
        size,
        checkpoint: checkpoint.to_string(),
        written,
    })
}

/// Whether a tile holds all that it ever will once the tree has `size` leaves.
fn is_full_at(tile: &AnyTile, size: TreeSize) -> bool {
    match tile {
        AnyTile::Hashes(tile) => {
            tile.width() == TILE_WIDTH && tile.nodes().end <= nodes_at(tile.level(), size)
        }
        AnyTile::Entries(tile) => tile.width() == TILE_WIDTH && tile.leaves().end <= size.get(),
    }
}

/// Looks whether an earlier publication in `dir` is one that this log continues; its size.
fn check_published(log: &LogReader, dir: &Path) -> Result<Option<TreeSize>, PublishError> {
    fs::create_dir_all(dir).map_err(failed(dir))?;
    let path = dir.join("checkpoint");
    let earlier = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(failed(&path))?,
    };
    let other = |reason: String| PublishError::OtherLog {
        path: path.clone(),
        reason,
    };
    let note = Note::parse(&earlier).map_err(|error| other(error.to_string()))?;
    let earlier = Checkpoint::parse(note.text()).map_err(|error| other(error.to_string()))?;
    match log.check_known(&earlier) {
        Err(ReadError::ForeignCheckpoint { reason }) => Err(other(reason)),
        Err(ReadError::Beyond { .. }) => Err(PublishError::Contradiction { path }),
        checked => {
            checked?;
            Ok(Some(earlier.size()))
        }
    }
}

/// Writes a tile unless it is there; returns whether it was written.
fn write_tile(log: &LogReader, tile: &AnyTile, path: &Path) -> Result<bool, PublishError> {
    let bytes = log.any_tile(tile)?.ok_or_else(|| ReadError::Damaged {
        detail: format!("there is no `{tile}`"),
    })?;
    match fs::read(path) {
        Ok(found) if found == bytes => return Ok(false),
        // A tile never changes under its name.
        Ok(_) => return Err(PublishError::Contradiction { path: path.into() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(path)(error)),
    }
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(failed(parent))?;
    write_durably(path, &bytes).map_err(failed(path))?;
    Ok(true)
}

/// Writes a file whole or not at all; its name is durable once its directory is synced.
fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

fn failed(path: &Path) -> impl Fn(io::Error) -> PublishError {
    move |error| PublishError::Io {
        path: path.to_owned(),
        error,
    }
}
