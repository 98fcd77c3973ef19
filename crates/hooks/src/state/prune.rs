//! Taking away what is old.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::HookError;

/// What lies in a directory; nothing if there is none.
pub(super) fn listed(dir: &Path) -> Result<Vec<PathBuf>, HookError> {
    let failed = |error: std::io::Error| HookError::file(dir, error);
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    entries
        .map(|entry| entry.map(|entry| entry.path()).map_err(failed))
        .collect()
}

/// Keeps the newest of what lies in a directory under names that begin so.
pub(super) fn keep_newest(dir: &Path, keep: usize, begin: &str) -> Result<(), HookError> {
    let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
    for path in listed(dir)? {
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.starts_with(begin)) {
            // Another process may have taken it away by now.
            if let Ok(changed) = path.metadata().and_then(|metadata| metadata.modified()) {
                found.push((changed, path));
            }
        }
    }
    if found.len() <= keep {
        return Ok(());
    }
    found.sort();
    let over = found.len() - keep;
    for (_, path) in found.iter().take(over) {
        remove(path)?;
    }
    Ok(())
}

/// Removes a file or a directory with all that is in it; one that is not there is removed already.
pub(super) fn remove(path: &Path) -> Result<(), HookError> {
    let removed = match path.is_dir() {
        true => std::fs::remove_dir_all(path),
        false => std::fs::remove_file(path),
    };
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|error| HookError::file(path, error)),
    }
}
