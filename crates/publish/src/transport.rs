//! How a witness is reached.

use countersign_witness::LogName;

/// Carries requests to one witness. Each request ends within [`crate::limits::WITNESS_TIMEOUT`].
pub trait Transport: Send + Sync {
    /// `POST <prefix>/add-checkpoint`.
    fn add_checkpoint(&self, body: &str) -> Result<RawAnswer, TransportError>;

    /// `GET <prefix>/<name>/checkpoint`: what the witness cosigned last.
    fn checkpoint(&self, name: &LogName) -> Result<RawAnswer, TransportError>;
}

/// What came back, at most [`crate::limits::ANSWER_BYTES`] of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The media type, if one was named.
    pub media_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct TransportError {
    /// Whether the time was up.
    pub is_timeout: bool,
    /// What happened.
    pub reason: String,
}
