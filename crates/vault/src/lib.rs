//! Sealing and opening of Countersign's plaintext.
//!
//! Every document (a turn, a call, facts, reasoning, a result) is sealed under a random key of its
//! own, and that key is wrapped by a key-encryption key that lives outside the database. Whoever
//! destroys a record's wrapped key has destroyed the record; its commitment in the ledger stays.
//!
//! This crate works on bytes in memory. It does *not* store records (the storage contract is
//! `countersign-ledger`'s), does not read key files (`countersign-keys`), and does not decide who
//! may open what (`countersign-service`).
//!
//! | part | what it does |
//! | --- | --- |
//! | [`Vault`] | seals documents and opens records, of one tenant |
//! | [`KeyWrapper`], [`KeyEncryptionKey`] | wraps the keys of records, here or in a key service |
//! | [`BlindIndex`] | finds the pseudonym of a value without storing the value |
//! | [`TokenHasher`] | what is stored of an API token |

mod blind;
mod framing;
mod token;
mod vault;
mod wrap;

pub use blind::{BlindIndex, Blinded};
pub use token::{TokenHash, TokenHashError, TokenHasher};
pub use vault::{OpenError, SealError, Vault, VaultError};
pub use wrap::{KeyEncryptionKey, KeyWrapper, RecordKey, WrapError};
