//! Why a command could not do its work.

use std::path::{Path, PathBuf};

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file or directory could not be used.
    #[error("`{path}`: {error}")]
    Io {
        path: PathBuf,
        error: std::io::Error,
    },
    /// A line of a recording is not what it should be.
    #[error("`{path}`, line {line}: {reason}")]
    Line {
        path: PathBuf,
        line: usize,
        reason: String,
    },
    /// The bundle cannot be used.
    #[error("the bundle cannot be used:\n{0}")]
    Bundle(String),
    /// The server could not be started, or a request to it failed.
    #[error("{what}: {reason}")]
    Server { what: &'static str, reason: String },
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |error| Self::Io { path, error }
    }

    pub(crate) fn server<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> Self {
        move |error| Self::Server {
            what,
            reason: error.to_string(),
        }
    }
}
