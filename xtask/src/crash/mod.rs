//! `cargo xtask crash`: kills a real server at random moments under load, again and again, and checks
//! after each kill that nothing that it acknowledged is lost or altered.
//!
//! What is killed is the `countersign` binary, over HTTP. A log lives for some rounds; then it is
//! exported and audited with every checkpoint that was ever acknowledged held against it.

mod acknowledged;
mod child;
pub(crate) mod faults;
mod load;
mod report;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::bundle_dir;
use crate::error::Error;
use crate::server::Log;
use crate::workspace;
use acknowledged::Acknowledged;
use child::Child;
use load::Tokens;
use report::Report;

/// Rounds of a campaign.
const ROUNDS: usize = 2_000;
/// Rounds of the short form, for CI.
const SMOKE_ROUNDS: usize = 50;
/// How many rounds a log lives.
const ROUNDS_OF_A_LOG: usize = 50;
/// Latest moment of a kill, after the server has said that it listens.
const LATEST_KILL: Duration = Duration::from_millis(300);
/// One round in so many kills the server while it starts.
const KILLS_AT_START: usize = 8;

/// How long to go on.
#[derive(clap::Args)]
pub(crate) struct CrashArguments {
    /// How many times the server is killed [default: 2000]
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// 50 rounds, for CI
    #[arg(long, conflicts_with = "rounds")]
    smoke: bool,
    /// Decides when each kill comes; printed, so that a campaign can be repeated
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The server's program [default: `countersign` beside this one]
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// Where the logs lie; they stay there if something is found [default: the system's directory for such]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the campaign; whether nothing was found.
pub(crate) fn run(arguments: &CrashArguments) -> Result<bool, Error> {
    let rounds = match (arguments.rounds, arguments.smoke) {
        (Some(rounds), _) => rounds,
        (None, true) => SMOKE_ROUNDS,
        (None, false) => ROUNDS,
    };
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    let program = program(arguments.server.as_deref())?;
    let scratch = arguments.dir.clone().unwrap_or_else(std::env::temp_dir);
    let mut campaign = Campaign {
        program,
        scratch,
        rng: Rng::with_seed(seed),
        bar: bar(rounds),
        report: Report::new(seed),
    };
    let begun = Instant::now();
    let mut left = rounds;
    while left > 0 && campaign.report.is_clean() {
        let of_this = left.min(ROUNDS_OF_A_LOG);
        campaign.log(of_this)?;
        left -= of_this;
    }
    campaign.bar.finish_and_clear();
    let mut report = campaign.report;
    report.elapsed_s = begun.elapsed().as_secs();
    match arguments.json {
        true => println!("{}", report.json()?),
        false => println!("{report}"),
    }
    Ok(report.is_clean())
}

struct Campaign {
    program: PathBuf,
    scratch: PathBuf,
    rng: Rng,
    bar: ProgressBar,
    report: Report,
}

impl Campaign {
    /// The life of one log: begun, killed so many times, audited.
    fn log(&mut self, rounds: usize) -> Result<(), Error> {
        let made = tempfile::Builder::new()
            .prefix("countersign-crash-")
            .tempdir_in(&self.scratch)
            .map_err(Error::io(&self.scratch))?;
        let data = made.path().join("data");
        let (tokens, mut known) = begin(&data)?;
        for _ in 0..rounds {
            self.round(made.path(), &data, &tokens, &mut known)?;
            self.bar.inc(1);
        }
        // Once more, and nobody kills it: what was asked for without an answer is asked for again.
        if let Some(mut child) = self.start(made.path(), &data)? {
            let asked = load::ask_again(child.url(), &tokens, &mut known);
            self.report.asked_again += asked.map_err(Error::server("asking again"))?;
            child.kill()?;
        }
        known.audit(&data, &made.path().join("export"))?;
        self.report.logs += 1;
        self.report.take(known);
        if !self.report.is_clean() {
            eprintln!("the log stays in `{}`", made.keep().display());
        }
        Ok(())
    }

    /// Starts the server, loads it, kills it.
    fn round(
        &mut self,
        home: &Path,
        data: &Path,
        tokens: &Tokens,
        known: &mut Acknowledged,
    ) -> Result<(), Error> {
        if self.rng.usize(..KILLS_AT_START) == 0 {
            let child = Child::spawn(&self.program, home, data)?;
            let after = self.rng.u64(..self.report.typical_start_us());
            std::thread::sleep(Duration::from_micros(after));
            self.report.kills_at_start += 1;
            return child.kill_early();
        }
        let Some(mut child) = self.start(home, data)? else {
            return Ok(());
        };
        let latest = u64::try_from(LATEST_KILL.as_micros()).unwrap_or(u64::MAX);
        let after = Duration::from_micros(self.rng.u64(..latest));
        let clients = self.rng.usize(1..=8);
        let done = load::until_killed(&mut child, tokens, clients, after, known)?;
        self.report.kills_under_load += 1;
        self.report.acknowledged += done.acknowledged;
        self.report.unanswered += done.unanswered;
        Ok(())
    }

    /// Starts the server; one that needs a hand to start is a finding.
    fn start(&mut self, home: &Path, data: &Path) -> Result<Option<Child>, Error> {
        let begun = Instant::now();
        let mut child = Child::spawn(&self.program, home, data)?;
        match child.wait_until_it_listens()? {
            Ok(()) => {
                self.report.started(begun.elapsed());
                Ok(Some(child))
            }
            Err(said) => {
                self.report
                    .finding(format!("it did not start again: {said}"));
                Ok(None)
            }
        }
    }
}

/// Begins a log in a data directory of which nothing is known yet.
fn begin(data: &Path) -> Result<(Tokens, Acknowledged), Error> {
    let content = bundle_dir::read(&workspace::root().join("bundles/allow-all"))?;
    let log = Log::begin(content, Some(data), data)?;
    let key = log.service().public_keys().log_key.parse();
    let key = key.map_err(Error::server("the log's key"))?;
    Ok((Tokens::of(&log)?, Acknowledged::new(key)))
}

/// The program that is named, or the one that was built beside this one.
fn program(named: Option<&Path>) -> Result<PathBuf, Error> {
    let beside = || Some(std::env::current_exe().ok()?.with_file_name("countersign"));
    let program = named.map(Path::to_owned).or_else(beside);
    match program {
        Some(program) if program.is_file() => Ok(program),
        other => Err(Error::server("the server's program")(format!(
            "there is no `{}`: build it with `cargo build -p countersign-cli`, with --release if this was",
            other.unwrap_or_default().display()
        ))),
    }
}

fn bar(rounds: usize) -> ProgressBar {
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(u64::try_from(rounds).ok(), target);
    match ProgressStyle::with_template("{bar:40} {pos}/{len} rounds, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
