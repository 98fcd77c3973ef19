//! The service over the real store: what callers get, what the ledger says, and who is refused.

mod audited;
mod bounds;
mod calls;
mod kit;
mod policy;
mod reading;
mod watching;
