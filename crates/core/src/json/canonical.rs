//! Canonical JSON (RFC 8785, JCS).

use serde::Serialize;

use super::writer;
use crate::refs::Sha256;

/// Bytes that are known to be canonical JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct CanonicalJson(Vec<u8>);

/// A value that has no canonical JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no canonical json: {reason}")]
pub struct CanonicalError {
    reason: String,
}

impl CanonicalJson {
    /// The canonical JSON of a value. Keys are sorted by UTF-16 code units (RFC 8785 section 3.2.3).
    pub fn of(value: &impl Serialize) -> Result<Self, CanonicalError> {
        Self::written(value, false)
    }

    /// The same, of a value that may hold an integer which no double holds: that is refused, where
    /// RFC 8785 would write another number.
    pub fn of_exact(value: &impl Serialize) -> Result<Self, CanonicalError> {
        Self::written(value, true)
    }

    fn written(value: &impl Serialize, exact: bool) -> Result<Self, CanonicalError> {
        let written = writer::write(value, exact).map_err(|error| CanonicalError {
            reason: error.to_string(),
        });
        written.map(Self)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, owned.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// SHA-256 of the bytes.
    pub fn digest(&self) -> Sha256 {
        Sha256::of(&self.0)
    }
}

impl std::fmt::Debug for CanonicalJson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes of canonical json", self.0.len())
    }
}

impl From<serde_json::Error> for CanonicalError {
    fn from(error: serde_json::Error) -> Self {
        Self {
            reason: error.to_string(),
        }
    }
}
