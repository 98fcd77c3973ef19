//! A small log that holds every kind of entry, and logs in memory, for tests and for the mutation
//! table.
//!
//! [`story::story`] writes the entries, each with what it needs before it, and [`story::whole`] all
//! that can follow them; [`log`] signs and
//! publishes leaves as they are, sound or not, with keys that everybody knows; [`mutate`] changes any
//! log in every way that the mutation table knows. It is *not* a ledger
//! (`countersign-ledger`), and nothing that is shipped depends on it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what is made up here is sound, or the tests that use it fail"
)]

pub mod log;
pub mod mutate;
pub mod story;
