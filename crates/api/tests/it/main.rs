//! The HTTP API, asked over real connections.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

mod bad_input;
mod documents;
mod idempotency;
mod journey;
mod limits;
mod log;
mod logging;
mod protocol;
mod reviews;
mod roles;
mod secure;
mod world;
