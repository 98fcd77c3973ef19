//! Commands for those who work on Countersign: `cargo xtask replay`, `cargo xtask bench`,
//! `cargo xtask detect`, `cargo xtask log`, `cargo xtask mutate`.
//!
//! What comes out is on stdout, everything else on stderr. Exit codes: 0 yes, 1 no (a criterion is
//! not met), 2 usage or I/O. It is *not* for those who use Countersign: that is `countersign-cli`.

mod bench;
mod bundle_dir;
mod crash;
mod detect;
mod error;
mod log;
mod mutate;
mod replay;
mod server;
mod stats;
mod table;
mod workspace;

use std::process::ExitCode;

/// The system's allocator took a fifth of a decision's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use clap::{Parser, Subcommand};

/// Commands for those who work on Countersign.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Send recorded agent runs through a real server and count what comes of them.
    Replay(replay::ReplayArguments),
    /// Measure what the detectors find on recorded runs and in synthetic weeks.
    Detect(detect::DetectArguments),
    /// Measure the judge, a durable decision, and a decision over HTTP.
    Bench(bench::BenchArguments),
    /// Make a real log with this many entries, published in the layout of C2SP tlog-tiles.
    Log(log::LogArguments),
    /// Change every member of every kind of entry of a log, and count what the verifier says of it.
    Mutate(mutate::MutateArguments),
    /// Kill a real server at random moments, and check that it keeps what it acknowledged.
    Crash(crash::CrashArguments),
    /// Let each write and sync of a real server fail in turn, and check what is left.
    Faults(crash::faults::FaultsArguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Detect(arguments) => detect::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Log(arguments) => log::run(&arguments),
        Command::Mutate(arguments) => mutate::run(&arguments),
        Command::Crash(arguments) => crash::run(&arguments),
        Command::Faults(arguments) => crash::faults::run(&arguments),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
