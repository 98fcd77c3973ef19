//! Where the repository is, and what was built in it.

use std::path::PathBuf;

use crate::error::Error;

/// The repository's root: cargo says where this package is; without cargo, the current directory.
pub(crate) fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    package
        .and_then(|path| Some(path.parent()?.to_path_buf()))
        .unwrap_or_else(|| PathBuf::from("."))
}

/// A program of the same build as this one.
pub(crate) fn beside(name: &str, package: &str) -> Result<PathBuf, Error> {
    let found = std::env::current_exe()
        .map(|path| path.with_file_name(name))
        .map_err(Error::server("this program"))?;
    match found.is_file() {
        true => Ok(found),
        false => Err(Error::server("a binary")(format!(
            "`{name}` is not beside this one: build `{package}` in the same profile"
        ))),
    }
}
