//! What a monitor keeps in its directory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use countersign_note::VerifierKey;
use countersign_verify::Follower;
use serde::{Deserialize, Serialize};

use crate::error::CliError;
use crate::exit::Exit;
use crate::input;

/// The newest head, for people and other tools.
const NEWEST: &str = "checkpoint";
/// All heads that were seen, as `<size>.checkpoint`.
const SEEN: &str = "seen";
/// What is remembered beside the heads.
const MEMORY: &str = "monitor.json";
/// Held by the monitor that writes here.
const LOCK: &str = "lock";

/// The directory and what is in it.
pub(super) struct State {
    pub(super) follower: Follower,
    dir: PathBuf,
    memory: Memory,
    saved: Memory,
    /// Sizes of heads that are in files.
    files: Vec<u64>,
    // Held until the process ends.
    _lock: File,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Memory {
    /// Up to which size entries were read.
    entries_read: u64,
    /// Since when a source has been late, in seconds.
    late_since: BTreeMap<String, u64>,
}

impl State {
    /// Opens the directory, or makes it, and reads what was seen before.
    pub(super) fn open(dir: &Path, keys: Vec<VerifierKey>) -> Result<Self, CliError> {
        let io = |error: std::io::Error| CliError::io(dir, error);
        std::fs::create_dir_all(dir.join(SEEN)).map_err(io)?;
        let lock = File::create(dir.join(LOCK)).map_err(io)?;
        lock.try_lock().map_err(|_| {
            CliError::io(dir, "another monitor is at work here")
                .hint("give each monitor a directory of its own")
        })?;
        let memory: Memory = match std::fs::read(dir.join(MEMORY)) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| CliError::io(&dir.join(MEMORY), error))?,
            Err(error) if error.kind() == ErrorKind::NotFound => Memory::default(),
            Err(error) => return Err(CliError::io(&dir.join(MEMORY), error)),
        };
        let mut own = Self {
            follower: Follower::new(keys),
            dir: dir.to_owned(),
            saved: memory.clone(),
            memory,
            files: Vec::new(),
            _lock: lock,
        };
        own.resume()?;
        Ok(own)
    }

    /// The directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Up to which size entries were read.
    pub(super) fn entries_read(&self) -> u64 {
        self.memory.entries_read
    }

    /// Entries were read up to this size.
    pub(super) fn read_entries(&mut self, size: u64) {
        self.memory.entries_read = size;
    }

    /// Since when a source is late: from `now`, unless it has been so for longer; not any more
    /// without it.
    pub(super) fn since(&mut self, source: &str, now: Option<u64>) -> Option<u64> {
        let late = &mut self.memory.late_since;
        match now {
            Some(now) => Some(*late.entry(source.to_owned()).or_insert(now)),
            None => {
                late.remove(source);
                None
            }
        }
    }

    /// Makes what was seen durable: heads first, so that what is remembered is of heads that are
    /// there.
    pub(super) fn save(&mut self) -> Result<(), CliError> {
        let kept: BTreeMap<u64, &str> = self.follower.kept().collect();
        for (size, note) in &kept {
            if !self.files.contains(size) {
                write(&self.dir.join(SEEN), &file_name(*size), note.as_bytes())?;
                write(&self.dir, NEWEST, newest(&self.follower).as_bytes())?;
                self.files.push(*size);
            }
        }
        let gone = self.files.iter().filter(|size| !kept.contains_key(size));
        for size in gone {
            let path = self.dir.join(SEEN).join(file_name(*size));
            std::fs::remove_file(&path).map_err(|error| CliError::io(&path, error))?;
        }
        self.files.retain(|size| kept.contains_key(size));
        if self.memory != self.saved {
            let text = serde_json::to_vec(&self.memory)
                .map_err(|error| CliError::usage(error.to_string()))?;
            write(&self.dir, MEMORY, &text)?;
            self.saved = self.memory.clone();
        }
        Ok(())
    }

    fn resume(&mut self) -> Result<(), CliError> {
        let seen = self.dir.join(SEEN);
        let io = |error: std::io::Error| CliError::io(&seen, error);
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(&seen).map_err(io)? {
            let path = entry.map_err(io)?.path();
            // What was being written when the process ended.
            if path.extension().is_some_and(|it| it == "checkpoint") {
                paths.push(path);
            }
        }
        paths.sort();
        for path in paths {
            let of_another = |error: String| {
                CliError::io(&path, error)
                    .hint("a monitor's directory is of one log and its keys: give the keys that it began with as well")
            };
            let note = input::regular_bytes(&path)?;
            let twice = self.follower.resume(&note);
            if twice
                .map_err(|error| of_another(error.to_string()))?
                .is_some()
            {
                return Err(
                    of_another("it contradicts another one".to_owned()).exiting(Exit::Inconsistent)
                );
            }
        }
        self.files = self.follower.kept().map(|(size, _)| size).collect();
        Ok(())
    }
}

fn newest(follower: &Follower) -> String {
    let newest = follower.newest();
    newest.map_or_else(String::new, |(_, note)| note.to_owned())
}

/// Sorts as the sizes do.
fn file_name(size: u64) -> String {
    format!("{size:020}.checkpoint")
}

/// Writes a file so that after a crash it is there as a whole, or as it was.
fn write(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), CliError> {
    let (path, temporary) = (dir.join(name), dir.join(format!("{name}.tmp")));
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, &path)?;
        File::open(dir)?.sync_all()
    });
    written.map_err(|error| CliError::io(&path, error))
}
