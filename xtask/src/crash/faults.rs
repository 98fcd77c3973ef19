//! `cargo xtask faults`: lets each write and each sync of starting, registering and deciding fail,
//! one after the other, in a real server, and checks what is left.
//!
//! Errors are injected by `strace -e inject`, for one file and one call at a time; short writes come
//! from a limit on the length of files. Whatever happens, what was acknowledged is there afterwards,
//! the server starts again without a hand, and after a failed sync it acknowledges nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use indicatif::ProgressBar;
use serde::Serialize;
use tempfile::TempDir;

use super::acknowledged::Acknowledged;
use super::child::Child;
use super::load::{self, Tokens};
use super::{bar, begin, program};
use crate::error::Error;
use crate::table::Table;

/// The files that are written while a server runs.
const FILES: [&str; 4] = ["ledger.db", "ledger.db-wal", "ledger.db-shm", "head"];
/// The calls by which they are written and synced.
const WRITES: [&str; 4] = ["write", "pwrite64", "ftruncate", "fallocate"];
const SYNCS: [&str; 2] = ["fsync", "fdatasync"];
/// Decisions after the turn, in each case.
const DECISIONS: u64 = 3;
/// By how much each limit on the length of files is more than the one before, in bytes: no divisor
/// of a page, so that the cuts fall everywhere.
const LIMIT_STEP: u64 = 1_031;
/// The largest limit.
const LIMIT_MAX: u64 = 200_000;
/// How long a server may take to end after a failed sync.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to look whether it ends where it may go on.
const LOOK: Duration = Duration::from_millis(500);
/// In the short form, one case in so many.
const SMOKE_EVERY: usize = 12;

/// Which cases.
#[derive(clap::Args)]
pub(crate) struct FaultsArguments {
    /// One case in twelve, for CI
    #[arg(long)]
    smoke: bool,
    /// The server's program [default: `countersign` beside this one]
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One fault.
#[derive(Debug, Clone)]
enum Fault {
    /// The call on the file fails the n-th time.
    Call {
        file: &'static str,
        call: &'static str,
        error: &'static str,
        place: usize,
    },
    /// No file can be longer; a write across the limit is cut short, one beyond it fails.
    Length(u64),
}

/// What came of all cases of one sort.
#[derive(Debug, Default, Serialize)]
struct Row {
    what: String,
    cases: u64,
    /// The server ended by itself.
    ended: u64,
    acknowledged: u64,
    findings: Vec<String>,
}

/// Runs all cases; whether nothing was found.
pub(crate) fn run(arguments: &FaultsArguments) -> Result<bool, Error> {
    if !can_inject() {
        eprintln!("SKIPPED: strace is missing or may not trace, so no fault was injected");
        return Ok(true);
    }
    let program = program(arguments.server.as_deref())?;
    let faults = faults(&program)?;
    let every = if arguments.smoke { SMOKE_EVERY } else { 1 };
    let chosen: Vec<&Fault> = faults.iter().step_by(every).collect();
    let bar = bar(chosen.len());
    let rows = all(&program, &chosen, &bar)?;
    bar.finish_and_clear();
    let is_clean = rows.iter().all(|row| row.findings.is_empty());
    match arguments.json {
        true => println!(
            "{}",
            serde_json::to_string(&rows).map_err(Error::server("the report"))?
        ),
        false => print(&rows),
    }
    Ok(is_clean)
}

fn print(rows: &[Row]) {
    let mut table = Table::new(&[
        "fault",
        ">cases",
        ">ended by itself",
        ">acknowledged",
        ">findings",
    ]);
    for row in rows {
        let counts = [
            row.cases,
            row.ended,
            row.acknowledged,
            row.findings.len() as u64,
        ];
        let mut cells = vec![row.what.clone()];
        cells.extend(counts.map(|count| count.to_string()));
        table.row(cells);
    }
    print!("{table}");
    for finding in rows.iter().flat_map(|row| &row.findings) {
        println!("FOUND: {finding}");
    }
}

fn all(program: &Path, faults: &[&Fault], bar: &ProgressBar) -> Result<Vec<Row>, Error> {
    let mut rows: Vec<Row> = Vec::new();
    for fault in faults {
        let what = fault.sort();
        if rows.last().is_none_or(|row| row.what != what) {
            rows.push(Row {
                what,
                ..Row::default()
            });
        }
        if let Some(row) = rows.last_mut() {
            case(program, fault, row)?;
        }
        bar.inc(1);
    }
    Ok(rows)
}

/// Every fault that a run without faults gives an opportunity for, and limits of length.
fn faults(program: &Path) -> Result<Vec<Fault>, Error> {
    let mut faults = Vec::new();
    for file in FILES {
        let counts = count_calls(program, file)?;
        for (call, count) in counts {
            let errors: &[&str] = match WRITES.contains(&call) {
                true => &["EIO", "ENOSPC"],
                false => &["EIO"],
            };
            for error in errors {
                faults.extend((1..=count).map(|place| Fault::Call {
                    file,
                    call,
                    error,
                    place,
                }));
            }
        }
    }
    let mut limit = LIMIT_STEP;
    while limit < LIMIT_MAX {
        faults.push(Fault::Length(limit));
        // Where a commit's frames lie each cut counts; further on only that there is one.
        limit += if limit < LIMIT_MAX / 3 {
            LIMIT_STEP
        } else {
            LIMIT_STEP * 8
        };
    }
    Ok(faults)
}

/// How often each call is made on a file, from starting to the last decision.
fn count_calls(program: &Path, file: &str) -> Result<Vec<(&'static str, usize)>, Error> {
    let (home, data, tokens, mut known) = prepare()?;
    let trace = home.path().join("trace");
    let calls: Vec<&str> = WRITES.iter().chain(&SYNCS).copied().collect();
    let mut runner = strace(&data.join(file), &calls.join(","));
    runner.extend(["-o".to_owned(), trace.display().to_string()]);
    let mut child = Child::spawn_under(&runner, program, home.path(), &data)?;
    if child.wait_until_it_listens()?.is_ok() {
        load::in_turn(child.url(), &tokens, DECISIONS, &mut known)
            .map_err(Error::server("a run without faults"))?;
    }
    child.kill()?;
    let traced = std::fs::read_to_string(&trace).map_err(Error::io(&trace))?;
    let count = |call: &str| {
        let begin = format!("{call}(");
        let made = |line: &&str| {
            line.split_whitespace()
                .nth(1)
                .is_some_and(|text| text.starts_with(&begin))
        };
        traced.lines().filter(made).count()
    };
    let calls = calls.into_iter().map(|call| (call, count(call)));
    Ok(calls
        .filter(|(_, count)| *count > 0)
        .map(|(call, count)| (constant(call), count))
        .collect())
}

fn constant(call: &str) -> &'static str {
    WRITES
        .iter()
        .chain(&SYNCS)
        .find(|known| **known == call)
        .copied()
        .unwrap_or("write")
}

