//! The vocabulary of Countersign: ids, refs, strict and canonical JSON, the hashed documents,
//! every kind of ledger entry, and verdicts.
//!
//! This crate is pure: it does no I/O, reads no clock and draws no randomness. Those who need
//! them pass a [`time::Clock`] and a [`random::Random`].
//!
//! It is *not* the tree (`countersign-merkle`), the notes and proofs (`countersign-note`), the
//! judge (`countersign-judge`) or the storage (`countersign-ledger`).

pub mod document;
pub mod entry;
pub mod history;
pub mod ids;
pub mod json;
pub mod limits;
pub mod names;
pub mod pseudonym;
pub mod random;
pub mod refs;
pub mod signed;
pub mod time;
pub mod verdict;

mod plain;
mod text;

pub use plain::{is_hidden, plain};
pub use text::hex;
