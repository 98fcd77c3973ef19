//! `countersign reconcile`

#[cfg(test)]
mod corpus;
mod csv;
mod join;
mod ledger;
mod otel;
mod outside;

use std::collections::BTreeMap;
use std::path::PathBuf;

use comfy_table::Cell;
use countersign_core::time::Timestamp;
use countersign_core::verdict::Outcome;
use serde::Serialize;

use crate::connection::ConnectionArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::render::plain;
use crate::terminal::{Terminal, Tone};
use crate::units;
use join::{Books, Finding, Kind, Limits, join, to_open};
use ledger::Stretch;
use outside::{Field, Format, Names};

/// Holds approvals and executions in the ledger against each other, and against records of what ran
/// that somebody else kept. What ran that nobody authorized?
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 everything matches · 1 something does not · 2 usage or I/O

A record is joined by the entry that it names; else, with --open, by the client's own id of the
call, or by tool and arguments within --window. In OpenTelemetry spans the entry is the attribute
`dev.countersign.entry_id`. Each call that --open opens is an entry of the log.")]
pub(crate) struct ReconcileArgs {
    /// Decided at or after this time: 2026-04-18T02:13:44Z, 2026-04-18, or so long ago: 2h, 1d
    #[arg(long, value_name = "TIME", value_parser = units::time)]
    since: Option<String>,
    /// Decided before this time
    #[arg(long, value_name = "TIME", value_parser = units::time)]
    until: Option<String>,
    /// How long an approval may wait for its call, and a call for its end
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = units::seconds)]
    grace: u64,
    /// A file of records of what ran; may be given several times
    #[arg(long, value_name = "FILE")]
    outside: Vec<PathBuf>,
    /// How the records are written
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,
    /// Where a record has its time, tool, entry-id, call-id, args or args-sha256: a member, a /json/pointer or a column
    #[arg(long = "field", value_name = "NAME=COLUMN", value_parser = outside::field)]
    fields: Vec<(Field, String)>,
    /// How long after its decision a call may be recorded
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = units::seconds)]
    window: u64,
    /// Open the calls that records can be of, to compare them; needs the role vault-reader
    #[arg(long, requires = "outside")]
    open: bool,
    /// Why calls are opened; it stands in the log
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "reconcile with outside records"
    )]
    purpose: String,
    /// How many calls may be opened
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    open_limit: usize,
    /// A kind of finding that does not count; may be given several times
    #[arg(long, value_name = "KIND", value_parser = kind)]
    ignore: Vec<Kind>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    matches: bool,
    findings: &'a [Finding],
    counts: BTreeMap<&'static str, usize>,
    looked_at: LookedAt,
}

/// How much was held against how much.
#[derive(Serialize)]
struct LookedAt {
    decisions: usize,
    approved: usize,
    executed: usize,
    records: usize,
    calls_opened: usize,
    permits_refused: u64,
}

pub(crate) fn run(
    args: &ReconcileArgs,
    connection: &ConnectionArgs,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let mut books = Books::default();
    let names: Names = args.fields.iter().cloned().collect();
    for path in &args.outside {
        outside::read(path, args.format, &names, &mut books.records)?;
    }
    let limits = args.limits()?;
    let connection = connection.open(terminal)?;
    let reader = connection.with_role(&["auditor", "vault-reader"])?;
    let stretch = Stretch {
        since: args.since.clone(),
        until: args.until.clone(),
    };
    let permits_refused = ledger::read(&reader, &stretch, &mut books)?;
    ledger::read_named(&reader, &mut books)?;
    let mut calls_opened = 0;
    if args.open {
        let wanted = to_open(&books, &limits);
        if wanted.len() > args.open_limit {
            let found = format!(
                "{} calls would have to be opened; --open-limit allows {}",
                wanted.len(),
                args.open_limit
            );
            return Err(CliError::usage(found)
                .hint("narrow --since, --until and --window, or raise --open-limit: each is an entry of the log"));
        }
        calls_opened = wanted.len();
        books.is_open = true;
        let opener = connection.with_role(&["vault-reader"])?;
        let bar = terminal.progress("opening");
        ledger::open(&opener, &wanted, &args.purpose, &mut books, &bar)?;
    }
    let mut findings = join(&books, &limits);
    findings.retain(|finding| !args.ignore.contains(&finding.kind));
    let looked_at = looked_at(&books, calls_opened, permits_refused);
    show(&findings, looked_at, terminal)
}

