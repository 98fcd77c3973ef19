//! `cargo xtask mutate`: every member of every kind of entry of a log changed, and what the
//! verifier says of it.
//!
//! Two adversaries: one without the log's key, who can do no better than `failed`, and one with it,
//! who signs everything anew. The second is `failed` wherever something covers the change that the
//! auditor holds, and `unanchored` at best elsewhere. What comes out better is a hole.

mod export;
mod made;
mod report;

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_story::mutate::{self, Court, Mutant, Row, Verdict};
use countersign_story::{log, story};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::Error;
use export::Export;
use report::Report;

/// Ways to change one kind: of each, a smoke run tries so many changes.
const SMOKE: usize = 2;

/// What to change.
#[derive(clap::Args)]
pub(crate) struct MutateArguments {
    /// An export: a directory in tlog-tiles layout. Without one, two logs of our own: one that holds
    /// every kind of entry, and one that the real service makes.
    export: Option<PathBuf>,
    /// The log's key file: then what its holder can do is tried, too.
    #[arg(
        long,
        value_name = "FILE",
        requires = "export",
        conflicts_with = "data"
    )]
    log_key: Option<PathBuf>,
    /// The data directory of the log, whose `keys/log.key` is taken.
    #[arg(long, value_name = "DIR", requires = "export")]
    data: Option<PathBuf>,
    /// A checkpoint that you hold, against what the key's holder can do.
    #[arg(long, value_name = "FILE", requires = "export")]
    hold: Option<PathBuf>,
    /// A C2SP tlog-policy whose quorum has cosigned the export's checkpoint, in place of a witness
    /// that is made up.
    #[arg(long, value_name = "FILE", requires = "export")]
    policy: Option<PathBuf>,
    /// Change only entries of these kinds, and of what else the table's first column names.
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kinds: Vec<String>,
    /// Try no more than about so many changes, and at least one of each row.
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    /// A few changes of each kind in each way.
    #[arg(long, conflicts_with = "sample")]
    smoke: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Write the long table, a line for each row, to this file.
    #[arg(long, value_name = "FILE.md")]
    table: Option<PathBuf>,
}

/// Changes; whether there is no hole.
pub(crate) fn run(arguments: &MutateArguments) -> Result<bool, Error> {
    let courts = match &arguments.export {
        Some(_) => vec![theirs(arguments)?],
        None => ours()?,
    };
    let mut reports = Vec::new();
    for (name, court) in courts {
        reports.push(one(name, court, arguments)?);
    }
    if let Some(path) = &arguments.table {
        let tables: Vec<String> = reports.iter().map(Report::long).collect();
        std::fs::write(path, tables.join("\n")).map_err(Error::io(path))?;
    }
    match arguments.json {
        true => {
            let text =
                serde_json::to_string_pretty(&reports).map_err(Error::server("the report"))?;
            println!("{text}");
        }
        false => reports.iter().for_each(|report| println!("{report}\n")),
    }
    Ok(reports.iter().all(Report::is_passed))
}

/// The log that was named.
fn theirs(arguments: &MutateArguments) -> Result<(String, Court), Error> {
    let dir = arguments.export.clone().unwrap_or_default();
    let export = Export::read(&dir)?;
    let in_data = arguments
        .data
        .as_ref()
        .map(|data| data.join("keys/log.key"));
    let key = match arguments.log_key.as_ref().or(in_data.as_ref()) {
        Some(path) => Some(export.key(path)?),
        None => None,
    };
    let policy = arguments
        .policy
        .as_deref()
        .map(export::policy)
        .transpose()?;
    let hold = arguments.hold.as_deref().map(export::held).transpose()?;
    let given = export::documents(&dir.join("documents"))?;
    let mut court = export.court();
    court.key = key;
    court.policy = policy;
    court.hold = hold;
    court.documents.given = given;
    Ok((dir.display().to_string(), court))
}

