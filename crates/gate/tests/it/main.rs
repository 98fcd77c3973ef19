//! The gate between a client that sends any bytes, a real server and a tool that answers any bytes.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests fail as tests do"
)]

mod attacks;
mod calls;
mod failures;
mod tool;
mod world;
