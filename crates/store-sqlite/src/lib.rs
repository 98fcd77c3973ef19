//! The storage contract of `countersign-ledger` on SQLite: one file, no server.
//!
//! One connection writes, in transactions that take the write lock at their beginning
//! (`BEGIN IMMEDIATE`) and are durable when they return (WAL, `synchronous=FULL`); a few others
//! read at the same time. Entries, tree nodes, state, sealed records and the index change together
//! or not at all.
//!
//! This crate decides nothing: what is written is planned by `countersign-ledger`, and what a
//! sealed record holds is known to `countersign-vault`.

mod backup;
mod cache;
mod commit;
mod connection;
mod error;
mod folding;
mod ids;
mod inspect;
mod postings;
mod query;
mod read;
mod rewrap;
mod schema;
mod shape;
mod store;
mod usage;

pub use backup::{CopyProgress, copy};
pub use error::OpenError;
pub use inspect::Inspection;
pub use store::SqliteStore;
pub use usage::{Usage, usage};