impl ReconcileArgs {
    fn limits(&self) -> Result<Limits, CliError> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
        let millis = |seconds: u64| {
            let millis = i64::try_from(seconds.saturating_mul(1_000));
            millis.map_err(|_| CliError::usage("--grace and --window are too long"))
        };
        Ok(Limits {
            now: Timestamp::from_millis(now),
            grace_ms: millis(self.grace)?,
            window_ms: millis(self.window)?,
        })
    }
}

fn kind(text: &str) -> Result<Kind, String> {
    let known = || Kind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>();
    let found = Kind::ALL.iter().find(|kind| kind.name() == text);
    found
        .copied()
        .ok_or_else(|| format!("there is no such kind; there are {}", known().join(", ")))
}

fn looked_at(books: &Books, calls_opened: usize, permits_refused: u64) -> LookedAt {
    let own = || books.decisions.iter().filter(|it| !it.is_before);
    LookedAt {
        decisions: own().count(),
        approved: own().filter(|it| it.outcome == Outcome::Approved).count(),
        executed: own().filter(|it| !it.phases.is_empty()).count(),
        records: books.records.len(),
        calls_opened,
        permits_refused,
    }
}

fn show(findings: &[Finding], looked_at: LookedAt, terminal: &Terminal) -> Result<Exit, CliError> {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.kind.name()).or_default() += 1;
    }
    let summary = format!(
        "{} decisions, {} approved, {} executed; {} records; {} permits refused",
        looked_at.decisions,
        looked_at.approved,
        looked_at.executed,
        looked_at.records,
        looked_at.permits_refused
    );
    let is_to_open = counts.contains_key(Kind::NotJoined.name());
    let report = Report {
        matches: findings.is_empty(),
        findings,
        counts,
        looked_at,
    };
    terminal.answer(&report, || {
        text(findings, &report.counts, &summary, terminal)
    })?;
    if is_to_open && !terminal.is_json() {
        terminal.hint("--open compares calls with records that name no entry; each opening is an entry of the log");
    }
    Ok(match findings.is_empty() {
        true => Exit::Yes,
        false => Exit::No,
    })
}

fn text(
    findings: &[Finding],
    counts: &BTreeMap<&'static str, usize>,
    summary: &str,
    terminal: &Terminal,
) -> String {
    if findings.is_empty() {
        let good = terminal.paint(Tone::Good, "everything matches");
        return format!("{good}\n{summary}");
    }
    let mut table = terminal.table(["what", "time", "call", "actor", "record", "entry"]);
    for finding in findings {
        let tone = match finding.kind {
            Kind::Unauthorized | Kind::Refused | Kind::OtherArguments | Kind::TooEarly => Tone::Bad,
            Kind::Twice | Kind::NotApproved => Tone::Bad,
            Kind::NotRun => Tone::Quiet,
            _ => Tone::Careful,
        };
        let time = finding
            .time
            .map(|time| time.to_string())
            .unwrap_or_default();
        let call = finding.tool.as_ref().or(finding.action.as_ref());
        let of = |text: Option<&String>| plain(text.map_or("", String::as_str)).replace('\n', " ");
        let entry = finding
            .entry_id
            .map(|id| id.to_string())
            .unwrap_or_default();
        table.add_row([
            terminal.cell(tone, finding.kind.name()),
            Cell::new(time.replace('T', " ").trim_end_matches('Z')),
            Cell::new(of(call)),
            Cell::new(of(finding.actor.as_ref())),
            Cell::new(of(finding.record.as_ref())),
            Cell::new(entry),
        ]);
    }
    let mut lines: Vec<String> = table
        .to_string()
        .lines()
        .map(|it| it.trim_end().to_owned())
        .collect();
    lines.push(String::new());
    for (name, count) in counts {
        let kind = Kind::ALL.iter().find(|kind| kind.name() == *name);
        lines.push(format!(
            "{count} {name}: {}",
            kind.map_or("", |kind| kind.text())
        ));
    }
    lines.push(String::new());
    lines.push(summary.to_owned());
    lines.join("\n")
}
