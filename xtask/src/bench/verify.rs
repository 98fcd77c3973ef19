//! `cargo xtask bench verify`: how fast a whole log is checked.
//!
//! The programs are run as anybody runs them, each as a process of its own over the same directory,
//! taking turns. Beside them stands what the machine's cores do at most: the leaves of this very
//! log, in memory, hashed one after the other.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use countersign_merkle::tile::BundleEntries;
use countersign_merkle::{TreeSize, leaf_hash};
use serde::Serialize;

use super::machine::Machine;
use crate::error::Error;
use crate::table::{Table, grouped};
use crate::workspace::beside;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Effort {
    entries: u64,
    rounds: usize,
}

const FULL: Effort = Effort {
    entries: 100_003,
    rounds: 7,
};
const SMOKE: Effort = Effort {
    entries: 1_000,
    rounds: 1,
};

/// What to measure.
#[derive(Debug, Default, clap::Args)]
pub(super) struct VerifyArguments {
    /// For `verify`: Tessera's fsck, to be measured in the same run.
    #[arg(long, value_name = "PATH")]
    tessera_fsck: Option<PathBuf>,
    /// For `verify`: how many entries the log has.
    #[arg(long, value_name = "N")]
    entries: Option<u64>,
    /// For `verify`: a log that is there already, with its key in `log.vkey`.
    #[arg(long, value_name = "DIR")]
    log: Option<PathBuf>,
}

/// One way of checking the log.
#[derive(Debug, Serialize)]
struct Case {
    what: String,
    /// Seconds of each round.
    seconds: Vec<f64>,
}

/// All of it.
#[derive(Debug, Serialize)]
struct Figures {
    machine: Machine,
    is_smoke: bool,
    entries: u64,
    leaf_bytes: u64,
    cases: Vec<Case>,
}

/// Measures and prints the table.
pub(super) fn run(
    arguments: &VerifyArguments,
    dir: &Path,
    is_smoke: bool,
    is_json: bool,
) -> Result<(), Error> {
    let effort = if is_smoke { SMOKE } else { FULL };
    let scratch = tempfile::Builder::new()
        .prefix("countersign-verify-")
        .tempdir_in(dir)
        .map_err(Error::io(dir))?;
    let log = match &arguments.log {
        Some(log) => log.clone(),
        None => {
            let log = scratch.path().join("log");
            make(arguments.entries.unwrap_or(effort.entries), &log)?;
            log
        }
    };
    let log = std::fs::canonicalize(&log).map_err(Error::io(&log))?;
    let leaves = leaves(&log)?;
    let entries = u64::try_from(leaves.len()).unwrap_or(u64::MAX);
    let mut cases = cases(arguments, &log)?;
    for _ in 0..effort.rounds {
        for (case, way) in &mut cases {
            let time = match way {
                Way::Hash(threads) => hash(&leaves, *threads),
                Way::Process(command) => process(command)?,
            };
            case.seconds.push(time.as_secs_f64());
        }
    }
    let bytes: usize = leaves.iter().map(Vec::len).sum();
    let figures = Figures {
        machine: Machine::here(dir),
        is_smoke,
        entries,
        leaf_bytes: u64::try_from(bytes).unwrap_or(u64::MAX) / entries.max(1),
        cases: cases.into_iter().map(|(case, _)| case).collect(),
    };
    match is_json {
        true => {
            let text = serde_json::to_string_pretty(&figures);
            println!("{}", text.map_err(Error::server("the figures"))?);
        }
        false => print!("{figures}"),
    }
    Ok(())
}

enum Way {
    Hash(usize),
    Process(Command),
}

