//! The verifier over a log that holds every kind of entry, and over every way to change it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

mod anchors;
mod contradictions;
mod documents;
mod flags;
mod follow;
mod foreign;
mod keys;
mod large;
mod lies;
mod mutations;
mod parallel;
#[cfg(feature = "rejudge")]
mod rejudge;

use countersign_story::{log, story};
