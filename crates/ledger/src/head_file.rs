//! The head file: the newest released head, kept outside the database.
//!
//! A database that was restored from a backup, or replaced, is consistent in itself; only what
//! stands elsewhere shows that answers were given which it has forgotten. The file holds two slots
//! that are overwritten in turn, so a torn write loses only the head that was not released yet. It
//! is written in place and never grows: no journal commit, and no room needed on a full disk.

use countersign_core::refs::Sha256;
use countersign_note::Checkpoint;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Bytes of a slot: one block of the disk, so that slots do not tear each other.
const SLOT_BYTES: usize = 4096;
/// Slots in the file.
const SLOTS: u64 = 2;
/// First line of a slot.
const HEADER: &str = "countersign head file 1";

/// The open head file.
#[derive(Debug)]
pub struct HeadFile {
    path: PathBuf,
    file: File,
    newest: RecordedHead,
}

/// A head as the head file holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedHead {
    /// How many heads were recorded before it.
    pub sequence: u64,
    /// The origin, size and root of the released tree.
    pub checkpoint: Checkpoint,
    /// The same with the log's signature: what nobody else can have written. `None` before the first
    /// entry.
    pub signed: Option<String>,
}

/// Why the head file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeadFileError {
    /// The system said no.
    #[error("the head file `{}`: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Neither slot can be read.
    #[error("the head file `{}` is damaged: neither of its slots can be read", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A checkpoint does not fit a slot.
    #[error("a checkpoint of {found} bytes does not fit the head file")]
    TooLong {
        /// How many bytes it has.
        found: usize,
    },
}

impl HeadFile {
    /// Makes the file, or replaces it; durable on return.
    pub fn create(path: &Path, checkpoint: Checkpoint) -> Result<Self, HeadFileError> {
        let newest = RecordedHead {
            sequence: 0,
            checkpoint,
            signed: None,
        };
        let slot = newest.to_slot()?;
        let failed = |error| HeadFileError::Io {
            path: path.to_owned(),
            error,
        };
        let temporary = path.with_extension("new");
        let written = (|| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(true);
            let mut file = options.open(&temporary)?;
            for _ in 0..SLOTS {
                file.write_all(&slot)?;
            }
            file.sync_all()?;
            fs::rename(&temporary, path)?;
            // Without this the rename, and with it the file, may be gone after a power cut.
            sync_parent(path)?;
            Ok(file)
        })();
        let file = written.map_err(failed)?;
        let path = path.to_owned();
        Ok(Self { path, file, newest })
    }

    /// Opens the file; `None` if there is none.
    pub fn open(path: &Path) -> Result<Option<Self>, HeadFileError> {
        let failed = |error| HeadFileError::Io {
            path: path.to_owned(),
            error,
        };
        let mut file = match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed)?,
        };
        let newest = RecordedHead::newest_in(&mut file, path)?;
        let path = path.to_owned();
        Ok(Some(Self { path, file, newest }))
    }

    /// The newest head.
    pub fn newest(&self) -> &RecordedHead {
        &self.newest
    }

    /// Records a head, with the note that the log signed; durable on return. After an error the file
    /// must not be written again: what the disk holds is unknown then.
    pub fn record(&mut self, checkpoint: Checkpoint, signed: &str) -> Result<(), HeadFileError> {
        let is_its = split_note(signed).is_some_and(|(text, _)| text == checkpoint.to_string());
        let next = RecordedHead {
            sequence: self.newest.sequence.saturating_add(1),
            checkpoint,
            signed: is_its.then(|| signed.to_owned()),
        };
        let slot = next.to_slot()?;
        let offset = (next.sequence % SLOTS).saturating_mul(SLOT_BYTES as u64);
        let written = (|| {
            self.file.seek(SeekFrom::Start(offset))?;
            self.file.write_all(&slot)?;
            self.file.sync_data()
        })();
        written.map_err(|error| HeadFileError::Io {
            path: self.path.clone(),
            error,
        })?;
        self.newest = next;
        Ok(())
    }
}

impl RecordedHead {
    /// The newest head of a file that is only looked at, such as a lost machine's.
    pub fn read(path: &Path) -> Result<Self, HeadFileError> {
        let opened = File::open(path).map_err(|error| HeadFileError::Io {
            path: path.to_owned(),
            error,
        });
        Self::newest_in(&mut opened?, path)
    }

    fn newest_in(file: &mut File, path: &Path) -> Result<Self, HeadFileError> {
        let mut bytes = Vec::new();
        let most = SLOTS.saturating_mul(SLOT_BYTES as u64);
        let read = file.take(most).read_to_end(&mut bytes);
        read.map_err(|error| HeadFileError::Io {
            path: path.to_owned(),
            error,
        })?;
        let slots = bytes.chunks(SLOT_BYTES).filter_map(Self::from_slot);
        let newest = slots.max_by_key(|head| head.sequence);
        newest.ok_or_else(|| HeadFileError::Damaged { path: path.into() })
    }

