//! The judge from the outside: bundles, facts, verdicts, and the attacks on each.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

mod attacks;
mod bundles;
mod cases;
mod combining;
mod commands;
mod corpus;
mod depth;
mod docs;
mod entities;
mod evasion;
mod facts;
mod gate;
mod lints;
mod provenance;
mod quantities;
mod rejudging;
mod results;
mod reviews;
mod roles;
mod sealed;
mod support;
mod traces;
mod visible;
