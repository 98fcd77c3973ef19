//! Files and directories for their owner only.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::error::CliError;

/// Makes a directory of mode 0700, with those above it. One that is there stays as it is.
pub(crate) fn make_dir(dir: &Path) -> Result<(), CliError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| CliError::io(dir, error))
}

/// Writes a file of mode 0600 whole or not at all. One that is there is replaced, whatever its mode.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.new"));
    let written = (|| {
        // One that an interrupted run left: opened as it is, it would keep its mode.
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    })();
    written.map_err(|error| {
        let _ = std::fs::remove_file(&new);
        CliError::io(path, error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn nobody_else_reads_it_whatever_was_there_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("words.json");
        let left = dir.path().join(".words.json.new");
        for there in [&path, &left] {
            std::fs::write(there, b"old").unwrap();
            std::fs::set_permissions(there, std::fs::Permissions::from_mode(0o644)).unwrap();
        }
        write(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        assert!(!left.exists());
    }
}
