//! Writing the folder and the ZIP file. They may hold plaintext: only their owner may read them.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use countersign_evidence::Files;

use crate::error::CliError;

/// What the directory in the ZIP file is called, wherever the folder lies.
const ROOT: &str = "incident";

/// Nothing is written over: what lies there may be another incident's.
pub(super) fn check_empty(dir: &Path) -> Result<(), CliError> {
    match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(CliError::io(dir, error)),
        Ok(mut files) => match files.next() {
            None => Ok(()),
            Some(_) => Err(CliError::io(dir, "it is not empty")
                .hint("export each incident into a directory of its own")),
        },
    }
}

pub(super) fn folder(dir: &Path, files: &Files) -> Result<(), CliError> {
    for (name, bytes) in files {
        let path = dir.join(name);
        if let Some(parent) = path.parent() {
            let made = std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(parent);
            made.map_err(|error| CliError::io(parent, error))?;
        }
        put(&path, bytes)?;
    }
    Ok(())
}

pub(super) fn archive(path: &Path, files: &Files) -> Result<(), CliError> {
    let bytes = countersign_evidence::zip(ROOT, files)
        .ok_or_else(|| CliError::io(path, "the files are too many or too long for one zip file"))?;
    put(path, &bytes)
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::io(path, error);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    file.write_all(bytes).map_err(failed)
}
