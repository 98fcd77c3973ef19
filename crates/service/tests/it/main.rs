//! The service over the real store: what callers get, what the ledger says, and who is refused.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

mod audited;
mod bounds;
mod calls;
mod delegations;
mod epochs;
mod erasing;
mod flags;
mod history;
mod holding;
mod kit;
mod openings;
mod permits;
mod policy;
mod publishing;
mod reading;
mod remains;
mod reports;
mod reviews;
mod sessions;
mod shadow;
mod storm;
mod surfaces;
mod tools;
mod watching;
