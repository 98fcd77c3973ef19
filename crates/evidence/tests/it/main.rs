//! The folder of an incident, over the story's log.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests fail as tests do"
)]

mod choosing;
mod corpus;
mod folders;
mod reports;
mod support;