fn cases(arguments: &VerifyArguments, log: &Path) -> Result<Vec<(Case, Way)>, Error> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let case = |what: String, way| {
        let seconds = Vec::new();
        (Case { what, seconds }, way)
    };
    let mut all = vec![case(
        "bare SHA-256 of the leaves, 1 thread".to_owned(),
        Way::Hash(1),
    )];
    if cores > 1 {
        let what = format!("bare SHA-256 of the leaves, {cores} threads");
        all.push(case(what, Way::Hash(cores)));
    }
    let own = beside("countersign", "countersign-cli")?;
    let key = log.join("log.vkey");
    for (what, options) in [
        ("countersign verify --tree", &["--tree"][..]),
        (
            "countersign verify --tree, 1 thread",
            &["--tree", "--threads", "1"],
        ),
        ("countersign verify", &[]),
    ] {
        let mut command = Command::new(&own);
        command.arg("verify").arg(log).arg("--key").arg(&key);
        command.args(options).arg("--allow-unanchored");
        all.push(case(what.to_owned(), Way::Process(command)));
    }
    if let Some(fsck) = &arguments.tessera_fsck {
        for workers in [1, cores, 2 * cores] {
            let mut command = Command::new(fsck);
            command
                .arg(format!("--storage_url=file://{}/", log.display()))
                .arg(format!("--public_key={}", key.display()))
                .args(["--ui=false", "-N", &workers.to_string()]);
            let what = format!("Tessera fsck, -N {workers}");
            all.push(case(what, Way::Process(command)));
        }
    }
    Ok(all)
}

/// Has this program make a log of so many entries.
fn make(entries: u64, out: &Path) -> Result<(), Error> {
    let failed = Error::server::<std::io::Error>("the log");
    let own = std::env::current_exe().map_err(&failed)?;
    let mut command = Command::new(own);
    command.args(["log", "--size", &entries.to_string(), "--out"]);
    process(command.arg(out).stderr(Stdio::inherit())).map(drop)
}

/// How long a program takes that has to succeed.
fn process(command: &mut Command) -> Result<Duration, Error> {
    let begun = Instant::now();
    let output = command.stdin(Stdio::null()).output();
    let time = begun.elapsed();
    let output = output.map_err(Error::server::<std::io::Error>("a program"))?;
    match output.status.success() {
        true => Ok(time),
        false => Err(Error::server("a program")(format!(
            "{command:?}: {}\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ))),
    }
}

/// Every leaf of the log.
fn leaves(log: &Path) -> Result<Vec<Vec<u8>>, Error> {
    let path = log.join("checkpoint");
    let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
    let size = text.lines().nth(1).and_then(|size| size.parse().ok());
    let size = size.ok_or_else(|| Error::server("the log")("its checkpoint has no size"))?;
    let mut leaves = Vec::new();
    for tile in countersign_merkle::tile::entry_tiles(TreeSize::new(size)) {
        let path = log.join(tile.to_string());
        let bundle = std::fs::read(&path).map_err(Error::io(&path))?;
        leaves.extend(BundleEntries::new(&bundle).flatten().map(<[u8]>::to_vec));
    }
    Ok(leaves)
}

/// How long these threads take to hash all leaves, each its share.
fn hash(leaves: &[Vec<u8>], threads: usize) -> Duration {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for share in leaves.chunks(leaves.len().div_ceil(threads).max(1)) {
            scope.spawn(move || {
                for leaf in share {
                    black_box(leaf_hash(black_box(leaf)));
                }
            });
        }
    });
    begun.elapsed()
}

impl Case {
    fn median(&self) -> f64 {
        let mut sorted = self.seconds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

impl Figures {
    fn rate(&self, case: &Case) -> f64 {
        self.entries as f64 / case.median()
    }

    /// The best of the cases whose name begins so.
    fn best(&self, name: &str) -> Option<f64> {
        let named = self.cases.iter().filter(|case| case.what.starts_with(name));
        named.map(|case| self.rate(case)).max_by(f64::total_cmp)
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}\n", self.machine)?;
        if self.is_smoke {
            writeln!(f, "A smoke run: it runs, and the figures mean nothing.\n")?;
        }
        writeln!(
            f,
            "A log of {} entries of {} bytes on average; medians of {} rounds, taking turns.\n",
            grouped(self.entries),
            self.leaf_bytes,
            self.cases.first().map_or(0, |case| case.seconds.len())
        )?;
        let bare = self.best("bare SHA-256");
        let fsck = self.best("Tessera fsck");
        let mut table = Table::new(&[
            "what",
            ">time",
            ">entries/s",
            ">of the bare hash rate",
            ">against the best fsck",
        ]);
        let ratio = |rate: f64, to: Option<f64>| {
            to.map_or_else(|| "–".to_owned(), |to| format!("{:.2}", rate / to))
        };
        for case in &self.cases {
            let rate = self.rate(case);
            table.row(vec![
                case.what.clone(),
                format!("{:.3} s", case.median()),
                grouped(rate as u64),
                ratio(rate, bare),
                ratio(rate, fsck),
            ]);
        }
        write!(f, "{table}")
    }
}
