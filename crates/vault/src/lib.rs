//! Sealing and opening of Countersign's plaintext.
//!
//! Every document (a turn, a call, facts, reasoning, a result) is sealed under a random key of its
//! own. That key is wrapped by the tenant's key of the present epoch, and the tenant's key by a
//! key-encryption key that lives outside the database. Whoever destroys a record's wrapped key has
//! destroyed the record in this database; whoever wraps the others anew and destroys an epoch's keys
//! has destroyed it in every older copy, too. Its commitment in the ledger stays.
//!
//! This crate works on bytes in memory. It does *not* store records (the storage contract is
//! `countersign-ledger`'s), does not read key files (`countersign-keys`), and does not decide who
//! may open what (`countersign-service`).
//!
//! | part | what it does |
//! | --- | --- |
//! | [`Vault`] | seals documents, opens records and wraps their keys anew, of one tenant |
//! | [`Epoch`], [`KeyEpochs`] | under which key, since when; where those keys are kept and destroyed |
//! | [`KeyWrapper`], [`KeyEncryptionKey`] | wraps the tenant's keys, here or in a key service |
//! | [`BlindIndex`] | finds the pseudonym of a value without storing the value |
//! | [`TokenHasher`] | what is stored of an API token |

mod blind;
mod epoch;
mod framing;
mod sealing;
mod token;
mod vault;
mod wrap;

pub use blind::{BlindIndex, Blinded, SubjectTag};
pub use epoch::{Epoch, EpochError, EpochMark, KeyEpochs};
pub use token::{TokenHash, TokenHashError, TokenHasher};
pub use vault::{OpenError, RewrapError, SealError, Vault, VaultError};
pub use wrap::{KeyEncryptionKey, KeyWrapper, TenantKey, WrapError};
