//! Proofs that one can carry away and check offline (C2SP tlog-proof).

use crate::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::encoding::{from_base64, from_decimal, hash_from_base64, push_base64, to_base64};
use crate::key::VerifierKey;
use crate::note::{MAX_NOTE_LEN, Note, NoteError};
use crate::policy::{PolicyEvidence, PolicyOutcome, TlogPolicy};
use countersign_merkle::{Hash, LeafIndex, MAX_PATH_LEN, VerifyError, verify_inclusion};
use std::fmt;
use std::str::FromStr;

/// The most extra data that a proof may carry, in bytes.
pub const MAX_EXTRA_LEN: usize = 1 << 16;

/// The longest proof that is read: a note, and room for extra data and path in base64.
pub const MAX_PROOF_LEN: usize = MAX_NOTE_LEN + (1 << 17);

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// An index, an inclusion path and the checkpoint that they belong to; nothing of it is checked
/// until [`TlogProof::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    extra: Option<Vec<u8>>,
    index: LeafIndex,
    path: Vec<Hash>,
    checkpoint: Note,
}

/// Why a text is not a proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofFormatError {
    /// The proof is too long.
    #[error("a proof of {got} bytes is longer than the maximum of {MAX_PROOF_LEN}")]
    TooLong {
        /// How many bytes came.
        got: usize,
    },
    /// The first line is another one.
    #[error("a proof begins with the line `{HEADER}`")]
    Header,
    /// The extra data is not base64 of 1 to [`MAX_EXTRA_LEN`] bytes.
    #[error("extra data must be base64 of 1 to {MAX_EXTRA_LEN} bytes")]
    Extra,
    /// There is no index line, or the index is not a decimal in its one spelling.
    #[error("a proof needs a line `index <n>` with a decimal without leading zeroes")]
    Index,
    /// A line of the path is not the base64 of a hash.
    #[error("hash {position} of the path is not base64 of 32 bytes")]
    PathHash {
        /// Which one, counted from 1.
        position: usize,
    },
    /// The path is longer than any.
    #[error("a path of more than {MAX_PATH_LEN} hashes proves nothing")]
    PathTooLong,
    /// No blank line separates the path from the checkpoint.
    #[error("no blank line separates the path from the checkpoint")]
    NoBlankLine,
    /// The checkpoint is not a note.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// Why a proof does not prove that a leaf is in the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofVerifyError {
    /// The checkpoint is not one that a known log has signed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Too few of the policy's witnesses have cosigned.
    #[error("the checkpoint lacks the quorum of witnesses that the policy asks for")]
    QuorumNotMet,
    /// The leaf is not at that position of that tree.
    #[error(transparent)]
    Inclusion(#[from] VerifyError),
}

impl TlogProof {
    /// A proof that the leaf at `index` is in the tree of the signed `checkpoint`.
    pub fn new(
        index: LeafIndex,
        path: Vec<Hash>,
        checkpoint: Note,
    ) -> Result<Self, ProofFormatError> {
        if path.len() > MAX_PATH_LEN {
            return Err(ProofFormatError::PathTooLong);
        }
        Ok(Self {
            extra: None,
            index,
            path,
            checkpoint,
        })
    }

    /// The proof with extra data, which nothing authenticates.
    pub fn with_extra(self, extra: Vec<u8>) -> Result<Self, ProofFormatError> {
        if !(1..=MAX_EXTRA_LEN).contains(&extra.len()) {
            return Err(ProofFormatError::Extra);
        }
        let extra = Some(extra);
        Ok(Self { extra, ..self })
    }

    /// Reads a proof; checks nothing but its form.
    pub fn parse(text: &str) -> Result<Self, ProofFormatError> {
        if text.len() > MAX_PROOF_LEN {
            return Err(ProofFormatError::TooLong { got: text.len() });
        }
        let (head, note) = text
            .split_once("\n\n")
            .ok_or(ProofFormatError::NoBlankLine)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(ProofFormatError::Header);
        }
        let extra = lines.next_if(|line| line.starts_with("extra "));
        let extra = extra.and_then(|line| line.strip_prefix("extra "));
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .and_then(from_decimal)
            .ok_or(ProofFormatError::Index)?;
        let path = parse_path(lines)?;
        let proof = Self::new(LeafIndex::new(index), path, note.parse()?)?;
        match extra {
            None => Ok(proof),
            Some(extra) => proof.with_extra(from_base64(extra).ok_or(ProofFormatError::Extra)?),
        }
    }

    /// The text of a proof of this path and this checkpoint, which must be a signed note as it
    /// stands: for a log that proves many leaves against the checkpoint that it has just signed.
    pub fn text_of(index: LeafIndex, path: &[Hash], checkpoint: &str) -> String {
        const INDEX_LEN: usize = "index ".len() + 20 + 2;
        const HASH_LINE: usize = 45;
        let path_len = path.len().saturating_mul(HASH_LINE);
        let length = HEADER.len().saturating_add(INDEX_LEN);
        let length = length.saturating_add(path_len);
        let mut text = String::with_capacity(length.saturating_add(checkpoint.len()));
        text.push_str(HEADER);
        text.push_str("\nindex ");
        text.push_str(&index.to_string());
        text.push('\n');
        for hash in path {
            push_base64(hash.as_bytes(), &mut text);
            text.push('\n');
        }
        text.push('\n');
        text.push_str(checkpoint);
        text
    }

    /// Extra data, which nothing authenticates.
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// The position of the leaf.
    pub const fn index(&self) -> LeafIndex {
        self.index
    }

    /// The inclusion path, the leaf's sibling first.
    pub fn path(&self) -> &[Hash] {
        &self.path
    }

    /// The checkpoint, unchecked.
    pub const fn checkpoint(&self) -> &Note {
        &self.checkpoint
    }

    /// Checks that a log among `keys` has signed a tree that holds the leaf at this index.
    pub fn verify(
        &self,
        leaf_hash: &Hash,
        keys: &[VerifierKey],
    ) -> Result<SignedCheckpoint, ProofVerifyError> {
        let signed = SignedCheckpoint::open(&self.checkpoint, keys)?;
        self.check_inclusion(leaf_hash, &signed)?;
        Ok(signed)
    }

    /// The same against a policy, whose quorum must be met.
    pub fn verify_policy(
        &self,
        leaf_hash: &Hash,
        policy: &TlogPolicy,
    ) -> Result<PolicyEvidence, ProofVerifyError> {
        let PolicyOutcome::Satisfied(evidence) = policy.evaluate(&self.checkpoint)? else {
            return Err(ProofVerifyError::QuorumNotMet);
        };
        self.check_inclusion(leaf_hash, evidence.checkpoint())?;
        Ok(evidence)
    }

    fn check_inclusion(
        &self,
        leaf_hash: &Hash,
        signed: &SignedCheckpoint,
    ) -> Result<(), VerifyError> {
        let checkpoint = signed.checkpoint();
        let root = checkpoint.root();
        verify_inclusion(leaf_hash, self.index, checkpoint.size(), &self.path, &root)
    }
}

/// The proof's text.
impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", to_base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", to_base64(hash.as_bytes()))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for TlogProof {
    type Err = ProofFormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

fn parse_path<'t>(lines: impl Iterator<Item = &'t str>) -> Result<Vec<Hash>, ProofFormatError> {
    let mut path = Vec::new();
    for (line, position) in lines.zip(1..) {
        if path.len() == MAX_PATH_LEN {
            return Err(ProofFormatError::PathTooLong);
        }
        let hash = hash_from_base64(line).ok_or(ProofFormatError::PathHash { position })?;
        path.push(hash);
    }
    Ok(path)
}
