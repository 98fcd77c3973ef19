//! A small blocking HTTP client for the Countersign API: one method per route, in the types of
//! `countersign-wire`.
//!
//! It starts no runtime and no thread, and loads TLS only for an `https` address, because hooks
//! start it for every call. It is *not* the place of profiles and tokens on disk (`countersign-cli`),
//! and it checks no proof: that is `countersign-note` and `countersign-verify`.

mod body;
mod epochs;
mod erasing;
mod error;
mod file;
mod flags;
mod log;
mod options;
mod permits;
mod query;
mod raw;
mod reviews;
mod routes;
mod token;
mod tools;
mod transport;
mod vault;

pub use error::{ClientError, Unreachable};
pub use log::LogPath;
pub use options::{CONNECT_TIMEOUT, Options, REQUEST_TIMEOUT, ServerUrl, ServerUrlError};
pub use permits::Execution;
pub use query::EntriesQuery;
pub use raw::RawAnswer;
pub use token::Token;
pub use transport::Client;
pub use vault::OpenAnswer;
