//! Checkpoints: the tree heads that a log signs (C2SP tlog-checkpoint).

use crate::encoding::{control_character, from_decimal, hash_from_base64, to_base64};
use crate::key::{SignatureType, VerifierKey};
use crate::note::Note;
use crate::sign::{NoteSigner, SignNoteError, sign_note};
use crate::verify::{NoteVerifyError, VerifiedSignature};
use countersign_merkle::{Hash, MAX_TREE_SIZE, TreeSize};
use std::fmt;
use std::str::FromStr;

/// The longest origin; the same limit as for key names, since the log's key bears the origin.
pub const MAX_ORIGIN_LEN: usize = 255;

/// The most extension lines that are read.
pub const MAX_EXTENSIONS: usize = 32;

/// What a log says about its tree at one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: TreeSize,
    root: Hash,
    extensions: Vec<String>,
}

/// Why a text is not a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointFormatError {
    /// There are fewer than three lines, or the last does not end in a newline.
    #[error("a checkpoint is three lines or more, each ending in a newline: origin, size, root")]
    Lines,
    /// The origin is empty, too long or contains a control character.
    #[error(
        "`{origin}` is not an origin of 1 to {MAX_ORIGIN_LEN} bytes without control characters"
    )]
    Origin {
        /// The origin that came, with control characters escaped.
        origin: String,
    },
    /// The size is not a decimal in its one spelling, or too large.
    #[error(
        "`{size}` is not a tree size: a decimal of at most {MAX_TREE_SIZE} without leading zeroes"
    )]
    Size {
        /// The size that came.
        size: String,
    },
    /// The root is not the base64 of 32 bytes.
    #[error("`{root}` is not a root hash: base64 of 32 bytes")]
    Root {
        /// The root that came.
        root: String,
    },
    /// An extension line is empty or contains a control character, or there are too many.
    #[error(
        "a checkpoint has at most {MAX_EXTENSIONS} extension lines, none of them empty or with control characters"
    )]
    Extension,
}

impl Checkpoint {
    /// A checkpoint without extension lines, which are not recommended.
    pub fn new(origin: &str, size: TreeSize, root: Hash) -> Result<Self, CheckpointFormatError> {
        Self::with_extensions(origin, size, root, Vec::new())
    }

    /// A checkpoint with extension lines, given without their newlines.
    pub fn with_extensions(
        origin: &str,
        size: TreeSize,
        root: Hash,
        extensions: Vec<String>,
    ) -> Result<Self, CheckpointFormatError> {
        if !(1..=MAX_ORIGIN_LEN).contains(&origin.len()) || !is_line(origin) {
            let origin = origin.escape_debug().to_string();
            return Err(CheckpointFormatError::Origin { origin });
        }
        if size.get() > MAX_TREE_SIZE {
            let size = size.to_string();
            return Err(CheckpointFormatError::Size { size });
        }
        if extensions.len() > MAX_EXTENSIONS || !extensions.iter().all(|line| is_line(line)) {
            return Err(CheckpointFormatError::Extension);
        }
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
            extensions,
        })
    }

    /// Reads a checkpoint's text, as [`Note::text`] gives it.
    pub fn parse(text: &str) -> Result<Self, CheckpointFormatError> {
        let lines = text
            .strip_suffix('\n')
            .ok_or(CheckpointFormatError::Lines)?;
        let mut lines = lines.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(CheckpointFormatError::Lines);
        };
        let refused = || CheckpointFormatError::Size { size: size.into() };
        let size = from_decimal(size).ok_or_else(refused)?;
        let root = hash_from_base64(root)
            .ok_or_else(|| CheckpointFormatError::Root { root: root.into() })?;
        // One more than allowed is enough to be refused.
        let extensions = lines.take(MAX_EXTENSIONS + 1).map(str::to_owned).collect();
        Self::with_extensions(origin, TreeSize::new(size), root, extensions)
    }

    /// The identity of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The number of leaves.
    pub const fn size(&self) -> TreeSize {
        self.size
    }

    /// The root of the tree.
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// Extension lines without their newlines; nobody but the log vouches for them.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// Signs the checkpoint; one of the keys must bear the origin as its name.
    pub fn sign(&self, signers: &[&dyn NoteSigner]) -> Result<Note, SignNoteError> {
        if !signers.iter().any(|signer| signer.name() == self.origin) {
            let origin = self.origin.clone();
            return Err(SignNoteError::NoLogSigner { origin });
        }
        sign_note(&self.to_string(), signers)
    }
}

/// The note's text.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = to_base64(self.root.as_bytes());
        write!(f, "{}\n{}\n{root}\n", self.origin, self.size)?;
        self.extensions
            .iter()
            .try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointFormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// A checkpoint that its log has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    signatures: Vec<VerifiedSignature>,
    unsupported: Vec<VerifierKey>,
}

/// Why a note is not a checkpoint that its log has signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note is not to be believed.
    #[error(transparent)]
    Note(#[from] NoteVerifyError),
    /// The note's text is not a checkpoint.
    #[error(transparent)]
    Format(#[from] CheckpointFormatError),
    /// Known keys have signed, but not the log's.
    #[error("the checkpoint of `{origin}` is not signed by a known log key of that name")]
    NoLogSignature {
        /// The origin of the checkpoint.
        origin: String,
    },
}

impl SignedCheckpoint {
    /// Checks the note against the known keys, those of logs (type `0x01` or `0x06`) and of
    /// witnesses (type `0x04` or `0x06`) alike. A log key whose name is the checkpoint's origin must
    /// have signed.
    ///
    /// Extension lines that no Ed25519 key of the log has signed are left out of the result:
    /// ML-DSA-44 signatures do not cover them.
    pub fn open(note: &Note, keys: &[VerifierKey]) -> Result<Self, CheckpointError> {
        Self::open_with(note, keys, &[])
    }

    /// The same with keys that are never taken for a log's, whatever their names.
    pub fn open_with(
        note: &Note,
        keys: &[VerifierKey],
        witnesses: &[VerifierKey],
    ) -> Result<Self, CheckpointError> {
        let all = [keys, witnesses].concat();
        let (signatures, unsupported) = note.verify(&all)?.into_parts();
        let mut checkpoint = Checkpoint::parse(note.text())?;
        let is_log_of = |signature: &VerifiedSignature, signature_type| {
            let key = signature.key();
            key.signature_type() == signature_type
                && key.name().as_str() == checkpoint.origin
                && keys.contains(key)
        };
        let has_signed = |of: SignatureType| signatures.iter().any(|it| is_log_of(it, of));
        match (
            has_signed(SignatureType::Ed25519),
            has_signed(SignatureType::MlDsa44),
        ) {
            (true, _) => {}
            (false, true) => checkpoint.extensions.clear(),
            (false, false) => {
                let origin = checkpoint.origin;
                return Err(CheckpointError::NoLogSignature { origin });
            }
        }
        Ok(Self {
            checkpoint,
            signatures,
            unsupported,
        })
    }

    /// What the log said.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Who signed, of the known keys: the log, and witnesses with their times.
    pub fn signatures(&self) -> &[VerifiedSignature] {
        &self.signatures
    }

    /// Known keys whose signatures could not be checked, because of their type.
    pub fn unsupported(&self) -> &[VerifierKey] {
        &self.unsupported
    }
}

fn is_line(line: &str) -> bool {
    !line.is_empty() && !line.contains('\n') && control_character(line).is_none()
}
