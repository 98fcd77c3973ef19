//! Small files that only their owner can read, written so that a reader sees the old text or the new.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::HookError;

/// Permission bits of group and others.
const OTHERS: u32 = 0o077;

/// The text of a file that only its owner can read; `None` if it is not there.
pub(crate) fn read_private(path: &Path, limit: u64) -> Result<Option<String>, HookError> {
    let Some(file) = open(path)? else {
        return Ok(None);
    };
    // Of the open file, not of the path: nobody can swap it in between.
    let metadata = file
        .metadata()
        .map_err(|error| HookError::file(path, error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        let reason = format!("it has mode {mode:04o}, so others can read it; allowed is 0600");
        return Err(HookError::file(path, reason));
    }
    text(path, file, limit).map(Some)
}

/// The text of a file; `None` if it is not there.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Option<String>, HookError> {
    match open(path)? {
        None => Ok(None),
        Some(file) => text(path, file, limit).map(Some),
    }
}

/// Writes a file with this mode in one step; the directories above it are made, for their owner
/// alone. `durable`: it survives a crash of the machine.
pub(crate) fn write(path: &Path, text: &str, mode: u32, durable: bool) -> Result<(), HookError> {
    let failed = |error: std::io::Error| HookError::file(path, error);
    let new = beside(path);
    let created = match create(&new, mode) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make_dirs(path)?;
            create(&new, mode)
        }
        created => created,
    };
    let mut file = created.map_err(failed)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| match durable {
            true => file.sync_all(),
            false => Ok(()),
        })
        .and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        // What is left of it serves nobody.
        let _ = std::fs::remove_file(&new);
    }
    written.map_err(failed)
}

/// Makes the directories above a file, for their owner alone.
pub(crate) fn make_dirs(path: &Path) -> Result<(), HookError> {
    let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) else {
        return Ok(());
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| HookError::file(dir, error))
}

fn create(path: &Path, mode: u32) -> std::io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}

/// A name beside a file that no other process takes at the same time.
fn beside(path: &Path) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(
        ".{}-{number}-{}.new",
        std::process::id(),
        since.as_nanos()
    ));
    path.with_file_name(name)
}

fn open(path: &Path) -> Result<Option<File>, HookError> {
    // Opening a pipe waits for a writer, and a client that waits for an answer too long may go on.
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo()) {
        return Err(HookError::file(path, "it is a pipe"));
    }
    match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        opened => opened
            .map(Some)
            .map_err(|error| HookError::file(path, error)),
    }
}

/// What comes from a pipe or socket, up to a limit.
pub(crate) fn limited(reader: impl std::io::Read, limit: u64) -> Result<Vec<u8>, HookError> {
    let mut bytes = Vec::new();
    let read = reader.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    let read = read.map_err(|error| HookError::Event(format!("stdin: {error}")))?;
    match u64::try_from(read).is_ok_and(|read| read <= limit) {
        true => Ok(bytes),
        false => Err(HookError::TooLong { limit }),
    }
}

fn text(path: &Path, file: File, limit: u64) -> Result<String, HookError> {
    let mut bytes = Vec::new();
    let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    let read = read.map_err(|error| HookError::file(path, error))?;
    if u64::try_from(read).is_ok_and(|read| read > limit) {
        let reason = format!("it has more than {limit} bytes, which is the limit");
        return Err(HookError::file(path, reason));
    }
    String::from_utf8(bytes).map_err(|_| HookError::file(path, "it is not utf-8"))
}