/// One case: a new log, a server with the fault, a server without it, an audit.
fn case(program: &Path, fault: &Fault, row: &mut Row) -> Result<(), Error> {
    let (home, data, tokens, mut known) = prepare()?;
    let runner = fault.runner(&data);
    let mut child = Child::spawn_under(&runner, program, home.path(), &data)?;
    let mut answered = 0;
    let mut failed = true;
    if child.wait_until_it_listens()?.is_ok() {
        let asked = load::in_turn(child.url(), &tokens, DECISIONS, &mut known);
        failed = asked.is_err();
        answered = known.answered();
    }
    row.cases += 1;
    row.acknowledged += answered;
    let must_end = fault.is_sync() && failed;
    let patience = match (must_end, failed) {
        (true, _) => PATIENCE,
        (false, true) => LOOK,
        (false, false) => Duration::ZERO,
    };
    let ended = child.ends_within(patience)?;
    row.ended += u64::from(ended);
    if must_end && !ended {
        row.findings
            .push(format!("{fault:?}: it went on after a failed sync"));
    }
    child.kill()?;
    drop(child);
    let mut child = Child::spawn(program, home.path(), &data)?;
    match child.wait_until_it_listens()? {
        Ok(()) => {
            load::ask_again(child.url(), &tokens, &mut known)
                .map_err(Error::server("asking again"))?;
            child.kill()?;
            known.audit(&data, &home.path().join("export"))?;
        }
        Err(said) => row
            .findings
            .push(format!("{fault:?}: it did not start again: {said}")),
    }
    let found = known.found.iter();
    row.findings
        .extend(found.map(|found| format!("{fault:?}: {found}")));
    Ok(())
}

fn prepare() -> Result<(TempDir, PathBuf, Tokens, Acknowledged), Error> {
    let scratch = std::env::temp_dir();
    let home = tempfile::Builder::new()
        .prefix("countersign-faults-")
        .tempdir_in(&scratch)
        .map_err(Error::io(&scratch))?;
    let data = home.path().join("data");
    let (tokens, known) = begin(&data)?;
    Ok((home, data, tokens, known))
}

impl Fault {
    fn sort(&self) -> String {
        match self {
            Self::Call {
                file, call, error, ..
            } => format!("{call} of {file}: {error}"),
            Self::Length(_) => "short write, then EFBIG".to_owned(),
        }
    }

    fn is_sync(&self) -> bool {
        matches!(self, Self::Call { call, .. } if SYNCS.contains(call))
    }

    /// What runs the server so that the fault happens.
    fn runner(&self, data: &Path) -> Vec<String> {
        match self {
            Self::Call {
                file,
                call,
                error,
                place,
            } => {
                let mut runner = strace(&data.join(file), call);
                runner.extend(["-o".to_owned(), "/dev/null".to_owned()]);
                runner.push(format!("--inject={call}:error={error}:when={place}"));
                runner
            }
            // Without the trap the signal would end the process before the call returns.
            Self::Length(limit) => [
                "sh",
                "-c",
                "trap '' XFSZ; limit=$1; shift; exec prlimit --fsize=\"$limit\" \"$@\"",
                "sh",
                &limit.to_string(),
            ]
            .map(str::to_owned)
            .into(),
        }
    }
}

fn strace(file: &Path, calls: &str) -> Vec<String> {
    let file = file.display().to_string();
    let trace = format!("--trace={calls}");
    ["strace", "-f", "-qq", "-P", &file, &trace]
        .map(str::to_owned)
        .into()
}

fn can_inject() -> bool {
    let probe = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .stderr(Stdio::null())
        .status();
    probe.is_ok_and(|status| status.success())
}
