//! Key files of Countersign, each key for one purpose, and the signers over them.
//!
//! This crate reads and writes key files and draws randomness from the system: it is the only one
//! that does. It does *not* know formats of notes (`countersign-note`), permits
//! (`countersign-permit`) or sealed records (`countersign-vault`); it hands their types the keys.
//!
//! | file | key | for |
//! | --- | --- | --- |
//! | `root.key` | Ed25519 | signs the other public keys; to be taken offline |
//! | `log.key` | Ed25519 | signs checkpoints |
//! | `log-mldsa.key` | ML-DSA-44 | signs checkpoints a second time, if that is switched on |
//! | `permit.key` | Ed25519 | signs permits |
//! | `vault-1.kek`, `vault-2.kek`, … | AES-256 | one per epoch: wraps the tenant's key of that epoch |
//! | `vault-1.tenant`, … | AES-256, wrapped | wraps the keys of sealed records; the highest number wraps, all unwrap |
//! | `blind-index.key` | HMAC | finds pseudonyms |
//! | `token.key` | HMAC | hashes API tokens |
//!
//! A witness of other logs has a directory of its own, with `witness.key` (Ed25519) and, if it is to
//! have one, `witness-mldsa.key` (ML-DSA-44): they cosign checkpoints.
//!
//! A reviewer has `reviewer.key` (Ed25519) beside the profile of the command: it signs that person's answers
//! to escalations, and no server holds it. An auditor has `recipient.key` (X25519), wherever the auditor
//! likes: it opens records that were sealed to the auditor.
//!
//! A key that is to follow another lies beside it as `log.next`, `log-mldsa.next` or `permit.next` until
//! the log has granted it ([`Successor`]).
//!
//! `vault.epochs` says which epoch of vault keys is the first; older ones were destroyed ([`EpochFiles`]).
//!
//! The directory has mode 0700 and the files 0600; looser ones are refused. Losing the `.kek` or
//! `.tenant` files loses every sealed plaintext, so they must be backed up, never with the database,
//! and anew after each epoch that was begun: an old copy of them undoes erasures.

mod api_token;
mod epochs;
mod file;
mod ml_dsa;
mod random;
mod recipient;
mod reviewer;
mod ring;
mod root;
mod rotate;
mod secure_fs;
mod signer;
mod witness;

pub use api_token::{ApiToken, ApiTokenError};
pub use epochs::EpochFiles;
pub use file::{KeyFileError, Purpose};
pub use ml_dsa::MlDsaLogSigner;
pub use random::SystemRandom;
pub use recipient::RecipientKeyFile;
pub use reviewer::ReviewerKey;
pub use ring::KeyRing;
pub use root::{RootKey, is_signed_by_root};
pub use rotate::{ROTATABLE, Successor, public_key_of, remove_key};
pub use signer::{Ed25519NoteSigner, StatementError, fingerprint};
pub use witness::{WitnessKey, WitnessMlDsaKey};
