//! `cargo xtask replay`: recorded agent runs through a real server.
//!
//! Each run's turn is registered, each of its calls is asked for in order, and what the recorded
//! call returned is reported for those that were approved: all of it over HTTP, each with a
//! credential of its own role. The recording goes on after a rejection as it did when it was made.

mod drive;
pub(crate) mod recording;
mod report;
pub(crate) mod requests;
mod tally;
pub(crate) mod whole;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use countersign_core::document::Bundle;
use countersign_judge::CompiledBundle;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::bundle_dir;
use crate::error::Error;
use crate::server::{Server, TENANT};
use crate::workspace;
use drive::Driver;
use recording::Run;
use report::{Report, Setup};
use tally::Tally;

/// The share of calls that must reach the judge, in percent.
const REACH_PERCENT: u64 = 99;
/// How many runs of each recording a smoke run replays.
const SMOKE_RUNS: usize = 40;
/// Most runs that are replayed at the same time.
const JOBS_MAX: usize = 64;
/// After how many errors the replay is given up.
const ERRORS_MAX: usize = 100;

/// What to replay.
#[derive(clap::Args)]
pub(crate) struct ReplayArguments {
    /// Recorded runs: JSON Lines, as they are (`.jsonl`) or compressed (`.jsonl.zst`).
    #[arg(required_unless_present = "smoke")]
    file: Option<PathBuf>,
    /// Replay a few runs of each recording that is at hand in `../shared/data`; where there is none,
    /// say so and be content.
    #[arg(long, conflicts_with_all = ["file", "limit", "data", "json"])]
    smoke: bool,
    /// The directory of the bundle that judges.
    ///
    /// By default `examples/agentdojo/bundle` of the repository.
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Replay no more than this many runs.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// How many runs to replay at the same time; the calls of one run stay in order.
    #[arg(long, value_name = "N", default_value_t = 8)]
    jobs: usize,
    /// Keep the server's data in this directory, which must not hold a log yet.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Replays; whether the criteria are met.
pub(crate) fn run(arguments: &ReplayArguments) -> Result<bool, Error> {
    if let Some(file) = &arguments.file {
        return replay_file(arguments, file);
    }
    let data = workspace::root().join("../shared/data");
    let found = recordings(&data);
    if found.is_empty() {
        eprintln!(
            "SKIPPED: `{}` holds no recordings, so nothing was replayed",
            data.display()
        );
    }
    let mut passed = true;
    for file in found {
        passed &= replay_file(arguments, &file)?;
    }
    Ok(passed)
}

/// The recordings in a directory, by name.
pub(crate) fn recordings(data: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data).into_iter().flatten().flatten();
    let is_recording = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().ends_with(".jsonl.zst"))
    };
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(is_recording)
        .collect();
    found.sort();
    found
}

fn replay_file(arguments: &ReplayArguments, file: &Path) -> Result<bool, Error> {
    let default = || workspace::root().join("examples/agentdojo/bundle");
    let directory = arguments.bundle.clone().unwrap_or_else(default);
    let content = bundle_dir::read(&directory)?;
    let content_name = content.name.clone();
    let tenant = TENANT.parse().map_err(Error::server("the tenant"))?;
    let bundle = CompiledBundle::compile(Bundle {
        tenant,
        content: content.clone(),
    })
    .map_err(|error| Error::Bundle(bundle_dir::lines(&error.findings)))?;
    let mut runs = recording::read(file)?;
    let recorded = runs.len();
    let limit = if arguments.smoke {
        Some(SMOKE_RUNS)
    } else {
        arguments.limit
    };
    runs.truncate(limit.unwrap_or(recorded));
    let server = Server::start(content, arguments.data.as_deref())?;
    let jobs = arguments.jobs.clamp(1, JOBS_MAX);
    let progress = progress(&runs);
    let begun = Instant::now();
    let tally = replay(&server, &bundle, &runs, jobs, &progress)?;
    let elapsed = begun.elapsed();
    progress.finish_and_clear();
    let setup = Setup {
        file,
        bundle: &content_name,
        runs_in_file: recorded,
        jobs,
    };
    let report = Report::new(&setup, &tally, elapsed);
    server.stop()?;
    match arguments.json {
        true => println!("{}", report.json()?),
        false => println!("{report}"),
    }
    Ok(report.is_passed())
}

/// Replays the runs, several at a time.
fn replay(
    server: &Server,
    bundle: &CompiledBundle,
    runs: &[Run],
    jobs: usize,
    progress: &ProgressBar,
) -> Result<Tally, Error> {
    let next = AtomicUsize::new(0);
    let given_up = AtomicBool::new(false);
    let total = Mutex::new(Tally::default());
    let work = || -> Result<(), Error> {
        let mut tally = Tally::default();
        let mut driver = Driver::new(server, bundle)?;
        while let Some((n, run)) = take(&next, runs) {
            if given_up.load(Ordering::Relaxed) {
                break;
            }
            driver.replay(n, run, &mut tally, progress);
            if tally.errors() > ERRORS_MAX {
                given_up.store(true, Ordering::Relaxed);
            }
        }
        let mut total = total
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        total.merge(tally);
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .unwrap_or_else(|_| Err(Error::server("a worker")("it panicked")))
        })
    })?;
    Ok(total
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner))
}

fn take<'a>(next: &AtomicUsize, runs: &'a [Run]) -> Option<(usize, &'a Run)> {
    let n = next.fetch_add(1, Ordering::Relaxed);
    runs.get(n).map(|run| (n, run))
}

fn progress(runs: &[Run]) -> ProgressBar {
    let calls: usize = runs.iter().map(|run| run.steps.len()).sum();
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(u64::try_from(calls).ok(), target);
    match ProgressStyle::with_template("{bar:40} {pos}/{len} calls, {per_sec}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