/// Logs of our own.
fn ours() -> Result<Vec<(String, Court)>, Error> {
    let story = story::whole();
    let leaves = story.leaves();
    let log = log::publish(&leaves);
    let export = Export::new(leaves.clone(), log, log::checkpoint(&leaves))?;
    let mut of_all = export.court();
    of_all.key = Some(log::Key::log());
    of_all.documents.given = story.documents;
    let scratch = tempfile::tempdir().map_err(Error::io(&std::env::temp_dir()))?;
    let documents = made::log(scratch.path())?;
    let export = Export::read(&scratch.path().join("export"))?;
    let key = export.key(&scratch.path().join("data/keys/log.key"))?;
    let mut of_service = export.court();
    of_service.key = Some(key);
    of_service.documents.given = documents;
    Ok(vec![
        ("a log that holds every kind of entry".to_owned(), of_all),
        ("a log that the service made".to_owned(), of_service),
    ])
}

fn one(name: String, mut court: Court, arguments: &MutateArguments) -> Result<Report, Error> {
    court.prepare().map_err(Error::server("the log"))?;
    let documents = court.settle_documents();
    let (mut mutants, coverage) = mutate::all(&court).map_err(Error::server("the changes"))?;
    if !arguments.kinds.is_empty() {
        mutants.retain(|mutant| arguments.kinds.contains(&mutant.row.part));
    }
    let possible = mutants.len();
    let mutants = sampled(mutants, arguments);
    let judged = judge_all(&court, &mutants);
    let mut report = Report {
        log: name,
        entries: court.leaves.len(),
        kinds: coverage.kinds().into_iter().map(str::to_owned).collect(),
        changes: 0,
        possible,
        with_key: court.key.is_some(),
        uncovered: coverage.gaps(),
        documents,
        holes: Vec::new(),
        older: Vec::new(),
        rows: Vec::new(),
    };
    report.count(&judged);
    report.older(court.older());
    Ok(report)
}

/// At least one change of each row, and about so many in all; for a smoke run some of each kind in
/// each way, whichever member it is.
fn sampled(mutants: Vec<Mutant>, arguments: &MutateArguments) -> Vec<Mutant> {
    let group = |row: &Row| {
        let place = if arguments.smoke { "" } else { &row.place };
        Row::new(&row.part, place, &row.how)
    };
    let mut groups: BTreeMap<Row, usize> = BTreeMap::new();
    for mutant in &mutants {
        *groups.entry(group(&mutant.row)).or_default() += 1;
    }
    let of_each = match (arguments.smoke, arguments.sample) {
        (true, _) => SMOKE,
        (false, Some(n)) => n.div_ceil(groups.len().max(1)).max(1),
        (false, None) => return mutants,
    };
    let mut seen: BTreeMap<Row, usize> = BTreeMap::new();
    let mut kept = Vec::new();
    for mutant in mutants {
        let group = group(&mutant.row);
        let step = groups
            .get(&group)
            .copied()
            .unwrap_or(1)
            .div_ceil(of_each)
            .max(1);
        let n = seen.entry(group).or_default();
        if n.is_multiple_of(step) {
            kept.push(mutant);
        }
        *n += 1;
    }
    kept
}

fn judge_all<'m>(court: &Court, mutants: &'m [Mutant]) -> Vec<(&'m Mutant, Verdict)> {
    let bar = progress(mutants.len());
    let next = AtomicUsize::new(0);
    let judged = Mutex::new(Vec::with_capacity(mutants.len()));
    let work = || {
        while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
            let verdict = court.judge(mutant);
            let mut judged = judged
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            judged.push((mutant, verdict));
            bar.inc(1);
        }
    };
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(work);
        }
    });
    bar.finish_and_clear();
    judged
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn progress(changes: usize) -> ProgressBar {
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(u64::try_from(changes).ok(), target);
    match ProgressStyle::with_template("{bar:40} {pos}/{len} changes, {per_sec}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
