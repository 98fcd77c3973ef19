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
mod kit;
mod policy;
mod reading;
mod sessions;
mod storm;
mod watching;
