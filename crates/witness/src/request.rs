//! The body of `add-checkpoint`: what a log sends to a witness.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_merkle::{Hash, MAX_TREE_SIZE, TreeSize};
use countersign_note::{Note, NoteError};
use std::fmt;

/// The most lines of a consistency proof (tlog-witness, "add-checkpoint").
pub const MAX_PROOF_LINES: usize = 63;

/// The longest request that is read, in bytes: a proof, and a checkpoint with 64 signatures of the
/// longest kind (ML-DSA-44, 3.3 KiB each).
pub const MAX_REQUEST_LEN: usize = 256 * 1024;

/// A checkpoint, and the proof that it continues an earlier one. Nothing of it is checked but its
/// form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    old: TreeSize,
    proof: Vec<Hash>,
    checkpoint: Note,
}

/// Why a body is not an `add-checkpoint` request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The body is too long.
    #[error("a request of {got} bytes is longer than the maximum of {MAX_REQUEST_LEN}")]
    TooLong {
        /// How many bytes came.
        got: usize,
    },
    /// The body is not UTF-8.
    #[error("a request must be UTF-8")]
    NotUtf8,
    /// No blank line separates the proof from the checkpoint.
    #[error("no blank line separates the proof from the checkpoint")]
    NoBlankLine,
    /// The first line is not `old` and a size.
    #[error(
        "the first line must be `old <size>` with a decimal of at most {MAX_TREE_SIZE} without leading zeroes"
    )]
    Old,
    /// A line of the proof is not the base64 of a hash.
    #[error("line {line} of the proof is not base64 of 32 bytes")]
    ProofHash {
        /// Which one, counted from 1.
        line: usize,
    },
    /// The proof is too long.
    #[error("a proof has at most {MAX_PROOF_LINES} lines")]
    TooManyLines,
    /// The checkpoint is not a note.
    #[error("the checkpoint: {0}")]
    Note(#[from] NoteError),
}

impl AddCheckpoint {
    /// A request to cosign `checkpoint`, with the proof that it continues the tree of `old` leaves.
    pub fn new(old: TreeSize, proof: Vec<Hash>, checkpoint: Note) -> Result<Self, RequestError> {
        if old.get() > MAX_TREE_SIZE {
            return Err(RequestError::Old);
        }
        if proof.len() > MAX_PROOF_LINES {
            return Err(RequestError::TooManyLines);
        }
        Ok(Self {
            old,
            proof,
            checkpoint,
        })
    }

    /// Reads a request; checks nothing but its form.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        if body.len() > MAX_REQUEST_LEN {
            return Err(RequestError::TooLong { got: body.len() });
        }
        let body = str::from_utf8(body).map_err(|_| RequestError::NotUtf8)?;
        // A proof has no blank lines, so the first one ends it, whatever the checkpoint holds.
        let (head, note) = body.split_once("\n\n").ok_or(RequestError::NoBlankLine)?;
        let mut lines = head.split('\n');
        let old = lines
            .next()
            .and_then(|line| line.strip_prefix("old "))
            .and_then(size_from_decimal)
            .ok_or(RequestError::Old)?;
        let mut proof = Vec::new();
        for (text, line) in lines.zip(1..) {
            if proof.len() == MAX_PROOF_LINES {
                return Err(RequestError::TooManyLines);
            }
            let hash = STANDARD.decode(text).ok();
            let hash = hash.and_then(|bytes| Hash::from_slice(&bytes).ok());
            proof.push(hash.ok_or(RequestError::ProofHash { line })?);
        }
        Self::new(old, proof, Note::parse(note.as_bytes())?)
    }

    /// The size of the tree that the proof begins at.
    pub const fn old(&self) -> TreeSize {
        self.old
    }

    /// The consistency proof.
    pub fn proof(&self) -> &[Hash] {
        &self.proof
    }

    /// The checkpoint, unchecked.
    pub const fn checkpoint(&self) -> &Note {
        &self.checkpoint
    }
}

/// The request's body.
impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        for hash in &self.proof {
            writeln!(f, "{}", STANDARD.encode(hash.as_bytes()))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Reads the decimal of a tree size in its one spelling.
pub(crate) fn size_from_decimal(text: &str) -> Option<TreeSize> {
    let is_canonical = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    let size: u64 = is_canonical.then(|| text.parse().ok()).flatten()?;
    (size <= MAX_TREE_SIZE).then(|| TreeSize::new(size))
}
