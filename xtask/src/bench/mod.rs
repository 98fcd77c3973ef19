//! `cargo xtask bench`: what a decision costs.
//!
//! Times are reported, never asserted. The judge is measured in CPU time of its thread; whatever
//! ends in a durable commit in wall time, with a bare `fdatasync` in the same run as the measure
//! of what the disk allows.

mod cpu;
mod disk;
mod durable;
mod growth;
mod hook;
mod judge;
mod ledger;
mod load;
mod machine;
mod mcp;
mod opaque;
mod peers;
mod report;
mod setting;
mod verify;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use crate::error::Error;
use crate::workspace;
use machine::Machine;
use report::Report;

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct BenchArguments {
    /// What to measure.
    #[arg(value_enum, default_value_t = Subject::All)]
    subject: Subject,
    /// Run each case only for a moment: to see that it runs, not how fast.
    #[arg(long)]
    smoke: bool,
    /// Where to keep the log and the file that is synced: the disk that is measured. By default the
    /// repository's `target` directory.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    ledger: ledger::LedgerArguments,
    #[command(flatten)]
    verify: verify::VerifyArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// The judge alone: facts, verdict, leaf.
    Judge,
    /// A decision in process with its durable commit.
    Decision,
    /// A decision over HTTP.
    Http,
    /// Opaque entries through sequencer and store, beside a bare `fdatasync` and peers.
    Ledger,
    /// An append and lookups in logs of a thousand entries and more, and what the database holds.
    Growth,
    /// Checking a whole log: the tree, the full audit, and Tessera's fsck if it is given.
    Verify,
    /// A call over MCP stdio, alone and behind the relay; needs the binaries `countersign` and
    /// `mcp-scripted` beside this one.
    Mcp,
    /// A process of the coding assistant's hook per call, beside the decision alone; needs the binary
    /// `countersign` beside this one.
    Hook,
    /// All that decides; not `verify`, `mcp` and `hook`, which need other binaries beside this one.
    All,
}

/// How long to measure.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// Each case of the judge.
    judge: Duration,
    /// Each round of each case with a commit.
    round: Duration,
    /// How many rounds; cases take turns, so that a slow moment of the machine meets them all.
    rounds: usize,
}

impl Effort {
    const FULL: Self = Self {
        judge: Duration::from_secs(2),
        round: Duration::from_secs(2),
        rounds: 5,
    };
    const SMOKE: Self = Self {
        judge: Duration::from_millis(20),
        round: Duration::from_millis(60),
        rounds: 1,
    };
}

/// Measures and reports.
pub(crate) fn run(arguments: &BenchArguments) -> Result<bool, Error> {
    let wants = |subject| arguments.subject == subject || arguments.subject == Subject::All;
    let effort = if arguments.smoke {
        Effort::SMOKE
    } else {
        Effort::FULL
    };
    let dir = arguments
        .dir
        .clone()
        .unwrap_or_else(|| workspace::root().join("target"));
    std::fs::create_dir_all(&dir).map_err(Error::io(&dir))?;
    let dir = dir.canonicalize().map_err(Error::io(&dir))?;
    if cfg!(debug_assertions) && !arguments.smoke {
        eprintln!(
            "warning: this is a dev build; for numbers run `cargo run --release --package countersign-xtask -- bench`"
        );
    }
    if arguments.subject == Subject::Verify {
        verify::run(&arguments.verify, &dir, arguments.smoke, arguments.json)?;
        return Ok(true);
    }
    if arguments.subject == Subject::Hook {
        hook::run(&dir, effort, arguments.smoke, arguments.json)?;
        return Ok(true);
    }
    if arguments.subject == Subject::Mcp {
        mcp::run(&dir, effort, arguments.smoke, arguments.json)?;
        return Ok(true);
    }
    let mut report = Report::new(Machine::here(&dir), arguments.smoke);
    if wants(Subject::Judge) {
        report.judge = Some(judge::measure(effort.judge)?);
    }
    if wants(Subject::Decision) || wants(Subject::Http) {
        let in_process = wants(Subject::Decision);
        report.durable = Some(durable::measure(
            &dir,
            effort,
            in_process,
            wants(Subject::Http),
        )?);
    }
    if wants(Subject::Ledger) {
        report.ledger = Some(ledger::opaque(&arguments.ledger, &dir, arguments.smoke)?);
    }
    if wants(Subject::Growth) {
        report.growth = Some(ledger::growth(&arguments.ledger, &dir, arguments.smoke)?);
    }
    match arguments.json {
        true => println!("{}", report.json()?),
        false => print!("{report}"),
    }
    Ok(true)
}
