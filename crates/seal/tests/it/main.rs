//! Files over a log that is made up, as their recipient sees them, and attacked on the way.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

mod attacks;
mod corpus;
mod foreign;
mod support;
mod words;
