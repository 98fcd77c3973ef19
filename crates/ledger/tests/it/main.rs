//! The ledger over a simulated store and its disk: every run follows a seed and can be repeated.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should say where"
)]

mod disk;
mod simulation;
mod world;
