//! Where the repository is.

use std::path::PathBuf;

/// The repository's root: cargo says where this package is; without cargo, the current directory.
pub(crate) fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    package
        .and_then(|path| Some(path.parent()?.to_path_buf()))
        .unwrap_or_else(|| PathBuf::from("."))
}