    /// Lines that people can read, the SHA-256 of them all, and zeroes. Signatures that do not fit
    /// are left out.
    fn to_slot(&self) -> Result<Vec<u8>, HeadFileError> {
        let lines = |head: &dyn fmt::Display| {
            let mut text = format!("{HEADER}\n{}\n{head}", self.sequence);
            let digest = Sha256::of(text.as_bytes());
            text.push_str(&format!("{digest}\n"));
            text.into_bytes()
        };
        let signed = self.signed.as_ref().map(|signed| lines(signed));
        let signed = signed.filter(|slot| slot.len() <= SLOT_BYTES);
        let mut slot = signed.unwrap_or_else(|| lines(&self.checkpoint));
        if slot.len() > SLOT_BYTES {
            return Err(HeadFileError::TooLong { found: slot.len() });
        }
        slot.resize(SLOT_BYTES, 0);
        Ok(slot)
    }

    fn from_slot(slot: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(slot).ok()?.trim_end_matches('\0');
        let (lines, digest) = text.strip_suffix('\n')?.rsplit_once('\n')?;
        let lines = format!("{lines}\n");
        if Sha256::of(lines.as_bytes()).to_string() != digest {
            return None;
        }
        let rest = lines.strip_prefix(HEADER)?.strip_prefix('\n')?;
        let (sequence, head) = rest.split_once('\n')?;
        let note = split_note(head);
        Some(Self {
            sequence: sequence.parse().ok()?,
            checkpoint: Checkpoint::parse(note.map_or(head, |(text, _)| text)).ok()?,
            signed: note.map(|_| head.to_owned()),
        })
    }
}

/// A note's text and its signature lines.
fn split_note(note: &str) -> Option<(&str, &str)> {
    let end = note.find("\n\n")?.saturating_add(1);
    note.split_at_checked(end)
}

/// Makes a change of names in the file's directory durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_merkle::{TreeSize, leaf_hash};

    fn checkpoint(size: u64) -> Checkpoint {
        let root = leaf_hash(&size.to_be_bytes());
        Checkpoint::new("example.com/log", TreeSize::new(size), root).unwrap()
    }

    fn signed(size: u64) -> String {
        format!("{}\n— example.com/log c2lnbmF0dXJl\n", checkpoint(size))
    }

    #[test]
    fn what_was_recorded_last_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("head");
        assert!(HeadFile::open(&path).unwrap().is_none());
        let mut file = HeadFile::create(&path, checkpoint(0)).unwrap();
        for size in 1..10 {
            file.record(checkpoint(size), &signed(size)).unwrap();
            let again = HeadFile::open(&path).unwrap().unwrap();
            assert_eq!(again.newest().checkpoint, checkpoint(size));
            assert_eq!(again.newest().signed, Some(signed(size)));
            assert_eq!(again.newest().sequence, size);
        }
        // What is no note of the head, or too long, is left out.
        for other in [
            "",
            &signed(1),
            &format!("{}{}", signed(10), "x".repeat(4_000)),
        ] {
            file.record(checkpoint(10), other).unwrap();
            let again = HeadFile::open(&path).unwrap().unwrap();
            assert_eq!(again.newest().checkpoint, checkpoint(10));
            assert_eq!(again.newest().signed, None);
        }
        assert_eq!(fs::metadata(&path).unwrap().len(), 8192);
    }

    #[test]
    fn a_torn_write_leaves_the_head_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("head");
        let mut file = HeadFile::create(&path, checkpoint(0)).unwrap();
        for size in 1..=4 {
            file.record(checkpoint(size), &signed(size)).unwrap();
        }
        let whole = fs::read(&path).unwrap();
        let length = whole[..SLOT_BYTES].iter().position(|b| *b == 0).unwrap();
        // Slot 0 holds sequence 4, slot 1 sequence 3.
        for cut in 0..length {
            let mut torn = whole.clone();
            torn[cut] ^= 1;
            fs::write(&path, &torn).unwrap();
            let found = HeadFile::open(&path).unwrap().unwrap();
            assert_eq!(found.newest().checkpoint, checkpoint(3), "byte {cut}");
        }
        let mut torn = whole;
        torn[0] ^= 1;
        torn[SLOT_BYTES] ^= 1;
        fs::write(&path, &torn).unwrap();
        let found = HeadFile::open(&path);
        assert!(matches!(found, Err(HeadFileError::Damaged { .. })));
        fs::write(&path, b"").unwrap();
        let found = HeadFile::open(&path);
        assert!(matches!(found, Err(HeadFileError::Damaged { .. })));
    }
}
