//! The `countersign` command: thin. It reads arguments, asks a server (or opens a data directory),
//! and shows the answer.
//!
//! It is *not* the judge, the ledger or the verifier: each is a crate of its own, and every command
//! here is a few lines over one of them.

mod bundles;
mod cli;
mod commands;
mod connection;
mod demo;
mod error;
mod exit;
mod input;
mod patience;
mod private;
mod profile;
mod render;
mod serve;
mod terminal;
mod units;
mod user;
mod witness;

use std::process::ExitCode;

/// The system's allocator took a fifth of a decision's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if let Some(answered) = commands::hook::direct() {
        return answered;
    }
    cli::run().into()
}
