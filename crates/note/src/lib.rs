//! The texts of transparency logs, as C2SP specifies them: signed notes, checkpoints, cosignatures,
//! proofs and policies.
//!
//! This crate reads, writes, checks and assembles texts. It does *not* hold secrets: signing goes
//! through [`NoteSigner`], whose real implementation is in `countersign-keys`. It does not store or
//! fetch anything, and the arithmetic of the tree is `countersign-merkle`'s.
//!
//! ML-DSA-44 is checked through aws-lc, behind the feature `ml-dsa`, which is on unless it is turned
//! off; without it the crate is free of C, and such keys count as unknown.
//!
//! Everything is strict: what is accepted is written back byte for byte by `Display`.
//!
//! | specification | here |
//! | --- | --- |
//! | signed-note | [`Note`], [`VerifierKey`], [`sign_note`] |
//! | tlog-checkpoint | [`Checkpoint`], [`SignedCheckpoint`] |
//! | tlog-cosignature | [`cosign`] (Ed25519), [`cosign_ml_dsa`] (ML-DSA-44), [`Timestamp`] |
//! | tlog-proof | [`TlogProof`] |
//! | tlog-policy | [`TlogPolicy`] |

pub mod checkpoint;
pub mod cosignature;
mod encoding;
pub mod key;
mod ml_dsa;
pub mod name;
pub mod note;
pub mod policy;
pub mod proof;
pub mod sign;
pub mod verify;

pub use checkpoint::{Checkpoint, CheckpointError, CheckpointFormatError, SignedCheckpoint};
pub use cosignature::{Timestamp, checkpoint_message, cosign, cosign_ml_dsa, cosignature_message};
pub use key::{KeyError, SignatureType, VerifierKey};
pub use name::{KeyId, KeyName, KeyNameError};
pub use note::{MAX_NOTE_LEN, MAX_SIGNATURES, Note, NoteError, NoteSignature};
pub use policy::{PolicyError, PolicyEvidence, PolicyOutcome, TlogPolicy};
pub use proof::{ProofFormatError, ProofVerifyError, TlogProof};
pub use sign::{MlDsaSigner, NoteSigner, SignError, SignNoteError, sign_note};
pub use verify::{NoteVerifyError, VerifiedNote, VerifiedSignature};
