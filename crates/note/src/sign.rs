//! Signing notes with keys that others hold.

use crate::key::{SignatureType, VerifierKey};
use crate::note::{Note, NoteError, NoteSignature, check_text};

/// Something that holds an Ed25519 private key and signs with it.
pub trait NoteSigner {
    /// The name of the key, the same as that of [`NoteSigner::verifier_key`].
    fn name(&self) -> &str;

    /// The public key, whose type says what the signer may sign.
    fn verifier_key(&self) -> &VerifierKey;

    /// The Ed25519 signature over exactly these bytes.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError>;
}

/// Something that holds an ML-DSA-44 private key and signs with it.
pub trait MlDsaSigner {
    /// The public key, of type `0x06`.
    fn verifier_key(&self) -> &VerifierKey;

    /// The pure ML-DSA-44 signature (FIPS 204, empty context) over exactly these bytes.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// Why a signer could not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SignError {
    reason: String,
}

impl SignError {
    /// An error with a reason for people, without secrets in it.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }
}

/// Why a text was not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignNoteError {
    /// The text cannot be a note's.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A signer failed.
    #[error("key `{name}` could not sign: {error}")]
    Signer {
        /// The key's name.
        name: String,
        /// What the signer said.
        error: SignError,
    },
    /// A signer calls itself otherwise than its key.
    #[error("the signer `{signer}` has the key of `{key}`")]
    Name {
        /// The signer's name.
        signer: String,
        /// The key's name.
        key: String,
    },
    /// A key may not sign this.
    #[error("key `{name}` is of type {got}, this needs one of type {expected}")]
    KeyType {
        /// The key's name.
        name: String,
        /// The key's type.
        got: SignatureType,
        /// The type that this signature needs.
        expected: SignatureType,
    },
    /// No signer bears the name of the checkpoint's origin.
    #[error("none of the signers is named `{origin}`, as the origin of the checkpoint is")]
    NoLogSigner {
        /// The origin of the checkpoint.
        origin: String,
    },
}

/// Signs a text with keys of type `0x01`; the signature lines are in the order of the signers.
pub fn sign_note(text: &str, signers: &[&dyn NoteSigner]) -> Result<Note, SignNoteError> {
    check_text(text)?;
    let mut signatures = Vec::with_capacity(signers.len());
    for signer in signers {
        let signature = sign_with(*signer, SignatureType::Ed25519, text.as_bytes())?;
        signatures.push(signature_line(signer.verifier_key(), &signature)?);
    }
    Ok(Note::new(text.to_owned(), signatures)?)
}

/// Lets a signer sign, after a look at whether its key is of the type that the message is for.
pub(crate) fn sign_with(
    signer: &dyn NoteSigner,
    expected: SignatureType,
    message: &[u8],
) -> Result<[u8; 64], SignNoteError> {
    let key = signer.verifier_key();
    if signer.name() != key.name().as_str() {
        return Err(SignNoteError::Name {
            signer: signer.name().to_owned(),
            key: key.name().to_string(),
        });
    }
    if key.signature_type() != expected {
        return Err(SignNoteError::KeyType {
            name: key.name().to_string(),
            got: key.signature_type(),
            expected,
        });
    }
    signer.sign(message).map_err(|error| SignNoteError::Signer {
        name: key.name().to_string(),
        error,
    })
}

/// The signature line that names the signer's key.
pub(crate) fn signature_line(
    key: &VerifierKey,
    bytes: &[u8],
) -> Result<NoteSignature, SignNoteError> {
    let line = NoteSignature::new(key.name().clone(), key.id(), bytes.to_vec());
    line.ok_or(SignNoteError::Note(NoteError::NoSignatures))
}
