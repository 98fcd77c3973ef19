//! Files that only their owner can read, written so that a crash leaves the old state or the new.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Permission bits of group and others.
const OTHERS: u32 = 0o077;

/// The permission bits, if they let anybody but the owner in.
pub(crate) fn loose_mode(metadata: &Metadata) -> Option<u32> {
    let mode = metadata.permissions().mode() & 0o777;
    (mode & OTHERS != 0).then_some(mode)
}

/// What reading a private file gave.
pub(crate) enum Private {
    /// Its text.
    Text(Zeroizing<String>),
    /// Its mode, which lets others in. Nothing was read.
    Loose(u32),
    /// It is longer than was allowed, or no UTF-8.
    NotText,
}

/// Reads a file that only its owner may read.
pub(crate) fn read_private(path: &Path, max_bytes: u64) -> io::Result<Private> {
    let file = File::open(path)?;
    // Of the open file, not of the path: nobody can swap it in between.
    if let Some(mode) = loose_mode(&file.metadata()?) {
        return Ok(Private::Loose(mode));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
    let length = file
        .take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if u64::try_from(length).is_ok_and(|length| length > max_bytes) {
        return Ok(Private::NotText);
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Private::Text(Zeroizing::new(text.to_owned()))),
        Err(_) => Ok(Private::NotText),
    }
}

/// Writes a new file with mode 0600 into `dir`: under another name, made durable, then renamed.
pub(crate) fn write_private(dir: &Path, name: &str, text: &str) -> io::Result<()> {
    let temporary = dir.join(format!(".{name}.new"));
    remove_if_there(&temporary)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&temporary, dir.join(name))?;
    sync_dir(dir)
}

/// Puts one file of `dir` in the place of another; durable on return.
pub(crate) fn replace(dir: &Path, from: &str, to: &str) -> io::Result<()> {
    std::fs::rename(dir.join(from), dir.join(to))?;
    sync_dir(dir)
}

/// Removes a file of `dir` if it is there; durable on return.
pub(crate) fn remove(dir: &Path, name: &str) -> io::Result<()> {
    remove_if_there(&dir.join(name))?;
    sync_dir(dir)
}

/// Overwrites a file, makes that durable, and removes it; the directory is still to be synced. What
/// the medium itself keeps of old blocks is out of reach.
pub(crate) fn destroy(path: &Path) -> io::Result<()> {
    let mut file = match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let mut left = file.metadata()?.len();
    while left > 0 {
        let zeros = [0u8; 1024];
        let some = usize::try_from(left).unwrap_or(usize::MAX).min(zeros.len());
        let written = file.write(zeros.get(..some).unwrap_or(&zeros))?;
        left = left.saturating_sub(written as u64);
    }
    file.sync_all()?;
    remove_if_there(path)
}

/// A directory that comes to be with all its files or not at all.
pub(crate) struct StagedDir {
    staged: PathBuf,
    target: PathBuf,
}

impl StagedDir {
    /// A staging directory beside `target`, whose parent must exist. One that an interrupted run
    /// left is removed: nobody ever used what is in it.
    pub(crate) fn new(target: &Path) -> io::Result<Self> {
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(".new");
        let staged = target.with_file_name(hidden);
        if staged.exists() {
            std::fs::remove_dir_all(&staged)?;
        }
        DirBuilder::new().mode(0o700).create(&staged)?;
        Ok(Self {
            staged,
            target: target.to_owned(),
        })
    }

    /// Where the files go.
    pub(crate) fn path(&self) -> &Path {
        &self.staged
    }

    /// Puts the directory in its place. Fails if anything but an empty directory stands there.
    pub(crate) fn publish(self) -> io::Result<()> {
        sync_dir(&self.staged)?;
        std::fs::rename(&self.staged, &self.target)?;
        match self.target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => sync_dir(parent),
            _ => sync_dir(Path::new(".")),
        }
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A rename is durable only when the directory is.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
