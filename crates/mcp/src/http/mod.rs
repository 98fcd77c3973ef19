//! The relay before a server that is reached over streamable HTTP.
//!
//! One endpoint, under the path that the upstream has. Every message of a client, whatever its
//! revision of the protocol, goes through the same [`crate::relay`] as over stdio; here stands what
//! HTTP adds: who may speak (Host, Origin, tokens), headers that must repeat the body, sessions,
//! streams of events, an upstream that may be slow or hostile, and the little that has to be said
//! differently between a client and an upstream of two revisions.

mod app;
mod body;
mod bridge;
mod checks;
mod connect;
#[cfg(test)]
mod corpus;
mod exchange;
mod guard;
mod intake;
pub mod limits;
mod listen;
mod mirror;
mod options;
mod own;
mod params;
mod post;
mod reach;
mod server;
mod sessions;
mod side;
mod sse;
mod upstream;

pub use connect::UpstreamTlsError;
pub use options::{
    HttpOptions, HttpOptionsError, Timeouts, UpstreamHeaders, UpstreamRevision, UpstreamUrl,
    read_tokens,
};
pub use server::{HttpError, HttpRelay};
