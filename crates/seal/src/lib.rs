//! Records sealed to a recipient's public key, and the file in which they travel with their proofs.
//!
//! Whoever may open records of the vault can hand chosen ones to an auditor so that only the auditor
//! reads them, and so that the auditor need not believe whoever handed them over: each document
//! hashes to the ref that an entry names, and the entry is proven to be in the log.
//!
//! Sealing is HPKE (RFC 9180), mode base, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
//! ChaCha20-Poly1305, one message per record. Base mode does not say who sealed: what a file claims is
//! believed only as far as the log's signed checkpoints carry it.
//!
//! | part | what it does |
//! | --- | --- |
//! | [`RecipientKey`], [`RecipientSecret`] | the recipient's two keys, and the text of the public one |
//! | [`seal`], [`Sealed`] | one sealed message |
//! | [`ExportFile`], [`Draft`] | the file: written, read, and its limits |
//! | [`unseal`], [`Unsealed`] | what a file says to its recipient: `trusted`, `unanchored` or `failed` |
//!
//! This crate is pure. It does *not* seal records at rest (`countersign-vault`), read key files
//! (`countersign-keys`), or check a whole log (`countersign-verify`, whose words it uses).

mod check;
mod file;
mod hpke;
mod key;
mod name;
mod proof;

pub use check::{RecordFound, UnsealFailure, Unsealed, unseal};
pub use file::{
    Draft, DraftError, ExportFile, FORMAT, FileError, Header, LeftOut, MAX_ENTRIES, MAX_FILE_BYTES,
    MAX_LEFT_OUT, MAX_PURPOSE_BYTES, MAX_RECORDS, Proven, RecordName, SUITE, SealedText,
};
pub use hpke::{SealError, Sealed, UnsealError, seal};
pub use key::{RecipientKey, RecipientKeyError, RecipientSecret};
pub use name::{KINDS, kind_of, named};
