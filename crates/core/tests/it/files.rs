//! Files that tests compare with, and write anew when they are asked to.

use std::path::{Path, PathBuf};

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn vectors(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("vectors")
        .join(name)
}

/// The file's text; before that, it is replaced by `current` if the variable is set.
pub(crate) fn golden(path: &Path, variable: &str, current: &str) -> String {
    if std::env::var_os(variable).is_some() {
        std::fs::write(path, current).unwrap();
    }
    std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{}: {error}; {variable}=1 writes it anew", path.display()))
}
