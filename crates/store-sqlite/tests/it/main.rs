//! The ledger over the real store: what it promises, and what it does when its surroundings fail.

mod append;
mod crash;
mod disk;
mod faults;
mod publish;
mod query;
mod start;
mod support;
mod throughput;
mod units;
mod wrapper;
