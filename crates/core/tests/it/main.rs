//! The formats, against golden vectors that other languages share.
//!
//! `UPDATE_VECTORS=1` writes the vectors anew, `UPDATE_DOCS=1` the generated part of the
//! documentation. A change in either is a change of the format: it needs a star in the changelog.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

mod corpus;
mod documents;
mod entries;
mod files;
mod limits;
mod reference;
mod samples;
mod strict_json;
